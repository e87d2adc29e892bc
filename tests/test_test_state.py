"""TestState and ValidateStateMachineDefinition, as boto3 sees them."""
import json

import pytest

from loveless_server import ROLE
from machines import chain, unique

INVOKE = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName.$": "$.name"},
          "ResultPath": "$.answer", "Next": "After"}


@pytest.fixture
def client(states):
    return states


def tried(client, state, **fields):
    fields = {name: json.dumps(value) if name in ("input", "variables", "context") else value
              for name, value in fields.items()}
    answer = client.test_state(definition=json.dumps(state), **fields)
    del answer["ResponseMetadata"]
    return answer


def refused(client, state, **fields):
    with pytest.raises(client.exceptions.ClientError) as caught:
        tried(client, state, **fields)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_state_needs_no_machine(client):
    state = {"Type": "Pass", "InputPath": "$.a", "Parameters": {"x.$": "$.b"}, "ResultPath": "$.c", "Next": "Nowhere"}
    value = {"a": {"b": 1}}
    assert tried(client, state, input=value) == {
        "status": "SUCCEEDED", "output": '{"a":{"b":1},"c":{"x":1}}', "nextState": "Nowhere"}
    shown = tried(client, state, input=value, inspectionLevel="DEBUG")["inspectionData"]
    assert {name: json.loads(text) for name, text in shown.items()} == {
        "input": value, "afterInputPath": {"b": 1}, "afterParameters": {"x": 1}, "afterResultSelector": {"x": 1},
        "afterResultPath": {"a": {"b": 1}, "c": {"x": 1}}}


def test_the_command_line_reaches_it(server):
    """`loveless env` tells clients not to put `sync-` before the host name of this operation."""
    answer = server.aws("stepfunctions", "test-state", "--definition", '{"Type": "Succeed"}', "--input", "[1]")
    assert answer == {"status": "SUCCEEDED", "output": "[1]"}


def test_a_state_of_a_machine(client):
    machine = chain(First={"Type": "Pass"}, Second={"Type": "Choice", "Default": "Third",
                    "Choices": [{"Variable": "$.n", "NumericGreaterThan": 1, "Next": "First"}]}, Third={"Type": "Succeed"})
    assert tried(client, machine, stateName="Second", input={"n": 2})["nextState"] == "First"
    assert tried(client, machine, stateName="Second", input={"n": 1})["nextState"] == "Third"
    assert refused(client, machine, stateName="Fourth") == ("ValidationException", "State not found in definition")


def test_variables_are_read_and_shown(client):
    state = {"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"sum": "{% $a + $states.input %}"},
             "Output": "{% $a %}", "End": True}
    answer = tried(client, state, input=2, variables={"a": 1}, inspectionLevel="TRACE")
    assert answer["output"] == "1"
    assert json.loads(answer["inspectionData"]["variables"]) == {"a": 1, "sum": 3}


def test_a_mock_stands_in_for_any_service(client):
    result = {"Payload": {"free": ["form"]}, "StatusCode": 200}
    answer = tried(client, INVOKE, input={"name": "f"}, mock={"result": json.dumps(result)}, inspectionLevel="DEBUG")
    assert json.loads(answer["output"]) == {"name": "f", "answer": result}
    assert json.loads(answer["inspectionData"]["afterParameters"]) == {"FunctionName": "f"}
    scan = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:dynamodb:scan", "End": True}
    assert tried(client, scan, mock={"result": '{"Count": 3}'})["output"] == '{"Count": 3}'


@pytest.mark.parametrize("resource, result, message", [
    ("aws-sdk:kms:encrypt", {"CiphertextBlob": 1}, "Field 'CiphertextBlob' must be a string"),
    ("aws-sdk:kms:describeKey", {"KeyMetadata": {}}, "Required field 'KeyId' is missing"),
    ("aws-sdk:s3:headObject", {"DeleteMarker": 0}, "Field 'DeleteMarker' must be a boolean"),
    ("ecs:runTask.sync", {"Tasks": [{"DesiredStatus": 1}]}, "Field 'DesiredStatus' must be a string"),
    ("glue:startJobRun.sync", {"JobRun": {"JobRunState": "DONE"}}, "Field 'JobRunState' is not an expected value"),
    ("sqs:sendMessage", {"MessageId": []}, "Field 'MessageId' must be a string"),
])
def test_a_mock_must_have_the_shape_of_the_answer(client, resource, result, message):
    state = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "End": True}
    mock = {"result": json.dumps(result)}
    assert refused(client, state, mock=mock) == (
        "ValidationException", f"Mock result schema validation error: {message}")
    assert tried(client, state, mock={**mock, "fieldValidationMode": "NONE"})["status"] == "SUCCEEDED"


def test_a_resource_that_aws_does_not_have_is_refused(client):
    state = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:kms:encript", "End": True}
    code, message = refused(client, state, mock={"result": "{}"})
    assert code == "InvalidDefinition"
    assert message.endswith("at /States/StateName/Resource'")


