"""EXPRESS machines: run synchronously and asynchronously, bounded, and never stored but for what has to run again."""
import json
import socket

import pytest

from invoke_endpoint import InvokeEndpoint
from loveless_server import ACCOUNT, REGION, ROLE
from machines import PASS, chain, create, output, start, task_machine, unique, until

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:elsewhere"


def express(client, definition, name=None):
    return client.create_state_machine(name=name or unique("express"), definition=json.dumps(definition), roleArn=ROLE,
                                       type="EXPRESS")["stateMachineArn"]


@pytest.fixture
def sync(server):
    """SDKs put `sync-` before the host, which no resolver knows: users switch that off, as the docs say."""
    return server.client("stepfunctions", inject_host_prefix=False)


@pytest.fixture
def endpoint():
    endpoint = InvokeEndpoint()
    yield endpoint
    endpoint.close()


def test_a_synchronous_run(sync):
    machine = express(sync, PASS)
    answer = sync.start_sync_execution(stateMachineArn=machine, name="once", input='{"n": 1}', traceHeader="Root=1")
    assert (answer["status"], json.loads(answer["output"])) == ("SUCCEEDED", {"hello": "world"})
    assert answer["executionArn"].rsplit(":", 1)[0] == machine.replace(":stateMachine:", ":express:") + ":once"
    assert (answer["name"], answer["stateMachineArn"]) == ("once", machine)
    assert (answer["input"], answer["inputDetails"]) == ('{"n": 1}', {"included": True})
    assert answer["traceHeader"] == "Root=1"
    assert answer["billingDetails"]["billedDurationInMilliseconds"] % 100 == 0
    assert answer["billingDetails"]["billedMemoryUsedInMB"] == 64
    assert answer["startDate"] <= answer["stopDate"]
    again = sync.start_sync_execution(stateMachineArn=machine, name="once", input='{"n": 1}')
    assert again["executionArn"] != answer["executionArn"]
    short = sync.start_sync_execution(stateMachineArn=machine, includedData="METADATA_ONLY")
    assert "input" not in short and "output" not in short


def test_a_failed_run_is_an_answer(sync):
    machine = express(sync, chain(No={"Type": "Fail", "Error": "E", "Cause": "C"}))
    answer = sync.start_sync_execution(stateMachineArn=machine)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert (answer["status"], answer["error"], answer["cause"]) == ("FAILED", "E", "C")
    assert "output" not in answer


def test_a_run_that_is_late(sync):
    machine = express(sync, {**chain(Wait={"Type": "Wait", "Seconds": 60}), "TimeoutSeconds": 1})
    answer = sync.start_sync_execution(stateMachineArn=machine)
    assert (answer["status"], answer["error"]) == ("TIMED_OUT", "States.Timeout")
    assert "cause" not in answer


def test_it_has_the_whole_language(sync):
    machine = express(sync, chain(
        Wait={"Type": "Wait", "Seconds": 1},
        Each={"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": chain(
            One={"Type": "Pass", "Parameters": {"item.$": "$"}})},
        Both={"Type": "Parallel", "Branches": [chain(A={"Type": "Pass"}), chain(B={"Type": "Pass", "Result": 2})]},
        Query={"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $sum($states.input[0].item) %}"}))
    answer = sync.start_sync_execution(stateMachineArn=machine, input='{"items": [1, 2, 3]}')
    assert (answer["status"], answer.get("output")) == ("SUCCEEDED", "6"), answer


def test_a_long_loop_goes_on_past_the_bounds_of_a_step_and_of_a_history(sync):
    machine = express(sync, {"StartAt": "Count", "States": {
        "Count": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Enough"},
        "Enough": {"Type": "Choice", "Default": "Count", "Choices": [
            {"Variable": "$.n", "NumericGreaterThanEquals": 7000, "Next": "Done"}]},
        "Done": {"Type": "Succeed"}}})
    answer = sync.start_sync_execution(stateMachineArn=machine, input='{"n": 0}')
    assert (answer["status"], answer.get("output")) == ("SUCCEEDED", '{"n":7000}'), answer


def test_tasks_are_pushed(make_server, endpoint):
    server = make_server("--lambda-endpoint", endpoint.url)
    sync = server.client("stepfunctions", inject_host_prefix=False)
    endpoint.released.set()
    machine = express(sync, task_machine(FUNCTION))
    answer = sync.start_sync_execution(stateMachineArn=machine, input='{"number": 1}')
    assert (answer["status"], json.loads(answer["output"])) == ("SUCCEEDED", {"number": 1})


