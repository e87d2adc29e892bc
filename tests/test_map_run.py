"""Distributed Maps: children that are executions, items and results in buckets, and a crash in the middle.

The store is the server's own. What a child did is counted outside of the server, so that "no finished child runs again"
is seen and not believed.
"""
import collections
import csv
import gzip
import io
import json
import random
import time

import pytest
from botocore.exceptions import ClientError

from invoke_endpoint import InvokeEndpoint
from loveless_server import ACCOUNT, REGION
from machines import create, finish, history, start, unique, until

STATES_ARN = f"arn:aws:states:{REGION}:{ACCOUNT}"


def distributed(processor=None, kind="STANDARD", **fields):
    """A machine of one Distributed Map over Pass states, unless told otherwise."""
    processor = processor or {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": True}}}
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}}
    state = {"Type": "Map", "Label": "Children", "ItemProcessor": {**config, **processor}, "End": True, **fields}
    return {"StartAt": "Map", "States": {"Map": state}}


def run(states, definition, given):
    """Runs a machine; its description at the end and the description of its newest Map Run."""
    execution = start(states, create(states, definition), given)
    ended = finish(states, execution)
    runs = states.list_map_runs(executionArn=execution)["mapRuns"]
    return ended, states.describe_map_run(mapRunArn=runs[0]["mapRunArn"]) if runs else None


def output(ended):
    assert ended["status"] == "SUCCEEDED", ended
    return json.loads(ended["output"])


def counts(run, which="itemCounts"):
    return {name: count for name, count in run[which].items() if count}


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3):
    name = unique("items")
    s3.create_bucket(Bucket=name)
    return name


def reader(bucket, key, **config):
    return {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": bucket, "Key": key},
            "ReaderConfig": config}


def listing(bucket, prefix, **config):
    found = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": bucket, "Prefix": prefix}}
    return {**found, "ReaderConfig": config} if config else found


