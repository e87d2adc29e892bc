"""Activities: create and list them, work on their tasks, fail, go silent, and vanish without a goodbye."""
import json
import socket
import struct
import threading

import pytest

from loveless_server import ACCOUNT, REGION
from machines import (assert_contiguous, chain, create, finish, history, start, task_machine, types, unique, until)


@pytest.fixture
def activity(states):
    return states.create_activity(name=unique("activity"))["activityArn"]


def poll(client, activity, **fields):
    """Polls until there is a task: one poll may come back empty-handed after a minute."""
    return until(lambda: (task := client.get_activity_task(activityArn=activity, **fields)).get("taskToken") and task,
                 "a task")


def test_create_is_idempotent_describe_list_delete(states):
    name = unique("activity")
    arn = states.create_activity(name=name)["activityArn"]
    assert arn == f"arn:aws:states:{REGION}:{ACCOUNT}:activity:{name}"
    assert states.create_activity(name=name)["activityArn"] == arn
    assert states.describe_activity(activityArn=arn)["name"] == name
    listed = [item["activityArn"] for page in states.get_paginator("list_activities").paginate(
        PaginationConfig={"PageSize": 2}) for item in page["activities"]]
    assert listed.count(arn) == 1
    states.delete_activity(activityArn=arn)
    states.delete_activity(activityArn=arn)
    with pytest.raises(states.exceptions.ActivityDoesNotExist):
        states.describe_activity(activityArn=arn)


def test_a_worker_loop(server, states, activity):
    """One worker, ten tasks, each with its own input and its own answer."""
    machine = create(states, task_machine(activity))
    executions = [start(states, machine, {"n": index}) for index in range(10)]
    worker = server.states
    seen = set()
    for _ in executions:
        task = poll(worker, activity, workerName="loop")
        assert task["taskToken"] not in seen
        seen.add(task["taskToken"])
        worker.send_task_success(taskToken=task["taskToken"], output=task["input"])
    for index, execution in enumerate(executions):
        assert json.loads(finish(states, execution)["output"]) == {"n": index}
    events = history(states, executions[0])
    assert_contiguous(events)
    assert types(events) == ["ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted",
                             "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"]
    assert events[3]["activityStartedEventDetails"]["workerName"] == "loop"


def test_waiting_polls_get_the_tasks_that_come(server, states, activity):
    """Twelve polls are open before there is any task; each task wakes one of them and none gets two."""
    taken, errors = [], []

    def work():
        try:
            client = server.states
            task = poll(client, activity)
            taken.append(task["taskToken"])
            client.send_task_success(taskToken=task["taskToken"], output='"done"')
        except Exception as error:  # shown in the test's thread
            errors.append(error)
    workers = [threading.Thread(target=work, daemon=True) for _ in range(12)]
    for worker in workers:
        worker.start()
    machine = create(states, task_machine(activity))
    executions = [start(states, machine) for _ in workers]
    for worker in workers:
        worker.join(90)
    assert not errors
    # A worker that is still there never got a task; say so here, or the execution below would only seem not to end.
    assert not [worker for worker in workers if worker.is_alive()], [types(history(states, item)) for item in executions]
    for execution in executions:
        assert finish(states, execution)["status"] == "SUCCEEDED"
    assert len(set(taken)) == len(workers)


