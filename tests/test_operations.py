"""All 37 operations of Step Functions, each called at least once by unmodified boto3.

`SCENARIOS` call them; a scenario names the operations that it is there for, and fails if it did not call one of them.
"""
import json

import pytest

from loveless_server import ROLE
from machines import PASS, chain, create, finish, start, task_machine, unique, wait_machine


SCENARIOS = {}


def calls(*operations):
    """What a scenario is there for."""
    def note(scenario):
        SCENARIOS[scenario.__name__] = (scenario, set(operations))
        return scenario
    return note


@calls("CreateStateMachine", "DescribeStateMachine", "UpdateStateMachine", "ListStateMachines", "DeleteStateMachine",
       "ValidateStateMachineDefinition")
def a_machine_s_life(client):
    assert client.validate_state_machine_definition(definition=json.dumps(PASS))["result"] == "OK"
    name = unique("life")
    machine = create(client, PASS, name)
    assert client.describe_state_machine(stateMachineArn=machine)["name"] == name
    changed = chain(Other={"Type": "Succeed"})
    assert client.update_state_machine(stateMachineArn=machine, definition=json.dumps(changed))["updateDate"]
    assert json.loads(client.describe_state_machine(stateMachineArn=machine)["definition"]) == changed
    listed = client.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 50})
    assert name in [machine["name"] for page in listed for machine in page["stateMachines"]]
    client.delete_state_machine(stateMachineArn=machine)
    with pytest.raises((client.exceptions.StateMachineDoesNotExist, client.exceptions.StateMachineDeleting)):
        client.start_execution(stateMachineArn=machine)


@calls("StartExecution", "DescribeExecution", "ListExecutions", "GetExecutionHistory", "StopExecution",
       "DescribeStateMachineForExecution")
def an_execution_s_life(client):
    machine = create(client, wait_machine(3600))
    execution = start(client, machine, {"n": 1}, name="one")
    assert client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    running = client.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
    assert [execution["name"] for execution in running] == ["one"]
    assert client.describe_state_machine_for_execution(executionArn=execution)["stateMachineArn"] == machine
    assert client.stop_execution(executionArn=execution, error="Enough", cause="no more")["stopDate"]
    assert finish(client, execution)["status"] == "ABORTED"
    events = client.get_execution_history(executionArn=execution, reverseOrder=True)["events"]
    assert events[0]["executionAbortedEventDetails"] == {"error": "Enough", "cause": "no more"}


@calls("CreateActivity", "DescribeActivity", "ListActivities", "DeleteActivity", "GetActivityTask", "SendTaskHeartbeat",
       "SendTaskSuccess", "SendTaskFailure")
def an_activity_s_life(client):
    name = unique("activity")
    activity = client.create_activity(name=name)["activityArn"]
    assert client.describe_activity(activityArn=activity)["name"] == name
    listed = client.get_paginator("list_activities").paginate()
    assert name in [activity["name"] for page in listed for activity in page["activities"]]
    machine = create(client, task_machine(activity, HeartbeatSeconds=60))
    done = start(client, machine, name="done")
    task = client.get_activity_task(activityArn=activity, workerName="boto3")
    client.send_task_heartbeat(taskToken=task["taskToken"])
    client.send_task_success(taskToken=task["taskToken"], output="1")
    assert finish(client, done)["output"] == "1"
    failed = start(client, machine, name="failed")
    task = client.get_activity_task(activityArn=activity)
    client.send_task_failure(taskToken=task["taskToken"], error="Broken", cause="as wanted")
    assert finish(client, failed)["error"] == "Broken"
    client.delete_activity(activityArn=activity)


