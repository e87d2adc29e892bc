"""loggingConfiguration: records of executions in log groups, read by boto3's `logs` client from the same port."""
import json

import pytest

from loveless_server import ACCOUNT, REGION, ROLE
from machines import PASS, chain, finish, history, start, unique, until, wait_machine

FAIL = chain(Before={"Type": "Pass"}, No={"Type": "Fail", "Error": "E", "Cause": "C"})


@pytest.fixture(scope="module")
def logs(server):
    return server.client("logs")


def group(logs):
    """A new log group, and its ARN as DescribeLogGroups gives it."""
    name = f"/aws/vendedlogs/states/{unique('group')}"
    logs.create_log_group(logGroupName=name)
    [described] = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return name, described["arn"]


def configuration(arn, level="ALL", data=True):
    return {"level": level, "includeExecutionData": data,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]}


def create(states, definition, logging, **fields):
    return states.create_state_machine(name=unique("logged"), definition=json.dumps(definition), roleArn=ROLE,
                                       loggingConfiguration=logging, **fields)["stateMachineArn"]


def records(logs, name, execution, last):
    """The records of an execution once the last one is there."""
    def look():
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=name, filterPattern=f'{{ $.execution_arn = "{execution}" }}')
        found = [json.loads(event["message"]) for page in pages for event in page["events"]]
        return found if found and found[-1]["type"] == last else None
    return until(look, f"the record {last}")


def test_all_of_a_standard_execution(states, logs):
    name, arn = group(logs)
    execution = start(states, create(states, PASS, configuration(arn)), {"n": 1})
    found = records(logs, name, execution, "ExecutionSucceeded")
    events = history(states, execution)
    assert [record["type"] for record in found] == [event["type"] for event in events]
    assert found[0] == {
        "id": "1", "type": "ExecutionStarted", "previous_event_id": "0", "execution_arn": execution, "redrive_count": "0",
        "event_timestamp": str(round(events[0]["timestamp"].timestamp() * 1000)),
        "details": {"input": '{"n": 1}', "inputDetails": {"truncated": False}, "roleArn": ROLE}}
    assert found[2]["details"] == {"name": "Hello", "output": '{"hello":"world"}', "outputDetails": {"truncated": False}}


def test_levels(states, logs):
    expected = {"ERROR": ["FailStateEntered", "ExecutionFailed"], "FATAL": ["ExecutionFailed"]}
    for level, types in expected.items():
        name, arn = group(logs)
        execution = start(states, create(states, FAIL, configuration(arn, level)), {"n": 1})
        assert [record["type"] for record in records(logs, name, execution, "ExecutionFailed")] == types
    # What is off says nothing, whatever was asked to be included; the group of another machine shows that time passed.
    silent, silent_arn = group(logs)
    finish(states, start(states, create(states, FAIL, configuration(silent_arn, "OFF"))))
    name, arn = group(logs)
    records(logs, name, start(states, create(states, PASS, configuration(arn))), "ExecutionSucceeded")
    assert logs.filter_log_events(logGroupName=silent)["events"] == []


def test_data_are_included_only_where_asked_for(states, logs):
    name, arn = group(logs)
    execution = start(states, create(states, PASS, configuration(arn, data=False)), {"secret": "s3cret"})
    found = records(logs, name, execution, "ExecutionSucceeded")
    assert "s3cret" not in json.dumps(found) and "hello" not in json.dumps(found)
    assert found[0]["details"] == {"roleArn": ROLE}


