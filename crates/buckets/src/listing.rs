//! Listing a bucket: a page of keys in byte order, keys that share a prefix up to the delimiter rolled into one.
//!
//! The cost follows the page, not the bucket: a rolled-up prefix is jumped over in the index, however many keys it
//! hides.

use std::ops::Bound;

use crate::error::Error;
use crate::index::{Table, decode};
use crate::object::ObjectInfo;
use crate::rows::{BucketRow, ObjectRow};
use crate::store::{Buckets, Inner, no_bucket, object_key};

/// S3's largest page.
pub(crate) const PAGE_MAX: usize = 1000;

/// What to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub bucket: String,
    pub prefix: String,
    pub delimiter: Option<String>,
    /// List what comes after this key or rolled-up prefix.
    pub after: Option<String>,
    pub max: usize,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub objects: Vec<(String, ObjectRow)>,
    pub prefixes: Vec<String>,
    /// The `after` of the next page; `None` at the end.
    pub next: Option<String>,
}

/// A page of objects, for callers in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// In the byte order of their keys.
    pub objects: Vec<ObjectInfo>,
    /// Pass it as `after` to see more; `None` at the end.
    pub next: Option<String>,
}

impl Buckets {
    /// Up to `max` (at most 1000) objects whose keys begin with `prefix`, after the key `after`.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and failures of the index.
    pub fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        max: usize,
    ) -> Result<Listing, Error> {
        let query = Query {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            delimiter: None,
            after: after.map(str::to_owned),
            max: max.min(PAGE_MAX),
        };
        let page = self.inner.list(&query)?;
        let objects = page.objects.into_iter().map(|(key, row)| ObjectInfo::of(&key, row)).collect();
        Ok(Listing { objects, next: page.next })
    }
}

impl Inner {
    pub(crate) fn list(&self, query: &Query) -> Result<Page, Error> {
        let Query { bucket, prefix, after, max, .. } = query;
        let delimiter = query.delimiter.as_deref().filter(|d| !d.is_empty());
        self.index.read(|view| {
            view.get::<BucketRow>(Table::Buckets, bucket.as_bytes())?.ok_or_else(|| no_bucket(bucket))?;
            let base = object_key(bucket, "");
            let within = object_key(bucket, prefix);
            let mut page = Page::default();
            let mut last = None;
            let mut from = match after.as_deref() {
                Some(after) if rolled_up(after, prefix, delimiter) == Some(after) => {
                    Bound::Included(successor(object_key(bucket, after)))
                }
                Some(after) if after >= prefix.as_str() => Bound::Excluded(object_key(bucket, after)),
                _ => Bound::Included(within.clone()),
            };
            'jump: loop {
                for row in view.rows(Table::Objects, from.as_ref().map(Vec::as_slice)) {
                    let (at, value) = row?;
                    if !at.starts_with(&within) {
                        return Ok(page);
                    }
                    if page.objects.len() + page.prefixes.len() >= *max {
                        page.next = last;
                        return Ok(page);
                    }
                    let key = String::from_utf8_lossy(at.get(base.len()..).unwrap_or_default()).into_owned();
                    if let Some(rolled) = rolled_up(&key, prefix, delimiter) {
                        page.prefixes.push(rolled.to_owned());
                        last = Some(rolled.to_owned());
                        from = Bound::Included(successor(object_key(bucket, rolled)));
                        continue 'jump;
                    }
                    last = Some(key.clone());
                    page.objects.push((key, decode(&value)?));
                }
                return Ok(page);
            }
        })
    }
}

/// The part of a key up to and with the first delimiter after the prefix.
pub(crate) fn rolled_up<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter?;
    let rest = key.strip_prefix(prefix)?;
    let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
    key.get(..end)
}

