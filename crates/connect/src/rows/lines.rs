//! JSONL: a JSON document in each line; empty lines are none.

use std::io::{BufRead, BufReader, Read};

use asl::json::Json;

use super::{Sink, Stop};

/// The longest line (asl-facts 16.2).
const LINE_BYTES_MAX: u64 = 8 * 1024 * 1024;

pub(super) fn read(bytes: impl Read, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let mut reader = BufReader::new(bytes);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        let length = read.map_err(|error| Stop::Failed(error.to_string()))?;
        if length == 0 {
            break;
        }
        if length as u64 > LINE_BYTES_MAX {
            return Err(Stop::Failed(format!("Line {number} is longer than {LINE_BYTES_MAX} bytes")));
        }
        let text =
            std::str::from_utf8(&line).map_err(|_| Stop::Failed(format!("Line {number} is not UTF-8")))?;
        if text.trim().is_empty() {
            continue;
        }
        let value = Json::parse(text)
            .map_err(|error| Stop::Failed(format!("Line {number} is not valid JSON: {}", error.message())))?;
        sink(None, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use asl::states::map::distributed::{InputType, ReaderFormat};

    use crate::rows::tests::read_text;

    #[test]
    fn each_line_is_an_item() {
        let format = ReaderFormat { input_type: Some(InputType::JsonLines), ..ReaderFormat::default() };
        assert_eq!(read_text(b"{\"a\": 1}\n\n[2]\r\n3", &format), [r#"{"a":1}"#, "[2]", "3"]);
        let broken = read_text(b"1\n{\n", &format);
        assert!(broken[1].starts_with("! Line 2 is not valid JSON: "), "{broken:?}");
    }
}