@calls("TagResource", "UntagResource", "ListTagsForResource")
def tags(client):
    machine = create(client, PASS)
    client.tag_resource(resourceArn=machine, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    client.untag_resource(resourceArn=machine, tagKeys=["a"])
    assert client.list_tags_for_resource(resourceArn=machine)["tags"] == [{"key": "b", "value": "2"}]


@calls("PublishStateMachineVersion", "ListStateMachineVersions", "DeleteStateMachineVersion")
def versions(client):
    machine = create(client, PASS)
    version = client.publish_state_machine_version(stateMachineArn=machine, description="first")["stateMachineVersionArn"]
    assert version == f"{machine}:1"
    listed = client.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    assert [version["stateMachineVersionArn"] for version in listed] == [version]
    assert finish(client, start(client, version))["status"] == "SUCCEEDED"
    client.delete_state_machine_version(stateMachineVersionArn=version)
    assert client.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"] == []


@calls("CreateStateMachineAlias", "DescribeStateMachineAlias", "ListStateMachineAliases", "UpdateStateMachineAlias",
       "DeleteStateMachineAlias", "PublishStateMachineVersion")
def aliases(client):
    machine = create(client, PASS)
    version = client.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    routing = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = client.create_state_machine_alias(name="live", routingConfiguration=routing)["stateMachineAliasArn"]
    assert client.describe_state_machine_alias(stateMachineAliasArn=alias)["routingConfiguration"] == routing
    listed = client.list_state_machine_aliases(stateMachineArn=machine)["stateMachineAliases"]
    assert [alias["stateMachineAliasArn"] for alias in listed] == [alias]
    client.update_state_machine_alias(stateMachineAliasArn=alias, description="changed")
    assert client.describe_state_machine_alias(stateMachineAliasArn=alias)["description"] == "changed"
    assert finish(client, start(client, alias))["status"] == "SUCCEEDED"
    client.delete_state_machine_alias(stateMachineAliasArn=alias)


@calls("RedriveExecution")
def a_redrive(client):
    activity = client.create_activity(name=unique("redriven"))["activityArn"]
    execution = start(client, create(client, task_machine(activity)))
    task = client.get_activity_task(activityArn=activity)
    client.send_task_failure(taskToken=task["taskToken"], error="Broken")
    assert finish(client, execution)["status"] == "FAILED"
    assert client.redrive_execution(executionArn=execution)["redriveDate"]
    task = client.get_activity_task(activityArn=activity)
    client.send_task_success(taskToken=task["taskToken"], output="1")
    ended = finish(client, execution)
    assert (ended["status"], ended["output"], ended["redriveCount"]) == ("SUCCEEDED", "1", 1)


@calls("ListMapRuns", "DescribeMapRun", "UpdateMapRun")
def a_map_run(client):
    activity = client.create_activity(name=unique("mapped"))["activityArn"]
    work = {"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": activity, "End": True}},
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    each = {"Type": "Map", "ItemProcessor": work, "MaxConcurrency": 1}
    execution = start(client, create(client, chain(Each=each)), [1, 2])
    task = client.get_activity_task(activityArn=activity)
    runs = client.list_map_runs(executionArn=execution)["mapRuns"]
    assert len(runs) == 1
    client.update_map_run(mapRunArn=runs[0]["mapRunArn"], maxConcurrency=2)
    described = client.describe_map_run(mapRunArn=runs[0]["mapRunArn"])
    assert (described["status"], described["maxConcurrency"]) == ("RUNNING", 2)
    client.send_task_success(taskToken=task["taskToken"], output=task["input"])
    task = client.get_activity_task(activityArn=activity)
    client.send_task_success(taskToken=task["taskToken"], output=task["input"])
    assert finish(client, execution)["status"] == "SUCCEEDED"


@calls("StartSyncExecution")
def an_express_execution_in_step(client):
    machine = client.create_state_machine(name=unique("express"), definition=json.dumps(PASS), roleArn=ROLE,
                                          type="EXPRESS")["stateMachineArn"]
    ended = client.start_sync_execution(stateMachineArn=machine)
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"hello": "world"})


@calls("TestState")
def a_state_by_itself(client):
    state = {"Type": "Pass", "Result": {"a": 1}, "End": True}
    tested = client.test_state(definition=json.dumps(state), roleArn=ROLE)
    assert (tested["status"], json.loads(tested["output"])) == ("SUCCEEDED", {"a": 1})


@pytest.fixture
def client(server):
    """SDKs put `sync-` before the host of two operations; the documented switch is all that these calls need."""
    return server.client("stepfunctions", inject_host_prefix=False)


@pytest.mark.parametrize("name", SCENARIOS)
def test_boto3_calls(client, name):
    scenario, operations = SCENARIOS[name]
    called = set()
    client.meta.events.register("after-call.stepfunctions", lambda model, http_response, **_:
                                called.add(model.name) if http_response.status_code == 200 else None)
    scenario(client)
    assert operations <= called, f"{name} did not get an answer from {sorted(operations - called)}"


def test_the_scenarios_are_there_for_every_operation(client):
    named = set().union(*(operations for _, operations in SCENARIOS.values()))
    assert named == set(client.meta.service_model.operation_names)
    assert len(named) == 37
