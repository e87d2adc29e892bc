"""Functions: the unmodified awslambdaric in a process, invoked by boto3 and by states."""
import base64
import json

import pytest
from botocore.exceptions import ClientError

from functions_client import create_function, image_uri
from loveless_server import ACCOUNT, REGION, ROLE
from machines import (assert_contiguous, chain, create, finish, history, output, run, start, task_machine, types,
                      unique, until)

INVOKE = "arn:aws:states:::lambda:invoke"


@pytest.fixture(scope="module")
def functions(server):
    return server.client("lambda")


@pytest.fixture(scope="module")
def echo(functions):
    return create_function(functions, "echo")


def test_create_get_update_delete(functions):
    name = unique("managed")
    arn = create_function(functions, "echo", name, Timeout=7, Environment={"Variables": {"A": "1"}})
    assert arn == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    found = functions.get_function(FunctionName=name)["Configuration"]
    assert (found["Timeout"], found["PackageType"], found["State"]) == (7, "Image", "Active")
    functions.update_function_configuration(FunctionName=name, Timeout=9)
    assert functions.get_function_configuration(FunctionName=arn)["Timeout"] == 9
    with pytest.raises(functions.exceptions.ResourceConflictException):
        create_function(functions, "echo", name)
    listed = [item["FunctionName"] for page in functions.get_paginator("list_functions").paginate()
              for item in page["Functions"]]
    assert name in listed
    functions.delete_function(FunctionName=name)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function(FunctionName=name)


def test_invoke(functions, echo):
    for reference in (echo, echo.split(":")[-1]):
        answer = functions.invoke(FunctionName=reference, Payload=json.dumps({"n": 1}))
        assert answer["StatusCode"] == 200
        assert "FunctionError" not in answer
        assert json.load(answer["Payload"]) == {"event": {"n": 1}, "function": echo.split(":")[-1], "arn": echo}


def test_invoke_shows_the_log_when_asked(functions, echo):
    answer = functions.invoke(FunctionName=echo, Payload="{}", LogType="Tail")
    assert "REPORT" in base64.b64decode(answer["LogResult"]).decode()


def test_an_exception_is_the_functions_error(functions):
    answer = functions.invoke(FunctionName=create_function(functions, "fail"), Payload="{}")
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    error = json.load(answer["Payload"])
    assert (error["errorType"], error["errorMessage"]) == ("TooBig", "the image is too big")
    assert error["stackTrace"]


def test_a_timeout_is_told_and_the_next_invocation_works(functions):
    arn = create_function(functions, "sleep", Timeout=1)
    answer = functions.invoke(FunctionName=arn, Payload=json.dumps({"seconds": 30}))
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in json.load(answer["Payload"])["errorMessage"]
    answer = functions.invoke(FunctionName=arn, Payload=json.dumps({"seconds": 0}))
    assert json.load(answer["Payload"]) == {"seconds": 0}


@pytest.mark.parametrize("handler, error", [
    ("leave", "Runtime.ExitError"),
    ("absent", "Runtime.HandlerNotFound"),
])
def test_a_function_that_dies_says_how(functions, handler, error):
    answer = functions.invoke(FunctionName=create_function(functions, handler), Payload="{}")
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"])["errorType"] == error


def test_a_program_that_is_not_there_is_told(functions):
    name = unique("no-program")
    functions.create_function(FunctionName=name, PackageType="Image", Role=ROLE,
                              Code={"ImageUri": "process:/no/such/program"})
    answer = functions.invoke(FunctionName=name, Payload="{}")
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"])["errorType"]


def test_an_unknown_function_is_not_found(functions):
    with pytest.raises(functions.exceptions.ResourceNotFoundException) as caught:
        functions.invoke(FunctionName="absent", Payload="{}")
    assert f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:absent" in caught.value.response["Error"]["Message"]


def test_a_payload_that_is_not_json_is_refused(functions, echo):
    with pytest.raises(ClientError) as caught:
        functions.invoke(FunctionName=echo, Payload="{not json")
    assert caught.value.response["Error"]["Code"] == "InvalidRequestContentException"


def test_a_state_calls_a_function_by_its_arn(states, echo):
    execution = start(states, create(states, task_machine(echo)), {"n": 1})
    assert json.loads(finish(states, execution)["output"])["event"] == {"n": 1}
    events = history(states, execution)
    assert_contiguous(events)
    assert types(events) == ["ExecutionStarted", "TaskStateEntered", "LambdaFunctionScheduled",
                             "LambdaFunctionStarted", "LambdaFunctionSucceeded", "TaskStateExited",
                             "ExecutionSucceeded"]


