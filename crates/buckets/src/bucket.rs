//! What can be done with a bucket as a whole: create, look, configure, delete.

use std::ops::Bound;

use crate::error::Error;
use crate::index::{Table, decode};
use crate::rows::{BucketRow, Tags};
use crate::store::{Buckets, Inner, no_bucket, now_ms, object_key};

/// A bucket, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: u64,
    /// Whether its object changes become events.
    pub event_bridge: bool,
}

impl Buckets {
    /// Creates a bucket.
    ///
    /// # Errors
    /// [`Error::InvalidBucketName`], [`Error::BucketAlreadyOwnedByYou`].
    pub async fn create_bucket(&self, name: &str) -> Result<(), Error> {
        self.inner.create_bucket(name, None).await
    }

    /// Deletes an empty bucket.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::BucketNotEmpty`].
    pub async fn delete_bucket(&self, name: &str) -> Result<(), Error> {
        self.inner.delete_bucket(name).await
    }

    /// Every bucket, by name.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn buckets(&self) -> Result<Vec<BucketInfo>, Error> {
        let rows = self.inner.buckets()?;
        let info = |(name, row): (String, BucketRow)| BucketInfo {
            name,
            created_ms: row.created_ms,
            event_bridge: row.event_bridge,
        };
        Ok(rows.into_iter().map(info).collect())
    }

    /// Switches the events of a bucket's object changes on or off, as PutBucketNotificationConfiguration does.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`].
    pub async fn set_event_bridge(&self, bucket: &str, on: bool) -> Result<(), Error> {
        self.inner.change_bucket(bucket, move |row| row.event_bridge = on).await
    }
}

impl Inner {
    pub(crate) async fn create_bucket(&self, name: &str, location: Option<String>) -> Result<(), Error> {
        let bucket = name.to_owned();
        if !s3s::path::check_bucket_name(name) {
            return Err(Error::InvalidBucketName { bucket });
        }
        self.blobs.require_room(0)?;
        self.index
            .write(move |txn| {
                if txn.get::<BucketRow>(Table::Buckets, bucket.as_bytes())?.is_some() {
                    return Err(Error::BucketAlreadyOwnedByYou { bucket });
                }
                let row = BucketRow { created_ms: now_ms(), location, ..BucketRow::default() };
                txn.put(Table::Buckets, bucket.as_bytes(), &row)
            })
            .await
    }

    pub(crate) async fn delete_bucket(&self, name: &str) -> Result<(), Error> {
        let bucket = name.to_owned();
        self.index
            .write(move |txn| {
                txn.get::<BucketRow>(Table::Buckets, bucket.as_bytes())?.ok_or_else(|| no_bucket(&bucket))?;
                let prefix = object_key(&bucket, "");
                if !txn.is_empty(Table::Objects, &prefix)? || !txn.is_empty(Table::Uploads, &prefix)? {
                    return Err(Error::BucketNotEmpty { bucket });
                }
                txn.remove(Table::Buckets, bucket.as_bytes());
                Ok(())
            })
            .await
    }

    pub(crate) fn buckets(&self) -> Result<Vec<(String, BucketRow)>, Error> {
        self.index.read(|view| {
            let rows = view.rows(Table::Buckets, Bound::Unbounded);
            rows.map(|row| {
                let (name, value) = row?;
                Ok((String::from_utf8_lossy(&name).into_owned(), decode(&value)?))
            })
            .collect()
        })
    }

    pub(crate) async fn set_bucket_tags(&self, bucket: &str, tags: Option<Tags>) -> Result<(), Error> {
        self.change_bucket(bucket, move |row| row.tags = tags).await
    }

    pub(crate) async fn change_bucket(
        &self,
        name: &str,
        change: impl FnOnce(&mut BucketRow) + Send + 'static,
    ) -> Result<(), Error> {
        let bucket = name.to_owned();
        self.index
            .write(move |txn| {
                let row = txn.get::<BucketRow>(Table::Buckets, bucket.as_bytes())?;
                let mut row = row.ok_or_else(|| no_bucket(&bucket))?;
                change(&mut row);
                txn.put(Table::Buckets, bucket.as_bytes(), &row)
            })
            .await
    }
}
