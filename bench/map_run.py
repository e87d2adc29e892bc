"""What a Map Run over many objects costs: wall time, and the peak of the server's memory.

    cargo build --release -p loveless
    python bench/map_run.py --binary target/release/loveless --objects 10000

Starts a server on a fresh folder, puts the objects into its own bucket, and runs one Distributed Map that lists them
and starts an execution for each, with a ResultWriter. Needs boto3. Reads /proc, so it runs on Linux only.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time

import boto3
from botocore.config import Config

ROLE = "arn:aws:iam::000000000000:role/bench"


def memory_mib(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0


def client(service, endpoint):
    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a",
                        aws_secret_access_key="b", config=Config(max_pool_connections=32, read_timeout=300))


def ready(endpoint, process):
    host, port = endpoint.removeprefix("http://").split(":")
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


def machine(bucket, given):
    return {"StartAt": "Map", "States": {"Map": {
        "Type": "Map", "MaxConcurrency": given.concurrency, "End": True,
        "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2",
                       "Parameters": {"Bucket": bucket, "Prefix": "in/"}},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": given.kind}, "StartAt": "Item",
                          "States": {"Item": {"Type": "Wait", "Seconds": given.wait, "End": True}}},
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": bucket, "Prefix": "out"}},
    }}}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binary", default="target/release/loveless")
    options.add_argument("--objects", type=int, default=10_000)
    options.add_argument("--concurrency", type=int, default=0, help="MaxConcurrency; 0 is the service's own, 10,000")
    options.add_argument("--kind", choices=["STANDARD", "EXPRESS"], default="STANDARD")
    options.add_argument("--wait", type=int, default=1, help="seconds that each child waits")
    options.add_argument("--port", type=int, default=23_990)
    given = options.parse_args()
    endpoint = f"http://127.0.0.1:{given.port}"
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([given.binary, "serve", "--listen", f"127.0.0.1:{given.port}", "--data", folder,
                                   "--no-containers"], stdout=subprocess.DEVNULL, env={**os.environ, "LOVELESS_LOG": "warn"})
        try:
            ready(endpoint, server)
            measure(given, endpoint, server.pid)
        finally:
            server.terminate()
            server.wait()


def measure(given, endpoint, pid):
    s3, states = client("s3", endpoint), client("stepfunctions", endpoint)
    s3.create_bucket(Bucket="bench")
    put = lambda number: s3.put_object(Bucket="bench", Key=f"in/{number:08}", Body=b"x" * 100)  # noqa: E731
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(given.objects)))
    definition = json.dumps(machine("bench", given))
    arn = states.create_state_machine(name="bench", definition=definition, roleArn=ROLE)["stateMachineArn"]
    before, began, running_max = memory_mib(pid, "VmRSS"), time.monotonic(), 0
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    while (status := states.describe_execution(executionArn=execution)["status"]) == "RUNNING":
        runs = states.list_map_runs(executionArn=execution)["mapRuns"]
        if runs:
            counts = states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["executionCounts"]
            running_max = max(running_max, counts["running"])
        time.sleep(0.2)
    seconds = time.monotonic() - began
    assert status == "SUCCEEDED", states.describe_execution(executionArn=execution)
    threads = memory_mib(pid, "Threads") * 1024
    print(json.dumps({
        "objects": given.objects, "kind": given.kind, "wait": given.wait, "seconds": round(seconds, 1),
        "children_per_second": round(given.objects / seconds), "running_at_a_time": running_max,
        "rss_before_mib": round(before), "rss_peak_mib": round(memory_mib(pid, "VmHWM")), "threads": round(threads),
    }))


if __name__ == "__main__":
    main()
