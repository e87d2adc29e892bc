//! An object as a stream of bytes that survives broken connections: it goes on where it stopped, if the object is
//! still the same.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use reqwest::Response;
use tokio::runtime::Handle;

use super::client::{Address, Client, told};

/// Connections in a row that may break without a byte.
const BREAKS_MAX: u32 = 5;

/// An object, read from front to back by a thread that may wait.
pub(crate) struct Object<'a> {
    runtime: &'a Handle,
    client: &'a Client,
    address: Address,
    etag: Option<String>,
    response: Response,
    chunk: Bytes,
    read: u64,
    breaks: u32,
}

impl<'a> Object<'a> {
    pub(crate) fn open(runtime: &'a Handle, client: &'a Client, address: Address) -> Result<Self, String> {
        let response = runtime.block_on(client.get(&address, 0, None))?;
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        Ok(Object { runtime, client, address, etag, response, chunk: Bytes::new(), read: 0, breaks: 0 })
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
                    let again = self.client.get(&self.address, self.read, self.etag.as_deref());
                    self.response = self.runtime.block_on(again).map_err(io::Error::other)?;
                }
            }
        }
    }
}

impl Read for Object<'_> {
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
