//! Manifests: objects that name the files with the rows.

use std::io::Read;
use std::sync::Arc;

use asl::states::map::distributed::{InputType, ManifestType, ReaderFormat};
use csv::ReaderBuilder;
use serde_json::Value;

use super::Stop;

/// The most bytes of a manifest: it is read whole, and names its files in some hundred bytes each.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// An S3 inventory.
#[derive(Debug, PartialEq)]
pub(super) struct Inventory {
    pub(super) bucket: String,
    pub(super) files: Vec<String>,
    /// How the files read: CSV without a header, in the columns that the manifest names.
    pub(super) format: ReaderFormat,
}

/// Reads `manifest.json` of an inventory; `bucket` is where it lies.
pub(super) fn inventory(bytes: impl Read, bucket: &str) -> Result<Inventory, Stop> {
    let broken = |why: String| Stop::Failed(format!("The inventory's manifest cannot be read: {why}"));
    let manifest: Value =
        serde_json::from_reader(bytes.take(MANIFEST_BYTES_MAX)).map_err(|error| broken(error.to_string()))?;
    let file_format = manifest["fileFormat"].as_str().unwrap_or_default();
    if file_format != "CSV" {
        return Err(broken(format!("its fileFormat is '{file_format}', and only CSV is supported")));
    }
    let schema = manifest["fileSchema"].as_str().ok_or_else(|| broken("it has no fileSchema".into()))?;
    let headers: Vec<Arc<str>> = schema.split(',').map(|name| name.trim().into()).collect();
    let files = manifest["files"].as_array().ok_or_else(|| broken("it has no files".into()))?;
    let files = files.iter().filter_map(|file| file["key"].as_str().map(str::to_owned)).collect();
    let destination = manifest["destinationBucket"].as_str();
    let bucket = destination.and_then(|arn| arn.rsplit(":::").next()).unwrap_or(bucket).to_owned();
    let format = ReaderFormat {
        input_type: Some(InputType::Csv),
        manifest: Some(ManifestType::S3Inventory),
        headers: Some(headers),
        ..ReaderFormat::default()
    };
    Ok(Inventory { bucket, files, format })
}

/// Reads the manifest that Athena's UNLOAD leaves: `s3://bucket/key` in each line.
pub(super) fn athena(bytes: impl Read) -> Result<Vec<(String, String)>, Stop> {
    let mut files = Vec::new();
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.take(MANIFEST_BYTES_MAX));
    for row in reader.records() {
        let row = row.map_err(|error| Stop::Failed(format!("The manifest cannot be read: {error}")))?;
        let Some(uri) = row.get(0).map(str::trim).filter(|uri| !uri.is_empty()) else { continue };
        let place = uri.strip_prefix("s3://").and_then(|place| place.split_once('/'));
        let (bucket, key) =
            place.ok_or_else(|| Stop::Failed(format!("'{uri}' in the manifest is not an S3 URI")))?;
        files.push((bucket.to_owned(), key.to_owned()));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_names_files_and_columns() {
        let text = br#"{"destinationBucket": "arn:aws:s3:::there", "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, Size", "files": [{"key": "a.csv.gz", "size": 1}, {"key": "b.csv.gz"}]}"#;
        let inventory = inventory(&text[..], "here").unwrap();
        assert_eq!((&*inventory.bucket, inventory.files.len()), ("there", 2));
        let headers = inventory.format.headers.unwrap();
        assert_eq!(headers, ["Bucket".into(), "Key".into(), "Size".into()]);
        assert!(super::inventory(&br#"{"fileFormat": "ORC"}"#[..], "here").is_err());
    }

    #[test]
    fn an_unload_names_uris() {
        let files = athena(&b"s3://b/k/1.gz\ns3://b/k/2.gz\n"[..]).unwrap();
        assert_eq!(files, [("b".into(), "k/1.gz".into()), ("b".into(), "k/2.gz".into())]);
        assert!(athena(&b"k/1.gz\n"[..]).is_err());
    }
}
