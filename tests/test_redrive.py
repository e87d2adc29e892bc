"""RedriveExecution as boto3 sees it: what goes on, what is kept, who is refused, and that none of it is lost."""
import json
import threading
import urllib.request

import pytest
from botocore.exceptions import ClientError

from loveless_server import ROLE
from machines import (PASS, assert_contiguous, chain, create, finish, history, start, task_machine, types, unique,
                      until, wait_machine)


@pytest.fixture
def activity(states):
    return states.create_activity(name=unique("activity"))["activityArn"]


def take(client, activity):
    task = client.get_activity_task(activityArn=activity)
    assert task.get("taskToken"), "no task is queued"
    return task["taskToken"], json.loads(task["input"])


def succeed(client, activity, output):
    client.send_task_success(taskToken=take(client, activity)[0], output=json.dumps(output))


def fail(client, activity, error="Broken"):
    client.send_task_failure(taskToken=take(client, activity)[0], error=error, cause="on purpose")


def own(server, operation, **members):
    """An operation that only Loveless has: a request that no SDK makes."""
    request = urllib.request.Request(
        server.endpoint, json.dumps(members).encode(),
        {"X-Amz-Target": f"Loveless.{operation}", "Content-Type": "application/x-amz-json-1.0"})
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def test_a_task_that_failed_runs_again(states, activity):
    machine = create(states, chain(Before={"Type": "Pass"}, Work={"Type": "Task", "Resource": activity},
                                   After={"Type": "Pass"}))
    execution = start(states, machine, {"n": 1})
    fail(states, activity)
    described = finish(states, execution)
    assert (described["status"], described["redriveCount"], described["redriveStatus"]) == ("FAILED", 0, "REDRIVABLE")
    assert "redriveStatusReason" not in described and "redriveDate" not in described

    redriven = states.redrive_execution(executionArn=execution)["redriveDate"]
    described = states.describe_execution(executionArn=execution)
    assert (described["status"], described["redriveCount"], described["redriveDate"]) == ("RUNNING", 1, redriven)
    assert (described["redriveStatus"], described["redriveStatusReason"]) == (
        "NOT_REDRIVABLE", "Execution is RUNNING and cannot be redriven")
    assert not {"stopDate", "error", "cause", "output"} & described.keys()
    listed, = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
    assert (listed["redriveCount"], listed["redriveDate"]) == (1, redriven)

    succeed(states, activity, {"done": True})
    described = finish(states, execution)
    assert (described["status"], described["redriveCount"]) == ("SUCCEEDED", 1)
    assert json.loads(described["output"]) == {"done": True}
    assert states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"] == []
    assert states.list_executions(stateMachineArn=machine, statusFilter="FAILED")["executions"] == []
    events = history(states, execution)
    assert_contiguous(events)
    assert types(events) == [
        "ExecutionStarted", "PassStateEntered", "PassStateExited", "TaskStateEntered", "ActivityScheduled",
        "ActivityStarted", "ActivityFailed", "ExecutionFailed", "ExecutionRedriven", "ActivityScheduled",
        "ActivityStarted", "ActivitySucceeded", "TaskStateExited", "PassStateEntered", "PassStateExited",
        "ExecutionSucceeded"]
    assert events[8]["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert history(states, execution, PaginationConfig={"PageSize": 3}) == events
    assert history(states, execution, reverseOrder=True, PaginationConfig={"PageSize": 5}) == events[::-1]


def test_only_what_did_not_succeed_runs_again(states, activity):
    work = task_machine(activity)
    machine = create(states, chain(Both={"Type": "Parallel", "Branches": [
        chain(Each={"Type": "Map", "ItemProcessor": work}),
        chain(Other={"Type": "Task", "Resource": activity}),
    ]}))
    execution = start(states, machine, [1, 2, 3])
    broken = None
    for _ in range(4):
        token, given = take(states, activity)
        if given == 2:
            broken = token
        else:
            states.send_task_success(taskToken=token, output=json.dumps([given, "first"]))
    states.send_task_failure(taskToken=broken, error="Broken")
    assert finish(states, execution)["status"] == "FAILED"
    states.redrive_execution(executionArn=execution)
    token, given = take(states, activity)
    assert given == 2
    states.send_task_success(taskToken=token, output=json.dumps([given, "second"]))
    described = finish(states, execution)
    assert described["status"] == "SUCCEEDED", described
    first = "first"
    assert json.loads(described["output"]) == [[[1, first], [2, "second"], [3, first]], [[1, 2, 3], first]]


def test_a_client_token_is_obeyed_once(states):
    execution = start(states, create(states, chain(No={"Type": "Fail", "Error": "E"})))
    finish(states, execution)
    token = unique("token")
    first = states.redrive_execution(executionArn=execution, clientToken=token)
    assert states.redrive_execution(executionArn=execution, clientToken=token)["redriveDate"] == first["redriveDate"]
    assert states.describe_execution(executionArn=execution)["redriveCount"] == 1
    # Another token is another request, and boto3 makes one up for each call.
    states.redrive_execution(executionArn=execution)
    assert states.describe_execution(executionArn=execution)["redriveCount"] == 2
    assert states.redrive_execution(executionArn=execution, clientToken=token)["redriveDate"] == first["redriveDate"]
    events = history(states, execution)
    assert types(events) == ["ExecutionStarted", "FailStateEntered", "ExecutionFailed",
                             "ExecutionRedriven", "ExecutionFailed", "ExecutionRedriven", "ExecutionFailed"]


def test_who_is_refused(states):
    def refused(**request):
        with pytest.raises(ClientError) as caught:
            states.redrive_execution(**request)
        return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]

    waiting = start(states, create(states, wait_machine(60)))
    assert refused(executionArn=waiting) == (
        "ExecutionNotRedrivable", "Execution is RUNNING and cannot be redriven")
    states.stop_execution(executionArn=waiting)
    done = start(states, create(states, PASS))
    finish(states, done)
    assert refused(executionArn=done) == (
        "ExecutionNotRedrivable", "Execution is SUCCEEDED and cannot be redriven")
    absent = f"{done}-not"
    assert refused(executionArn=absent) == ("ExecutionDoesNotExist", f"Execution Does Not Exist: '{absent}'")
    assert refused(executionArn="nonsense")[0] == "InvalidArn"
    assert refused(executionArn=done.replace(":execution:", ":express:"))[0] == "InvalidArn"
    assert refused(executionArn=done, clientToken="with space")[0] == "ValidationException"


