"""Buckets and rules by the AWS CLI and boto3: AWS's own tutorial, and what a bucket promises to its readers."""
import concurrent.futures
import json

import pytest
from botocore.exceptions import ClientError

from functions_client import create_function
from loveless_server import ROLE
from machines import chain, create, finish, output, task_machine, unique, until


@pytest.fixture(scope="module")
def buckets(server):
    return server.client("s3")


@pytest.fixture
def bucket(buckets):
    name = unique("bucket")
    buckets.create_bucket(Bucket=name)
    return name


@pytest.fixture
def machine(states):
    return create(states, chain(Only={"Type": "Succeed"}))


def started(states, machine, count=1):
    """The inputs of a machine's executions, once there are that many."""
    def look():
        listed = states.list_executions(stateMachineArn=machine)["executions"]
        return listed if len(listed) >= count else None
    executions = until(look, f"{count} executions to start")
    return [json.loads(finish(states, item["executionArn"])["input"]) for item in executions]


def put_rule(events, pattern, machine, **target):
    name = unique("rule")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    answer = events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": machine, "RoleArn": ROLE, **target}])
    assert answer["FailedEntryCount"] == 0
    return name


def test_the_tutorial_by_the_command_line(server, states, machine, tmp_path):
    bucket, rule = unique("tutorial"), unique("rule")
    server.aws("s3api", "create-bucket", "--bucket", bucket)
    server.aws("s3api", "put-bucket-notification-configuration", "--bucket", bucket,
               "--notification-configuration", '{"EventBridgeConfiguration": {}}')
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"],
               "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": "incoming/"}]}}}
    server.aws("events", "put-rule", "--name", rule, "--event-pattern", json.dumps(pattern))
    target = {"Id": "machine", "Arn": machine, "RoleArn": ROLE, "InputTransformer": {
        "InputPathsMap": {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key", "size": "$.detail.object.size"},
        "InputTemplate": '{"bucket": <bucket>, "key": <key>, "size": <size>}'}}
    answer = server.aws("events", "put-targets", "--rule", rule, "--targets", json.dumps([target]))
    assert answer["FailedEntryCount"] == 0
    picture = tmp_path / "picture.txt"
    picture.write_text("0123456789")
    server.aws("s3", "cp", str(picture), f"s3://{bucket}/ignored/picture.txt")
    server.aws("s3", "cp", str(picture), f"s3://{bucket}/incoming/picture.txt")
    assert started(states, machine) == [{"bucket": bucket, "key": "incoming/picture.txt", "size": 10}]


def test_the_whole_event_is_the_input_without_a_transformer(server, states, buckets, bucket, machine):
    buckets.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    put_rule(server.client("events"), {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}, machine)
    etag = buckets.put_object(Bucket=bucket, Key="a b/ü.txt", Body=b"hello")["ETag"].strip('"')
    [event] = started(states, machine)
    assert (event["version"], event["detail-type"], event["source"]) == ("0", "Object Created", "aws.s3")
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    found = event["detail"]["object"]
    assert (found["key"], found["size"], found["etag"]) == ("a b/ü.txt", 5, etag)
    assert event["detail"]["reason"] == "PutObject"


def test_a_bucket_that_was_not_asked_to_tell_is_silent(server, states, buckets, bucket, machine):
    events = server.client("events")
    put_rule(events, {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}, machine)
    put_rule(events, {"source": ["test.later"]}, machine)
    buckets.put_object(Bucket=bucket, Key="quiet", Body=b"")
    # An event sent later arrives; the silent one did not come before it.
    events.put_events(Entries=[{"Source": "test.later", "DetailType": "x", "Detail": "{}"}])
    assert [event["source"] for event in started(states, machine)] == ["test.later"]


@pytest.mark.parametrize("pattern, matching, other", [
    ({"detail": {"n": [{"numeric": [">", 1, "<=", 5]}]}}, {"n": 5}, {"n": 1}),
    ({"detail": {"s": [{"suffix": ".png"}]}}, {"s": "a.png"}, {"s": "a.png.txt"}),
    ({"detail": {"s": [{"anything-but": ["a", "b"]}]}}, {"s": "c"}, {"s": "a"}),
    ({"detail": {"s": [{"exists": True}]}}, {"s": None}, {"t": 1}),
    ({"detail": {"s": [{"exists": False}]}}, {"t": 1}, {"s": 1}),
    ({"detail": {"s": [{"wildcard": "in/*/x.*"}]}}, {"s": "in/2/x.tif"}, {"s": "in/x.tif"}),
    ({"detail": {"s": ["a", {"prefix": "b"}]}}, {"s": ["z", "bc"]}, {"s": ["z"]}),
])
def test_patterns_choose(server, states, machine, pattern, matching, other):
    events, source = server.client("events"), unique("source")
    put_rule(events, {"source": [source], **pattern}, machine, InputPath="$.detail")
    for detail in (other, matching):
        answer = events.put_events(Entries=[{"Source": source, "DetailType": "test", "Detail": json.dumps(detail)}])
        assert answer["FailedEntryCount"] == 0
    assert started(states, machine) == [matching]


def test_a_constant_input(server, states, machine):
    events, source = server.client("events"), unique("source")
    put_rule(events, {"source": [source]}, machine, Input='{"constant": true}')
    events.put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": "{}"}])
    assert started(states, machine) == [{"constant": True}]


def test_a_disabled_rule_and_a_removed_target_start_nothing(server, states, machine):
    events, source, marker = server.client("events"), unique("source"), unique("marker")
    disabled = put_rule(events, {"source": [source]}, machine)
    events.disable_rule(Name=disabled)
    removed = put_rule(events, {"source": [source]}, machine)
    events.remove_targets(Rule=removed, Ids=["1"])
    put_rule(events, {"source": [marker]}, machine)
    events.put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": "{}"}])
    events.put_events(Entries=[{"Source": marker, "DetailType": "x", "Detail": "{}"}])
    assert [event["source"] for event in started(states, machine)] == [marker]


def test_a_bad_pattern_is_refused(server):
    events = server.client("events")
    with pytest.raises(events.exceptions.InvalidEventPatternException):
        events.put_rule(Name=unique("bad"), EventPattern='{"source": "not a list"}')


def test_objects_come_back_as_they_went(buckets, bucket):
    body = bytes(range(256)) * 4096
    buckets.put_object(Bucket=bucket, Key="k", Body=body, ContentType="image/x-test", Metadata={"who": "me"})
    found = buckets.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == body
    assert (found["ContentType"], found["Metadata"]) == ("image/x-test", {"who": "me"})
    part = buckets.get_object(Bucket=bucket, Key="k", Range="bytes=10-19")
    assert part["Body"].read() == body[10:20]
    buckets.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert buckets.head_object(Bucket=bucket, Key="copy")["ContentLength"] == len(body)
    buckets.delete_object(Bucket=bucket, Key="k")
    with pytest.raises(buckets.exceptions.NoSuchKey):
        buckets.get_object(Bucket=bucket, Key="k")


def test_multipart_upload(server, buckets, bucket, tmp_path):
    picture = tmp_path / "large"
    picture.write_bytes(bytes(range(251)) * 80_000)
    server.aws("s3", "cp", str(picture), f"s3://{bucket}/large")
    back = tmp_path / "back"
    server.aws("s3", "cp", f"s3://{bucket}/large", str(back))
    assert back.read_bytes() == picture.read_bytes()
    # The CLI sends 20 MB in parts: the ETag of such an object says how many.
    assert "-" in buckets.head_object(Bucket=bucket, Key="large")["ETag"]


def test_lists_page_with_prefix_and_delimiter(buckets, bucket):
    for key in ("a/1", "a/2", "b", "c/1"):
        buckets.put_object(Bucket=bucket, Key=key, Body=b"")
    pages = buckets.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1})
    found = [item for page in pages for item in
             [x["Key"] for x in page.get("Contents", [])] + [x["Prefix"] for x in page.get("CommonPrefixes", [])]]
    assert sorted(found) == ["a/", "b", "c/"]
    assert [x["Key"] for x in buckets.list_objects_v2(Bucket=bucket, Prefix="a/")["Contents"]] == ["a/1", "a/2"]


