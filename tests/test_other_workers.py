"""Other people's workers and tools for Step Functions, unmodified, installed from PyPI: stefuna,
stepfunctions-activity-worker, heaviside. AWS_ENDPOINT_URL is all that they are told."""
import json
import sys
import urllib.request

import pytest

from loveless_server import ACCOUNT, REGION, ROLE, free_port
from machines import create, finish, history, start, task_machine, types, unique, until
from programs import CLIENTS, call, installed

CATCH = {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}], "Next": "Done"}


def caught(resource, **fields):
    """A task whose errors of every name end in the output."""
    machine = task_machine(resource, **CATCH, **fields)
    machine["States"]["Caught"] = {"Type": "Pass", "End": True}
    machine["States"]["Done"] = {"Type": "Succeed"}
    return machine


# -------- stefuna
def test_stefuna_runs_the_example_of_its_readme(server, states, program):
    activity = states.create_activity(name=unique("hello"))["activityArn"]
    port = free_port()
    worker = program(installed("stefuna"), "--config=hello_config", ACTIVITY_ARN=activity, HEALTHCHECK=str(port))
    machine = create(states, caught(activity, HeartbeatSeconds=20))
    ended = finish(states, start(states, machine, {}))
    assert json.loads(ended["output"]) == {"message": "Hello World"}, worker.said()
    failed = finish(states, start(states, machine, {"fail": "no good"}))
    error = json.loads(failed["output"])["error"]
    assert error["Error"] == "Task.Failure"
    assert "no good" in error["Cause"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        assert json.load(answer) == {"status": "ok"}
    event = next(event for event in history(states, ended["executionArn"]) if event["type"] == "ActivityStarted")
    assert event["activityStartedEventDetails"]["workerName"].startswith("HelloExample-")


# -------- stepfunctions-activity-worker
def test_stepfunctions_activity_worker_succeeds_and_raises(server, states, program):
    activity = states.create_activity(name=unique("double"))["activityArn"]
    worker = program(sys.executable, "-u", CLIENTS / "activity_worker.py", ACTIVITY_ARN=activity)
    machine = create(states, caught(activity, HeartbeatSeconds=20))
    ended = finish(states, start(states, machine, {"number": 21}))
    assert json.loads(ended["output"]) == {"doubled": 42}, worker.said()
    # Its error is a sentence, which no worker of AWS's own would send.
    sentence = "a sentence: with spaces, and 'quotes'"
    failed = finish(states, start(states, machine, {"number": 1, "why": sentence}))
    error = json.loads(failed["output"])["error"]
    assert error["Error"] == sentence
    assert "raise RuntimeError(why)" in error["Cause"]


# -------- heaviside
MACHINE = '''"""Deletes a volume"""
version: "1.0"
timeout: 3600
Activity('{activity}')
    """Work"""
    timeout: 120
    heartbeat: 30
    retry ["KeyError"] 1 0 1.0
    retry [] 1 2 1.5
    catch []: "$.error"
        Fail("Boss.Error", "it was not done")
            """Failed"""
Success()
    """Done"""
'''
SIMPLE = '''Pass()
    """Hello"""
    data:
        {"hello": "heaviside"}
'''
FAILING = '''Fail("Boss.Error", "it was not done")
    """Failed"""
'''


def heaviside(server, *arguments, account=True):
    given = ["-a", ACCOUNT] if account else []
    return call(server, installed("heaviside"), "-r", REGION, *given, *arguments)


@pytest.mark.parametrize("account", [True, False], ids=["account", "account-by-iam"])
def test_the_six_steps_of_heaviside(make_server, tmp_path, account):
    """Without `-a` it learns its account from IAM's ListUsers, which is answered as well. A server of its own, because
    it looks for its machine among the first hundred only."""
    server = make_server()
    states = server.states
    name = unique("heaviside")
    file = tmp_path / f"{name}.hsd"
    file.write_text(SIMPLE)
    compiled = json.loads(heaviside(server, "compile", file))
    assert compiled["StartAt"] == "Hello"
    # The role by its name: it is looked up.
    heaviside(server, "create", file, "states", account=account)
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
    assert states.describe_state_machine(stateMachineArn=arn)["roleArn"] == ROLE
    assert json.loads(heaviside(server, "start", name, account=account)) == {"hello": "heaviside"}
    file.write_text(FAILING)
    heaviside(server, "update", name, "-f", file, account=account)
    failed = json.loads(heaviside(server, "start", "-j", '{"n": 1}', name, account=account))
    assert failed == {"error": "Boss.Error", "cause": "it was not done"}
    printed = heaviside(server, "start", "--no-wait", name, account=account)
    assert printed.startswith("Execution ARN: arn:aws:states:")
    heaviside(server, "delete", name, account=account)
    until(lambda: not states.list_state_machines()["stateMachines"], f"{name} to be gone")


def test_heavisides_manager_works_on_machines_of_the_boss(server, states, program, tmp_path):
    prefix = unique("boss")
    manager = program(sys.executable, "-u", CLIENTS / "boss_manager.py", PREFIX=prefix)
    made = {}
    # The manager has to create its activities: a machine without them would fail at once.
    until(lambda: len([1 for page in states.get_paginator("list_activities").paginate()
                       for activity in page["activities"] if activity["name"].startswith(prefix)]) == 2,
          "the manager's activities")
    for part in ("blocks", "index"):
        file = tmp_path / f"{prefix}-{part}.hsd"
        file.write_text(MACHINE.format(activity=f"{prefix}-{part}"))
        heaviside(server, "create", file, ROLE)
        made[part] = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{prefix}-{part}"
    done = finish(states, start(states, made["blocks"], {"volume": "v"}))
    assert done["status"] == "SUCCEEDED", manager.said()
    assert json.loads(done["output"]) == {"deleted": 3, "volume": "v"}
    failed = finish(states, start(states, made["index"], {"volume": "v"}))
    assert (failed["status"], failed["error"]) == ("FAILED", "Boss.Error")
    events = history(states, failed["executionArn"])
    # The name of Python's class is the error's, and a retrier that names it with no attempts lets it through.
    assert [event["activityFailedEventDetails"]["error"] for event in events if event["type"] == "ActivityFailed"] \
        == ["KeyError"]
    assert types(events).count("ActivityScheduled") == 1
