"""aws-sdk-sfn, unmodified, in a Rust program: it finds the server by AWS_ENDPOINT_URL and reads its answers and errors."""
import json
import os
import pathlib

import pytest

from loveless_server import ACCOUNT, REGION, ROLE
from machines import unique
from programs import call

DEFAULT = pathlib.Path(__file__).parent.parent / "target/xtask/rust-client/debug/rust-client"


@pytest.fixture
def client():
    """The program that the test command built."""
    binary = pathlib.Path(os.environ.get("LOVELESS_TEST_RUST_CLIENT", DEFAULT))
    if not binary.exists():
        pytest.skip("the Rust SDK's program is not built: `cargo xtask test` builds it")
    return binary


def test_the_rust_sdk_runs_a_machine_and_a_worker(server, client):
    name = unique("rust")
    seen = json.loads(call(server, client, name, ROLE))
    assert seen["stateMachineArn"] == f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
    assert seen["status"] == "SUCCEEDED" and seen["dates"]
    assert json.loads(seen["output"]) == {"name": "you"}
    assert seen["types"] == [
        "ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted", "ActivityFailed",
        "ActivityScheduled", "ActivityStarted", "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"]
    assert seen["refused"]["known"] and seen["refused"]["message"].startswith("Invalid State Machine Definition: ")
    assert seen["late"] == {"known": True, "code": "TaskTimedOut"}
