//! An object as a stream of bytes that survives broken connections: it goes on where it stopped, if the object is
//! still the same. Or as ranges of bytes, for formats that are not read from front to back.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use reqwest::Response;
use tokio::runtime::Handle;

use super::client::{Address, Client, told};

/// Connections in a row that may break without a byte.
const BREAKS_MAX: u32 = 5;

/// An object, read from front to back by a thread that may wait.
pub(crate) struct Object {
    runtime: Handle,
    client: Arc<Client>,
    address: Address,
    etag: Option<String>,
    response: Response,
    chunk: Bytes,
    read: u64,
    breaks: u32,
}

impl Object {
    pub(crate) fn open(runtime: &Handle, client: &Arc<Client>, address: Address) -> Result<Self, String> {
        let response = runtime.block_on(client.get(&address, 0, None, None))?;
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let (runtime, client) = (runtime.clone(), client.clone());
        Ok(Object { runtime, client, address, etag, response, chunk: Bytes::new(), read: 0, breaks: 0 })
    }

    /// The same object, to be read in parts.
    pub(crate) fn into_ranges(self) -> Result<Ranges, String> {
        let length =
            self.response.content_length().ok_or("The store does not tell how long the object is")?;
        let Object { runtime, client, address, etag, .. } = self;
        Ok(Ranges { runtime, client, address, etag, length })
    }

    /// The next bytes; none at the end.
    fn next(&mut self) -> io::Result<Bytes> {
        loop {
            match self.runtime.block_on(self.response.chunk()) {
                Ok(chunk) => {
                    self.breaks = 0;
                    return Ok(chunk.unwrap_or_default());
                }
                Err(error) if self.breaks >= BREAKS_MAX => return Err(io::Error::other(told(&error))),
                Err(_) => {
                    self.breaks += 1;
                    let again = self.client.get(&self.address, self.read, None, self.etag.as_deref());
                    self.response = self.runtime.block_on(again).map_err(io::Error::other)?;
                }
            }
        }
    }
}

impl Read for Object {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            self.chunk = self.next()?;
        }
        let count = self.chunk.len().min(into.len());
        self.chunk.copy_to_slice(&mut into[..count]);
        self.read += count as u64;
        Ok(count)
    }
}

/// Parts of an object that stays the same.
#[derive(Clone)]
pub(crate) struct Ranges {
    runtime: Handle,
    client: Arc<Client>,
    address: Address,
    etag: Option<String>,
    length: u64,
}

impl Ranges {
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// So many bytes from a place on; a connection that breaks is made again.
    pub(crate) fn get(&self, start: u64, length: u64) -> Result<Bytes, String> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let mut breaks = 0;
        let bytes = loop {
            let again = async {
                let until = Some(start + length);
                let response = self.client.get(&self.address, start, until, self.etag.as_deref()).await?;
                Ok::<_, String>(response.bytes().await)
            };
            match self.runtime.block_on(again)? {
                Ok(bytes) => break bytes,
                Err(error) if breaks >= BREAKS_MAX => return Err(told(&error)),
                Err(_) => breaks += 1,
            }
        };
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        Err(format!("The store gave {} bytes where {length} were asked for", bytes.len()))
    }
}