def test_a_task_that_is_late_is_caught(make_server, endpoint):
    server = make_server("--lambda-endpoint", endpoint.url)
    sync = server.client("stepfunctions", inject_host_prefix=False)
    definition = task_machine(FUNCTION, TimeoutSeconds=1, Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Late"}])
    definition["States"]["Late"] = {"Type": "Pass", "Result": "late", "End": True}
    answer = sync.start_sync_execution(stateMachineArn=express(sync, definition), input='{"number": 1}')
    assert (answer["status"], answer.get("output")) == ("SUCCEEDED", '"late"'), answer


def test_what_is_not_for_express(states, sync):
    machine = express(states, PASS)
    arn = states.start_execution(stateMachineArn=machine, name="named")["executionArn"]
    assert f"{machine.rsplit(':', 1)[1]}:named:" in arn
    other = states.start_execution(stateMachineArn=machine, name="named")["executionArn"]
    assert other != arn
    for operation in ("describe_execution", "stop_execution", "get_execution_history",
                      "describe_state_machine_for_execution", "redrive_execution"):
        with pytest.raises(states.exceptions.InvalidArn) as caught:
            getattr(states, operation)(executionArn=arn)
        assert caught.value.response["Error"]["Message"] == (
            "Invalid Arn: 'Resource type not valid in this context: express'")
    unsupported = "This operation is not supported by this type of state machine"
    with pytest.raises(states.exceptions.StateMachineTypeNotSupported) as caught:
        states.list_executions(stateMachineArn=machine)
    assert caught.value.response["Error"]["Message"] == unsupported
    with pytest.raises(sync.exceptions.StateMachineTypeNotSupported) as caught:
        sync.start_sync_execution(stateMachineArn=create(states, PASS))
    assert caught.value.response["Error"]["Message"] == unsupported
    assert states.describe_state_machine(stateMachineArn=machine)["type"] == "EXPRESS"
    activity = states.create_activity(name=unique("activity"))["activityArn"]
    with pytest.raises(states.exceptions.InvalidDefinition):
        states.update_state_machine(stateMachineArn=machine, definition=json.dumps(task_machine(activity)))


def test_bad_requests(sync):
    machine = express(sync, PASS)
    with pytest.raises(sync.exceptions.InvalidName):
        sync.start_sync_execution(stateMachineArn=machine, name="a b")
    with pytest.raises(sync.exceptions.InvalidExecutionInput):
        sync.start_sync_execution(stateMachineArn=machine, input="not")
    with pytest.raises(sync.exceptions.StateMachineDoesNotExist):
        sync.start_sync_execution(stateMachineArn=machine + "-not")
    sync.delete_state_machine(stateMachineArn=machine)
    with pytest.raises((sync.exceptions.StateMachineDoesNotExist, sync.exceptions.StateMachineDeleting)):
        sync.start_sync_execution(stateMachineArn=machine)


def test_an_asynchronous_run_is_run_again_after_a_crash(make_server, endpoint):
    server = make_server("--lambda-endpoint", endpoint.url)
    machine = express(server.states, task_machine(FUNCTION))
    for number in range(10):
        start(server.states, machine, {"number": number})
    until(lambda: len(set(endpoint.arrived)) == 10, "every function to be invoked")
    server.kill()
    seen = len(endpoint.arrived)
    server.start()
    until(lambda: len(endpoint.arrived) >= seen + 10, "every function to be invoked again")
    assert len(set(endpoint.arrived)) == 10


def test_a_standard_machine_runs_an_express_one(states):
    machine = express(states, chain(No={"Type": "Fail", "Error": "E"}))
    nested = chain(Run={"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:startSyncExecution",
                        "Parameters": {"StateMachineArn": machine, "Input": {"n": 1}}})
    result = output(states, nested)
    assert (result["Status"], result["Error"], result["Input"]) == ("FAILED", "E", '{"n":1}')
    assert result["BillingDetails"]["BilledMemoryUsedInMB"] == 64
    # Nested and not waited for.
    asynchronous = chain(Run={"Type": "Task", "Resource": "arn:aws:states:::states:startExecution",
                              "Parameters": {"StateMachineArn": machine}})
    assert ":express:" in output(states, asynchronous)["ExecutionArn"]


def test_a_caller_that_hangs_up_does_not_end_its_run(make_server, endpoint):
    server = make_server("--lambda-endpoint", endpoint.url)
    second = chain(First={"Type": "Task", "Resource": FUNCTION}, Second={"Type": "Task", "Resource": FUNCTION})
    machine = express(server.states, second)
    body = json.dumps({"stateMachineArn": machine, "input": '{"number": 1}'})
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall((f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.0\r\n"
                            f"X-Amz-Target: AWSStepFunctions.StartSyncExecution\r\nContent-Length: {len(body)}\r\n\r\n"
                            f"{body}").encode())
        until(lambda: len(endpoint.arrived) == 1, "the function to be invoked")
    endpoint.released.set()
    until(lambda: len(endpoint.arrived) == 2, "the run to go on")


def test_the_host_prefix_of_sdks_is_let_in(server):
    machine = express(server.states, PASS)
    body = json.dumps({"stateMachineArn": machine})
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall((f"POST / HTTP/1.1\r\nHost: sync-localhost:{server.port}\r\nConnection: close\r\n"
                            f"Content-Type: application/x-amz-json-1.0\r\n"
                            f"X-Amz-Target: AWSStepFunctions.StartSyncExecution\r\nContent-Length: {len(body)}\r\n\r\n"
                            f"{body}").encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert b"200 OK" in answer and b"SUCCEEDED" in answer
