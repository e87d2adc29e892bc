"""Unmodified clients find the server by AWS_ENDPOINT_URL alone, and get through the calls that they make first."""
import json
import re
import subprocess

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from loveless_server import ACCOUNT, REGION, ROLE, Server, binary
from machines import PASS, chain, create, finish, start, unique


def test_env_prints_what_points_clients_at_the_server():
    printed = subprocess.run([binary(), "env"], capture_output=True, text=True, check=True).stdout
    exports = dict(re.findall(r"^export (\w+)=['\"]?([^'\"\n]*)['\"]?$", printed, re.M))
    assert exports["AWS_DEFAULT_REGION"] == REGION
    assert exports["AWS_ENDPOINT_URL"] == "http://127.0.0.1:8083"
    assert exports["AWS_ACCESS_KEY_ID"] and exports["AWS_SECRET_ACCESS_KEY"]


def test_serve_says_in_one_line_where_it_listens(make_server):
    server = make_server()
    # By now it answers, too.
    server.client("sts").get_caller_identity()
    assert len([line for line in server.said().splitlines() if server.endpoint in line]) == 1, server.said()


def test_sts_names_the_account(server):
    identity = server.client("sts").get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"].startswith("arn:aws:")


def test_iam_answers_what_clients_ask_first(server):
    iam = server.client("iam")
    role = iam.get_role(RoleName="states")["Role"]
    assert role["Arn"] == ROLE
    users = iam.list_users(MaxItems=1)["Users"]
    assert all(f":{ACCOUNT}:" in user["Arn"] for user in users)


def test_the_command_line_client_runs_a_machine(server):
    name = unique("cli")
    machine = server.aws("stepfunctions", "create-state-machine", "--name", name, "--role-arn", ROLE,
                         "--definition", json.dumps(PASS))["stateMachineArn"]
    assert machine == f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
    execution = server.aws("stepfunctions", "start-execution", "--state-machine-arn", machine,
                           "--input", "{}")["executionArn"]
    finish(server.states, execution)
    described = server.aws("stepfunctions", "describe-execution", "--execution-arn", execution)
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"]) == {"hello": "world"}
    events = server.aws("stepfunctions", "get-execution-history", "--execution-arn", execution)["events"]
    assert [event["id"] for event in events] == [1, 2, 3, 4]


def test_the_command_line_client_shows_errors(server):
    done = server.aws("stepfunctions", "describe-state-machine", "--state-machine-arn",
                      f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:absent", check=False)
    assert done.returncode != 0
    assert "(StateMachineDoesNotExist)" in done.stderr
    assert "State Machine Does Not Exist: 'arn:aws:states" in done.stderr


def test_timestamps_are_whole_milliseconds(states):
    execution = start(states, create(states, PASS))
    described = finish(states, execution)
    assert described["startDate"] <= described["stopDate"]
    assert described["startDate"].microsecond % 1000 == 0


def test_two_clients_of_two_regions_are_kept_apart_or_refused_clearly(server):
    # The region is part of every ARN; a client of another region signs for it, and the ARNs stay the server's own.
    client = server.client("stepfunctions", region_name="eu-central-1")
    machine = create(client, PASS)
    assert machine.split(":")[4] == ACCOUNT
    assert client.describe_state_machine(stateMachineArn=machine)["name"] == machine.split(":")[-1]


def test_a_restart_keeps_everything(make_server):
    server = make_server()
    machine = create(server.states, PASS)
    execution = start(server.states, machine, {"n": 1})
    before = finish(server.states, execution)
    assert server.stop() == 0
    server.start()
    after = server.states.describe_execution(executionArn=execution)
    for answer in (before, after):
        answer.pop("ResponseMetadata")
    assert before == after
    assert server.states.describe_state_machine(stateMachineArn=machine)["status"] == "ACTIVE"


def test_a_second_server_on_the_same_data_is_refused(make_server, tmp_path):
    first = make_server()
    second = Server(tmp_path / "second")
    second.data = first.data
    with pytest.raises(RuntimeError, match="ended with"):
        second.start()
    second.kill()
    assert first.alive()
    create(first.states, PASS)


def test_a_listen_address_off_loopback_is_refused_without_credentials(tmp_path):
    done = subprocess.run([binary(), "serve", "--listen", "0.0.0.0:0", "--data", tmp_path / "data"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "--credentials" in done.stderr + done.stdout
    assert "--insecure" in done.stderr + done.stdout


def test_the_sync_host_prefix_is_the_clients_to_switch_off(server):
    """SDKs put `sync-` before the host of two operations; with the documented switch the call arrives."""
    client = server.client("stepfunctions", inject_host_prefix=False)
    machine = create(client, chain(Only={"Type": "Succeed"}))
    with pytest.raises(ClientError) as caught:
        client.start_sync_execution(stateMachineArn=machine)
    # A STANDARD machine cannot run in step with its caller: the answer proves that the call was understood.
    assert caught.value.response["Error"]["Code"] in ("StateMachineTypeNotSupported", "UnknownOperationException")
    with pytest.raises((EndpointConnectionError, ClientError)):
        server.states.start_sync_execution(stateMachineArn=machine)
