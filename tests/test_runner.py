"""The runner: the unmodified function of `functions/handlers.py`, pulled instead of pushed."""
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from functions_client import FOLDER, create_function
from loveless_server import binary
from machines import (assert_contiguous, chain, create, finish, history, output, start, task_machine, types, unique,
                      until)


def runner_program():
    path = pathlib.Path(binary()).parent / "loveless-runner"
    if not path.exists():
        pytest.fail(f"{path} is not there: `cargo build -p loveless-runner`")
    return path


@pytest.fixture
def activity(states):
    return states.create_activity(name=unique("pulled"))["activityArn"]


@pytest.fixture
def run_function(server, activity, tmp_path):
    """Starts runners that work on the activity with one of the handlers."""
    runners = []

    def run(handler):
        log = open(tmp_path / f"runner-{len(runners)}.log", "wb")
        runners.append(subprocess.Popen(
            [runner_program(), sys.executable, "-m", "awslambdaric", f"handlers.{handler}"],
            cwd=FOLDER, env={**os.environ, **server.variables(), "ACTIVITY_ARN": activity, "LOVELESS_HEARTBEAT": "1"},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        log.close()
        return runners[-1]

    yield run
    for runner in runners:
        runner.kill()
        runner.wait()


def started(states, execution):
    until(lambda: "ActivityStarted" in types(history(states, execution)), "a runner to take the task")


def test_push_and_pull_give_the_same(server, states, activity, run_function):
    """The one-line change: the same function, input and output; the function's ARN is all that it can tell apart."""
    function = create_function(server.client("lambda"), "write_object")
    bucket = unique("bucket")
    server.client("s3").create_bucket(Bucket=bucket)
    run_function("write_object")
    given = {"bucket": bucket, "key": "k", "text": "from the function"}
    results = []
    for resource in (function, activity):
        results.append(output(states, task_machine(resource), given))
        assert server.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"from the function"
        server.client("s3").delete_object(Bucket=bucket, Key="k")
    assert results == [{"written": "k"}] * 2


def test_many_tasks_one_after_another(states, activity, run_function):
    run_function("sleep")
    machine = create(states, task_machine(activity))
    executions = [start(states, machine, {"seconds": 0, "n": number}) for number in range(10)]
    for number, execution in enumerate(executions):
        described = finish(states, execution)
        assert described["status"] == "SUCCEEDED", described
        assert json.loads(described["output"])["n"] == number


def test_an_exception_is_caught_by_the_same_name(server, states, activity, run_function):
    run_function("fail")
    function = create_function(server.client("lambda"), "fail")
    caught = []
    for resource in (function, activity):
        task = {"Type": "Task", "Resource": resource, "Next": "Fine",
                "Catch": [{"ErrorEquals": ["TooBig"], "Next": "Caught"}]}
        caught.append(output(states, chain(Work=task, Fine={"Type": "Fail"}, Caught={"Type": "Pass", "End": True})))
    assert [error["Error"] for error in caught] == ["TooBig", "TooBig"]
    assert [json.loads(error["Cause"])["errorMessage"] for error in caught] == ["the image is too big"] * 2


def test_a_function_that_dies_fails_its_task_and_the_runner_goes_on(states, activity, run_function):
    runner = run_function("leave")
    machine = create(states, task_machine(activity))
    for _ in range(2):
        described = finish(states, start(states, machine))
        assert (described["status"], described["error"]) == ("FAILED", "Runtime.ExitError")
    assert runner.poll() is None


def test_sigterm_finishes_the_task_in_hand_and_takes_no_other(states, activity, run_function, tmp_path):
    runner = run_function("hold")
    machine = create(states, task_machine(activity))
    release = tmp_path / "release"
    first = start(states, machine, {"number": 1, "release": str(release)})
    started(states, first)
    runner.send_signal(signal.SIGTERM)
    second = start(states, machine, {"number": 2, "release": str(release)})
    release.touch()
    assert json.loads(finish(states, first)["output"]) == {"number": 1}
    assert runner.wait(60) == 0
    assert states.describe_execution(executionArn=second)["status"] == "RUNNING"
    # The task that it did not take is there for the next.
    run_function("hold")
    assert json.loads(finish(states, second)["output"]) == {"number": 2}


def test_a_killed_runner_loses_its_task_to_another(states, activity, run_function, tmp_path):
    definition = task_machine(activity, HeartbeatSeconds=5, Retry=[
        {"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 3}])
    victim = run_function("hold")
    release = tmp_path / "release"
    execution = start(states, create(states, definition), {"number": 1, "release": str(release)})
    started(states, execution)
    victim.kill()
    run_function("hold")
    release.touch()
    assert json.loads(finish(states, execution)["output"]) == {"number": 1}
    events = history(states, execution)
    assert_contiguous(events)
    assert types(events).count("ActivityTimedOut") == 1


def test_heartbeats_are_sent_while_the_function_works(states, activity, run_function, tmp_path):
    """The function works for three times as long as a worker may be silent."""
    run_function("sleep")
    execution = start(states, create(states, task_machine(activity, HeartbeatSeconds=4)), {"seconds": 12})
    assert finish(states, execution)["status"] == "SUCCEEDED"
    assert "ActivityTimedOut" not in types(history(states, execution))


def test_a_runner_outlives_a_crash_of_the_server(make_server, tmp_path):
    server = make_server()
    states = server.states
    activity = states.create_activity(name="pulled")["activityArn"]
    release = tmp_path / "release"
    runner = subprocess.Popen(
        [runner_program(), sys.executable, "-m", "awslambdaric", "handlers.hold"], cwd=FOLDER,
        env={**os.environ, **server.variables(), "ACTIVITY_ARN": activity},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        execution = start(states, create(states, task_machine(activity)), {"number": 1, "release": str(release)})
        started(states, execution)
        server.kill()
        server.start()
        release.touch()
        assert json.loads(finish(server.states, execution)["output"]) == {"number": 1}
    finally:
        runner.kill()
        runner.wait()
