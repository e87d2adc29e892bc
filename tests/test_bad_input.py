"""Bad input of every kind gets AWS's error or a clear one, and the server lives (conftest checks that after each)."""
import http.client
import json

import pytest
from botocore.exceptions import ClientError

from loveless_server import ACCOUNT, REGION, ROLE
from machines import PASS, create, unique

PREFIX = f"arn:aws:states:{REGION}:{ACCOUNT}"


def code_of(call):
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    error = caught.value.response["Error"]
    assert error["Message"], "an error without words"
    return error["Code"], error["Message"]


def send(server, body, target="AWSStepFunctions.ListStateMachines", method="POST", path="/", **headers):
    """One request by hand; returns status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    given = {"Content-Type": "application/x-amz-json-1.0", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if target:
        given["X-Amz-Target"] = target
    try:
        connection.request(method, path, body=body, headers=given)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


@pytest.mark.parametrize("definition, said", [
    ("", None),
    ("not json", "INVALID_JSON_DESCRIPTION"),
    ("[]", None),
    ("{}", "SCHEMA_VALIDATION_FAILED"),
    ('{"StartAt": "A", "States": {}}', None),
    ('{"StartAt": "Absent", "States": {"A": {"Type": "Succeed"}}}', "MISSING_TRANSITION_TARGET"),
    ('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Absent"}}}', "MISSING_TRANSITION_TARGET"),
    ('{"StartAt": "A", "States": {"A": {"Type": "Nonsense"}}}', "SCHEMA_VALIDATION_FAILED"),
    ('{"StartAt": "A", "States": {"A": {"Type": "Pass"}}}', "SCHEMA_VALIDATION_FAILED"),
    ('{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "nonsense", "End": true}}}', None),
    ('{"StartAt": "A", "States": {"A": {"Type": "Pass", "InputPath": "nonsense", "End": true}}}', None),
    pytest.param("[" * 10_000 + "]" * 10_000, None, id="deep arrays"),
    pytest.param('{"a":' * 5_000 + "1" + "}" * 5_000, None, id="deep objects"),
])
def test_invalid_definitions(states, definition, said):
    if not definition:
        with pytest.raises(Exception, match="definition"):
            states.create_state_machine(name=unique("bad"), definition=definition, roleArn=ROLE)
        return
    code, message = code_of(lambda: states.create_state_machine(
        name=unique("bad"), definition=definition, roleArn=ROLE))
    assert code == "InvalidDefinition"
    assert message.startswith("Invalid State Machine Definition: '")
    assert said is None or said in message


@pytest.mark.parametrize("name", ["with space", "a/b", "a:b", "x\u0001", "a*", "a?b", "<a>"])
def test_invalid_names(states, name):
    assert code_of(lambda: create(states, PASS, name)) == ("InvalidName", f"Invalid Name: '{name}'")
    assert code_of(lambda: states.create_activity(name=name))[0] == "InvalidName"


def test_a_name_that_is_too_long(states):
    assert code_of(lambda: create(states, PASS, "x" * 81))[0] in ("InvalidName", "ValidationException")


@pytest.mark.parametrize("text", [
    "not json", "{'a': 1}", "{", '{"a": 1} trailing', pytest.param("[" * 5_000, id="deep arrays")])
def test_invalid_inputs(states, text):
    machine = create(states, PASS)
    code, message = code_of(lambda: states.start_execution(stateMachineArn=machine, input=text))
    assert code == "InvalidExecutionInput"
    assert message.startswith("Invalid State Machine Execution Input: '")


def test_an_input_that_is_too_long(states):
    machine = create(states, PASS)
    text = json.dumps("x" * 262_144)
    code, _ = code_of(lambda: states.start_execution(stateMachineArn=machine, input=text))
    assert code in ("InvalidExecutionInput", "ValidationException")
    fits = json.dumps("x" * (262_144 - 2))
    assert states.start_execution(stateMachineArn=machine, input=fits)["executionArn"]


@pytest.mark.parametrize("operation, fields, code, message", [
    ("describe_state_machine", {"stateMachineArn": f"{PREFIX}:stateMachine:absent"},
     "StateMachineDoesNotExist", f"State Machine Does Not Exist: '{PREFIX}:stateMachine:absent'"),
    ("start_execution", {"stateMachineArn": f"{PREFIX}:stateMachine:absent"},
     "StateMachineDoesNotExist", f"State Machine Does Not Exist: '{PREFIX}:stateMachine:absent'"),
    ("list_executions", {"stateMachineArn": f"{PREFIX}:stateMachine:absent"},
     "StateMachineDoesNotExist", f"State Machine Does Not Exist: '{PREFIX}:stateMachine:absent'"),
    ("describe_execution", {"executionArn": f"{PREFIX}:execution:absent:absent"},
     "ExecutionDoesNotExist", f"Execution Does Not Exist: '{PREFIX}:execution:absent:absent'"),
    ("get_execution_history", {"executionArn": f"{PREFIX}:execution:absent:absent"},
     "ExecutionDoesNotExist", f"Execution Does Not Exist: '{PREFIX}:execution:absent:absent'"),
    ("stop_execution", {"executionArn": f"{PREFIX}:execution:absent:absent"},
     "ExecutionDoesNotExist", f"Execution Does Not Exist: '{PREFIX}:execution:absent:absent'"),
    ("describe_activity", {"activityArn": f"{PREFIX}:activity:absent"},
     "ActivityDoesNotExist", f"Activity Does Not Exist: '{PREFIX}:activity:absent'"),
    ("describe_state_machine", {"stateMachineArn": "nonsense"},
     "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: nonsense'"),
    ("describe_execution", {"executionArn": "nonsense"},
     "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: nonsense'"),
    ("list_state_machines", {"maxResults": 1001}, "ValidationException",
     "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: "
     "Member must have value less than or equal to 1000"),
])
def test_errors_are_awss_own(states, operation, fields, code, message):
    assert code_of(lambda: getattr(states, operation)(**fields)) == (code, message)


@pytest.mark.parametrize("target, body, code", [
    ("AWSStepFunctions.Nonsense", "{}", "UnknownOperationException"),
    ("Nonsense.ListStateMachines", "{}", "UnknownOperationException"),
    ("AWSStepFunctions.ListStateMachines", "not json", "SerializationException"),
    ("AWSStepFunctions.ListStateMachines", "[]", "SerializationException"),
    ("AWSStepFunctions.ListStateMachines", '{"maxResults": "many"}', "SerializationException"),
    ("AWSStepFunctions.StartExecution", "{}", "ValidationException"),
    ("AWSStepFunctions.DescribeStateMachine", '{"stateMachineArn": null}', "ValidationException"),
])
def test_requests_that_no_client_would_make(server, target, body, code):
    status, answer = send(server, body, target)
    assert status == 400
    assert json.loads(answer)["__type"].split("#")[-1] == code


def test_a_body_that_is_not_text(server):
    status, answer = send(server, b"\xff\xfe{}")
    assert status == 400
    assert json.loads(answer)["__type"].split("#")[-1] == "SerializationException"


def test_an_oversized_body_is_refused_and_not_kept(server):
    body = b'{"name": "' + b"x" * (32 * 1024 * 1024) + b'"}'
    try:
        status, _ = send(server, body, "AWSStepFunctions.CreateStateMachine")
    except (BrokenPipeError, ConnectionResetError):
        return  # refused before we had sent it all
    assert status in (400, 413)


@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
])
def test_web_pages_and_rebound_names_are_refused(server, headers):
    status, _ = send(server, "{}", **headers)
    assert status == 403


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}"])
def test_loopback_names_are_served(server, host):
    status, answer = send(server, "{}", Host=host.format(port=server.port))
    assert status == 200, answer


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_at_the_root_are_refused(server, method):
    status, _ = send(server, "", target=None, method=method)
    # By the Step Functions API or by the buckets behind the same port, whichever it looks like.
    assert 400 <= status < 500 or status == 501


def test_a_request_that_never_ends_does_not_stop_the_others(server, states):
    import socket
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    for connection in slow:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{")
    try:
        assert "stateMachines" in states.list_state_machines()
    finally:
        for connection in slow:
            connection.close()