def test_running_ones_are_listed_by_their_redrive(states):
    machine = create(states, wait_machine(60))
    first, second = (start(states, machine) for _ in range(2))
    states.stop_execution(executionArn=first)
    until(lambda: states.redrive_execution(executionArn=first), "the redrive")
    listed = states.list_executions(stateMachineArn=machine)["executions"]
    assert [entry["executionArn"] for entry in listed] == [first, second]
    for execution in (first, second):
        states.stop_execution(executionArn=execution)


def test_a_redriven_execution_keeps_its_definition_and_can_be_stopped(states):
    machine = create(states, wait_machine(60))
    before = states.describe_state_machine(stateMachineArn=machine)["definition"]
    execution = start(states, machine)
    states.stop_execution(executionArn=execution, error="First")
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(PASS))
    states.redrive_execution(executionArn=execution)
    described = states.describe_state_machine_for_execution(executionArn=execution)
    assert described["definition"] == before
    states.stop_execution(executionArn=execution, error="Second")
    described = finish(states, execution)
    assert (described["status"], described["error"], described["redriveCount"]) == ("ABORTED", "Second", 1)
    events = history(states, execution)
    assert types(events)[-3:] == ["ExecutionAborted", "ExecutionRedriven", "ExecutionAborted"]


def test_timers_and_the_timeout_begin_anew(states):
    machine = {**wait_machine(2), "TimeoutSeconds": 3600}
    execution = start(states, create(states, machine))
    states.stop_execution(executionArn=execution)
    states.redrive_execution(executionArn=execution)
    described = finish(states, execution)
    assert described["status"] == "SUCCEEDED"
    assert (described["stopDate"] - described["redriveDate"]).total_seconds() >= 2
    late = start(states, create(states, {**wait_machine(60), "TimeoutSeconds": 1}))
    assert finish(states, late)["status"] == "TIMED_OUT"
    states.redrive_execution(executionArn=late)
    described = finish(states, late)
    assert (described["status"], described["redriveCount"]) == ("TIMED_OUT", 1)


