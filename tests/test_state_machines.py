"""Create, describe, update, delete and list state machines, as boto3 sees them."""
import json

import pytest

from loveless_server import ACCOUNT, REGION, ROLE
from machines import PASS, chain, create, finish, start, unique, until, wait_machine


def test_create_and_describe(states):
    name = unique("described")
    created = states.create_state_machine(name=name, definition=json.dumps(PASS), roleArn=ROLE)
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
    assert created["stateMachineArn"] == arn
    described = states.describe_state_machine(stateMachineArn=arn)
    assert described["name"] == name
    assert described["definition"] == json.dumps(PASS)
    assert described["roleArn"] == ROLE
    assert described["type"] == "STANDARD"
    assert described["status"] == "ACTIVE"
    assert described["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False}
    assert described["tracingConfiguration"] == {"enabled": False}
    assert described["creationDate"] == created["creationDate"]
    assert "revisionId" not in described
    assert "variableReferences" not in described


def test_describe_tells_which_variables_each_state_reads(states):
    inner = chain(Inner={"Type": "Pass", "Parameters": {"a.$": "$outer", "b.$": "$first.x"}})
    definition = chain(
        First={"Type": "Pass", "Assign": {"first": {"x": 1}, "outer": [1]}},
        Both={"Type": "Parallel", "Branches": [inner]},
        Last={"Type": "Succeed", "OutputPath": "$first"})
    machine = create(states, definition)
    references = {"Inner": ["first", "outer"], "Last": ["first"]}
    assert states.describe_state_machine(stateMachineArn=machine)["variableReferences"] == references
    execution = start(states, machine)
    described = states.describe_state_machine_for_execution(executionArn=execution)
    assert described["variableReferences"] == references


def test_creating_the_same_twice_is_one_machine(states):
    name = unique("twice")
    assert create(states, PASS, name) == create(states, PASS, name)


def test_another_definition_under_a_taken_name_is_refused(states):
    name = unique("taken")
    arn = create(states, PASS, name)
    with pytest.raises(states.exceptions.StateMachineAlreadyExists) as caught:
        create(states, wait_machine(1), name)
    assert caught.value.response["Error"]["Message"] == f"State Machine Already Exists: '{arn}'"
    # The comparison is by text: the same machine with other white space is another definition.
    with pytest.raises(states.exceptions.StateMachineAlreadyExists):
        states.create_state_machine(name=name, definition=json.dumps(PASS, indent=1), roleArn=ROLE)


def test_update_changes_new_executions_only(states):
    arn = create(states, wait_machine(2))
    running = start(states, arn, {"old": True})
    definition = chain(New={"Type": "Pass", "Result": "new"})
    updated = states.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))
    assert updated["revisionId"]
    assert json.loads(finish(states, start(states, arn))["output"]) == "new"
    assert json.loads(finish(states, running)["output"]) == {"old": True}
    described = states.describe_state_machine(stateMachineArn=arn)
    assert described["revisionId"] == updated["revisionId"]


def test_an_update_that_names_nothing_is_refused(states):
    arn = create(states, PASS)
    with pytest.raises(states.exceptions.MissingRequiredParameter):
        states.update_state_machine(stateMachineArn=arn)


def test_delete(states):
    arn = create(states, PASS)
    states.delete_state_machine(stateMachineArn=arn)

    def gone():
        try:
            return states.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING" and None
        except states.exceptions.StateMachineDoesNotExist:
            return True
    assert until(gone, "the machine to be gone")
    # Again, and for one that never was: no error.
    states.delete_state_machine(stateMachineArn=arn)


def test_list_pages_through_every_machine_once(states):
    made = {create(states, PASS, unique("listed")) for _ in range(7)}
    seen = []
    for page in states.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 3}):
        assert len(page["stateMachines"]) <= 3
        seen += [machine["stateMachineArn"] for machine in page["stateMachines"]]
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_bad_page_token_is_refused(states):
    with pytest.raises(states.exceptions.InvalidToken) as caught:
        states.list_state_machines(nextToken="nonsense")
    assert caught.value.response["Error"]["Message"] == "Invalid Token: 'Invalid token'"
