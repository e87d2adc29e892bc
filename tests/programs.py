"""Other people's programs as processes of their own: started with the environment that points AWS clients at a server,
and killed with all their children, for some of them do not end when asked to."""
import os
import pathlib
import signal
import subprocess
import sys

CLIENTS = pathlib.Path(__file__).parent / "clients"


def installed(name):
    """A program that the test command's set-up put beside this Python."""
    return pathlib.Path(sys.executable).parent / name


def variables(server):
    """The environment of a client, with our own workers' modules on Python's path."""
    return {**os.environ, **server.variables(), "PYTHONPATH": str(CLIENTS), "PYTHONDONTWRITEBYTECODE": "1"}


class Program:
    """A worker that runs until it is killed."""

    def __init__(self, server, command, log, **more):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out, start_new_session=True, env={**variables(server), **more})

    def kill(self):
        """SIGKILL for the whole group: stefuna hangs on a SIGTERM that its pool gets as well."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def said(self):
        return self.log.read_text(errors="replace")


def call(server, *command, seconds_max=120, **more):
    """A program that ends by itself; returns what it printed, and fails if it did."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=seconds_max, env={**variables(server), **more})
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout
