"""The Step Functions Data Science SDK (`stepfunctions` on PyPI), unmodified. It needs old releases of other packages, so
it has an environment of its own, which the test command sets up."""
import json
import os
import pathlib

import pytest

from loveless_server import ACCOUNT, REGION, ROLE
from machines import unique
from programs import CLIENTS, call

DEFAULT = pathlib.Path(__file__).parent.parent / "target/xtask/venv-datascience/bin/python"


@pytest.fixture
def python():
    """The Python that has the SDK."""
    python = pathlib.Path(os.environ.get("LOVELESS_TEST_DATASCIENCE_PYTHON", DEFAULT))
    if not python.exists():
        pytest.skip("the Data Science SDK is not installed: `cargo xtask test` installs it where Python is 3.11 or later")
    return python


def test_the_data_science_sdk_from_create_to_delete(server, states, python):
    name = unique("datascience")
    # It warns on its standard output, too; its own line is the last.
    seen = json.loads(call(server, python, CLIENTS / "datascience.py", name, ROLE).splitlines()[-1])
    assert seen["arn"] == seen["created_again"] == f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
    assert seen["output"] == {"bucket": "b", "fail": False, "text": "first"}
    assert seen["input"] == {"Bucket": "b", "Fail": False}
    assert seen["events"][0] == "ExecutionStarted"
    assert seen["events"][-1] == seen["last_event"] == "ExecutionSucceeded"
    assert seen["failed"] == ["FAILED", "Own.Error", "as wanted"]
    assert seen["stopped"] == ["ABORTED", "Own.Stop"]
    assert (seen["executions"], seen["succeeded"]) == (3, 1)
    assert seen["listed"] and seen["updated"] == "second"
    with pytest.raises((states.exceptions.StateMachineDoesNotExist, states.exceptions.StateMachineDeleting)):
        states.start_execution(stateMachineArn=seen["arn"])
