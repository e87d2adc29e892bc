//! The transport of one connection: a TCP stream that confirms receipts, and refuses to write a task to a peer that has
//! already gone.
//!
//! The road not taken: asking the runtime whether the stream is readable. Its answer is as old as its last look at the
//! socket; a peer that closed a moment ago would still get the task. The system call below asks the kernel.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::receipt::Pile;

/// A stream and the receipts of the responses that were buffered for it.
pub(crate) struct Connection {
    stream: TcpStream,
    pile: Pile,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, pile: Pile) -> Self {
        Connection { stream, pile }
    }

    /// Fails if a receipt waits and the peer has closed its side: what would be written now, nobody reads.
    fn check_peer(&self) -> io::Result<()> {
        if !self.pile.waits() {
            return Ok(());
        }
        let mut byte = [MaybeUninit::uninit()];
        match socket2::SockRef::from(&self.stream).peek(&mut byte) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the peer closed before its response was written",
            )),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_peer()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_peer()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written everything that it had buffered.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.pile.confirm();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use bytes::Bytes;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::receipt::ReceiptBody;

    /// Our end of a connection with a receipt that waits, the peer's end, and whether the receipt was confirmed.
    async fn pair() -> (Connection, TcpStream, Arc<AtomicBool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (pile, confirmed) = (Pile::default(), Arc::new(AtomicBool::new(false)));
        let flag = confirmed.clone();
        let receipt = Box::new(move || flag.store(true, Ordering::SeqCst));
        ReceiptBody::new(Bytes::from_static(b"{}"), receipt, pile.clone()).frame().await;
        (Connection::new(stream, pile), peer, confirmed)
    }

    #[tokio::test]
    async fn a_receipt_is_confirmed_when_the_response_is_written() {
        let (mut connection, mut peer, confirmed) = pair().await;
        connection.write_all(b"response").await.unwrap();
        assert!(!confirmed.load(Ordering::SeqCst));
        connection.flush().await.unwrap();
        assert!(confirmed.load(Ordering::SeqCst));
        let mut read = [0; 8];
        peer.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"response");
    }

    #[tokio::test]
    async fn nothing_is_written_to_a_peer_that_has_gone() {
        let (mut connection, peer, confirmed) = pair().await;
        drop(peer);
        // The kernel may take a moment to carry the news across; it is there once a read says so.
        assert_eq!(connection.read(&mut [0; 1]).await.unwrap(), 0);
        let error = connection.write_all(b"response").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        drop(connection);
        assert!(!confirmed.load(Ordering::SeqCst));
    }
}
