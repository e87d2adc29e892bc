"""Start, describe, list and stop executions, and read their histories, as boto3 sees them."""
import json

import pytest

from machines import (PASS, assert_contiguous, chain, create, finish, history, output, run, start, types, unique,
                      until, wait_machine)


def test_the_history_of_one_pass_state(states):
    execution = start(states, create(states, PASS), {"n": 1})
    described = finish(states, execution)
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"]) == {"hello": "world"}
    assert described["inputDetails"] == {"included": True}
    events = history(states, execution)
    assert_contiguous(events)
    assert types(events) == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert [event["previousEventId"] for event in events] == [0, 0, 2, 3]
    assert events[0]["executionStartedEventDetails"]["input"] == '{"n": 1}'
    assert events[1]["stateEnteredEventDetails"]["name"] == "Hello"
    assert json.loads(events[3]["executionSucceededEventDetails"]["output"]) == {"hello": "world"}


def test_history_pages_and_runs_backwards(states):
    machine = chain(**{f"S{index}": {"Type": "Pass"} for index in range(20)})
    execution = start(states, create(states, machine))
    finish(states, execution)
    whole = history(states, execution)
    assert_contiguous(whole)
    assert len(whole) == 42
    assert history(states, execution, PaginationConfig={"PageSize": 5}) == whole
    assert history(states, execution, reverseOrder=True, PaginationConfig={"PageSize": 7}) == whole[::-1]
    last = states.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=1)
    assert types(last["events"]) == ["ExecutionSucceeded"]
    assert last["nextToken"]


def test_history_may_leave_out_the_data(states):
    execution = start(states, create(states, PASS), {"secret": 1})
    finish(states, execution)
    events = history(states, execution, includeExecutionData=False)
    assert "secret" not in json.dumps(events, default=str)


def test_a_name_is_used_once(states):
    machine = create(states, wait_machine(30))
    name = unique("named")
    first = start(states, machine, {"n": 1}, name=name)
    assert first.endswith(f":{name}")
    assert start(states, machine, {"n": 1}, name=name) == first
    with pytest.raises(states.exceptions.ExecutionAlreadyExists) as caught:
        start(states, machine, {"n": 2}, name=name)
    assert caught.value.response["Error"]["Message"] == f"Execution Already Exists: '{first}'"
    states.stop_execution(executionArn=first)
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        start(states, machine, {"n": 1}, name=name)


def test_stop_aborts_and_nothing_overwrites_it(states):
    execution = start(states, create(states, wait_machine(1)))
    stopped = states.stop_execution(executionArn=execution, error="Enough", cause="by hand")
    described = finish(states, execution)
    assert described["status"] == "ABORTED"
    assert (described["error"], described["cause"]) == ("Enough", "by hand")
    assert described["stopDate"] == stopped["stopDate"]
    # The Wait ends meanwhile; a second machine that waits longer shows that its moment has passed.
    finish(states, start(states, create(states, wait_machine(2))))
    assert states.describe_execution(executionArn=execution)["status"] == "ABORTED"
    events = history(states, execution)
    assert_contiguous(events)
    assert events[-1]["type"] == "ExecutionAborted"
    assert events[-1]["previousEventId"] == 0


def test_list_by_status_pages_newest_first(states):
    machine = create(states, PASS)
    made = []
    for index in range(5):
        made.append(start(states, machine, {"n": index}))
        finish(states, made[-1])
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=machine, statusFilter="SUCCEEDED", PaginationConfig={"PageSize": 2})
    listed = [item["executionArn"] for page in pages for item in page["executions"]]
    assert listed == made[::-1]
    assert states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"] == []


def test_input_text_passes_unchanged(states):
    text = '{ "b":1.0,   "a": [1,2 , 3], "big": 12345678901234567890, "é": "\\u00e9" }'
    machine = create(states, chain(Only={"Type": "Succeed"}))
    execution = states.start_execution(stateMachineArn=machine, input=text)["executionArn"]
    described = finish(states, execution)
    assert described["input"] == text
    assert described["output"] == text


def test_choice_parallel_map_and_intrinsics(states):
    item = chain(Square={"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}})
    definition = chain(
        Each={"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": item, "ResultPath": "$.mapped"},
        Both={"Type": "Parallel", "ResultPath": "$.both", "Branches": [
            chain(Left={"Type": "Pass", "Result": "left"}), chain(Right={"Type": "Pass", "Result": "right"})]},
        Which={"Type": "Choice", "Default": "No", "Choices": [
            {"Variable": "$.mapped[2].n", "NumericEquals": 4, "Next": "Yes"}]},
        Yes={"Type": "Pass", "Parameters": {"answer.$": "States.Format('{} and {}', $.both[0], $.both[1])"},
             "End": True},
        No={"Type": "Fail", "Error": "Wrong"})
    found = output(states, definition, {"items": [{"n": 1}, {"n": 2}, {"n": 3}]})
    assert found == {"answer": "left and right"}


def test_a_fail_state_names_its_error(states):
    described = run(states, chain(Stop={"Type": "Fail", "Error": "Custom.Error", "Cause": "it had to"}))
    assert described["status"] == "FAILED"
    assert (described["error"], described["cause"]) == ("Custom.Error", "it had to")
    assert "output" not in described


def test_an_execution_that_outruns_its_machine_times_out(states):
    definition = {**wait_machine(60), "TimeoutSeconds": 1}
    execution = start(states, create(states, definition))
    described = finish(states, execution)
    assert described["status"] == "TIMED_OUT"
    assert "error" not in described
    assert history(states, execution)[-1]["type"] == "ExecutionTimedOut"


@pytest.mark.parametrize("resource", ["states:startExecution", "aws-sdk:sfn:startExecution"])
def test_an_execution_starts_another(states, resource):
    child = create(states, PASS)
    outer = chain(Start={"Type": "Task", "Resource": f"arn:aws:states:::{resource}",
                         "Parameters": {"StateMachineArn": child, "Input": {"n.$": "$.n"}}})
    started = output(states, outer, {"n": 7})["ExecutionArn"]
    described = finish(states, started)
    assert described["stateMachineArn"] == child
    assert (described["status"], json.loads(described["input"])) == ("SUCCEEDED", {"n": 7})


def test_many_at_once(states):
    machine = create(states, wait_machine(1))
    executions = [start(states, machine, {"n": index}) for index in range(100)]
    until(lambda: not states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"],
          "all to finish")
    for index, execution in enumerate(executions):
        assert json.loads(states.describe_execution(executionArn=execution)["output"]) == {"n": index}
