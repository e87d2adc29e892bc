//! Task tokens: an execution and a task, sealed.
//!
//! A token is derived, not stored: the same task gets the same token on any node, before its step is committed and
//! after a restart. The seal is a MAC under a key that the store keeps, so a token cannot be guessed or changed. To
//! clients it is opaque text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::TaskId;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use store::ExecutionId;
use subtle::ConstantTimeEq;

/// Bytes of the key.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of the seal that a token carries.
const SEAL_BYTES: usize = 16;
/// The layout of this release's tokens.
const FORMAT: u8 = 1;
const TOKEN_BYTES: usize = 1 + 16 + 8 + SEAL_BYTES;

/// Makes and reads tokens.
#[derive(Clone)]
pub(crate) struct Tokens {
    key: [u8; KEY_BYTES],
}

impl Tokens {
    pub(crate) fn new(key: [u8; KEY_BYTES]) -> Self {
        Tokens { key }
    }

    pub(crate) fn seal(&self, execution: ExecutionId, task: TaskId) -> String {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.push(FORMAT);
        bytes.extend(execution.0);
        bytes.extend(task.0.to_be_bytes());
        let seal = self.mac(&bytes);
        bytes.extend(seal);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for anything that [`seal`](Self::seal) did not make.
    pub(crate) fn open(&self, token: &str) -> Option<(ExecutionId, TaskId)> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        if bytes.len() != TOKEN_BYTES || bytes[0] != FORMAT {
            return None;
        }
        let (body, seal) = bytes.split_at(TOKEN_BYTES - SEAL_BYTES);
        if !bool::from(self.mac(body).ct_eq(seal)) {
            return None;
        }
        let execution = ExecutionId(body[1..17].try_into().ok()?);
        let task = TaskId(u64::from_be_bytes(body[17..25].try_into().ok()?));
        Some((execution, task))
    }

    fn mac(&self, bytes: &[u8]) -> [u8; SEAL_BYTES] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(bytes);
        let mut seal = [0; SEAL_BYTES];
        seal.copy_from_slice(&mac.finalize().into_bytes()[..SEAL_BYTES]);
        seal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_to_what_was_sealed_and_nothing_else_opens() {
        let tokens = Tokens::new([7; KEY_BYTES]);
        let (execution, task) = (ExecutionId::of("arn:x"), TaskId(42));
        let token = tokens.seal(execution, task);
        assert_eq!(tokens.open(&token), Some((execution, task)));
        assert_eq!(Tokens::new([8; KEY_BYTES]).open(&token), None);
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            if changed != token {
                assert_eq!(tokens.open(&changed), None, "byte {at}");
            }
        }
        assert_eq!(tokens.open(""), None);
    }
}