def test_a_mocked_failure_is_retried_then_caught(client):
    state = {**INVOKE, "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 2}],
             "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught", "ResultPath": "$.error"}]}
    mock = {"errorOutput": {"error": "Busy", "cause": "later"}}

    def after(retries):
        return tried(client, state, input={"name": "f"}, mock=mock, inspectionLevel="DEBUG",
                     stateConfiguration={"retrierRetryCount": retries})

    first, second, third = after(0), after(1), after(2)
    assert (first["status"], first["error"], first["cause"]) == ("RETRIABLE", "Busy", "later")
    assert first["inspectionData"]["errorDetails"] == {"retryIndex": 0, "retryBackoffIntervalSeconds": 2}
    assert second["inspectionData"]["errorDetails"] == {"retryIndex": 0, "retryBackoffIntervalSeconds": 4}
    assert (third["status"], third["nextState"]) == ("CAUGHT_ERROR", "Caught")
    assert third["inspectionData"]["errorDetails"] == {"catchIndex": 0}
    assert json.loads(third["output"]) == {"name": "f", "error": {"Error": "Busy", "Cause": "later"}}


def test_a_context_is_taken_as_it_is(client):
    state = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
             "Parameters": {"QueueUrl": "q", "MessageBody.$": "$$"}}
    context = {"Task": {"Token": "abc"}, "Execution": {"Name": "mine"}}
    answer = tried(client, state, context=context, mock={"result": '"whatever"'}, inspectionLevel="DEBUG")
    assert json.loads(answer["inspectionData"]["afterParameters"])["MessageBody"] == context
    assert answer["output"] == '"whatever"'


def test_a_map_takes_what_its_reader_would_have_read(client):
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **chain(I={"Type": "Pass"})}
    state = {"Type": "Map", "ItemProcessor": processor, "ToleratedFailureCount": 0, "End": True,
             "ItemSelector": {"name.$": "$$.Map.Item.Value.name"},
             "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"},
                            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}}}
    table = "name,age\nAda,36\nAlan,41\n"

    def after(failures):
        return tried(client, state, mock={"result": "[1, 2]"}, inspectionLevel="DEBUG",
                     stateConfiguration={"mapItemReaderData": table, "mapIterationFailureCount": failures})

    good = after(0)
    assert good["output"] == "[1, 2]"
    assert json.loads(good["inspectionData"]["afterItemSelector"]) == [{"name": "Ada"}, {"name": "Alan"}]
    assert after(1)["error"] == "States.ExceedToleratedFailureThreshold"
    code, message = refused(client, state, mock={"result": "[1, 2]"},
                            stateConfiguration={"mapItemReaderData": table, "mapIterationFailureCount": 3})
    assert (code, message) == ("ValidationException", "Map iteration failure count must be less than or equal to the "
                               "number of Map iterations")


def test_a_function_is_really_called(server, client):
    name = unique("missing")
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True,
             "Parameters": {"FunctionName": name}}
    code, message = refused(client, state)
    assert (code, message) == ("ValidationException", "RoleArn must be specified when testing a Task state")
    answer = tried(client, state, roleArn=ROLE)
    assert (answer["status"], answer["error"]) == ("FAILED", "Lambda.ResourceNotFoundException")


# -------- ValidateStateMachineDefinition

def validated(client, definition, **fields):
    answer = client.validate_state_machine_definition(definition=json.dumps(definition), **fields)
    del answer["ResponseMetadata"]
    return answer


def test_a_valid_definition_has_no_diagnostics(client):
    for severity in ("ERROR", "WARNING"):
        answer = validated(client, chain(P={"Type": "Pass"}), severity=severity)
        assert answer == {"result": "OK", "diagnostics": [], "truncated": False}


@pytest.mark.parametrize("code, location, definition", [
    ("SCHEMA_VALIDATION_FAILED", "/", {"States": {"P": {"Type": "Pass", "End": True}}}),
    ("MISSING_TRANSITION_TARGET", "/States/P/Next", {"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "Q"}}}),
    ("MISSING_END_STATE", "/States", {"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "P"}}}),
    ("DUPLICATE_STATE_NAME", "/States/B/Branches[0]/States/B", chain(
        B={"Type": "Parallel", "Branches": [chain(B={"Type": "Pass"})]})),
    ("INVALID_JSONATA_EXPRESSION", "/States/P/Output",
     chain(P={"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% [1 %}"})),
    ("UNSUPPORTED_JSONATA_EXPRESSION", "/States/P/Output",
     chain(P={"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $$ %}"})),
])
def test_each_code(client, code, location, definition):
    answer = validated(client, definition)
    assert answer["result"] == "FAIL"
    [found] = answer["diagnostics"]
    assert (found["severity"], found["code"], found["location"]) == ("ERROR", code, location)


def test_diagnostics_are_cut_where_asked(client):
    states = {f"S{number}": {"Type": "Pass", "End": "yes"} for number in range(120)}
    whole = validated(client, {"StartAt": "S0", "States": states})
    assert (whole["result"], len(whole["diagnostics"]), whole["truncated"]) == ("FAIL", 100, True)
    two = validated(client, {"StartAt": "S0", "States": states}, maxResults=2)
    assert two["diagnostics"] == whole["diagnostics"][:2]
    assert two["truncated"] is True
    none = validated(client, {"StartAt": "S0", "States": states}, maxResults=0)
    assert none == whole