def test_a_redriven_execution_survives_kill(make_server):
    server = make_server()
    states = server.states
    activity = states.create_activity(name=unique("activity"))["activityArn"]
    machine = create(states, {"StartAt": "All", "States": {"All": {
        "Type": "Map", "End": True, "ItemProcessor": chain(Work={"Type": "Task", "Resource": activity})}}})
    # Large enough that checkpoints are written, also of what is closed.
    items = [[number, "x" * 20_000] for number in range(10)]
    execution = start(states, machine, items)
    for _ in range(5):
        token, given = take(states, activity)
        states.send_task_success(taskToken=token, output=json.dumps(given))
    fail(states, activity)
    assert finish(states, execution)["status"] == "FAILED"
    # Killed when it is closed, when it has just been redriven, and in the middle of what goes on.
    server.kill()
    states = server.start().states
    states.redrive_execution(executionArn=execution, clientToken="once")
    server.kill()
    states = server.start().states
    states.redrive_execution(executionArn=execution, clientToken="once")
    assert states.describe_execution(executionArn=execution)["redriveCount"] == 1
    for _ in range(2):
        token, given = take(states, activity)
        states.send_task_success(taskToken=token, output=json.dumps(given))
    server.kill()
    states = server.start().states
    for _ in range(3):
        token, given = take(states, activity)
        states.send_task_success(taskToken=token, output=json.dumps(given))
    described = finish(states, execution)
    assert described["status"] == "SUCCEEDED", described
    assert json.loads(described["output"]) == items
    events = history(states, execution)
    assert_contiguous(events)
    assert types(events).count("MapIterationStarted") == 10
    assert types(events).count("MapIterationSucceeded") == 10


def test_the_machine_must_be_there(states):
    name = unique("machine")
    machine = create(states, chain(No={"Type": "Fail"}), name=name)
    execution = start(states, machine)
    finish(states, execution)
    states.delete_state_machine(stateMachineArn=machine)
    reason = "State machine is in DELETING status"

    def check():
        with pytest.raises(states.exceptions.ExecutionNotRedrivable) as caught:
            states.redrive_execution(executionArn=execution)
        assert caught.value.response["Error"]["Message"] == reason
        described = states.describe_execution(executionArn=execution)
        assert (described["redriveStatus"], described["redriveStatusReason"]) == ("NOT_REDRIVABLE", reason)

    check()

    def gone():
        try:
            states.describe_state_machine(stateMachineArn=machine)
        except states.exceptions.StateMachineDoesNotExist:
            return True
        return False
    until(gone, "the machine to be gone")
    # Another machine of that name is not the one that the execution belongs to.
    assert create(states, chain(No={"Type": "Fail"}), name=name) == machine
    check()


def test_a_deletion_and_a_redrive_that_meet_leave_nothing_running(states):
    for _ in range(5):
        machine = create(states, wait_machine(600))
        executions = [start(states, machine) for _ in range(4)]
        for execution in executions:
            states.stop_execution(executionArn=execution)
        go = threading.Barrier(len(executions) + 1)

        def redrive(execution):
            go.wait()
            try:
                states.redrive_execution(executionArn=execution)
            except states.exceptions.ExecutionNotRedrivable:
                pass

        threads = [threading.Thread(target=redrive, args=[execution]) for execution in executions]
        for thread in threads:
            thread.start()
        go.wait()
        states.delete_state_machine(stateMachineArn=machine)
        for thread in threads:
            thread.join()
        for execution in executions:
            assert finish(states, execution)["status"] == "ABORTED"


def test_a_machine_redrives_an_execution(states, activity):
    broken = start(states, create(states, task_machine(activity)))
    fail(states, activity)
    finish(states, broken)
    mender = chain(Mend={"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:redriveExecution",
                         "Parameters": {"ExecutionArn": broken}})
    described = finish(states, start(states, create(states, mender)))
    assert described["status"] == "SUCCEEDED", described
    assert set(json.loads(described["output"])) == {"RedriveDate"}
    succeed(states, activity, "mended")
    assert finish(states, broken)["output"] == '"mended"'
    refused = finish(states, start(states, create(states, mender)))
    assert (refused["status"], refused["error"]) == ("FAILED", "Sfn.ExecutionNotRedrivableException")


