"""Versions and aliases as boto3 sees them: publish, route by weight, list, delete; and what a restart keeps of them."""
import json

import pytest
from botocore.exceptions import ClientError

from loveless_server import ROLE
from machines import chain, create, finish, history, start, unique, until, wait_machine


def numbered(number):
    return chain(Only={"Type": "Pass", "Result": number})


def published(states, *numbers):
    """A machine with a version of each number's definition; its ARN and the versions' ARNs."""
    made = states.create_state_machine(
        name=unique("versions"), definition=json.dumps(numbered(numbers[0])), roleArn=ROLE,
        publish=True, versionDescription=f"number {numbers[0]}")
    machine, versions = made["stateMachineArn"], [made["stateMachineVersionArn"]]
    for number in numbers[1:]:
        updated = states.update_state_machine(
            stateMachineArn=machine, definition=json.dumps(numbered(number)), publish=True,
            versionDescription=f"number {number}")
        versions.append(updated["stateMachineVersionArn"])
    assert versions == [f"{machine}:{place}" for place in range(1, len(numbers) + 1)]
    return machine, versions


def listed(states, machine):
    found = states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    return [version["stateMachineVersionArn"] for version in found]


def alias_of(states, name, *routes):
    routing = [{"stateMachineVersionArn": arn, "weight": weight} for arn, weight in routes]
    return states.create_state_machine_alias(name=name, routingConfiguration=routing)["stateMachineAliasArn"]


def message(caught):
    return caught.value.response["Error"]["Message"]


def test_versions_stay_as_they_were_published(states):
    machine, (one, two) = published(states, 1, 2)
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(numbered(3)))
    for version, number in ((one, 1), (two, 2)):
        described = states.describe_state_machine(stateMachineArn=version)
        assert json.loads(described["definition"]) == numbered(number)
        assert described["stateMachineArn"] == version
        assert described["description"] == f"number {number}"
        execution = start(states, version)
        ended = finish(states, execution)
        assert json.loads(ended["output"]) == number
        assert ended["stateMachineArn"] == machine
        assert ended["stateMachineVersionArn"] == version
        assert "stateMachineAliasArn" not in ended
        started = history(states, execution)[0]["executionStartedEventDetails"]
        assert started["stateMachineVersionArn"] == version
        of_execution = states.describe_state_machine_for_execution(executionArn=execution)
        assert of_execution.get("revisionId") == described.get("revisionId")
        assert of_execution["stateMachineArn"] == version
        assert json.loads(of_execution["definition"]) == numbered(number)
    assert json.loads(finish(states, start(states, machine))["output"]) == 3
    with pytest.raises(states.exceptions.StateMachineDoesNotExist):
        start(states, f"{machine}:9")


def test_numbers_are_not_used_again(states):
    machine, (one, two) = published(states, 1, 2)
    assert listed(states, machine) == [two, one]
    # The current revision has its version.
    again = states.publish_state_machine_version(stateMachineArn=machine, description="another word")
    assert again["stateMachineVersionArn"] == two
    for _ in range(2):
        states.delete_state_machine_version(stateMachineVersionArn=two)
    third = states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    assert third == f"{machine}:3"
    assert listed(states, machine) == [third, one]


def test_a_stale_revision_is_not_published(states):
    machine, _ = published(states, 1)
    old = states.update_state_machine(stateMachineArn=machine, definition=json.dumps(numbered(2)))["revisionId"]
    new = states.update_state_machine(stateMachineArn=machine, definition=json.dumps(numbered(3)))["revisionId"]
    with pytest.raises(states.exceptions.ConflictException) as caught:
        states.publish_state_machine_version(stateMachineArn=machine, revisionId=old)
    assert message(caught) == (f"Failed to publish the State Machine version for revision {old}. "
                               f"The current State Machine revision is {new}.")
    states.publish_state_machine_version(stateMachineArn=machine, revisionId=new)


