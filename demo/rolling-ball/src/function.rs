//! The Lambda function: one object in, one object out, and a report.

use lambda_runtime::{LambdaEvent, service_fn};
use rolling_ball::{Removal, cpu_time, decode_png, encode_png, remove};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::bucket::Store;
use crate::failure::Failure;
use crate::request::{Output, Request};

/// Takes invocations until the runtime API ends.
pub(crate) fn serve() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let handler = service_fn(|event: LambdaEvent<Value>| async move {
        // The work blocks; on a thread of its own it leaves the runtime API's connection alone.
        let work = tokio::task::spawn_blocking(move || handle(&event.payload));
        work.await.unwrap_or_else(|error| Err(Failure::Aborted(error.to_string())))
    });
    runtime.block_on(lambda_runtime::run(handler)).map_err(|error| format!("the runtime API failed: {error}"))
}

fn handle(event: &Value) -> Result<Value, Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    let start = cpu_time();
    let request = Request::of(event, environment)?;
    let store = Store::of(environment);
    let bytes = store.get(&request.source)?;

    let of_source = |error| Failure::Image { key: request.source.key.clone(), error };
    let image = decode_png(&bytes).map_err(of_source)?;
    let Removal { background, result } = remove(&image, &request.settings).map_err(of_source)?;
    let written = match request.output {
        Output::Result => result,
        Output::Background => background,
    };
    let bytes = encode_png(&written).map_err(of_source)?;
    store.put(&request.target, &bytes, "image/png")?;

    Ok(json!({
        "bucket": request.target.bucket,
        "key": request.target.key,
        "source": {"bucket": request.source.bucket, "key": request.source.key},
        "width": written.width(),
        "height": written.height(),
        "radius": request.settings.radius,
        "method": request.settings.method.name(),
        "light_background": request.settings.light_background,
        "output": request.output.name(),
        "bytes": bytes.len(),
        "sha256": hex::encode(Sha256::digest(&bytes)),
        "pixels_sha256": written.pixels_sha256(),
        "cpu_ms": (cpu_time() - start).as_millis() as u64,
    }))
}
