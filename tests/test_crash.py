"""SIGKILL in the middle of everything: what was acknowledged is there afterwards, and all of it finishes.

Two hundred executions are parked on Wait, activity and Lambda states. The check that nothing was lost has a negative
control: against a data folder that was put back to an earlier moment it must see the loss.
"""
import json
import shutil

import pytest

from functions_client import create_function
from invoke_endpoint import InvokeEndpoint
from loveless_server import ACCOUNT, REGION
from machines import assert_contiguous, create, finish, history, start, task_machine, unique, until, wait_machine

WAITING = 70
WORKED = 70
INVOKED = 60
# Long enough to be parked when the server dies, short enough to wait for.
WAIT_SECONDS = 15


@pytest.fixture
def endpoint():
    endpoint = InvokeEndpoint()
    yield endpoint
    endpoint.close()


def lost(client, acknowledged):
    """Of the acknowledged starts, those that the server does not know any more or knows otherwise."""
    missing = []
    for execution, given in acknowledged.items():
        try:
            if json.loads(client.describe_execution(executionArn=execution)["input"]) != given:
                missing.append(execution)
        except client.exceptions.ExecutionDoesNotExist:
            missing.append(execution)
    return missing


def test_two_hundred_parked_executions_survive(make_server, endpoint):
    server = make_server("--lambda-endpoint", endpoint.url)
    states = server.states
    activity = states.create_activity(name=unique("activity"))["activityArn"]
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:elsewhere"
    machines = {
        "wait": create(states, wait_machine(WAIT_SECONDS)),
        "activity": create(states, task_machine(activity)),
        "function": create(states, task_machine(function)),
    }
    kinds = ["wait"] * WAITING + ["activity"] * WORKED + ["function"] * INVOKED
    acknowledged, kind_of = {}, {}
    for number, kind in enumerate(kinds):
        execution = start(states, machines[kind], {"number": number})
        acknowledged[execution], kind_of[execution] = {"number": number}, kind

    # A third of the activity's tasks are with workers when the server dies, and some are done and acknowledged.
    held = [states.get_activity_task(activityArn=activity) for _ in range(WORKED // 3)]
    done = held[:10]
    for task in done:
        states.send_task_success(taskToken=task["taskToken"], output=task["input"])
    until(lambda: len(set(endpoint.arrived)) == INVOKED, "every function to be invoked")

    server.kill()
    server.start()
    states = server.states
    assert lost(states, acknowledged) == []

    # Tokens given out before the crash are still the workers'; answers given before it stand.
    for task in held[10:]:
        states.send_task_success(taskToken=task["taskToken"], output=task["input"])
    for task in done:
        with pytest.raises((states.exceptions.TaskTimedOut, states.exceptions.TaskDoesNotExist)):
            states.send_task_success(taskToken=task["taskToken"], output='"again"')
    for _ in range(WORKED - len(held)):
        task = states.get_activity_task(activityArn=activity)
        assert task.get("taskToken"), "a queued task was lost"
        states.send_task_success(taskToken=task["taskToken"], output=task["input"])
    endpoint.released.set()

    for execution, given in acknowledged.items():
        described = finish(states, execution)
        assert described["status"] == "SUCCEEDED", (kind_of[execution], described)
        assert json.loads(described["output"]) == given
        assert_contiguous(history(states, execution))


def test_the_check_sees_a_loss(make_server):
    """The negative control: without what was written last, the same check must fail."""
    server = make_server()
    machine = create(server.states, wait_machine(3600))
    kept = {start(server.states, machine, {"number": number}): {"number": number} for number in range(5)}
    server.kill()
    earlier = server.folder / "earlier"
    shutil.copytree(server.data, earlier)
    server.start()
    later = {start(server.states, machine, {"number": number}): {"number": number} for number in range(5, 10)}
    assert lost(server.states, kept | later) == []
    server.kill()
    shutil.rmtree(server.data)
    shutil.copytree(earlier, server.data)
    server.start()
    assert lost(server.states, kept | later) == list(later)


def test_killed_again_and_again_while_working(make_server):
    """A chain of activity tasks goes on over ten kills; each answer that was acknowledged counts once."""
    server = make_server()
    activity = server.states.create_activity(name=unique("activity"))["activityArn"]
    definition = {"StartAt": "S0", "States": {
        f"S{index}": {"Type": "Task", "Resource": activity, **({"Next": f"S{index + 1}"} if index < 9 else {"End": True})}
        for index in range(10)}}
    execution = start(server.states, create(server.states, definition), {"count": 0})
    for turn in range(10):
        states = server.states
        task = states.get_activity_task(activityArn=activity)
        assert json.loads(task["input"]) == {"count": turn}
        if turn % 2:
            server.kill()
            states = server.start().states
        states.send_task_success(taskToken=task["taskToken"], output=json.dumps({"count": turn + 1}))
        server.kill()
        server.start()
    assert json.loads(finish(server.states, execution)["output"]) == {"count": 10}
    assert_contiguous(history(server.states, execution))


def test_a_local_function_in_flight_is_invoked_again(make_server, tmp_path):
    server = make_server()
    release = tmp_path / "release"
    machine = create(server.states, task_machine(create_function(server.client("lambda"), "hold")))
    given = {"number": 1, "release": str(release)}
    execution = start(server.states, machine, given)
    until(lambda: "LambdaFunctionStarted" in [event["type"] for event in history(server.states, execution)],
          "the function to start")
    server.kill()
    server.start()
    release.touch()
    assert json.loads(finish(server.states, execution)["output"]) == {"number": 1}
    assert_contiguous(history(server.states, execution))


def test_an_orderly_stop_is_no_loss_either(make_server):
    server = make_server()
    machine = create(server.states, wait_machine(3))
    acknowledged = {start(server.states, machine, {"number": number}): {"number": number} for number in range(20)}
    assert server.stop() == 0
    server.start()
    assert lost(server.states, acknowledged) == []
    for execution in acknowledged:
        assert finish(server.states, execution)["status"] == "SUCCEEDED"
