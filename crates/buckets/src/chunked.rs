//! The `aws-chunked` body encoding, read without the secret that would verify its chunk signatures.
//!
//! ```text
//!   5;chunk-signature=…\r\n  hello  \r\n  0;chunk-signature=…\r\n  x-amz-checksum-crc32:…\r\n  \r\n
//! ```
//!
//! SDKs use it by default, signed or not. Our protocol library decodes it only after checking the signature, so without
//! configured credentials this does. Bytes in, bytes out: it does no IO.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::Error;

/// The longest line that a chunk's size and signature, or one trailer, may take.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// Trailers are a checksum and perhaps a signature.
const TRAILERS_MAX: usize = 16;

/// Reads one body.
#[derive(Default)]
pub(crate) struct Decoder {
    state: State,
    trailers: Vec<(String, String)>,
}

#[derive(Default)]
enum State {
    #[default]
    Size,
    Data {
        left: u64,
    },
    DataEnd,
    Trailers,
    Done,
}

/// What the input held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Data(Bytes),
    /// Nothing more can be read without more input.
    Starved,
    Done,
}

impl Decoder {
    /// Takes what it can from `input`.
    pub(crate) fn step(&mut self, input: &mut BytesMut) -> Result<Step, Error> {
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = take_line(input)? else { return Ok(Step::Starved) };
                    let left = chunk_size(&line)?;
                    self.state = if left == 0 { State::Trailers } else { State::Data { left } };
                }
                State::Data { left: 0 } => self.state = State::DataEnd,
                State::Data { left } => {
                    if input.is_empty() {
                        return Ok(Step::Starved);
                    }
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    self.state = State::Data { left: left - take as u64 };
                    return Ok(Step::Data(input.split_to(take).freeze()));
                }
                State::DataEnd => {
                    let Some(line) = take_line(input)? else { return Ok(Step::Starved) };
                    if !line.is_empty() {
                        return Err(broken("a chunk is longer than its size says"));
                    }
                    self.state = State::Size;
                }
                State::Trailers => {
                    let Some(line) = take_line(input)? else { return Ok(Step::Starved) };
                    if line.is_empty() {
                        self.state = State::Done;
                        continue;
                    }
                    let (name, value) =
                        line.split_once(':').ok_or_else(|| broken("a trailer has no colon"))?;
                    if self.trailers.len() >= TRAILERS_MAX {
                        return Err(broken("it has too many trailers"));
                    }
                    self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
                State::Done => return Ok(Step::Done),
            }
        }
    }

    /// The input is over. Some clients leave out the last empty line.
    pub(crate) fn end(&self) -> Result<(), Error> {
        match self.state {
            State::Trailers | State::Done => Ok(()),
            State::Size | State::Data { .. } | State::DataEnd => Err(Error::IncompleteBody),
        }
    }

    /// The trailers, by lower-case name, once the input is over.
    pub(crate) fn into_trailers(self) -> Vec<(String, String)> {
        self.trailers
    }
}

fn take_line(input: &mut BytesMut) -> Result<Option<String>, Error> {
    let Some(end) = input.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n') else {
        return if input.len() >= LINE_BYTES_MAX { Err(broken("a line is too long")) } else { Ok(None) };
    };
    let line = input.split_to(end);
    input.advance(1);
    let line = std::str::from_utf8(&line).map_err(|_| broken("a line is not text"))?;
    Ok(Some(line.trim_end_matches('\r').to_owned()))
}

fn chunk_size(line: &str) -> Result<u64, Error> {
    let digits = line.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(digits, 16).map_err(|_| broken("a chunk's size is not a hexadecimal number"))
}

fn broken(what: &str) -> Error {
    Error::BadBody(format!("it is not valid aws-chunked content: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes a body that arrives `step` bytes at a time.
    fn decode(body: &str, step: usize) -> Result<(String, Vec<(String, String)>), String> {
        let (mut decoder, mut input, mut out) = (Decoder::default(), BytesMut::new(), Vec::new());
        for piece in body.as_bytes().chunks(step) {
            input.extend_from_slice(piece);
            while let Step::Data(bytes) = decoder.step(&mut input).map_err(|e| e.to_string())? {
                out.extend_from_slice(&bytes);
            }
        }
        decoder.end().map_err(|e| e.to_string())?;
        Ok((String::from_utf8(out).unwrap(), decoder.into_trailers()))
    }

    #[test]
    fn bodies_decode_however_they_are_cut() {
        let crc = |value: &str| vec![("x-amz-checksum-crc32".to_owned(), value.to_owned())];
        let cases = [
            ("5\r\nhello\r\n0\r\n\r\n", "hello", vec![]),
            ("5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\n\r\n", "hello", vec![]),
            ("2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "hello", crc("NhCmhg==")),
            ("1\r\n\n\r\n0\r\nX-Amz-Checksum-CRC32: v\n\r\n", "\n", crc("v")),
            ("0\r\n\r\n", "", vec![]),
            ("A\r\n0123456789\r\n0\r\n", "0123456789", vec![]),
        ];
        for (body, text, trailers) in cases {
            for step in [1, 2, 3, 7, 1000] {
                assert_eq!(decode(body, step), Ok((text.to_owned(), trailers.clone())), "{body:?} by {step}");
            }
        }
    }

    #[test]
    fn broken_bodies_are_refused() {
        let long = format!("5;{}", "x".repeat(LINE_BYTES_MAX));
        let cases = [
            ("5\r\nhel", "number of bytes"),
            ("5\r\nhello\r\n", "number of bytes"),
            ("xyz\r\n", "hexadecimal"),
            ("2\r\nhello\r\n0\r\n\r\n", "longer than its size"),
            ("0\r\nno trailer\r\n\r\n", "colon"),
            (long.as_str(), "too long"),
        ];
        for (body, reason) in cases {
            let error = decode(body, 1000).expect_err(body);
            assert!(error.contains(reason), "{body:?}: {error}");
        }
    }
}