def test_a_state_calls_a_function_by_the_integration(states, echo):
    definition = task_machine(INVOKE, Parameters={"FunctionName": echo, "Payload.$": "$"})
    execution = start(states, create(states, definition), {"n": 1})
    result = json.loads(finish(states, execution)["output"])
    assert result["Payload"]["event"] == {"n": 1}
    assert (result["StatusCode"], result["ExecutedVersion"]) == (200, "$LATEST")
    assert types(history(states, execution))[2:5] == ["TaskScheduled", "TaskStarted", "TaskSucceeded"]


@pytest.mark.parametrize("by_arn", [True, False])
def test_a_functions_error_is_caught_by_its_type(states, functions, by_arn):
    function = create_function(functions, "fail")
    task = {"Type": "Task", "Next": "Fine", "Catch": [{"ErrorEquals": ["TooBig"], "Next": "Caught"}]}
    task |= ({"Resource": function} if by_arn else
             {"Resource": INVOKE, "Parameters": {"FunctionName": function, "Payload": {}}})
    caught = output(states, chain(Work=task, Fine={"Type": "Fail"}, Caught={"Type": "Pass", "End": True}))
    assert caught["Error"] == "TooBig"
    assert json.loads(caught["Cause"])["errorMessage"] == "the image is too big"


def test_a_task_token_comes_back_from_inside_the_function(states, functions):
    """The function finds the server by the environment that it was given."""
    definition = task_machine(f"{INVOKE}.waitForTaskToken", TimeoutSeconds=60, Parameters={
        "FunctionName": create_function(functions, "answer_token"), "Payload": {"token.$": "$$.Task.Token"}})
    execution = start(states, create(states, definition))
    assert json.loads(finish(states, execution)["output"]) == {"answered": True}


def test_a_task_token_waits_for_somebody_else(server, states, functions):
    """The function only hands the token on; the task is open until it is answered."""
    buckets, bucket = server.client("s3"), unique("bucket")
    buckets.create_bucket(Bucket=bucket)
    definition = task_machine(f"{INVOKE}.waitForTaskToken", Parameters={
        "FunctionName": create_function(functions, "write_object"),
        "Payload": {"bucket": bucket, "key": "token", "text.$": "$$.Task.Token"}})
    execution = start(states, create(states, definition))
    until(lambda: "TaskSubmitted" in types(history(states, execution)), "the function's answer")
    token = buckets.get_object(Bucket=bucket, Key="token")["Body"].read().decode()
    states.send_task_heartbeat(taskToken=token)
    states.send_task_success(taskToken=token, output='{"by": "somebody else"}')
    assert json.loads(finish(states, execution)["output"]) == {"by": "somebody else"}
    events = history(states, execution)
    assert_contiguous(events)
    assert types(events)[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


def test_an_unknown_function_fails_the_state_as_on_aws(states):
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:absent"
    described = run(states, task_machine(INVOKE, Parameters={"FunctionName": arn, "Payload": {}}))
    assert described["status"] == "FAILED"
    assert described["error"] == "Lambda.ResourceNotFoundException"


def test_the_task_outruns_its_state(states, functions):
    function = create_function(functions, "sleep")
    described = run(states, task_machine(function, TimeoutSeconds=1), {"seconds": 20})
    assert (described["status"], described["error"]) == ("FAILED", "States.Timeout")


def test_moving_a_task_to_an_activity_is_a_change_of_one_line(states, functions, echo):
    """Push and pull give the state the same input and the same output."""
    activity = states.create_activity(name=unique("moved"))["activityArn"]
    pushed, pulled = task_machine(echo), task_machine(activity)
    assert [key for key in pushed["States"]["Work"] if pushed["States"]["Work"][key] != pulled["States"]["Work"][key]] \
        == ["Resource"]
    first = output(states, pushed, {"n": 1})
    execution = start(states, create(states, pulled), {"n": 1})
    task = states.get_activity_task(activityArn=activity)
    answer = functions.invoke(FunctionName=echo, Payload=task["input"])["Payload"].read().decode()
    states.send_task_success(taskToken=task["taskToken"], output=answer)
    assert json.loads(finish(states, execution)["output"]) == first
    assert image_uri().startswith("process:")
