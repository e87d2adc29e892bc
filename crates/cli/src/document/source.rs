//! A file with a definition: its text, how it is to be read, and where its lines begin.
//!
//! It refuses to know what the text means. The syntax goes by the extension and not by trial: a `.json` file that only
//! reads as something laxer would pass here and fail at AWS.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// The most that is read of a file. A definition has at most a mebibyte; comments and indentation may multiply that.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What the standard input is called in reports.
const STANDARD_INPUT: &str = "<stdin>";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// As AWS reads it.
    Json,
    /// With comments and trailing commas.
    JsonWithComments,
    Yaml,
}

pub(crate) struct Source {
    /// As the user wrote it.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) syntax: Syntax,
    line_starts: Vec<usize>,
}

/// A place as editors count it: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Source {
    /// Reads a file, or the standard input for `-`.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(crate) fn read(path: &Path) -> Result<Source, String> {
        if path.as_os_str() == "-" {
            return Source::read_from(std::io::stdin().lock(), STANDARD_INPUT, None);
        }
        let name = path.display().to_string();
        let file = std::fs::File::open(path).map_err(|error| format!("cannot read {name}: {error}"))?;
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        Source::read_from(file, &name, extension.as_deref())
    }

    fn read_from(reader: impl Read, name: &str, extension: Option<&str>) -> Result<Source, String> {
        let mut bytes = Vec::new();
        reader
            .take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("cannot read {name}: {error}"))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            let mebibytes = FILE_BYTES_MAX / (1024 * 1024);
            return Err(format!("{name} is larger than {mebibytes} MiB: that is no definition"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            format!("{name} is not UTF-8 (byte {at}): save it in that encoding")
        })?;
        Ok(Source::new(name, extension, text))
    }

    /// A text that is read as `extension` says; without a known one, as it begins.
    pub(crate) fn new(name: &str, extension: Option<&str>, text: String) -> Source {
        let syntax = match extension {
            Some("json") => Syntax::Json,
            Some("jsonc") => Syntax::JsonWithComments,
            Some("yaml" | "yml") => Syntax::Yaml,
            _ if begins_like_json(&text) => Syntax::Json,
            _ => Syntax::Yaml,
        };
        let text = match text.strip_prefix('\u{feff}') {
            // YAML allows the mark. AWS's reader of JSON refuses it, and so must this one.
            Some(rest) if syntax == Syntax::Yaml => rest.to_owned(),
            _ => text,
        };
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Source { name: name.to_owned(), text, syntax, line_starts }
    }

    pub(crate) fn position(&self, offset: usize) -> Position {
        let line = self.line_of(offset);
        let before = &self.text[self.line_starts[line]..offset];
        Position { line: line + 1, column: before.chars().count() + 1 }
    }

    /// The line that holds `offset`, without its end.
    pub(crate) fn line_around(&self, offset: usize) -> Range<usize> {
        let line = self.line_of(offset);
        let start = self.line_starts[line];
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let visible = self.text[start..end].trim_end_matches('\r').len();
        start..(start + visible).max(offset)
    }

    /// The index of the line that holds `offset`.
    fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset) - 1
    }
}

/// A slash begins a comment, which strict JSON refuses with a better word than YAML would have.
fn begins_like_json(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[', '"', '/'])
}
