"""JSONata as a user has it: a machine through boto3, refusals when it is created, and expressions that would not end.

What a single expression means is the business of the engine's cases and the evaluator's own tests; this file shows
that the parts are put together, and that one user's bad expression is not another's outage.
"""
import concurrent.futures
import json

import pytest

from loveless_server import ROLE
from machines import chain, create, finish, start, unique

# Each would take for ever, or all memory there is; each must fail as AWS says, within its bounds.
HOSTILE = {
    "recursion": "($f := function($n){ 1 + $f($n + 1) }; $f(1))",
    "tail recursion": "($f := function($n){ $f($n + 1) }; $f(1))",
    "range": "$count([1..1000000000])",
    "nested ranges": "$count([1..30000].([1..30000]))",
    "doubling text": "($f := function($s, $n){ $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f('x', 60)))",
    "padding": "$length($pad('x', 100000000000))",
    "doubling list": "($f := function($s, $n){ $n = 0 ? $s : $f($append($s, $s), $n - 1) }; $count($f([1], 60)))",
    "sharing": "($f := function($s, $n){ $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $string($f([1], 40)))",
    "permutations": "[1..200].($a := $; [1..200].($b := $; [1..200].($a * $b + $)))",
    "replace": "$length($replace($pad('', 100000, 'a'), 'a', $pad('', 100000, 'b')))",
}
# What the server may take while the hostile ones run, over what it took before.
RESIDENT_BYTES_MAX = 700_000_000


def expression(text, **fields):
    return {"QueryLanguage": "JSONata", **chain(P={"Type": "Pass", "Output": {"v": "{% " + text + " %}"}, **fields})}


def resident_bytes(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_a_machine_in_jsonata(states):
    machine = create(states, {
        "QueryLanguage": "JSONata", "StartAt": "Sum", "States": {
            "Sum": {"Type": "Pass", "Assign": {"total": "{% $sum($states.input.orders.price) %}"}, "Next": "Which"},
            "Which": {"Type": "Choice", "Choices": [
                {"Condition": "{% $total > 100 %}", "Output": {"big": "{% $total %}"}, "Next": "Done"}],
                "Default": "Done"},
            "Done": {"Type": "Succeed", "Output": "{% $merge([$states.input, {'name': $states.context.Execution.Name}]) %}"},
        }})
    execution = start(states, machine, {"orders": [{"price": 60}, {"price": 41.5}]}, name=unique("sum"))
    done = finish(states, execution)
    assert done["status"] == "SUCCEEDED"
    assert json.loads(done["output"]) == {"big": 101.5, "name": done["name"]}
    events = states.get_execution_history(executionArn=execution)["events"]
    exited = next(event for event in events if event["type"] == "PassStateExited")
    assert exited["stateExitedEventDetails"]["assignedVariables"] == {"total": "101.5"}


@pytest.mark.parametrize("text, said", [
    ("[1, 2", "INVALID_JSONATA_EXPRESSION: "),
    ("phone", "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. at /States/P/Output/v"),
    ("$states.result", "UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.result' does not exist. at /States/P/Output/v"),
])
def test_what_is_no_expression_is_refused_at_once(states, text, said):
    with pytest.raises(states.exceptions.InvalidDefinition) as caught:
        states.create_state_machine(name=unique("bad"), definition=json.dumps(expression(text)), roleArn=ROLE)
    assert said in caught.value.response["Error"]["Message"]


def test_a_failed_expression_is_told_in_the_history(states):
    execution = start(states, create(states, expression("$states.input.a + 'x'")), {"a": 1})
    done = finish(states, execution)
    assert (done["status"], done["error"]) == ("FAILED", "States.QueryEvaluationError")
    events = states.get_execution_history(executionArn=execution)["events"]
    assert [event["type"] for event in events][-2:] == ["EvaluationFailed", "ExecutionFailed"]
    details = events[-2]["evaluationFailedEventDetails"]
    assert (details["state"], details["location"]) == ("P", "Output/v")
    assert details["cause"] == done["cause"]
    assert "T2002: The right side of the \"+\" operator must evaluate to a number" in done["cause"]


def test_hostile_expressions_end_and_disturb_nobody(make_server):
    server = make_server()
    states = server.states
    # The server learns what a machine's decisions take: the first one of all may be slow for reasons of its own.
    honest = create(states, expression("$sum($states.input.n)"))
    for _ in range(3):
        assert finish(states, start(states, honest, {"n": [1]}))["status"] == "SUCCEEDED"
    before = resident_bytes(server)
    hostile = {name: create(states, expression(text)) for name, text in HOSTILE.items()}
    peak = before
    honest_runs = 0
    # A start is answered when its first step is durable: with these, when they have met their bounds.
    with concurrent.futures.ThreadPoolExecutor(3 * len(hostile)) as threads:
        started = {name: [threads.submit(start, states, machine) for _ in range(3)] for name, machine in hostile.items()}
        waiting = [future for futures in started.values() for future in futures]
        # As long as hostile ones run, honest ones come and go.
        while not all(future.done() for future in waiting):
            done = finish(states, start(states, honest, {"n": [1, 2, 3]}))
            assert json.loads(done["output"]) == {"v": 6}
            honest_runs += not all(future.done() for future in waiting)
            peak = max(peak, resident_bytes(server))
    assert honest_runs >= len(hostile), "hardly anything ran beside the hostile ones"
    for name, executions in started.items():
        for execution in executions:
            done = finish(states, execution.result())
            assert (done["status"], done["error"]) == ("FAILED", "States.QueryEvaluationError"), name
            assert "during evaluation" in done["cause"], (name, done["cause"])
    print(f"{honest_runs} honest executions beside {len(waiting)} hostile ones; {(peak - before) >> 20} MiB more at the peak")
    assert peak - before < RESIDENT_BYTES_MAX
