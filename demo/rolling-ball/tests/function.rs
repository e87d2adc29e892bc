//! The program as a Lambda function: a runtime API and an object store, both a few lines over a socket, around the real process.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise, in its helpers too")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rolling_ball::{Method, background, decode_png, encode_png, generate_sample, subtract};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A guard against a hang, far above what an invocation takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// The function's process with its world around it.
struct World {
    objects: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    targets: Arc<Mutex<Vec<String>>>,
    events: Sender<Value>,
    /// The runtime API's last path segment (`response` or `error`) and the body.
    answers: Receiver<(String, Value)>,
    child: Child,
}

impl World {
    fn start(environment: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, waiting) = channel();
        let (answered, answers) = channel();
        let server = Server {
            objects: Arc::default(),
            targets: Arc::default(),
            waiting: Arc::new(Mutex::new(waiting)),
            answered,
        };
        let (objects, targets) = (server.objects.clone(), server.targets.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        let child = Command::new(env!("CARGO_BIN_EXE_rolling-ball"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "rolling-ball")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .envs(environment.iter().copied())
            .spawn()
            .unwrap();
        Self { objects, targets, events, answers, child }
    }

    fn invoke(&self, event: Value) -> (String, Value) {
        self.events.send(event).unwrap();
        self.answers.recv_timeout(PATIENCE).expect("the function answers")
    }

    fn put(&self, path: &str, bytes: Vec<u8>) {
        self.objects.lock().unwrap().insert(path.to_owned(), bytes);
    }

    fn object(&self, path: &str) -> Vec<u8> {
        self.objects.lock().unwrap()[path].clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone)]
struct Server {
    objects: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    targets: Arc<Mutex<Vec<String>>>,
    waiting: Arc<Mutex<Receiver<Value>>>,
    answered: Sender<(String, Value)>,
}

impl Server {
    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some((method, target, body)) = request(&mut reader) {
            let Some((status, headers, body)) = self.answer(&method, &target, body) else { return };
            let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
            if stream.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                return;
            }
        }
    }

    fn answer(
        &self,
        method: &str,
        target: &str,
        body: Vec<u8>,
    ) -> Option<(&'static str, &'static str, Vec<u8>)> {
        const INVOCATION: &str = "Lambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 99999999999999\r\n\
            Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:rolling-ball\r\n";
        if target == "/2018-06-01/runtime/invocation/next" {
            let event = self.waiting.lock().unwrap().recv().ok()?;
            return Some(("200 OK", INVOCATION, event.to_string().into_bytes()));
        }
        if let Some(end) = target.strip_prefix("/2018-06-01/runtime/invocation/1/") {
            self.answered.send((end.to_owned(), serde_json::from_slice(&body).unwrap())).ok()?;
            return Some(("202 Accepted", "", Vec::new()));
        }
        self.targets.lock().unwrap().push(format!("{method} {target}"));
        let path = target.split('?').next()?.to_owned();
        let mut objects = self.objects.lock().unwrap();
        if method == "PUT" {
            objects.insert(path, body);
            return Some(("200 OK", "", Vec::new()));
        }
        Some(objects.get(&path).map_or(
            (
                "404 Not Found",
                "",
                b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>".to_vec(),
            ),
            |bytes| ("200 OK", "", bytes.clone()),
        ))
    }
}

/// Method, target and body.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Vec<u8>)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|&read| read > 0)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, target, body))
}

fn object_created(key: &str) -> Value {
    json!({
        "version": "0", "detail-type": "Object Created", "source": "aws.s3",
        "detail": {"bucket": {"name": "pictures"}, "object": {"key": key}, "reason": "PutObject"}
    })
}

#[test]
fn an_upload_becomes_a_result() {
    let world = World::start(&[("ROLLING_BALL_RADIUS", "9")]);
    let image = generate_sample(50, 40, 2);
    world.put("/pictures/in/a%20b.png", encode_png(&image).unwrap());
    let (kind, report) = world.invoke(object_created("in/a b.png"));
    assert_eq!(kind, "response", "{report}");
    assert_eq!((&report["bucket"], &report["key"]), (&json!("pictures"), &json!("results/in/a b.png")));
    assert_eq!(
        (&report["width"], &report["height"], &report["radius"]),
        (&json!(50), &json!(40), &json!(9.0))
    );
    let written = world.object("/pictures/results/in/a%20b.png");
    assert_eq!(decode_png(&written).unwrap(), subtract(&image, 9.0, Method::Direct).unwrap());
    assert_eq!(report["sha256"], hex::encode(Sha256::digest(&written)));
    assert_eq!(report["pixels_sha256"], decode_png(&written).unwrap().pixels_sha256());
    // No credentials, no signature.
    assert_eq!(
        *world.targets.lock().unwrap(),
        ["GET /pictures/in/a%20b.png".to_owned(), "PUT /pictures/results/in/a%20b.png".to_owned()]
    );

    // The same process serves the next invocation, with options of its own.
    let event = json!({
        "bucket": "pictures", "key": "in/a b.png", "radius": 5, "method": "direct",
        "output": "background", "output_bucket": "other", "output_key": "b.png"
    });
    let (kind, report) = world.invoke(event);
    assert_eq!((kind.as_str(), &report["method"]), ("response", &json!("direct")), "{report}");
    assert_eq!(
        decode_png(&world.object("/other/b.png")).unwrap(),
        background(&image, 5.0, Method::Fast).unwrap()
    );
}

#[test]
fn requests_are_signed_when_there_are_credentials() {
    let world = World::start(&[("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")]);
    world.put("/b/k.png", encode_png(&generate_sample(8, 8, 1)).unwrap());
    let (kind, report) = world.invoke(json!({"bucket": "b", "key": "k.png"}));
    assert_eq!(kind, "response", "{report}");
    for target in world.targets.lock().unwrap().iter() {
        assert!(
            target.contains("X-Amz-Credential=AKIDEXAMPLE") && target.contains("X-Amz-Signature="),
            "{target}"
        );
    }
}

#[test]
fn failures_have_names_and_the_process_goes_on() {
    let world = World::start(&[]);
    world.put("/b/text.png", b"no picture".to_vec());
    let good = encode_png(&generate_sample(8, 8, 1)).unwrap();
    world.put("/b/half.png", good[..good.len() / 2].to_vec());
    world.put("/b/good.png", good);
    for (event, name, says) in [
        (json!({"bucket": "b", "key": "none.png"}), "NoSuchKey", "b/none.png"),
        (json!({"bucket": "b", "key": "text.png"}), "ImageDecodeError", "text.png"),
        (json!({"bucket": "b", "key": "half.png"}), "ImageDecodeError", "half.png"),
        (json!({"bucket": "b", "key": "good.png", "radius": -1}), "InvalidRequest", "radius"),
        (json!({"bucket": "b", "key": "good.png", "method": "slow"}), "InvalidRequest", "method"),
        (json!({"bucket": "b", "key": "../other/x"}), "InvalidRequest", "key"),
        (object_created("results/x.png"), "InvalidRequest", "for ever"),
        (json!({}), "InvalidRequest", "bucket is missing"),
        (json!([1, 2]), "InvalidRequest", "bucket is missing"),
    ] {
        let (kind, error) = world.invoke(event.clone());
        assert_eq!((kind.as_str(), &error["errorType"]), ("error", &json!(name)), "{event}: {error}");
        assert!(error["errorMessage"].as_str().unwrap().contains(says), "{event}: {error}");
    }
    let (kind, _) = world.invoke(json!({"bucket": "b", "key": "good.png"}));
    assert_eq!(kind, "response");
}

#[test]
fn a_store_out_of_reach_has_a_name_too() {
    // Bound and closed at once, so nobody listens there.
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = World::start(&[("AWS_ENDPOINT_URL_S3", &format!("http://{nowhere}"))]);
    let (kind, error) = world.invoke(json!({"bucket": "b", "key": "k"}));
    assert_eq!((kind.as_str(), &error["errorType"]), ("error", &json!("StorageUnreachable")), "{error}");
}