/// The least bytes greater than everything that begins with these.
fn successor(mut bytes: Vec<u8>) -> Vec<u8> {
    // UTF-8 has no byte 0xFF, so the last byte can always grow.
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::outbox::NoEvents;

    async fn with_keys(keys: &[&str]) -> (Buckets, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let buckets = Buckets::open(dir.path(), Arc::new(NoEvents)).await.unwrap();
        buckets.create_bucket("bkt").await.unwrap();
        // A neighbour whose keys must never show.
        buckets.create_bucket("bkt0").await.unwrap();
        buckets.put("bkt0", "a", "x".into(), None, "test").await.unwrap();
        for key in keys {
            buckets.put("bkt", key, "x".into(), None, "test").await.unwrap();
        }
        (buckets, dir)
    }

    /// Lists page by page: keys as they are, rolled-up prefixes in brackets, pages separated by `|`.
    fn listed(
        buckets: &Buckets,
        prefix: &str,
        delimiter: Option<&str>,
        after: Option<&str>,
        max: usize,
    ) -> String {
        let mut query = Query {
            bucket: "bkt".into(),
            prefix: prefix.into(),
            delimiter: delimiter.map(str::to_owned),
            after: after.map(str::to_owned),
            max,
        };
        let mut pages = Vec::new();
        loop {
            let page = buckets.inner.list(&query).unwrap();
            let mut items: Vec<(String, String)> =
                page.objects.into_iter().map(|(k, _)| (k.clone(), k)).collect();
            items.extend(page.prefixes.into_iter().map(|p| (p.clone(), format!("[{p}]"))));
            items.sort();
            pages.push(items.into_iter().map(|(_, shown)| shown).collect::<Vec<_>>().join(" "));
            query.after = page.next;
            if query.after.is_none() {
                return pages.join("|");
            }
        }
    }

    #[tokio::test]
    async fn pages_prefixes_and_delimiters() {
        let keys = ["../esc", "a/1", "a/2", "a/b/3", "b", "b/", "c/x", "k", "k/sub", "z ü"];
        let (buckets, _dir) = with_keys(&keys).await;
        type Case<'a> = (&'a str, Option<&'a str>, Option<&'a str>, usize, &'a str);
        let cases: &[Case<'_>] = &[
            ("", None, None, 1000, "../esc a/1 a/2 a/b/3 b b/ c/x k k/sub z ü"),
            ("", None, None, 4, "../esc a/1 a/2 a/b/3|b b/ c/x k|k/sub z ü"),
            ("", Some("/"), None, 1000, "[../] [a/] b [b/] [c/] k [k/] z ü"),
            ("", Some("/"), None, 1, "[../]|[a/]|b|[b/]|[c/]|k|[k/]|z ü"),
            ("", Some("/"), None, 3, "[../] [a/] b|[b/] [c/] k|[k/] z ü"),
            ("a/", Some("/"), None, 1000, "a/1 a/2 [a/b/]"),
            ("a/", Some("/"), None, 2, "a/1 a/2|[a/b/]"),
            ("a/", None, Some("a/1"), 1000, "a/2 a/b/3"),
            ("", None, Some("k"), 1000, "k/sub z ü"),
            ("", Some("/"), Some("a/"), 1000, "b [b/] [c/] k [k/] z ü"),
            ("", Some("/"), Some("a/1"), 1000, "[a/] b [b/] [c/] k [k/] z ü"),
            ("k", Some(""), None, 1000, "k k/sub"),
            ("none", None, None, 10, ""),
            ("b", None, Some("a"), 10, "b b/"),
            ("b", None, Some("c"), 10, ""),
            ("", None, None, 0, ""),
        ];
        for (prefix, delimiter, after, max, expected) in cases {
            let found = listed(&buckets, prefix, *delimiter, *after, *max);
            assert_eq!(
                found, *expected,
                "prefix {prefix:?} delimiter {delimiter:?} after {after:?} max {max}"
            );
        }
    }

    #[tokio::test]
    async fn the_listing_of_a_missing_bucket_is_an_error() {
        let (buckets, _dir) = with_keys(&[]).await;
        assert!(matches!(buckets.list("none", "", None, 10), Err(Error::NoSuchBucket { .. })));
        let listing = buckets.list("bkt0", "", None, 10).unwrap();
        assert_eq!(listing.objects.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["a"]);
    }
}