def test_children_are_executions_of_a_labelled_machine(states):
    machine = create(states, distributed(ItemSelector={"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value",
                                                       "source.$": "$$.Map.Item.Source", "all.$": "$"}))
    execution = start(states, machine, ["a", "b"])
    ended = finish(states, execution)
    assert output(ended) == [{"index": at, "value": value, "source": "STATE_DATA", "all": ["a", "b"]}
                             for at, value in enumerate("ab")]
    name = machine.rsplit(":", 1)[1]
    [listed] = states.list_map_runs(executionArn=execution)["mapRuns"]
    assert listed["stateMachineArn"] == f"{STATES_ARN}:stateMachine:{name}/Children"
    assert listed["mapRunArn"].startswith(f"{STATES_ARN}:mapRun:{name}/Children:")
    described = states.describe_map_run(mapRunArn=listed["mapRunArn"])
    assert described["executionArn"] == execution
    assert described["status"] == "SUCCEEDED"
    assert counts(described) == {"succeeded": 2, "total": 2, "resultsWritten": 2}

    children = states.list_executions(mapRunArn=listed["mapRunArn"])["executions"]
    assert len(children) == 2
    assert all(child["itemCount"] == 1 and child["mapRunArn"] == listed["mapRunArn"] for child in children)
    assert states.list_executions(stateMachineArn=machine)["executions"][0]["executionArn"] == execution
    child = states.describe_execution(executionArn=children[0]["executionArn"])
    assert child["executionArn"].startswith(f"{STATES_ARN}:execution:{name}/Children:")
    assert child["mapRunArn"] == listed["mapRunArn"]
    assert [event["type"] for event in history(states, child["executionArn"])] == [
        "ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    its_machine = states.describe_state_machine_for_execution(executionArn=child["executionArn"])
    assert (its_machine["mapRunArn"], its_machine["label"]) == (listed["mapRunArn"], "Children")
    inner = states.describe_state_machine(stateMachineArn=listed["stateMachineArn"])
    assert (inner["stateMachineArn"], inner["label"]) == (listed["stateMachineArn"], "Children")
    assert inner["definition"] == its_machine["definition"]
    whole = json.loads(states.describe_state_machine(stateMachineArn=machine)["definition"])
    processor = next(iter(whole["States"].values()))["ItemProcessor"]
    assert json.loads(inner["definition"]) == {name: processor[name] for name in ("StartAt", "States")}
    with pytest.raises(states.exceptions.StateMachineDoesNotExist):
        states.describe_state_machine(stateMachineArn=f"{listed['stateMachineArn']}-not")


def test_a_child_sees_no_variable_and_a_selector_does(states):
    seen = {"StartAt": "Look", "States": {"Look": {"Type": "Pass", "Parameters": {"v.$": "$outer"}, "End": True}}}
    machine = distributed(seen)
    machine["States"] = {"Set": {"Type": "Pass", "Assign": {"outer": 1}, "Next": "Map"}, **machine["States"]}
    machine["StartAt"] = "Set"
    ended, run_ = run(states, machine, [0])
    assert ended["error"] == "States.ExceedToleratedFailureThreshold"
    assert counts(run_) == {"failed": 1, "total": 1}
    machine["States"]["Map"]["ItemProcessor"]["States"]["Look"].pop("Parameters")
    machine["States"]["Map"]["ItemSelector"] = {"v.$": "$outer"}
    assert output(run(states, machine, [0])[0]) == [{"v": 1}]


def test_objects_are_items(states):
    machine = distributed(ItemSelector={"k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value"})
    assert output(run(states, machine, {"a": 1, "b": [2]})[0]) == [{"k": "a", "v": 1}, {"k": "b", "v": [2]}]


def test_batches(states):
    machine = distributed(ItemBatcher={"MaxItemsPerBatch": 3, "BatchInput": {"b.$": "$[0]"}}, kind="EXPRESS")
    ended, run_ = run(states, machine, list(range(8)))
    assert output(ended) == [{"BatchInput": {"b": 0}, "Items": items} for items in ([0, 1, 2], [3, 4, 5], [6, 7])]
    assert counts(run_) == {"succeeded": 8, "total": 8, "resultsWritten": 8}
    assert counts(run_, "executionCounts") == {"succeeded": 3, "total": 3, "resultsWritten": 3}
    by_size = distributed(ItemBatcher={"MaxInputBytesPerBatch": 40})
    for batch in output(run(states, by_size, ["x" * 9] * 5)[0]):
        assert len(json.dumps(batch, separators=(",", ":"))) <= 40


FAILS_ODD = {"StartAt": "Choose", "States": {
    "Choose": {"Type": "Choice", "Choices": [{"Variable": "$.odd", "BooleanEquals": True, "Next": "Odd"}],
               "Default": "Even"},
    "Odd": {"Type": "Fail", "Error": "Odd"}, "Even": {"Type": "Succeed"}}}


@pytest.mark.parametrize("tolerance, status", [
    ({}, "FAILED"), ({"ToleratedFailureCount": 1}, "FAILED"), ({"ToleratedFailureCount": 2}, "SUCCEEDED"),
    ({"ToleratedFailurePercentage": 49.9}, "FAILED"), ({"ToleratedFailurePercentage": 50}, "SUCCEEDED"),
    ({"ToleratedFailureCount": 2, "ToleratedFailurePercentage": 10}, "FAILED")])
def test_tolerated_failures(states, tolerance, status):
    items = [{"odd": bool(at % 2)} for at in range(4)]
    ended, run_ = run(states, distributed(FAILS_ODD, MaxConcurrency=1, **tolerance), items)
    assert (ended["status"], run_["status"]) == (status, status)
    if status == "SUCCEEDED":
        assert output(ended) == [{"odd": False}] * 2
        assert counts(run_) == {"succeeded": 2, "failed": 2, "total": 4, "resultsWritten": 2}
    else:
        assert ended["error"] == "States.ExceedToleratedFailureThreshold"
        types = [event["type"] for event in history(states, ended["executionArn"])]
        assert types[-3:] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]


