//! The S3 protocol over real HTTP, without an SDK: statuses, codes, texts, and what readers see.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use buckets::{Change, EndpointConfig};
use http::Method;
use support::Server;

const EVENTS_ON: &str = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";

#[tokio::test]
async fn buckets_are_created_listed_and_deleted() {
    let it = Server::default().await;
    it.put("/bkt1", "").await.ok();
    it.put("/bkt2", "").await.ok();
    // The oldest region answers one's own bucket with success.
    it.put("/bkt1", "").await.ok();
    assert_eq!(it.get("/").await.ok().elements("Name"), ["bkt1", "bkt2"]);
    let head = it.send(Method::HEAD, "/bkt1", &[], "").await.ok();
    assert_eq!(head.header("x-amz-bucket-region"), Some("us-east-1"));
    assert_eq!(it.send(Method::HEAD, "/none", &[], "").await.status(), 404);
    it.get("/none?list-type=2").await.refused(404, "NoSuchBucket", "The specified bucket does not exist");
    it.put("/Bad_Name", "").await.refused(400, "InvalidBucketName", "The specified bucket is not valid.");
    it.put("/ab", "").await.refused(400, "InvalidBucketName", "The specified bucket is not valid.");
    it.put("/bkt1/k", "x").await.ok();
    let refused = it.send(Method::DELETE, "/bkt1", &[], "").await;
    refused.refused(409, "BucketNotEmpty", "The bucket you tried to delete is not empty");
    assert_eq!(it.send(Method::DELETE, "/bkt1/k", &[], "").await.status(), 204);
    assert_eq!(it.send(Method::DELETE, "/bkt1", &[], "").await.status(), 204);
    let gone = it.send(Method::DELETE, "/bkt1", &[], "").await;
    gone.refused(404, "NoSuchBucket", "The specified bucket does not exist");
}

#[tokio::test]
async fn in_other_regions_ones_own_bucket_is_refused() {
    let config = EndpointConfig { region: "eu-west-1".into(), ..EndpointConfig::default() };
    let it = Server::start(config).await;
    it.put("/bkt", "").await.ok();
    it.put("/bkt", "").await.refused(
        409,
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
    );
    assert!(it.get("/bkt?location").await.ok().text().contains("eu-west-1"));
}

#[tokio::test]
async fn objects_come_back_as_they_were_put() {
    let it = Server::default().await;
    it.put("/bkt", "").await.ok();
    let headers = [
        ("content-type", "text/x-test"),
        ("x-amz-meta-color", "blue"),
        ("cache-control", "no-cache"),
        ("content-encoding", "gzip"),
    ];
    let put = it.send(Method::PUT, "/bkt/k", &headers, "hello").await.ok();
    assert_eq!(put.header("etag"), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let got = it.get("/bkt/k").await.ok();
    assert_eq!(got.text(), "hello");
    for (name, value) in headers {
        assert_eq!(got.header(name), Some(value));
    }
    assert_eq!(got.header("content-length"), Some("5"));
    assert_eq!(got.header("accept-ranges"), Some("bytes"));
    let head = it.send(Method::HEAD, "/bkt/k", &[], "").await.ok();
    assert_eq!(head.header("etag"), put.header("etag"));
    assert_eq!(head.header("content-length"), Some("5"));

    it.get("/bkt/none").await.refused(404, "NoSuchKey", "The specified key does not exist.");
    it.get("/none/k").await.refused(404, "NoSuchBucket", "The specified bucket does not exist");
    let long = format!("/bkt/{}", "k".repeat(1025));
    it.put(&long, "x").await.refused(400, "KeyTooLongError", "Your key is too long");
    it.put(&format!("/bkt/{}", "k".repeat(1024)), "x").await.ok();
    let wrong = [("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")];
    let refused = it.send(Method::PUT, "/bkt/md5", &wrong, "hello").await;
    assert_eq!((refused.status(), refused.element("Code").as_deref()), (400, Some("BadDigest")));
    let crc = [("x-amz-checksum-crc32", "AAAAAA==")];
    let refused = it.send(Method::PUT, "/bkt/crc", &crc, "hello").await;
    refused.refused(400, "BadDigest", "The CRC32 you specified did not match the calculated checksum.");
    it.get("/bkt/crc").await.refused(404, "NoSuchKey", "The specified key does not exist.");
    let ssec = [("x-amz-server-side-encryption-customer-algorithm", "AES256")];
    assert_eq!(it.send(Method::PUT, "/bkt/c", &ssec, "x").await.status(), 501);
}

#[tokio::test]
async fn keys_never_become_paths() {
    let it = Server::default().await;
    for bucket in ["/bkt1", "/bkt2"] {
        it.put(bucket, "").await.ok();
    }
    let keys =
        ["../esc", "k", "k/sub", "a//b", "dir/", "sp%20ace", "%C3%BC", "a%2Fb", ".", "con%3Fq%26x", "%00nul"];
    for key in keys {
        it.put(&format!("/bkt1/{key}"), key.to_owned()).await.ok();
    }
    for key in keys {
        assert_eq!(it.get(&format!("/bkt1/{key}")).await.ok().text(), key);
    }
    assert!(it.get("/bkt2?list-type=2").await.ok().elements("Key").is_empty());
    let listed = it.get("/bkt1?list-type=2&encoding-type=url").await.ok().elements("Key");
    let expected =
        ["%00nul", ".", "../esc", "a//b", "a/b", "con%3Fq%26x", "dir/", "k", "k/sub", "sp%20ace", "%C3%BC"];
    assert_eq!(listed, expected);
    // Nothing but our own names is in the folder.
    let mut names: Vec<_> = std::fs::read_dir(it.dir.path())
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["blobs", "incoming", "index"]);
}

