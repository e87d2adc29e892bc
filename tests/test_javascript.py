"""@aws-sdk/client-sfn, unmodified, in Node: it finds the server by AWS_ENDPOINT_URL and reads its answers and errors."""
import json
import os
import pathlib
import shutil

import pytest

from loveless_server import ACCOUNT, REGION, ROLE
from machines import unique
from programs import CLIENTS, call

DEFAULT = pathlib.Path(__file__).parent.parent / "target/xtask/node"


@pytest.fixture
def modules():
    """The folder whose node_modules has the SDK."""
    folder = pathlib.Path(os.environ.get("LOVELESS_TEST_NODE", DEFAULT))
    if not (folder / "node_modules/@aws-sdk/client-sfn").exists() or not shutil.which("node"):
        pytest.skip("@aws-sdk/client-sfn is not installed: `cargo xtask test` installs it where there is npm")
    return folder


def test_the_javascript_sdk_runs_a_machine_and_a_worker(server, modules):
    name = unique("javascript")
    seen = json.loads(call(server, "node", CLIENTS / "javascript.mjs", modules, name, ROLE))
    assert seen["stateMachineArn"] == f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
    assert seen["status"] == "SUCCEEDED" and seen["dates"]
    assert json.loads(seen["output"]) == {"text": "hello you"}
    assert seen["types"] == [
        "ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted", "ActivityFailed",
        "ActivityScheduled", "ActivityStarted", "ActivitySucceeded", "TaskStateExited",
        "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert seen["refused"]["name"] == "InvalidDefinition" and seen["refused"]["known"]
    assert seen["refused"]["message"].startswith("Invalid State Machine Definition: ")
    assert seen["closed"] == {"name": "TaskTimedOut", "known": True}
