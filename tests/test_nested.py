"""Executions that start executions: with `.sync` the parent waits for its child, across a crash, and takes it along when
it is stopped."""
import json

from loveless_server import ROLE
from machines import (PASS, TERMINAL, assert_contiguous, chain, create, finish, history, start, types, unique, until,
                      wait_machine)

SYNC = "arn:aws:states:::states:startExecution.sync"
SYNC_2 = SYNC + ":2"
FAIL = chain(No={"Type": "Fail", "Error": "Child", "Cause": "it had to"})


def parent(child, resource=SYNC, **fields):
    parameters = {"StateMachineArn": child, "Input.$": "$"}
    return chain(Nest={"Type": "Task", "Resource": resource, "Parameters": parameters, **fields})


def children(states, machine):
    return states.list_executions(stateMachineArn=machine)["executions"]


def only_child(states, machine):
    [child] = until(lambda: children(states, machine), "the child to start")
    return child["executionArn"]


def test_the_result_is_the_described_child(states):
    child = create(states, PASS)
    execution = start(states, create(states, parent(child)), {"n": 1})
    described = finish(states, execution)
    assert described["status"] == "SUCCEEDED", described
    result = json.loads(described["output"])
    assert list(result) == sorted(result)
    assert result["ExecutionArn"] == only_child(states, child)
    assert (result["Status"], json.loads(result["Input"]), json.loads(result["Output"])) == (
        "SUCCEEDED", {"n": 1}, {"hello": "world"})
    events = history(states, execution)
    assert_contiguous(events)
    assert types(events)[2:7] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", "TaskStateExited"]
    submitted = json.loads(events[4]["taskSubmittedEventDetails"]["output"])
    assert submitted["ExecutionArn"] == result["ExecutionArn"]
    assert submitted["SdkHttpMetadata"]["HttpStatusCode"] == 200


def test_sync_2_gives_values(states):
    child = create(states, PASS)
    described = finish(states, start(states, create(states, parent(child, SYNC_2)), [1]))
    result = json.loads(described["output"])
    assert (result["Input"], result["Output"]) == ([1], {"hello": "world"})


def test_a_child_that_fails_fails_its_task(states):
    catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]
    machine = parent(create(states, FAIL), Catch=catch, End=True)
    machine["States"]["Caught"] = {"Type": "Pass", "End": True}
    described = finish(states, start(states, create(states, machine)))
    assert described["status"] == "SUCCEEDED", described
    cause = json.loads(json.loads(described["output"])["Cause"])
    assert (cause["Error"], cause["Cause"], cause["Status"], cause["Input"]) == ("Child", "it had to", "FAILED", "{}")
    assert "Output" not in cause