@pytest.mark.parametrize("goodbye", ["closed", "reset"])
def test_a_task_is_never_handed_to_a_connection_that_is_gone(server, states, activity, goodbye):
    body = json.dumps({"activityArn": activity, "workerName": "gone"}).encode()
    head = (f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"X-Amz-Target: AWSStepFunctions.GetActivityTask\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    gone = socket.create_connection(("127.0.0.1", server.port))
    gone.sendall(head + body)
    # Half a second without an answer: the poll is open and waits.
    gone.settimeout(0.5)
    with pytest.raises(TimeoutError):
        gone.recv(1)
    if goodbye == "reset":
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()

    execution = start(states, create(states, task_machine(activity)), {"n": 1})
    # One poll, not a loop: were the task with the dead poller, this one would come back empty.
    task = states.get_activity_task(activityArn=activity, workerName="alive")
    assert task.get("taskToken"), "the task went to a connection that was already closed"
    states.send_task_success(taskToken=task["taskToken"], output="{}")
    assert finish(states, execution)["status"] == "SUCCEEDED"
    started = [event for event in history(states, execution) if event["type"] == "ActivityStarted"]
    assert [event["activityStartedEventDetails"]["workerName"] for event in started] == ["alive"]


def test_failure_is_caught_by_name(states, activity):
    definition = chain(
        Work={"Type": "Task", "Resource": activity, "Next": "Fine",
              "Catch": [{"ErrorEquals": ["Whatever a worker says"], "Next": "Caught", "ResultPath": "$.error"}]},
        Fine={"Type": "Succeed"},
        Caught={"Type": "Pass", "End": True})
    execution = start(states, create(states, definition), {"n": 1})
    task = poll(states, activity)
    states.send_task_failure(taskToken=task["taskToken"], error="Whatever a worker says", cause="and why")
    assert json.loads(finish(states, execution)["output"]) == {
        "n": 1, "error": {"Error": "Whatever a worker says", "Cause": "and why"}}


def test_retry_makes_a_new_token(states, activity):
    definition = task_machine(activity, Retry=[
        {"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1.0}])
    execution = start(states, create(states, definition))
    first = poll(states, activity)
    states.send_task_failure(taskToken=first["taskToken"], error="Again")
    second = poll(states, activity)
    assert first["taskToken"] != second["taskToken"]
    with pytest.raises((states.exceptions.TaskTimedOut, states.exceptions.TaskDoesNotExist)):
        states.send_task_success(taskToken=first["taskToken"], output="{}")
    states.send_task_success(taskToken=second["taskToken"], output='"second"')
    assert json.loads(finish(states, execution)["output"]) == "second"


def test_a_silent_worker_loses_its_task_to_another(states, activity):
    definition = task_machine(activity, HeartbeatSeconds=1, TimeoutSeconds=300, Retry=[
        {"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 3}])
    execution = start(states, create(states, definition))
    silent = poll(states, activity, workerName="silent")
    other = poll(states, activity, workerName="other")
    for call in (lambda: states.send_task_heartbeat(taskToken=silent["taskToken"]),
                 lambda: states.send_task_success(taskToken=silent["taskToken"], output="{}")):
        with pytest.raises((states.exceptions.TaskTimedOut, states.exceptions.TaskDoesNotExist)):
            call()
    states.send_task_success(taskToken=other["taskToken"], output='"other"')
    assert json.loads(finish(states, execution)["output"]) == "other"
    events = history(states, execution)
    assert_contiguous(events)
    assert "ActivityTimedOut" in types(events)


def test_heartbeats_keep_a_task(states, activity):
    definition = task_machine(activity, HeartbeatSeconds=2, TimeoutSeconds=300)
    execution = start(states, create(states, definition))
    task = poll(states, activity)
    beats = threading.Event()
    stop = threading.Event()

    def beat():
        while not stop.wait(0.4):
            states.send_task_heartbeat(taskToken=task["taskToken"])
            beats.set()
    beater = threading.Thread(target=beat, daemon=True)
    beater.start()
    # A Wait of twice the heartbeat passes on the server's own clock.
    finish(states, start(states, create(states, chain(Wait={"Type": "Wait", "Seconds": 4}))))
    stop.set()
    beater.join()
    assert beats.is_set()
    states.send_task_success(taskToken=task["taskToken"], output='"kept"')
    assert json.loads(finish(states, execution)["output"]) == "kept"


def test_each_token_completes_once(states, activity):
    execution = start(states, create(states, task_machine(activity)))
    task = poll(states, activity)
    states.send_task_success(taskToken=task["taskToken"], output="1")
    finish(states, execution)
    with pytest.raises((states.exceptions.TaskTimedOut, states.exceptions.TaskDoesNotExist)):
        states.send_task_success(taskToken=task["taskToken"], output="2")


def test_bad_tokens_and_bad_outputs_are_refused(states, activity):
    with pytest.raises(states.exceptions.InvalidToken):
        states.send_task_success(taskToken="nonsense", output="{}")
    execution = start(states, create(states, task_machine(activity)))
    task = poll(states, activity)
    with pytest.raises(states.exceptions.InvalidOutput):
        states.send_task_success(taskToken=task["taskToken"], output="{not json")
    token = task["taskToken"]
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    with pytest.raises((states.exceptions.InvalidToken, states.exceptions.TaskDoesNotExist)):
        states.send_task_success(taskToken=forged, output="{}")
    # The task is still the worker's.
    states.send_task_success(taskToken=token, output='"kept"')
    assert json.loads(finish(states, execution)["output"]) == "kept"


def test_a_poll_for_an_activity_that_is_not_there_is_refused(states):
    with pytest.raises(states.exceptions.ActivityDoesNotExist):
        states.get_activity_task(activityArn=f"arn:aws:states:{REGION}:{ACCOUNT}:activity:absent")