def test_our_own_redrive_begins_where_it_is_told(server, states, activity):
    machine = create(states, chain(Before={"Type": "Pass"}, Work={"Type": "Task", "Resource": activity}))
    execution = start(states, machine, {"n": 1})
    fail(states, activity)
    finish(states, execution)
    answer = own(server, "RedriveExecution", executionArn=execution, fromState="Work", input='{"n": 2}')
    assert set(answer) == {"redriveDate"}
    token, given = take(states, activity)
    assert given == {"n": 2}
    states.send_task_failure(taskToken=token, error="Again")
    finish(states, execution)
    answer = own(server, "RedriveExecution", executionArn=execution, fromState="Before", input='{"n": 3}')
    assert set(answer) == {"redriveDate"}, answer
    succeed(states, activity, "done")
    described = finish(states, execution)
    assert (described["status"], described["redriveCount"], described["input"]) == ("SUCCEEDED", 2, '{"n": 1}')
    entered = [event["stateEnteredEventDetails"] for event in history(states, execution)
               if event["type"].endswith("StateEntered")]
    assert [(details["name"], json.loads(details["input"])["n"]) for details in entered] == [
        ("Before", 1), ("Work", 1), ("Work", 2), ("Before", 3), ("Work", 3)]


def test_our_own_redrive_goes_on_with_a_corrected_definition(server, states, activity):
    wrong = chain(Work={"Type": "Task", "Resource": activity}, After={"Type": "Pass", "InputPath": "$.missing"})
    machine = create(states, wrong)
    execution = start(states, machine)
    succeed(states, activity, {"there": 1})
    assert finish(states, execution)["status"] == "FAILED"

    def update(definition):
        states.update_state_machine(stateMachineArn=machine, definition=json.dumps(definition), roleArn=ROLE)

    update(chain(Work={"Type": "Task", "Resource": activity}, Later={"Type": "Pass"}))
    answer = own(server, "RedriveExecution", executionArn=execution, currentDefinition=True)
    assert answer["__type"] == "ValidationException"
    assert answer["message"].startswith("The state 'After' is not in the definition"), answer
    update(chain(Work={"Type": "Task", "Resource": activity}, After={"Type": "Wait", "Seconds": 0}))
    answer = own(server, "RedriveExecution", executionArn=execution, currentDefinition=True)
    assert answer["message"].startswith("The state 'After' is of type Wait in the definition"), answer
    assert states.describe_execution(executionArn=execution)["redriveCount"] == 0

    right = chain(First={"Type": "Pass"}, Work={"Type": "Task", "Resource": activity},
                  After={"Type": "Pass", "InputPath": "$.there"})
    update(right)
    revision = states.describe_state_machine(stateMachineArn=machine)["revisionId"]
    own(server, "RedriveExecution", executionArn=execution, currentDefinition=True)
    described = finish(states, execution)
    assert (described["status"], described["output"]) == ("SUCCEEDED", "1")
    described = states.describe_state_machine_for_execution(executionArn=execution)
    assert json.loads(described["definition"]) == right
    assert described["revisionId"] == revision
    assert "InputPath" in described["definition"]


def test_our_own_redrive_says_what_is_wrong(server, states):
    machine = create(states, chain(First={"Type": "Pass"}, No={"Type": "Fail"}))
    execution = start(states, machine)
    finish(states, execution)

    def refused(**members):
        answer = own(server, "RedriveExecution", executionArn=execution, **members)
        return answer["__type"], answer["message"]

    assert refused(fromState="Nowhere") == (
        "ValidationException",
        "The execution did not end in a state 'Nowhere', and the machine's own States have none of that name")
    assert refused(fromState="First") == (
        "ValidationException",
        "The execution did not end in the state 'First': give the input with which it begins")
    assert refused(input="{}")[0] == "ValidationException"
    assert refused(fromState="First", input="nonsense")[0] == "InvalidExecutionInput"
    assert own(server, "Nonsense")["__type"] == "UnknownOperationException"