def test_express_executions_are_logged(server, states, logs):
    name, arn = group(logs)
    machine = create(states, PASS, configuration(arn), type="EXPRESS")
    execution = start(states, machine, {"n": 1})
    assert [record["type"] for record in records(logs, name, execution, "ExecutionSucceeded")] == [
        "ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    sync = server.client("stepfunctions", inject_host_prefix=False)
    answered = sync.start_sync_execution(stateMachineArn=machine)
    assert len(records(logs, name, answered["executionArn"], "ExecutionSucceeded")) == 4
    machine_name = machine.rsplit(":", 1)[1]
    streams = logs.describe_log_streams(logGroupName=name)["logStreams"]
    assert [stream["logStreamName"].split("/")[:2] for stream in streams] == [["express", machine_name]]
    events = logs.get_log_events(logGroupName=name, logStreamName=streams[0]["logStreamName"], startFromHead=True)
    assert len(events["events"]) == 8


def test_configurations_that_are_refused(states, logs):
    _, arn = group(logs)
    gone, gone_arn = group(logs)
    logs.delete_log_group(logGroupName=gone)
    one = {"cloudWatchLogsLogGroup": {"logGroupArn": arn}}
    exactly, absent = "Must specify exactly one Log Destination.", "Log Destination not found."
    for wrong, why in [
        ({"level": "ALL"}, exactly),
        ({"level": "ERROR", "destinations": []}, exactly),
        ({"level": "FATAL", "destinations": [one, one]}, exactly),
        (configuration(gone_arn), absent),
        (configuration(f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:nobody:*"), absent),
    ]:
        with pytest.raises(states.exceptions.InvalidLoggingConfiguration) as caught:
            create(states, PASS, wrong)
        assert caught.value.response["Error"]["Message"] == f"Invalid Logging Configuration: {why}"


def test_a_group_that_is_deleted_later_holds_nothing_up(states, logs):
    name, arn = group(logs)
    machine = create(states, PASS, configuration(arn))
    logs.delete_log_group(logGroupName=name)
    assert finish(states, start(states, machine))["status"] == "SUCCEEDED"
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.filter_log_events(logGroupName=name)


def test_an_update_counts_from_the_next_execution_on(states, logs):
    name, arn = group(logs)
    machine = create(states, wait_machine(1), configuration(arn, "FATAL"))
    before = start(states, machine)
    states.update_state_machine(stateMachineArn=machine, loggingConfiguration=configuration(arn, "ALL"))
    after = start(states, machine)
    assert records(logs, name, after, "ExecutionSucceeded")
    finish(states, before)
    pattern = f'{{ $.execution_arn = "{before}" }}'
    assert logs.filter_log_events(logGroupName=name, filterPattern=pattern)["events"] == []


def test_groups_look_after_themselves(logs):
    name, arn = group(logs)
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=name, retentionInDays=7)
    [described] = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert described["retentionInDays"] == 7
    assert described["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"
    logs.tag_resource(resourceArn=arn.removesuffix(":*"), tags={"team": "a"})
    assert logs.list_tags_for_resource(resourceArn=arn.removesuffix(":*"))["tags"] == {"team": "a"}
    with pytest.raises(logs.exceptions.ClientError) as caught:
        logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=[{"timestamp": 1, "message": "m"}])
    assert "does not support the operation PutLogEvents" in str(caught.value)


def test_logs_survive_a_crash(make_server):
    server = make_server()
    logs, states = server.client("logs"), server.states
    name, arn = group(logs)
    machine = create(states, wait_machine(2), configuration(arn))
    first = finish(states, start(states, machine))["executionArn"]
    assert len(records(logs, name, first, "ExecutionSucceeded")) == 6
    second = start(states, machine)
    records(logs, name, second, "WaitStateEntered")
    server.kill()
    server.start()
    logs = server.client("logs")
    assert len(records(logs, name, first, "ExecutionSucceeded")) == 6
    assert len(records(logs, name, second, "ExecutionSucceeded")) == 6


def test_the_cli_reads_logs(server, states, logs):
    name, arn = group(logs)
    execution = start(states, create(states, PASS, configuration(arn)))
    records(logs, name, execution, "ExecutionSucceeded")
    answer = server.aws("logs", "filter-log-events", "--log-group-name", name, "--filter-pattern", "ExecutionStarted")
    assert [json.loads(event["message"])["execution_arn"] for event in answer["events"]] == [execution]
