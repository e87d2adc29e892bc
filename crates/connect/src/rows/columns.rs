//! Parquet: each row becomes an object of its columns. The file is read a page at a time, by ranges of the object.
//!
//! What JSON has no word for becomes a text: dates and moments in ISO 8601, decimals in digits, bytes as UTF-8 where they
//! are that.

use std::io::{self, Read};

use asl::json::Json;
use asl::timestamp;
use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::{Field, Row};

use super::{Sink, Stop};
use crate::s3::Ranges;

/// Bytes that are asked for where the library does not say how many it wants.
const BLOCK_BYTES: u64 = 64 * 1024;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// An object of which parts are read.
#[derive(Clone)]
pub(super) struct ParquetObject(pub(super) Ranges);

impl ParquetObject {
    fn bytes(&self, start: u64, length: u64) -> Result<Bytes, ParquetError> {
        self.0.get(start, length).map_err(ParquetError::General)
    }
}

impl Length for ParquetObject {
    fn len(&self) -> u64 {
        self.0.length()
    }
}

impl ChunkReader for ParquetObject {
    type T = Blocks;

    fn get_read(&self, start: u64) -> Result<Blocks, ParquetError> {
        Ok(Blocks { object: self.clone(), at: start, block: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.bytes(start, length as u64)
    }
}

/// An object from a place on, block by block.
pub(super) struct Blocks {
    object: ParquetObject,
    at: u64,
    block: Bytes,
}

impl Read for Blocks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            let length = self.object.len().saturating_sub(self.at).min(BLOCK_BYTES);
            if length == 0 {
                return Ok(0);
            }
            self.block = self.object.bytes(self.at, length).map_err(io::Error::other)?;
            self.at += self.block.len() as u64;
        }
        let count = self.block.len().min(into.len());
        self.block.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

/// The rows of a file.
pub(super) fn read(file: impl ChunkReader + 'static, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let broken = |error: ParquetError| Stop::Failed(format!("The Parquet file cannot be read: {error}"));
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    for row in reader.get_row_iter(None).map_err(broken)? {
        sink(None, object(&row.map_err(broken)?))?;
    }
    Ok(())
}

fn object(row: &Row) -> Json {
    Json::object(row.get_column_iter().map(|(name, field)| (name.as_str(), value(field))))
}

fn value(field: &Field) -> Json {
    let whole = |number: i64| Json::from(number);
    let real = |number: f64| Json::parse(&format!("{number:?}")).unwrap_or(Json::Null);
    match field {
        Field::Null => Json::Null,
        Field::Bool(value) => Json::from(*value),
        Field::Byte(number) => whole((*number).into()),
        Field::Short(number) => whole((*number).into()),
        Field::Int(number) => whole((*number).into()),
        Field::Long(number) => whole(*number),
        Field::UByte(number) => whole((*number).into()),
        Field::UShort(number) => whole((*number).into()),
        Field::UInt(number) => whole((*number).into()),
        Field::ULong(number) => i64::try_from(*number).map_or_else(|_| real(*number as f64), whole),
        Field::Float16(number) => real(number.to_f64()),
        // The digits of the short form: 0.1 is 0.1 and not what is nearest to it in the long form.
        Field::Float(number) => Json::parse(&format!("{number:?}")).unwrap_or(Json::Null),
        Field::Double(number) => real(*number),
        Field::Str(text) => Json::from(text.as_str()),
        Field::Bytes(bytes) => Json::from(&*String::from_utf8_lossy(bytes.data())),
        Field::Date(days) => {
            let moment = timestamp::format(i64::from(*days) * DAY_MS);
            Json::from(moment.split('T').next().unwrap_or_default())
        }
        Field::TimestampMillis(ms) => Json::from(timestamp::format(*ms).as_str()),
        Field::TimestampMicros(us) => Json::from(timestamp::format(us.div_euclid(1000)).as_str()),
        Field::Decimal(_) | Field::TimeMillis(_) | Field::TimeMicros(_) => {
            Json::from(field.to_string().as_str())
        }
        Field::Group(row) => object(row),
        Field::ListInternal(list) => Json::array(list.elements().iter().map(value)),
        Field::MapInternal(map) => {
            let key = |field: &Field| match field {
                Field::Str(text) => text.clone(),
                other => value(other).to_text(),
            };
            Json::object(map.entries().iter().map(|(name, of)| (key(name).as_str().to_owned(), value(of))))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// A file of three rows, written by the library.
    fn file(compression: Compression) -> Bytes {
        let schema = "message m { required int64 id; optional binary name (UTF8); required double x; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[1, 2, 3], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let names = [ByteArray::from("a"), ByteArray::from("c")];
        column.typed::<ByteArrayType>().write_batch(&names, Some(&[1, 0, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[0.5, 1.0, 2.25], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.into_inner().unwrap().into()
    }

    #[test]
    fn rows_are_objects_of_their_columns() {
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            let mut seen = Vec::new();
            let mut sink = |_: Option<Arc<str>>, row: Json| {
                seen.push(row.to_text());
                Ok(())
            };
            read(file(compression), &mut sink).unwrap();
            let want = [
                r#"{"id":1,"name":"a","x":0.5}"#,
                r#"{"id":2,"name":null,"x":1.0}"#,
                r#"{"id":3,"name":"c","x":2.25}"#,
            ];
            assert_eq!(seen, want);
        }
        let broken = read(Bytes::from_static(b"no parquet"), &mut |_, _| Ok(()));
        assert!(
            matches!(broken, Err(Stop::Failed(why)) if why.starts_with("The Parquet file cannot be read: "))
        );
    }
}
