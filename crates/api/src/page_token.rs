//! `nextToken`: opaque to clients, bound to the list and the question that it continues.
//!
//! A token is the base64 of a kind, four bytes that depend on the question (which machine, which filter, which
//! direction), and the place to go on. A token of another list, or of another question, is not understood.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Which list a token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// ListStateMachines.
    Machines = b'm',
    /// ListActivities.
    Activities = b'a',
    /// ListStateMachineVersions.
    Versions = b'v',
    /// ListStateMachineAliases.
    Aliases = b'l',
    /// ListExecutions.
    Executions = b'e',
    /// ListMapRuns.
    MapRuns = b'r',
    /// GetExecutionHistory.
    History = b'h',
}

/// Bytes of a token before the place: the kind and the question.
const HEAD: usize = 5;

/// Writes a token.
pub(crate) fn write(kind: Kind, question: &[&str], place: &[u8]) -> String {
    let mut bytes = head(kind, question).to_vec();
    bytes.extend_from_slice(place);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads the place out of a token of the same kind and question; `None` when it is none.
pub(crate) fn read(kind: Kind, question: &[&str], token: &str) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    if bytes.get(..HEAD)? != head(kind, question) {
        return None;
    }
    Some(bytes.split_off(HEAD))
}

fn head(kind: Kind, question: &[&str]) -> [u8; HEAD] {
    let mut digest = Sha256::new();
    for part in question {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    [kind as u8, digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_by_its_own_question_only() {
        let token = write(Kind::Executions, &["arn:m", "FAILED"], b"place");
        let read_as = |kind, question: &[&str]| read(kind, question, &token);
        assert_eq!(read_as(Kind::Executions, &["arn:m", "FAILED"]).as_deref(), Some(&b"place"[..]));
        assert_eq!(read_as(Kind::Executions, &["arn:m", ""]), None);
        assert_eq!(read_as(Kind::Executions, &["arn:mF", "AILED"]), None);
        assert_eq!(read_as(Kind::History, &["arn:m", "FAILED"]), None);
        for bad in ["", "x", "InvalidToken", "====", "\u{fc}"] {
            assert_eq!(read(Kind::Machines, &[], bad), None, "{bad}");
        }
    }
}
