//! CSV: each row becomes an object of its header's names.
//!
//! Recorded: cells that the header has no name for are dropped, missing ones are empty, a name may be empty, duplicates
//! are refused, and members come in the order of their names.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use asl::json::Json;
use asl::states::map::distributed::{Delimiter, ReaderFormat};
use csv::{ByteRecord, ReaderBuilder};

use super::{Sink, Stop};

pub(super) fn read(bytes: impl Read, format: &ReaderFormat, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let mut reader = ReaderBuilder::new()
        .delimiter(match format.delimiter {
            Delimiter::Comma => b',',
            Delimiter::Pipe => b'|',
            Delimiter::Semicolon => b';',
            Delimiter::Space => b' ',
            Delimiter::Tab => b'\t',
        })
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let broken = |error: csv::Error| Stop::Failed(format!("The CSV cannot be read: {error}"));
    let mut row = ByteRecord::new();
    let headers: Vec<Arc<str>> = match &format.headers {
        Some(given) => given.clone(),
        None if !reader.read_byte_record(&mut row).map_err(broken)? => return Ok(()),
        None => row
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').into())
            .collect(),
    };
    if headers.iter().collect::<BTreeSet<_>>().len() < headers.len() {
        return Err(Stop::Failed("CSV headers cannot contain duplicates.".to_owned()));
    }
    let mut order: Vec<usize> = (0..headers.len()).collect();
    order.sort_by_key(|at| &headers[*at]);
    while reader.read_byte_record(&mut row).map_err(broken)? {
        let cell = |at: &usize| {
            let text = String::from_utf8_lossy(row.get(*at).unwrap_or_default());
            (headers[*at].clone(), Json::from(&*text))
        };
        sink(None, Json::object(order.iter().map(cell)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use asl::states::map::distributed::InputType;

    use super::*;
    use crate::rows::tests::read_text;

    fn csv() -> ReaderFormat {
        ReaderFormat { input_type: Some(InputType::Csv), ..ReaderFormat::default() }
    }

    /// Recorded, but for the last row.
    #[test]
    fn rows_are_as_wide_as_the_header() {
        let text = "H1,\nValue4,Value5,Value6\n,,,\ntrue,1,'HelloWorld'\nNull,None,\n   \n\n\"a,\"\"b\",c";
        let want = [
            r#"{"":"Value5","H1":"Value4"}"#,
            r#"{"":"","H1":""}"#,
            r#"{"":"1","H1":"true"}"#,
            r#"{"":"None","H1":"Null"}"#,
            r#"{"":"","H1":"   "}"#,
            r#"{"":"c","H1":"a,\"b"}"#,
        ];
        assert_eq!(read_text(text.as_bytes(), &csv()), want);
    }

    #[test]
    fn headers_are_given_or_refused() {
        let given = |names: &[&str]| Some(names.iter().map(|name| (*name).into()).collect());
        let format = ReaderFormat { headers: given(&["b", "a"]), delimiter: Delimiter::Tab, ..csv() };
        assert_eq!(read_text(b"1\t2\n", &format), [r#"{"a":"2","b":"1"}"#]);
        let format = ReaderFormat { headers: given(&["a", "a"]), ..csv() };
        assert_eq!(read_text(b"1,2\n", &format), ["! CSV headers cannot contain duplicates."]);
        assert_eq!(read_text(b"a,a\n", &csv()), ["! CSV headers cannot contain duplicates."]);
        assert!(read_text(b"", &csv()).is_empty());
    }
}