def test_a_result_larger_than_a_payload(states):
    ended, run_ = run(states, distributed(), ["x" * 2000] * 120)
    assert output(ended) == ["x" * 2000] * 120
    machine = distributed(ItemSelector={"all.$": "$", "i.$": "$$.Map.Item.Index"})
    ended, run_ = run(states, machine, ["x" * 2000] * 60)
    assert ended["error"] == "States.DataLimitExceeded"
    assert counts(run_)["succeeded"] == 60


WAITS = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}


def test_a_stop_of_the_parent_stops_its_children(states):
    execution = start(states, create(states, distributed(WAITS)), [1, 2, 3])
    runs = until(lambda: states.list_map_runs(executionArn=execution)["mapRuns"], "the Map Run")
    arn = runs[0]["mapRunArn"]
    until(lambda: states.describe_map_run(mapRunArn=arn)["executionCounts"]["running"] == 3, "three children")
    states.stop_execution(executionArn=execution)
    until(lambda: states.describe_map_run(mapRunArn=arn)["status"] == "ABORTED", "the Map Run to be aborted")
    children = states.list_executions(mapRunArn=arn, statusFilter="ABORTED")["executions"]
    assert len(children) == 3


def test_limits_change_while_it_runs(states):
    execution = start(states, create(states, distributed(WAITS, MaxConcurrency=1)), [1, 2, 3])
    runs = until(lambda: states.list_map_runs(executionArn=execution)["mapRuns"], "the Map Run")
    arn = runs[0]["mapRunArn"]
    until(lambda: states.describe_map_run(mapRunArn=arn)["executionCounts"]["running"] == 1, "one child")
    states.update_map_run(mapRunArn=arn, maxConcurrency=3, toleratedFailureCount=2)
    until(lambda: states.describe_map_run(mapRunArn=arn)["executionCounts"]["running"] == 3, "three children")
    children = states.list_executions(mapRunArn=arn)["executions"]
    assert len(children) == 3
    for child in children:
        states.stop_execution(executionArn=child["executionArn"])
    assert finish(states, execution)["error"] == "States.ExceedToleratedFailureThreshold"
    with pytest.raises(states.exceptions.ValidationException) as refused:
        states.update_map_run(mapRunArn=arn, maxConcurrency=1)
    assert refused.value.response["reason"] == "CANNOT_UPDATE_COMPLETED_MAP_RUN"
    with pytest.raises(states.exceptions.ResourceNotFound):
        states.describe_map_run(mapRunArn=arn + "0")
    with pytest.raises(ClientError, match="labeled"):
        states.start_execution(stateMachineArn=f"{STATES_ARN}:stateMachine:m/Children")


# -------- buckets

