"""A `loveless serve` under test: start, kill, restart, and unmodified clients that find it by AWS_ENDPOINT_URL alone.

Knows the command line of the server and the environment of AWS clients. Refuses to know the API: no client gets an
`endpoint_url`, a patched signer or any other favour that a user's program would not get.
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import boto3
from botocore.config import Config

READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30

REGION = "us-east-1"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/states"


def binary():
    """The program under test; `cargo xtask test` names it, by hand it is the one that cargo built last."""
    named = os.environ.get("LOVELESS_BIN")
    path = pathlib.Path(named or pathlib.Path(__file__).parent.parent / "target/debug/loveless")
    if not path.exists():
        raise RuntimeError(f"{path} is not there: run `cargo build` first, or name the program in LOVELESS_BIN")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


ENVIRONMENT_LOCK = threading.Lock()


@contextlib.contextmanager
def environment(variables):
    """The process environment with these variables, for as long as a client is being made; one thread at a time."""
    with ENVIRONMENT_LOCK:
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


class Server:
    def __init__(self, folder, *arguments):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.port = free_port()
        self.arguments = arguments
        self.process = None

    # -------- life and death
    def start(self):
        """Starts it and waits for the line that says where it listens."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        said_before = len(self.said())
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [binary(), "serve", "--listen", f"127.0.0.1:{self.port}", "--data", self.data, *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while self.endpoint not in self.said()[said_before:]:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.said()}")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the server did not say that it is ready:\n{self.said()}")
            time.sleep(0.02)
        return self

    def kill(self):
        """SIGKILL: no goodbye."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def stop(self):
        """SIGTERM: an orderly end; returns the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # -------- clients
    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def variables(self):
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_ACCESS_KEY_ID": "loveless",
            "AWS_SECRET_ACCESS_KEY": "loveless",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            # A developer's own profile must not reach the tests.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service, **settings):
        """A boto3 client. One try per call, so that a test sees the first answer."""
        # A poll holds for up to 60 seconds, and the crash test has many calls in flight.
        settings = {"read_timeout": 75, "max_pool_connections": 64, "retries": {"total_max_attempts": 1}, **settings}
        with environment(self.variables()):
            return boto3.session.Session().client(service, config=Config(**settings))

    @property
    def states(self):
        return self.client("stepfunctions")

    def aws(self, *arguments, check=True):
        """The AWS CLI; returns its JSON output, or the finished process if it may fail."""
        cli = pathlib.Path(os.sys.executable).parent / "aws"
        done = subprocess.run([os.sys.executable, cli, "--output", "json", *arguments],
                              env={**os.environ, **self.variables()},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if not check:
            return done
        assert done.returncode == 0, f"aws {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        try:
            return json.loads(done.stdout) if done.stdout.strip() else {}
        except json.JSONDecodeError:
            return done.stdout
