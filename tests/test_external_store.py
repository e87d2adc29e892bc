"""Functions may keep their objects in another S3-compatible store: here SeaweedFS, from a package of the environment."""
import contextlib
import os
import pathlib
import subprocess
import sys
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from functions_client import create_function
from loveless_server import Server, free_port
from machines import output, task_machine

READY_SECONDS_MAX = 90


class Weed:
    def __init__(self, folder):
        self.port = free_port()
        ports = {name: free_port() for name in (
            "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
            "s3.port.grpc")}
        program = pathlib.Path(sys.executable).parent / "weed"
        folder.mkdir()
        self.log = folder / "weed.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
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


@pytest.fixture
def weed(tmp_path):
    weed = Weed(tmp_path / "weed")
    yield weed
    weed.process.kill()
    weed.process.wait()


def test_a_function_writes_to_another_store(make_server, weed):
    server = make_server("--s3-endpoint", weed.url)

    class There(Server):
        """The same clients, with S3 elsewhere: AWS's own switch for one service."""
        def variables(self):
            return {**super().variables(), "AWS_ENDPOINT_URL_S3": weed.url}
    elsewhere = There(server.folder)
    elsewhere.port = server.port
    objects = elsewhere.client("s3")
    weed.wait_until_it_takes_objects(objects)

    machine = task_machine(create_function(server.client("lambda"), "write_object"))
    given = {"bucket": "pictures", "key": "in/a.txt", "text": "kept elsewhere"}
    assert output(server.states, machine, given) == {"written": "in/a.txt"}
    assert objects.get_object(Bucket="pictures", Key="in/a.txt")["Body"].read() == b"kept elsewhere"
    # And not here.
    with pytest.raises(ClientError) as caught:
        server.client("s3").get_object(Bucket="pictures", Key="in/a.txt")
    assert caught.value.response["Error"]["Code"] == "NoSuchBucket"
