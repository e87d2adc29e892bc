"""What the operator decides: quotas that are AWS's or larger, and how long executions are kept."""
import json
import subprocess
import urllib.request

import pytest

from loveless_server import binary
from machines import PASS, create, finish, start, unique, until, wait_machine


def storage(server):
    """The operation that AWS does not have, by plain HTTP."""
    request = urllib.request.Request(server.endpoint, data=b"{}", headers={
        "X-Amz-Target": "Loveless.DescribeStorage", "Content-Type": "application/x-amz-json-1.0"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def test_strict_takes_what_aws_takes(states):
    machine = create(states, PASS)
    at_most = json.dumps("x" * (262_144 - 2))
    assert finish(states, start(states, machine, "x" * (262_144 - 2)))["input"] == at_most
    with pytest.raises(states.exceptions.ValidationException):
        start(states, machine, "x" * (262_144 - 1))


def test_extended_takes_more(make_server):
    server = make_server("--compat", "extended", "--limit", "open-executions=2", "--limit", "tags=60")
    states = server.states
    machine = create(states, PASS)
    assert finish(states, start(states, machine, "x" * 1_000_000))["status"] == "SUCCEEDED"
    states.tag_resource(resourceArn=machine, tags=[{"key": f"k{n}", "value": ""} for n in range(60)])
    with pytest.raises(states.exceptions.TooManyTags):
        states.tag_resource(resourceArn=machine, tags=[{"key": "one more", "value": ""}])
    waiting = create(states, wait_machine(3600))
    running = [start(states, waiting) for _ in range(2)]
    with pytest.raises(states.exceptions.ExecutionLimitExceeded):
        start(states, waiting)
    # The count survives a crash, and an end makes room.
    server.kill()
    server.start()
    states = server.states
    with pytest.raises(states.exceptions.ExecutionLimitExceeded):
        start(states, waiting)
    states.stop_execution(executionArn=running[0])
    start(states, waiting)
    assert storage(server)["openExecutions"] == 2


@pytest.mark.parametrize("arguments, words", [
    (["--limit", "tags=60"], "under --compat strict limits are AWS's"),
    (["--compat", "extended", "--limit", "tag=60"], "there is no limit 'tag'; there are state-machines"),
    (["--compat", "extended", "--limit", "tags=0"], "the limit tags lies between 1 and"),
    (["--compat", "extended", "--limit", "tags"], "say NAME=NUMBER"),
    (["--retention-days=-1"], "a number of days between 0 and"),
    (["--compat", "loose"], "invalid value 'loose'"),
])
def test_what_cannot_be_meant_is_told_at_start(tmp_path, arguments, words):
    ended = subprocess.run(
        [binary(), "serve", "--data", tmp_path / "data", *arguments], capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert words in ended.stderr, ended.stderr
    assert not (tmp_path / "data").exists()


def test_what_ended_goes_after_its_time(make_server):
    # A second or so.
    server = make_server("--retention-days", "0.00001")
    machine, waiting = create(server.states, PASS), create(server.states, wait_machine(3600))
    running = start(server.states, waiting)
    name = unique("again")
    ended = [start(server.states, machine) for _ in range(20)]
    ended.append(server.states.start_execution(stateMachineArn=machine, name=name)["executionArn"])
    server.kill()
    server.start()
    states = server.states

    def gone():
        return not states.list_executions(stateMachineArn=machine)["executions"]
    until(gone, "everything that ended to be gone")
    for execution in ended:
        with pytest.raises(states.exceptions.ExecutionDoesNotExist):
            states.describe_execution(executionArn=execution)
    assert states.describe_execution(executionArn=running)["status"] == "RUNNING"
    # The name is free, and what is started under it goes in its turn.
    again = states.start_execution(stateMachineArn=machine, name=name, input="[1]")
    assert again["executionArn"] == ended[-1]
    until(gone, "what was started again to be gone")
    told = until(lambda: [told for told in [storage(server)] if told["closedExecutions"] == 0], "the counts")[0]
    assert told["openExecutions"] == 1
    assert told["purgedSinceStart"] >= 1
    assert told["bytes"] > 0