def test_versions_page(states):
    machine, versions = published(states, *range(1, 8))
    seen, token = [], {}
    while True:
        page = states.list_state_machine_versions(stateMachineArn=machine, maxResults=3, **token)
        seen += [version["stateMachineVersionArn"] for version in page["stateMachineVersions"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert seen == versions[::-1]
    other, _ = published(states, 1)
    with pytest.raises(states.exceptions.InvalidToken):
        states.list_state_machine_versions(stateMachineArn=other, **token)


def test_an_alias_shares_by_weight(states):
    machine, (one, two) = published(states, 1, 2)
    alias = alias_of(states, "live", (one, 50), (two, 50))
    assert alias == f"{machine}:live"
    # Sixty fair coins do not all fall on one side.
    executions = [start(states, alias) for _ in range(60)]
    ended = [finish(states, execution) for execution in executions]
    assert {json.loads(end["output"]) for end in ended} == {1, 2}
    for end in ended:
        assert end["stateMachineAliasArn"] == alias
        assert end["stateMachineVersionArn"] == {1: one, 2: two}[json.loads(end["output"])]
    started = history(states, executions[0])[0]["executionStartedEventDetails"]
    assert started["stateMachineAliasArn"] == alias

    def names(arn):
        pages = states.get_paginator("list_executions").paginate(
            stateMachineArn=arn, PaginationConfig={"PageSize": 20})
        return {execution["executionArn"] for page in pages for execution in page["executions"]}
    assert names(alias) == set(executions)
    assert names(one) | names(two) == set(executions)
    assert not names(one) & names(two)
    assert names(machine) == set(executions)
    # All of it to the second.
    states.update_state_machine_alias(
        stateMachineAliasArn=alias, description="moved",
        routingConfiguration=[{"stateMachineVersionArn": two, "weight": 100}])
    assert {json.loads(finish(states, start(states, alias))["output"]) for _ in range(8)} == {2}
    described = states.describe_state_machine_alias(stateMachineAliasArn=alias)
    assert described["name"] == "live" and described["description"] == "moved"
    assert described["routingConfiguration"] == [{"stateMachineVersionArn": two, "weight": 100}]
    assert described["updateDate"] >= described["creationDate"]


def test_an_alias_keeps_its_versions(states):
    machine, (one, two) = published(states, 1, 2)
    alias_of(states, "a", (one, 100))
    alias_of(states, "b", (one, 1), (two, 99))
    with pytest.raises(states.exceptions.ConflictException) as caught:
        states.delete_state_machine_version(stateMachineVersionArn=one)
    assert message(caught).endswith("Current list of aliases referencing this version: [a, b]")
    with pytest.raises(states.exceptions.ConflictException):
        alias_of(states, "a", (two, 100))
    assert alias_of(states, "a", (one, 100)) == f"{machine}:a"

    def names(arn, **page):
        found = states.list_state_machine_aliases(stateMachineArn=arn, **page)
        return [alias["stateMachineAliasArn"].rsplit(":", 1)[1] for alias in found["stateMachineAliases"]]
    assert (names(machine), names(one), names(two)) == (["a", "b"], ["a", "b"], ["b"])
    assert names(machine, maxResults=1) == ["a"]
    for name in "ab":
        for _ in range(2):
            states.delete_state_machine_alias(stateMachineAliasArn=f"{machine}:{name}")
    states.delete_state_machine_version(stateMachineVersionArn=one)
    with pytest.raises(states.exceptions.ResourceNotFound) as caught:
        states.describe_state_machine_alias(stateMachineAliasArn=f"{machine}:a")
    assert message(caught) == "Request references a resource that does not exist."


@pytest.mark.parametrize("weights, text", [
    ([70, 29], "Sum of routing configuration weights must equal 100. Received: [70, 29]"),
    ([50, 50, 0], "at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2"),
    ([101], "Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: "
            "Member must have value less than or equal to 100"),
])
def test_routings_that_are_none(states, weights, text):
    machine, versions = published(states, 1, 2, 3)
    with pytest.raises(states.exceptions.ValidationException) as caught:
        alias_of(states, "live", *zip(versions, weights))
    assert text in message(caught)


def test_deleting_a_machine_takes_all_of_it(states):
    machine, (one,) = published(states, 1)
    alias = alias_of(states, "live", (one, 100))
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(wait_machine(3600)))
    running = start(states, machine)
    states.delete_state_machine(stateMachineArn=machine)
    assert finish(states, running)["status"] == "ABORTED"

    def gone():
        try:
            return states.describe_state_machine(stateMachineArn=machine)["status"] == "DELETING" and None
        except states.exceptions.StateMachineDoesNotExist:
            return True
    assert until(gone, "the machine to be gone")
    for through in (machine, one, alias):
        with pytest.raises(states.exceptions.StateMachineDoesNotExist):
            start(states, through)
    # Under the same name it begins again.
    name = machine.rsplit(":", 1)[1]
    again = states.create_state_machine(
        name=name, definition=json.dumps(numbered(1)), roleArn=ROLE, publish=True)
    assert again["stateMachineVersionArn"] == f"{machine}:1"
    assert states.list_state_machine_aliases(stateMachineArn=machine)["stateMachineAliases"] == []


def test_tags_have_rules(states):
    machine = create(states, numbered(1))
    states.tag_resource(resourceArn=machine, tags=[{"key": "team:a/b", "value": "x+y@z = ok_-."}])
    with pytest.raises(ClientError) as caught:
        states.tag_resource(resourceArn=machine, tags=[{"key": "no<", "value": ""}])
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(states.exceptions.TooManyTags):
        states.tag_resource(resourceArn=machine, tags=[{"key": f"k{n}", "value": ""} for n in range(50)])
    with pytest.raises(states.exceptions.ResourceNotFound):
        states.tag_resource(resourceArn=f"{machine}:1", tags=[{"key": "k", "value": "v"}])
    tags = states.list_tags_for_resource(resourceArn=machine)["tags"]
    assert tags == [{"key": "team:a/b", "value": "x+y@z = ok_-."}]


def test_a_crash_keeps_versions_and_aliases(make_server):
    server = make_server()
    machine, (one, two) = published(server.states, 1, 2)
    alias = alias_of(server.states, "live", (one, 100))
    server.kill()
    server.start()
    assert listed(server.states, machine) == [two, one]
    assert json.loads(finish(server.states, start(server.states, alias))["output"]) == 1