#[tokio::test]
async fn ranges_and_conditions() {
    let it = Server::default().await;
    it.put("/bkt", "").await.ok();
    let etag = it.put("/bkt/k", "0123456789").await.ok().header("etag").unwrap().to_owned();
    for (range, status, body, content_range) in [
        ("bytes=0-3", 206, "0123", Some("bytes 0-3/10")),
        ("bytes=8-", 206, "89", Some("bytes 8-9/10")),
        ("bytes=-3", 206, "789", Some("bytes 7-9/10")),
        ("bytes=5-100", 206, "56789", Some("bytes 5-9/10")),
    ] {
        let got = it.send(Method::GET, "/bkt/k", &[("range", range)], "").await;
        assert_eq!((got.status(), got.text().as_str()), (status, body), "{range}");
        assert_eq!(got.header("content-range"), content_range);
    }
    let beyond = it.send(Method::GET, "/bkt/k", &[("range", "bytes=10-")], "").await;
    beyond.refused(416, "InvalidRange", "The requested range is not satisfiable");
    it.put("/bkt/empty", "").await.ok();
    assert_eq!(it.get("/bkt/empty").await.ok().text(), "");

    let (old, new) = ("Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
    let other = "\"00000000000000000000000000000000\"";
    for (headers, status) in [
        (vec![("if-match", etag.as_str())], 200),
        (vec![("if-match", other)], 412),
        (vec![("if-none-match", etag.as_str())], 304),
        (vec![("if-none-match", other)], 200),
        (vec![("if-modified-since", new)], 304),
        (vec![("if-modified-since", old)], 200),
        (vec![("if-unmodified-since", old)], 412),
        (vec![("if-unmodified-since", new)], 200),
        (vec![("if-match", etag.as_str()), ("if-unmodified-since", old)], 200),
        (vec![("if-none-match", other), ("if-modified-since", new)], 200),
    ] {
        let got = it.send(Method::GET, "/bkt/k", &headers, "").await;
        assert_eq!(got.status(), status, "{headers:?}");
        if status == 304 {
            assert_eq!((got.text().as_str(), got.header("etag")), ("", Some(etag.as_str())));
        }
    }

    let text = "At least one of the pre-conditions you specified did not hold";
    let taken = it.send(Method::PUT, "/bkt/k", &[("if-none-match", "*")], "new").await;
    taken.refused(412, "PreconditionFailed", text);
    it.send(Method::PUT, "/bkt/fresh", &[("if-none-match", "*")], "new").await.ok();
    it.send(Method::PUT, "/bkt/k", &[("if-match", other)], "new").await.refused(
        412,
        "PreconditionFailed",
        text,
    );
    it.send(Method::PUT, "/bkt/k", &[("if-match", &etag)], "new").await.ok();
    let absent = it.send(Method::PUT, "/bkt/absent", &[("if-match", other)], "new").await;
    absent.refused(404, "NoSuchKey", "The specified key does not exist.");
}

#[tokio::test]
async fn host_names_can_name_the_bucket() {
    let config = EndpointConfig { domains: vec!["s3.example.com".into()], ..EndpointConfig::default() };
    let it = Server::start(config).await;
    for host in ["bkt.localhost:8083", "bkt.s3.example.com"] {
        it.send(Method::PUT, "/", &[("host", host)], "").await.ok();
        it.send(Method::PUT, "/a/b", &[("host", host)], "x").await.ok();
        assert_eq!(it.get("/bkt/a/b").await.ok().text(), "x");
    }
    // A name that we do not know is no bucket.
    let got = it.send(Method::GET, "/bkt/a/b", &[("host", "host.docker.internal:8083")], "").await.ok();
    assert_eq!(got.text(), "x");
}

#[tokio::test]
async fn signed_bodies_are_decoded_without_a_secret() {
    let it = Server::default().await;
    it.put("/bkt", "").await.ok();
    let authorization = "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, \
                         Signature=0000000000000000000000000000000000000000000000000000000000000000";
    let signature = "0".repeat(64);
    let chunked = format!("5;chunk-signature={signature}\r\nhello\r\n0;chunk-signature={signature}\r\n\r\n");
    let trailer = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n".to_owned();
    for (payload, body) in [
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", chunked),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", trailer),
        ("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "hello".into()),
        ("UNSIGNED-PAYLOAD", "hello".into()),
    ] {
        let headers = [
            ("authorization", authorization),
            ("x-amz-content-sha256", payload),
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
            ("content-encoding", "aws-chunked"),
        ];
        it.send(Method::PUT, "/bkt/k", &headers, body).await.ok();
        let got = it.send(Method::GET, "/bkt/k", &[("authorization", authorization)], "").await.ok();
        assert_eq!((got.text().as_str(), got.header("content-encoding")), ("hello", None), "{payload}");
    }
    let wrong = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    let headers = [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "5"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let refused = it.send(Method::PUT, "/bkt/bad", &headers, wrong).await;
    refused.refused(400, "BadDigest", "The CRC32 you specified did not match the calculated checksum.");
    let short = [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "9"),
    ];
    let refused = it.send(Method::PUT, "/bkt/bad", &short, "5\r\nhello\r\n0\r\n\r\n").await;
    assert_eq!(refused.element("Code").as_deref(), Some("IncompleteBody"), "{}", refused.text());
    it.get("/bkt/bad").await.refused(404, "NoSuchKey", "The specified key does not exist.");
}

#[tokio::test]
async fn multipart_uploads() {
    let it = Server::default().await;
    it.put("/bkt", "").await.ok();
    let begun = it.send(Method::POST, "/bkt/big?uploads", &[], "").await.ok();
    let id = begun.element("UploadId").unwrap();
    let large = vec![7_u8; 5 * 1024 * 1024];
    let mut etags = Vec::new();
    for (number, part) in [(1, large.clone()), (2, large.clone()), (3, b"tail".to_vec())] {
        let put = it.put(&format!("/bkt/big?partNumber={number}&uploadId={id}"), part).await.ok();
        etags.push(put.header("etag").unwrap().to_owned());
    }
    let parts = it.get(&format!("/bkt/big?uploadId={id}&max-parts=2")).await.ok();
    assert_eq!(parts.elements("PartNumber"), ["1", "2"]);
    assert_eq!(parts.element("IsTruncated").as_deref(), Some("true"));
    assert_eq!(it.get("/bkt?uploads").await.ok().elements("UploadId"), [id.as_str()]);
    let refused = it.send(Method::DELETE, "/bkt", &[], "").await;
    assert_eq!(refused.element("Code").as_deref(), Some("BucketNotEmpty"));

    let complete = |parts: &[(usize, &str)]| {
        let parts: String = parts
            .iter()
            .map(|(n, etag)| format!("<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>"))
            .collect();
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
    };
    let path = format!("/bkt/big?uploadId={id}");
    for (parts, code) in [
        (vec![(2, etags[1].as_str()), (1, etags[0].as_str())], "InvalidPartOrder"),
        (vec![(1, "\"00000000000000000000000000000000\"")], "InvalidPart"),
        (vec![(4, etags[0].as_str())], "InvalidPart"),
        (vec![], "MalformedXML"),
    ] {
        let refused = it.send(Method::POST, &path, &[], complete(&parts)).await;
        assert_eq!(refused.element("Code").as_deref(), Some(code), "{}", refused.text());
    }
    // A refused completion leaves the upload as it was.
    let all: Vec<(usize, &str)> = etags.iter().enumerate().map(|(n, e)| (n + 1, e.as_str())).collect();
    let done = it.send(Method::POST, &path, &[], complete(&all)).await.ok();
    assert!(done.element("ETag").unwrap().contains("-3"));
    let got = it.get("/bkt/big").await.ok();
    assert_eq!(got.0.body().len(), 2 * large.len() + 4);
    assert!(got.0.body().ends_with(b"tail") && got.0.body().starts_with(&large));
    let across = it.send(Method::GET, "/bkt/big", &[("range", "bytes=10485758-10485761")], "").await.ok();
    assert_eq!(across.0.body().as_ref(), b"\x07\x07ta");
    let third = it.get("/bkt/big?partNumber=3").await.ok();
    assert_eq!((third.text().as_str(), third.header("x-amz-mp-parts-count")), ("tail", Some("3")));
    let gone = it.send(Method::POST, &path, &[], complete(&all)).await;
    assert_eq!(gone.element("Code").as_deref(), Some("NoSuchUpload"));

    // Too small a part in the middle, then abort.
    let begun = it.send(Method::POST, "/bkt/small?uploads", &[], "").await.ok();
    let id = begun.element("UploadId").unwrap();
    for number in [1, 2] {
        it.put(&format!("/bkt/small?partNumber={number}&uploadId={id}"), "x").await.ok();
    }
    let x = "9dd4e461268c8034f5c8564e155c67a6";
    let path = format!("/bkt/small?uploadId={id}");
    let refused = it.send(Method::POST, &path, &[], complete(&[(1, x), (2, x)])).await;
    refused.refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size");
    let zero = it.put(&format!("/bkt/small?partNumber=0&uploadId={id}"), "x").await;
    assert_eq!(zero.element("Code").as_deref(), Some("InvalidArgument"));
    assert_eq!(it.send(Method::DELETE, &path, &[], "").await.status(), 204);
    assert_eq!(it.send(Method::DELETE, &path, &[], "").await.status(), 404);
    let blobs = std::fs::read_dir(it.dir.path().join("blobs")).unwrap();
    let files: usize = blobs.map(|d| std::fs::read_dir(d.unwrap().path()).unwrap().count()).sum();
    assert_eq!(files, 3, "only the parts of the finished object stay");
}

#[tokio::test]
async fn copies_and_many_deletes() {
    let it = Server::default().await;
    it.put("/bkt", "").await.ok();
    let put = it.send(Method::PUT, "/bkt/a%20b", &[("x-amz-meta-m", "1")], "bytes").await.ok();
    let copied = it.send(Method::PUT, "/bkt/copy", &[("x-amz-copy-source", "/bkt/a%20b")], "").await.ok();
    assert!(copied.element("ETag").unwrap().contains(put.header("etag").unwrap().trim_matches('"')));
    // The copy does not need its source any more.
    it.send(Method::DELETE, "/bkt/a%20b", &[], "").await.ok();
    let got = it.get("/bkt/copy").await.ok();
    assert_eq!((got.text().as_str(), got.header("x-amz-meta-m")), ("bytes", Some("1")));
    let replace =
        [("x-amz-copy-source", "bkt/copy"), ("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-m", "2")];
    it.send(Method::PUT, "/bkt/copy", &replace, "").await.ok();
    let got = it.get("/bkt/copy").await.ok();
    assert_eq!((got.text().as_str(), got.header("x-amz-meta-m")), ("bytes", Some("2")));
    let itself = it.send(Method::PUT, "/bkt/copy", &[("x-amz-copy-source", "bkt/copy")], "").await;
    assert_eq!(itself.element("Code").as_deref(), Some("InvalidRequest"));
    let missing = it.send(Method::PUT, "/bkt/x", &[("x-amz-copy-source", "bkt/none")], "").await;
    missing.refused(404, "NoSuchKey", "The specified key does not exist.");
    let mismatch = [("x-amz-copy-source", "bkt/copy"), ("x-amz-copy-source-if-match", "\"0\"")];
    assert_eq!(it.send(Method::PUT, "/bkt/x", &mismatch, "").await.status(), 412);

    let list = "<Delete><Object><Key>copy</Key></Object><Object><Key>never</Key></Object></Delete>";
    let deleted = it.send(Method::POST, "/bkt?delete", &[], list).await.ok();
    assert_eq!(deleted.elements("Key"), ["copy", "never"]);
    it.get("/bkt/copy").await.refused(404, "NoSuchKey", "The specified key does not exist.");
    let none = it.send(Method::POST, "/bkt?delete", &[], "<Delete></Delete>").await;
    assert_eq!(none.element("Code").as_deref(), Some("MalformedXML"), "{}", none.text());
}

#[tokio::test]
async fn object_changes_are_told_once_switched_on() {
    let it = Server::default().await;
    it.put("/bkt", "").await.ok();
    it.put("/bkt/before", "x").await.ok();
    it.put("/bkt?notification", EVENTS_ON).await.ok();
    assert!(it.get("/bkt?notification").await.ok().text().contains("EventBridgeConfiguration"));
    let etag = it.put("/bkt/a%20b", "hello").await.ok().header("etag").unwrap().trim_matches('"').to_owned();
    it.send(Method::PUT, "/bkt/copy", &[("x-amz-copy-source", "/bkt/a%20b")], "").await.ok();
    it.send(Method::DELETE, "/bkt/copy", &[], "").await.ok();
    it.send(Method::DELETE, "/bkt/never", &[], "").await.ok();
    it.buckets.put("bkt", "direct", "abc".into(), None, "states").await.unwrap();
    let told = it.changes.wait_for(4).await;
    let mut told = told;
    told.sort_by(|a, b| a.sequencer.cmp(&b.sequencer));
    let shown: Vec<_> = told.iter().map(|c| (c.key.as_str(), c.reason.as_str(), c.what.clone())).collect();
    let created = |size, etag: &str| Change::Created { size, etag: etag.to_owned() };
    let expected = [
        ("a b", "PutObject", created(5, &etag)),
        ("copy", "CopyObject", created(5, &etag)),
        ("copy", "DeleteObject", Change::Deleted),
        ("direct", "PutObject", created(3, "900150983cd24fb0d6963f7d28e17f72")),
    ];
    assert_eq!(shown, expected);
    assert_eq!(told[0].caller.source_ip, "127.0.0.1");
    assert_eq!(told[0].caller.requester, "000000000000");
    assert_eq!(told[3].caller.requester, "states");

    let queue = "<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:r:1:q</Queue>\
                 <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>";
    let refused = it.put("/bkt?notification", queue).await;
    assert_eq!((refused.status(), refused.element("Code").as_deref()), (501, Some("NotImplemented")));
    assert!(refused.element("Message").unwrap().contains("use EventBridgeConfiguration and a rule"));
    it.put("/bkt?notification", "<NotificationConfiguration/>").await.ok();
    assert!(!it.get("/bkt?notification").await.ok().text().contains("EventBridgeConfiguration"));
}

#[tokio::test]
async fn what_is_not_here_is_refused_by_name() {
    let it = Server::default().await;
    it.put("/bkt", "").await.ok();
    for path in ["/bkt?acl", "/bkt?policy", "/bkt?lifecycle", "/bkt?cors"] {
        let refused = it.get(path).await;
        assert_eq!(
            (refused.status(), refused.element("Code").as_deref()),
            (501, Some("NotImplemented")),
            "{path}"
        );
        assert!(refused.element("Message").is_some_and(|m| !m.is_empty()), "{path}");
    }
    it.put("/bkt?tagging", "<not xml").await.refused(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    );
}

/// Sixteen clients write, list and read at once; what was acknowledged is seen by everyone, whole.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_put_is_seen_by_everyone() {
    const CLIENTS: usize = 16;
    const ROUNDS: usize = 20;
    let it = std::sync::Arc::new(Server::default().await);
    it.put("/bkt", "").await.ok();
    let clients = (0..CLIENTS).map(|client| {
        let it = it.clone();
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                let path = format!("/bkt/own/{client:02}-{round:02}");
                it.put(&path, path.clone()).await.ok();
                assert_eq!(it.get(&path).await.ok().text(), path);
                let keys =
                    it.get(&format!("/bkt?list-type=2&prefix=own/{client:02}-")).await.ok().elements("Key");
                assert_eq!(keys.len(), round + 1, "client {client}: {keys:?}");
                // All write one key as well: a reader gets one writer's bytes, all of them.
                let body = vec![b'a' + u8::try_from(client).unwrap(); 100_000 + client];
                it.put("/bkt/shared", body).await.ok();
                let got = it.get("/bkt/shared").await.ok();
                let first = got.0.body()[0];
                assert_eq!(got.0.body().len(), 100_000 + usize::from(first - b'a'));
                assert!(got.0.body().iter().all(|byte| *byte == first));
            }
        })
    });
    for client in futures::future::join_all(clients).await {
        client.unwrap();
    }
    let all = it.get("/bkt?list-type=2&prefix=own/&max-keys=1000").await.ok().elements("Key");
    assert_eq!(all.len(), CLIENTS * ROUNDS);
    let blobs = std::fs::read_dir(it.dir.path().join("blobs")).unwrap();
    let files: usize = blobs.map(|d| std::fs::read_dir(d.unwrap().path()).unwrap().count()).sum();
    assert_eq!(files, CLIENTS * ROUNDS + 1, "overwritten bytes are gone");
}

#[tokio::test]
async fn the_store_opens_again_as_it_was() {
    let it = Server::default().await;
    it.put("/bkt", "").await.ok();
    it.put("/bkt?notification", EVENTS_ON).await.ok();
    it.put("/bkt/k", "kept").await.ok();
    it.changes.wait_for(1).await;
    it.buckets.close().await;
    let refused = it.put("/bkt/k2", "late").await;
    assert_eq!(refused.status(), 500, "{}", refused.text());
    let again = buckets::Buckets::open(it.dir.path(), it.changes.clone()).await.unwrap();
    assert_eq!(again.get("bkt", "k").await.unwrap().1, "kept");
    assert!(again.buckets().unwrap()[0].event_bridge);
    assert!(again.head("bkt", "k2").is_err());
}