def test_readers(states, s3, bucket):
    rows = [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    table = io.StringIO()
    writer = csv.writer(table, delimiter="|")
    writer.writerows([["a", "b"]] + [[row["a"], row["b"]] for row in rows])
    for key, body in {
        "rows.csv": table.getvalue(), "rows.json": json.dumps({"deep": [{"rows": rows}]}),
        "object.json": json.dumps({"k": rows}), "rows.jsonl": "\n".join(map(json.dumps, rows)),
        "parts/1.jsonl": json.dumps(rows[0]), "parts/2.jsonl": json.dumps(rows[1]), "parts/": "",
        "number.json": "1",
    }.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    for source in [
        reader(bucket, "rows.csv", InputType="CSV", CSVHeaderLocation="FIRST_ROW", CSVDelimiter="PIPE"),
        reader(bucket, "rows.json", InputType="JSON", ItemsPointer="/deep/0/rows"),
        reader(bucket, "rows.jsonl", InputType="JSONL"),
        listing(bucket, "parts/", InputType="JSONL", Transformation="LOAD_AND_FLATTEN"),
    ]:
        assert output(run(states, distributed(ItemReader=source), {})[0]) == rows, source
        source["ReaderConfig"]["MaxItems"] = 1
        assert output(run(states, distributed(ItemReader=source), {})[0]) == rows[:1], source
    keyed = distributed(ItemReader=reader(bucket, "object.json", InputType="JSON"),
                        ItemSelector={"k.$": "$$.Map.Item.Key", "s.$": "$$.Map.Item.Source"})
    assert output(run(states, keyed, {})[0]) == [{"k": "k", "s": f"S3://{bucket}/object.json"}]
    found = output(run(states, distributed(ItemReader=listing(bucket, "parts/")), {})[0])
    assert [item["Key"] for item in found] == ["parts/", "parts/1.jsonl", "parts/2.jsonl"]
    assert set(found[0]) == {"Etag", "Key", "LastModified", "Size", "StorageClass"}

    for source, cause in [
        (reader(bucket, "number.json", InputType="JSON"), "Attempting to map over non-iterable node."),
        (reader(bucket, "absent.json", InputType="JSON"), "The specified key does not exist."),
        (reader(bucket, "rows.parquet", InputType="PARQUET"), "key does not exist"),
    ]:
        ended, run_ = run(states, distributed(ItemReader=source), {})
        assert ended["error"] == "States.ItemReaderFailed"
        assert cause in ended["cause"]
        assert run_["status"] == "FAILED"


def test_manifests(states, s3, bucket):
    data = gzip.compress(b'"b","one",1\n"b","two",2\n')
    s3.put_object(Bucket=bucket, Key="inventory/data.csv.gz", Body=data)
    s3.put_object(Bucket=bucket, Key="inventory/manifest.json", Body=json.dumps({
        "sourceBucket": bucket, "destinationBucket": f"arn:aws:s3:::{bucket}", "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size", "files": [{"key": "inventory/data.csv.gz", "size": len(data)}]}))
    inventory = reader(bucket, "inventory/manifest.json", InputType="MANIFEST")
    assert output(run(states, distributed(ItemReader=inventory), {})[0]) == [
        {"Bucket": "b", "Key": "one", "Size": "1"}, {"Bucket": "b", "Key": "two", "Size": "2"}]
    s3.put_object(Bucket=bucket, Key="unload/1.gz", Body=gzip.compress(b'{"n": 1}\n{"n": 2}\n'))
    s3.put_object(Bucket=bucket, Key="unload/manifest.csv", Body=f"s3://{bucket}/unload/1.gz\n")
    unload = reader(bucket, "unload/manifest.csv", ManifestType="ATHENA_DATA", InputType="JSONL")
    assert output(run(states, distributed(ItemReader=unload), {})[0]) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("config", [
    {}, {"Transformation": "COMPACT", "OutputType": "JSONL"}, {"Transformation": "FLATTEN", "OutputType": "JSON"}])
def test_results_are_written(states, s3, bucket, config):
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": bucket, "Prefix": "out/"}}
    machine = distributed(FAILS_ODD, ToleratedFailureCount=1, ResultWriter={**writer, "WriterConfig": config}
                          if config else writer, ItemBatcher=None)
    del machine["States"]["Map"]["ItemBatcher"]
    items = [{"odd": False, "n": 0}, {"odd": True, "n": 1}, {"odd": False, "n": 2}]
    ended, run_ = run(states, machine, items)
    told = output(ended)
    key = told["ResultWriterDetails"]["Key"]
    assert told == {"MapRunArn": run_["mapRunArn"], "ResultWriterDetails": {"Bucket": bucket, "Key": key}}
    assert key == f"out/{run_['mapRunArn'].rsplit(':', 1)[1]}/manifest.json"
    read = lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()  # noqa: E731
    manifest = json.loads(read(key))
    assert manifest["MapRunArn"] == run_["mapRunArn"]
    files = manifest["ResultFiles"]
    assert files["PENDING"] == []
    [failed] = files["FAILED"]
    [succeeded] = files["SUCCEEDED"]
    text = read(succeeded["Key"])
    assert len(text) == succeeded["Size"]
    lines = config.get("OutputType") == "JSONL"
    results = [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)
    if config:
        assert results == [items[0], items[2]]
    else:
        assert [json.loads(result["Output"]) for result in results] == [items[0], items[2]]
        assert {result["Status"] for result in results} == {"SUCCEEDED"}
    broken = read(failed["Key"])
    assert json.loads(broken if lines else broken[1:-1])["Error"] == "Odd"


def test_a_writer_without_a_bucket(states):
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": unique("absent"), "Prefix": "p"}}
    assert run(states, distributed(ResultWriter=writer), [1])[0]["error"] == "States.ResultWriterFailed"
    flat = distributed(ResultWriter={"WriterConfig": {"Transformation": "FLATTEN"}})
    assert output(run(states, flat, [[1, 2], 3, []])[0]) == [1, 2, 3]


# -------- a crash

OBJECTS = 300


@pytest.fixture
def endpoint():
    endpoint = InvokeEndpoint()
    endpoint.released.set()
    yield endpoint
    endpoint.close()


def test_a_crash_in_the_middle(make_server, endpoint):
    """`kill -9` at a random moment, twice. Children that had finished are not run again; all finish; nothing is lost."""
    server = make_server("--lambda-endpoint", endpoint.url)
    states, s3 = server.states, server.client("s3")
    bucket = unique("crash")
    s3.create_bucket(Bucket=bucket)
    for number in range(OBJECTS):
        s3.put_object(Bucket=bucket, Key=f"in/{number:05}", Body=b"x")
    work = {"StartAt": "Work", "States": {
        "Work": {"Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", "Next": "Rest"},
        "Rest": {"Type": "Wait", "Seconds": 1, "End": True}}}
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": bucket, "Prefix": "out"},
              "WriterConfig": {"Transformation": "COMPACT"}}
    machine = distributed(work, ItemReader=listing(bucket, "in/"), MaxConcurrency=20, ResultWriter=writer,
                          ItemSelector={"number.$": "$$.Map.Item.Index", "key.$": "$$.Map.Item.Value.Key"})
    execution = start(states, create(states, machine), {})
    finished = set()
    for _ in range(2):
        arrived = len(endpoint.arrived)
        until(lambda: len(endpoint.arrived) > arrived + random.randrange(10, 60), "some children to run")
        time.sleep(random.random() / 5)
        server.kill()
        invoked = collections.Counter(endpoint.arrived)
        server.start()
        states, s3 = server.states, server.client("s3")
        assert not [number for number in finished if invoked[number] > 1], "a finished child ran again"
        [run_] = states.list_map_runs(executionArn=execution)["mapRuns"]
        pages = states.get_paginator("list_executions").paginate(mapRunArn=run_["mapRunArn"], statusFilter="SUCCEEDED")
        done = [child["executionArn"] for page in pages for child in page["executions"]]
        inputs = [json.loads(states.describe_execution(executionArn=arn)["input"]) for arn in done]
        finished = {given["number"] for given in inputs if invoked[given["number"]] == 1}
    assert finish(states, execution)["status"] == "SUCCEEDED"
    invoked = collections.Counter(endpoint.arrived)
    assert len(invoked) == OBJECTS
    assert not [number for number in finished if invoked[number] > 1], "a finished child ran again"
    run_ = states.describe_map_run(mapRunArn=run_["mapRunArn"])
    assert counts(run_) == {"succeeded": OBJECTS, "total": OBJECTS, "resultsWritten": OBJECTS}
    manifest = json.loads(states.describe_execution(executionArn=execution)["output"])["ResultWriterDetails"]["Key"]
    files = json.loads(s3.get_object(Bucket=bucket, Key=manifest)["Body"].read())["ResultFiles"]
    results = json.loads(s3.get_object(Bucket=bucket, Key=files["SUCCEEDED"][0]["Key"])["Body"].read())
    assert [result["number"] for result in results] == list(range(OBJECTS))