@pytest.mark.parametrize("key", ["../esc", "..", "a/../../b", "/abs", "a//b", "k", "k/sub", "x" * 1024])
def test_no_key_leaves_its_bucket(buckets, bucket, server, key):
    other = unique("other")
    buckets.create_bucket(Bucket=other)
    before = {path for path in server.folder.rglob("*") if "esc" in path.name}
    buckets.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert buckets.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert "Contents" not in buckets.list_objects_v2(Bucket=other)
    assert {path for path in server.folder.rglob("*") if "esc" in path.name} == before


def test_sixteen_clients_see_every_put_at_once(server, bucket):
    """After a PUT returned, every GET and every LIST sees it, whoever asks."""
    def work(number):
        mine, reader = server.client("s3"), server.client("s3")
        for turn in range(8):
            key, body = f"{number:02}/{turn}", f"{number}-{turn}".encode()
            mine.put_object(Bucket=bucket, Key=key, Body=body)
            assert reader.get_object(Bucket=bucket, Key=key)["Body"].read() == body
            listed = [x["Key"] for x in reader.list_objects_v2(Bucket=bucket, Prefix=f"{number:02}/")["Contents"]]
            assert listed == [f"{number:02}/{done}" for done in range(turn + 1)]
            mine.put_object(Bucket=bucket, Key=key, Body=body * 2)
            assert reader.get_object(Bucket=bucket, Key=key)["Body"].read() == body * 2
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))


