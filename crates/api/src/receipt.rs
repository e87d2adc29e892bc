//! Receipts: what is to happen once a response has really been written.
//!
//! A task must not be lost with a connection that died, so handing it over is only final when the socket took the last
//! byte of the response. hyper offers no such call; but it flushes its transport exactly when it has written all that it
//! had buffered. So the body of the response leaves its receipt in the connection's pile as hyper takes the bytes, and
//! the transport confirms the pile when it is flushed. A receipt that is dropped unconfirmed undoes itself, wherever
//! that happens: in a body that was never taken, or in the pile of a connection that failed.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Called once the response is written; dropped when it cannot be.
pub(crate) type Receipt = Box<dyn FnOnce() + Send>;

/// The receipts of a connection whose responses are buffered and not written yet.
#[derive(Clone, Default)]
pub(crate) struct Pile(Arc<Mutex<Vec<Receipt>>>);

impl Pile {
    fn add(&self, receipt: Receipt) {
        self.lock().push(receipt);
    }

    /// Whether something waits to be confirmed.
    pub(crate) fn waits(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Everything that was buffered has been written.
    pub(crate) fn confirm(&self) {
        let receipts = std::mem::take(&mut *self.lock());
        for receipt in receipts {
            receipt();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Receipt>> {
        // Pushing and taking leave the list whole even if a panic comes between.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body in one piece that leaves its receipt in the pile when it is taken.
pub(crate) struct ReceiptBody {
    content: Option<(Bytes, Receipt)>,
    pile: Pile,
}

impl ReceiptBody {
    pub(crate) fn new(bytes: Bytes, receipt: Receipt, pile: Pile) -> Self {
        ReceiptBody { content: Some((bytes, receipt)), pile }
    }
}

impl Body for ReceiptBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some((bytes, receipt)) = self.content.take() else { return Poll::Ready(None) };
        self.pile.add(receipt);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.as_ref().map_or(0, |(bytes, _)| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use http_body_util::BodyExt;

    use super::*;

    /// Counts what became of a receipt.
    #[derive(Clone, Default)]
    struct Fate {
        confirmed: Arc<AtomicU32>,
        returned: Arc<AtomicU32>,
    }

    /// Stands for a delivery: gives back when it is dropped, unless it was delivered.
    struct Delivery(Option<Fate>);

    impl Delivery {
        fn delivered(mut self) {
            let fate = self.0.take().unwrap();
            fate.confirmed.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Drop for Delivery {
        fn drop(&mut self) {
            if let Some(fate) = self.0.take() {
                fate.returned.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    impl Fate {
        fn receipt(&self) -> Receipt {
            let delivery = Delivery(Some(self.clone()));
            Box::new(move || delivery.delivered())
        }

        fn is(&self, confirmed: u32, returned: u32) {
            assert_eq!(self.confirmed.load(Ordering::SeqCst), confirmed, "confirmed");
            assert_eq!(self.returned.load(Ordering::SeqCst), returned, "returned");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_taken_waits_for_the_flush() {
        let (fate, pile) = (Fate::default(), Pile::default());
        let mut body = ReceiptBody::new(Bytes::from_static(b"{}"), fate.receipt(), pile.clone());
        assert!(!pile.waits());
        body.frame().await;
        assert!(pile.waits());
        drop(body);
        fate.is(0, 0);
        pile.confirm();
        fate.is(1, 0);
        pile.confirm();
        fate.is(1, 0);
    }

    #[test]
    fn a_body_that_is_never_taken_gives_back() {
        let (fate, pile) = (Fate::default(), Pile::default());
        drop(ReceiptBody::new(Bytes::from_static(b"{}"), fate.receipt(), pile.clone()));
        fate.is(0, 1);
    }

    #[tokio::test]
    async fn a_connection_that_dies_before_the_flush_gives_back() {
        let (fate, pile) = (Fate::default(), Pile::default());
        ReceiptBody::new(Bytes::from_static(b"{}"), fate.receipt(), pile.clone()).frame().await;
        drop(pile);
        fate.is(0, 1);
    }
}