# -------- redrive

def child_by_number(states, run_arn):
    pages = states.get_paginator("list_executions").paginate(mapRunArn=run_arn)
    children = [child for page in pages for child in page["executions"]]
    given = [json.loads(states.describe_execution(executionArn=child["executionArn"])["input"]) for child in children]
    return {item["number"]: child for item, child in zip(given, children)}


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_only_children_that_failed_run_again(make_server, endpoint, kind):
    """The function refuses odd numbers until it is mended."""
    states = make_server("--lambda-endpoint", endpoint.url).states
    endpoint.refused = {1, 3}
    work = {"StartAt": "Work", "States": {"Work": {
        "Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", "End": True}}}
    machine = distributed(work, kind, MaxConcurrency=1, ToleratedFailureCount=1)
    items = [{"number": number} for number in range(6)]
    execution = start(states, create(states, machine), items)
    assert finish(states, execution)["error"] == "States.ExceedToleratedFailureThreshold"
    [run_] = states.list_map_runs(executionArn=execution)["mapRuns"]
    run_arn = run_["mapRunArn"]
    failed = states.describe_map_run(mapRunArn=run_arn)
    assert (failed["status"], failed["redriveCount"], "redriveDate" in failed) == ("FAILED", 0, False)
    assert counts(failed) == {"succeeded": 2, "failed": 2, "pending": 2, "total": 6, "resultsWritten": 2}
    endpoint.refused = set()
    if kind == "EXPRESS":
        states.redrive_execution(executionArn=execution)
        assert output(finish(states, execution)) == items
        assert endpoint.arrived[:4] == [0, 1, 2, 3] and sorted(endpoint.arrived[4:]) == [1, 3, 4, 5]
        redriven = states.describe_map_run(mapRunArn=run_arn)
        assert (redriven["status"], redriven["redriveCount"]) == ("SUCCEEDED", 1)
        assert counts(redriven) == {"succeeded": 6, "total": 6, "resultsWritten": 6}
        children = states.list_executions(mapRunArn=run_arn)["executions"]
        assert [child["redriveCount"] for child in children] == [0] * 8
        assert len(states.list_executions(mapRunArn=run_arn, statusFilter="FAILED")["executions"]) == 2
        return
    before = child_by_number(states, run_arn)
    described = states.describe_execution(executionArn=before[1]["executionArn"])
    assert described["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    with pytest.raises(ClientError) as refused:
        states.redrive_execution(executionArn=before[1]["executionArn"])
    assert refused.value.response["Error"]["Code"] == "ExecutionNotRedrivable"
    states.redrive_execution(executionArn=execution)
    assert output(finish(states, execution)) == items
    assert endpoint.arrived == [0, 1, 2, 3, 1, 3, 4, 5]
    redriven = states.describe_map_run(mapRunArn=run_arn)
    assert (redriven["status"], redriven["redriveCount"]) == ("SUCCEEDED", 1)
    assert redriven["redriveDate"] > redriven["startDate"]
    assert counts(redriven) == {"succeeded": 6, "total": 6, "resultsWritten": 6}
    events = history(states, execution)
    at = [event["type"] for event in events].index("ExecutionRedriven")
    assert [event["type"] for event in events[at:]] == [
        "ExecutionRedriven", "MapRunRedriven", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited",
        "ExecutionSucceeded"]
    assert events[at + 1]["mapRunRedrivenEventDetails"] == {"mapRunArn": run_arn, "redriveCount": 1}

    def listed(**filters):
        return states.list_executions(mapRunArn=run_arn, **filters)["executions"]

    assert listed(statusFilter="PENDING_REDRIVE") == []
    after = child_by_number(states, run_arn)
    assert {number: after[number]["executionArn"] for number in before} == {
        number: child["executionArn"] for number, child in before.items()}
    assert [after[number]["redriveCount"] for number in range(6)] == [0, 1, 0, 1, 0, 0]
    assert {child["executionArn"] for child in listed(redriveFilter="REDRIVEN")} == {
        before[number]["executionArn"] for number in (1, 3)}
    assert len(listed(redriveFilter="NOT_REDRIVEN")) == 4
    types = [event["type"] for event in history(states, before[1]["executionArn"])]
    assert types == ["ExecutionStarted", "TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted",
                     "LambdaFunctionFailed", "ExecutionFailed", "ExecutionRedriven", "LambdaFunctionScheduled",
                     "LambdaFunctionStarted", "LambdaFunctionSucceeded", "TaskStateExited", "ExecutionSucceeded"]


def test_children_wait_for_a_place_to_be_redriven(states):
    work = {"StartAt": "Rest", "States": {"Rest": {"Type": "Wait", "SecondsPath": "$", "End": True}}}
    execution = start(states, create(states, distributed(work)), [0, 3600, 3600])
    [run_] = until(lambda: states.list_map_runs(executionArn=execution)["mapRuns"], "its Map Run")
    run_arn = run_["mapRunArn"]

    def is_like(**wanted):
        until(lambda: counts(states.describe_map_run(mapRunArn=run_arn)) == {"total": 3, **wanted}, f"{wanted}")

    is_like(succeeded=1, resultsWritten=1, running=2)
    states.update_map_run(mapRunArn=run_arn, maxConcurrency=1)
    states.stop_execution(executionArn=execution)
    is_like(succeeded=1, resultsWritten=1, aborted=2)
    states.redrive_execution(executionArn=execution)
    is_like(succeeded=1, resultsWritten=1, running=1, pendingRedrive=1)
    [waiting] = states.list_executions(mapRunArn=run_arn, statusFilter="PENDING_REDRIVE")["executions"]
    assert waiting["status"] == "PENDING_REDRIVE"
    assert states.describe_execution(executionArn=waiting["executionArn"])["status"] == "PENDING_REDRIVE"
    assert states.list_executions(mapRunArn=run_arn, statusFilter="ABORTED")["executions"] == []
    states.stop_execution(executionArn=execution)
    is_like(succeeded=1, resultsWritten=1, aborted=2)
    assert len(states.list_executions(mapRunArn=run_arn, statusFilter="ABORTED")["executions"]) == 2


def test_a_crash_in_a_redriven_run(make_server, endpoint):
    """`kill -9` while a Map Run is being redriven: nobody runs again who had finished, or is redriven twice."""
    server = make_server("--lambda-endpoint", endpoint.url)
    states = server.states
    endpoint.refused = set(range(0, 100, 2))
    work = {"StartAt": "Work", "States": {
        "Work": {"Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", "Next": "Rest"},
        "Rest": {"Type": "Wait", "Seconds": 1, "End": True}}}
    machine = distributed(work, MaxConcurrency=10, ToleratedFailureCount=30)
    items = [{"number": number} for number in range(100)]
    execution = start(states, create(states, machine), items)
    assert finish(states, execution)["status"] == "FAILED"
    [run_] = states.list_map_runs(executionArn=execution)["mapRuns"]

    def succeeded():
        pages = states.get_paginator("list_executions").paginate(mapRunArn=run_["mapRunArn"], statusFilter="SUCCEEDED")
        return {child["executionArn"] for page in pages for child in page["executions"]}

    def ends():
        return {arn: [event["id"] for event in history(states, arn)] for arn in succeeded()}

    endpoint.refused = set()
    done = ends()
    assert done
    states.redrive_execution(executionArn=execution)
    for _ in range(2):
        arrived = len(endpoint.arrived)
        until(lambda: len(endpoint.arrived) > arrived + random.randrange(10, 20), "some children to run")
        server.kill()
        states = server.start().states
        now = ends()
        assert {arn: now.get(arn) for arn in done} == done, "a finished child went on"
        done = now
    assert output(finish(states, execution)) == items
    run_ = states.describe_map_run(mapRunArn=run_["mapRunArn"])
    assert (run_["status"], run_["redriveCount"]) == ("SUCCEEDED", 1)
    assert counts(run_) == {"succeeded": 100, "total": 100, "resultsWritten": 100}
    children = child_by_number(states, run_["mapRunArn"])
    assert len(children) == 100 and {child["redriveCount"] for child in children.values()} == {0, 1}
    now = ends()
    assert {arn: now[arn] for arn in done} == done, "a finished child went on"