def test_errors_of_buckets_have_their_names(buckets, bucket):
    with pytest.raises(ClientError) as caught:
        buckets.put_object(Bucket=unique("absent"), Key="k", Body=b"")
    assert caught.value.response["Error"]["Code"] == "NoSuchBucket"
    buckets.put_object(Bucket=bucket, Key="k", Body=b"")
    with pytest.raises(ClientError) as caught:
        buckets.delete_bucket(Bucket=bucket)
    assert caught.value.response["Error"]["Code"] == "BucketNotEmpty"
    with pytest.raises(ClientError) as caught:
        buckets.put_object(Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*")
    assert caught.value.response["Error"]["Code"] == "PreconditionFailed"


def test_objects_and_rules_survive_a_kill(make_server):
    server = make_server()
    buckets, bucket = server.client("s3"), unique("bucket")
    buckets.create_bucket(Bucket=bucket)
    buckets.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    machine = create(server.states, chain(Only={"Type": "Succeed"}))
    put_rule(server.client("events"), {"source": ["aws.s3"]}, machine, InputPath="$.detail.object.key")
    buckets.put_object(Bucket=bucket, Key="before", Body=b"kept")
    server.kill()
    server.start()
    buckets = server.client("s3")
    assert buckets.get_object(Bucket=bucket, Key="before")["Body"].read() == b"kept"
    buckets.put_object(Bucket=bucket, Key="after", Body=b"")
    # The event of an acknowledged PUT is not lost with the process either.
    assert set(started(server.states, machine, 2)) == {"before", "after"}


def test_a_function_writes_where_the_state_says(server, states, buckets, bucket):
    function = create_function(server.client("lambda"), "write_object")
    definition = task_machine(function)
    assert output(states, definition, {"bucket": bucket, "key": "out", "text": "made"}) == {"written": "out"}
    assert buckets.get_object(Bucket=bucket, Key="out")["Body"].read() == b"made"
