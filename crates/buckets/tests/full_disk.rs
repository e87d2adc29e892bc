//! A full disk: uploads are refused with a text that says so, what is there stays readable and deletable, and after that
//! there is room again. On a small file system of its own, where this process may mount one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use buckets::{Buckets, EndpointConfig, Error, NoEvents};
use http_body_util::{BodyExt, Full};

const SIZE: &str = "size=100m";

/// A mounted tmpfs, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Result<Self, String> {
        let run = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(at).output();
        match run {
            Ok(run) if run.status.success() => Ok(Self(at.to_owned())),
            Ok(run) => Err(String::from_utf8_lossy(&run.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_uploads_and_lives() {
    let dir = tempfile::tempdir().unwrap();
    let _disk = match SmallDisk::mount(dir.path()) {
        Ok(disk) => disk,
        Err(reason) => {
            println!(
                "skipped: a small file system cannot be mounted here ({reason}); it takes root on Linux"
            );
            return;
        }
    };
    let buckets = Buckets::open(dir.path().join("store"), Arc::new(NoEvents)).await.unwrap();
    buckets.create_bucket("bkt").await.unwrap();
    let piece = bytes::Bytes::from(vec![1_u8; 4 << 20]);
    let mut stored = 0;
    let refusal = loop {
        match buckets.put("bkt", &format!("k{stored}"), piece.clone(), None, "test").await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 100, "the disk never became full");
    };
    assert!(stored > 0);
    assert!(matches!(refusal, Error::DiskFull { .. }), "{refusal}");

    // Over HTTP: an S3 error document that says what to do.
    let endpoint = buckets.endpoint(EndpointConfig::default());
    let request = http::Request::put("/bkt/more").body(Full::new(piece.clone())).unwrap();
    let response = endpoint.call(request).await;
    assert_eq!(response.status(), 500);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&text);
    assert!(
        text.contains("<Code>InternalError</Code>")
            && text.contains("The disk that holds the buckets is full")
    );

    // Somebody else takes the rest, and the index meets the end of the disk. Nothing may be acknowledged and lost.
    let ballast = dir.path().join("ballast");
    drop(
        Command::new("dd").args(["if=/dev/zero", "bs=64k"]).arg(format!("of={}", ballast.display())).output(),
    );
    for key in 0..stored {
        assert_eq!(buckets.get("bkt", &format!("k{key}")).await.unwrap().1, piece);
    }
    let mut acknowledged = Vec::new();
    for round in 0..2000 {
        match buckets.set_event_bridge("bkt", round % 2 == 0).await {
            Ok(()) => acknowledged.push(round % 2 == 0),
            Err(_) => break,
        }
    }
    std::fs::remove_file(ballast).unwrap();
    // With room again the store goes on by itself, without a restart.
    buckets.set_event_bridge("bkt", true).await.unwrap();
    assert!(buckets.buckets().unwrap()[0].event_bridge);
    let refused = buckets.put("bkt", "more", piece.clone(), None, "test").await;
    assert!(matches!(refused, Err(Error::DiskFull { .. })));
    for key in 0..stored {
        assert_eq!(buckets.get("bkt", &format!("k{key}")).await.unwrap().1, piece);
        let request =
            http::Request::delete(format!("/bkt/k{key}")).body(Full::new(bytes::Bytes::new())).unwrap();
        assert_eq!(endpoint.call(request).await.status(), 204);
    }
    buckets.put("bkt", "more", piece.clone(), None, "test").await.unwrap();
    println!("{stored} objects filled the disk; {} small writes fitted after that", acknowledged.len());
    buckets.close().await;
}