def test_a_child_answers_by_its_token(states):
    # The child answers once its parent tells of the submission: a token may also come back before that.
    gate = states.create_activity(name=unique("gate"))["activityArn"]
    answer = chain(Gate={"Type": "Task", "Resource": gate, "ResultPath": None},
                   Answer={"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess",
                           "Parameters": {"TaskToken.$": "$.token", "Output": {"done": True}}})
    machine = chain(Nest={"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.waitForTaskToken",
                          "Parameters": {"StateMachineArn": create(states, answer),
                                         "Input": {"token.$": "$$.Task.Token"}}})
    execution = start(states, create(states, machine))
    held = states.get_activity_task(activityArn=gate)["taskToken"]
    until(lambda: "TaskSubmitted" in types(history(states, execution)), "the submission")
    states.send_task_success(taskToken=held, output="{}")
    assert json.loads(finish(states, execution)["output"]) == {"done": True}
    assert types(history(states, execution))[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


def test_an_express_child_cannot_be_waited_for(states):
    child = states.create_state_machine(name=unique("express"), definition=json.dumps(PASS), roleArn=ROLE,
                                        type="EXPRESS")["stateMachineArn"]
    described = finish(states, start(states, create(states, parent(child))))
    assert (described["status"], described["error"]) == ("FAILED", "StepFunctions.InvalidArnException"), described


def test_an_unknown_child_fails_before_it_is_submitted(states):
    machine = create(states, parent("arn:aws:states:us-east-1:000000000000:stateMachine:nobody"))
    execution = start(states, machine)
    described = finish(states, execution)
    assert described["error"] == "StepFunctions.StateMachineDoesNotExistException"
    assert "TaskSubmitted" not in types(history(states, execution))


def test_a_stopped_parent_stops_its_child(states):
    child = create(states, wait_machine(3600))
    execution = start(states, create(states, parent(child)))
    nested = only_child(states, child)
    until(lambda: "TaskSubmitted" in types(history(states, execution)), "the submission")
    states.stop_execution(executionArn=execution)
    assert finish(states, nested)["status"] == "ABORTED"


def test_a_task_that_is_late_stops_its_child(states):
    child = create(states, wait_machine(3600))
    described = finish(states, start(states, create(states, parent(child, TimeoutSeconds=1))))
    assert (described["status"], described["error"]) == ("FAILED", "States.Timeout")
    assert finish(states, only_child(states, child))["status"] == "ABORTED"


def test_waiting_survives_a_crash(make_server):
    server = make_server()
    parked, short = create(server.states, wait_machine(3600)), create(server.states, wait_machine(4))
    parents = {resource: create(server.states, parent(short, resource)) for resource in (SYNC, SYNC_2)}
    executions = [start(server.states, machine, {"n": n}) for machine in parents.values() for n in range(10)]
    stopped = start(server.states, create(server.states, parent(parked)))
    for execution in [*executions, stopped]:
        until(lambda: "TaskSubmitted" in types(history(server.states, execution)), "the submission")
    server.kill()
    server.start()
    for execution in executions:
        assert finish(server.states, execution)["status"] == "SUCCEEDED"
        events = history(server.states, execution)
        assert_contiguous(events)
        assert types(events).count("TaskSubmitted") == 1
    assert len(children(server.states, short)) == len(executions)
    nested = only_child(server.states, parked)
    assert server.states.describe_execution(executionArn=nested)["status"] not in TERMINAL
    server.states.stop_execution(executionArn=stopped)
    assert finish(server.states, nested)["status"] == "ABORTED"


def test_killed_before_the_submission_is_told_finds_its_child(make_server):
    """Kills at moments that nobody chose: each parent has one child in the end."""
    server = make_server()
    child = create(server.states, wait_machine(1))
    machine = create(server.states, parent(child))
    executions = []
    for turn in range(5):
        executions += [start(server.states, machine, {"n": turn}) for _ in range(4)]
        server.kill()
        server.start()
    for execution in executions:
        assert finish(server.states, execution)["status"] == "SUCCEEDED"
        assert types(history(server.states, execution)).count("TaskSubmitted") == 1
    assert len(children(server.states, child)) == len(executions)


def test_a_child_may_have_children(states):
    machine = create(states, PASS)
    for _ in range(5):
        machine = create(states, parent(machine, SYNC_2, OutputPath="$.Output"))
    described = finish(states, start(states, machine))
    assert json.loads(described["output"]) == {"hello": "world"}


def test_every_operation_of_the_server_is_an_action(states):
    machine = create(states, PASS)
    definition = chain(
        Describe={"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:describeStateMachine",
                  "Parameters": {"StateMachineArn": machine}, "ResultPath": "$.machine"},
        List={"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:listTagsForResource",
              "Parameters": {"ResourceArn": machine}, "ResultPath": "$.tags"})
    described = finish(states, start(states, create(states, definition)))
    result = json.loads(described["output"])
    assert result["machine"]["StateMachineArn"] == machine
    assert result["tags"] == {"Tags": []}
    for action in ("noSuchThing", "DescribeStateMachine"):
        wrong = chain(No={"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:sfn:{action}"})
        try:
            create(states, wrong)
        except states.exceptions.InvalidDefinition as refused:
            assert "is not recognized" in str(refused)
        else:
            raise AssertionError(f"{action} was taken")
