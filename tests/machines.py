"""State machines for the tests, and what every test does with them: create, start, wait, read the history."""
import json
import time
import uuid

from loveless_server import ROLE

TERMINAL = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
# Generous, because it only bounds a hang: a two-core machine may build and test several things at once.
FINISH_SECONDS_MAX = 90


def unique(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def chain(**states):
    """A machine of these states in this order; each goes on to the next unless it says otherwise."""
    names = list(states)
    for name, following in zip(names, names[1:] + [None]):
        state = states[name]
        if state["Type"] in ("Choice", "Succeed", "Fail") or "Next" in state or "End" in state:
            continue
        state.update({"Next": following} if following else {"End": True})
    return {"StartAt": names[0], "States": states}


PASS = chain(Hello={"Type": "Pass", "Result": {"hello": "world"}})


def wait_machine(seconds):
    return chain(Wait={"Type": "Wait", "Seconds": seconds}, After={"Type": "Pass"})


def task_machine(resource, **fields):
    return chain(Work={"Type": "Task", "Resource": resource, **fields})


def create(client, definition, name=None):
    return client.create_state_machine(
        name=name or unique("machine"), definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]


def start(client, machine, value=None, **fields):
    if value is not None:
        fields["input"] = json.dumps(value)
    return client.start_execution(stateMachineArn=machine, **fields)["executionArn"]


def until(look, what):
    """Calls `look` until it returns something true, and returns that."""
    deadline = time.monotonic() + FINISH_SECONDS_MAX
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {FINISH_SECONDS_MAX} s for {what}"
        time.sleep(0.05)


def finish(client, execution):
    """Waits for the end and returns DescribeExecution's answer."""
    def look():
        described = client.describe_execution(executionArn=execution)
        return described if described["status"] in TERMINAL else None
    return until(look, f"{execution} to finish")


def run(client, definition, value=None):
    return finish(client, start(client, create(client, definition), value))


def output(client, definition, value=None):
    """Runs to success and returns the output."""
    described = run(client, definition, value)
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])


def history(client, execution, **fields):
    """The whole history, however many pages it has."""
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution, **fields)
    return [event for page in pages for event in page["events"]]


def assert_contiguous(events):
    """Ids 1..n without a gap, each event after its predecessor, a beginning and an end."""
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert all(event["previousEventId"] < event["id"] for event in events)
    assert events[0]["type"] == "ExecutionStarted"
    assert events[-1]["type"] in {"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}
    stamps = [event["timestamp"] for event in events]
    assert stamps == sorted(stamps)


def types(events):
    return [event["type"] for event in events]
