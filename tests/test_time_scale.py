"""A server for development may shorten waits; no server does it by itself, and the clocks of tasks are left alone."""
import json
import subprocess
import urllib.request

import pytest

from loveless_server import binary
from machines import chain, create, finish, history, run, start, task_machine, unique

HOUR = 3600


def health(server):
    with urllib.request.urlopen(f"{server.endpoint}/_loveless/health", timeout=60) as answer:
        return json.load(answer)


def test_a_wait_of_hours_and_retries_of_minutes_take_no_time(make_server):
    server = make_server("--time-scale", "0.001")
    states = server.states
    assert "waits are shortened" in server.said()
    assert health(server)["timeScale"] == 0.001
    # Were this not shortened, `finish` would give up long before.
    ended = run(states, chain(Wait={"Type": "Wait", "Seconds": 2 * HOUR}, After={"Type": "Pass"}))
    assert ended["status"] == "SUCCEEDED"
    assert (ended["stopDate"] - ended["startDate"]).total_seconds() < HOUR
    activity = states.create_activity(name=unique("scaled"))["activityArn"]
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": HOUR, "MaxAttempts": 1}]
    execution = start(states, create(states, task_machine(activity, Retry=retry)))
    task = states.get_activity_task(activityArn=activity)
    states.send_task_failure(taskToken=task["taskToken"], error="Busy")
    task = states.get_activity_task(activityArn=activity)
    states.send_task_success(taskToken=task["taskToken"], output="1")
    assert finish(states, execution)["output"] == "1"


def test_the_clocks_of_tasks_run_in_real_time(make_server):
    states = make_server("--time-scale", "0.001").states
    activity = states.create_activity(name=unique("clocked"))["activityArn"]
    machine = create(states, task_machine(activity, TimeoutSeconds=2))
    execution = start(states, machine)
    task = states.get_activity_task(activityArn=activity)
    assert task["taskToken"]
    assert finish(states, execution)["status"] == "FAILED"
    at = {event["type"]: event["timestamp"] for event in history(states, execution)}
    assert (at["ActivityTimedOut"] - at["ActivityStarted"]).total_seconds() >= 2


def test_without_the_option_nothing_is_shortened(server):
    assert "timeScale" not in health(server)
    assert "waits are shortened" not in server.said()


@pytest.mark.parametrize("factor", ["0", "0.0001", "2", "-1", "nan", "fast"])
def test_other_factors_are_refused(factor, tmp_path):
    done = subprocess.run([binary(), "serve", f"--time-scale={factor}", "--data", tmp_path / "data"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "a number from 0.001 to 1" in done.stderr
