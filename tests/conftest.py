"""One server for the tests that leave no trace in each other, and a maker of servers for those that kill theirs."""
import pytest

from loveless_server import Server
from programs import Program


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Shared: a test may not stop it, and names everything that it makes with `unique`."""
    server = Server(tmp_path_factory.mktemp("shared")).start()
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def server_lives(request):
    """Whatever a test did, the shared server is still there afterwards."""
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        assert server.alive(), f"the server died during {request.node.name}:\n{server.said()[-4000:]}"


@pytest.fixture(scope="session")
def states(server):
    return server.states


@pytest.fixture
def make_server(tmp_path):
    """Starts servers of a test's own, each on a fresh data folder."""
    servers = []

    def make(*arguments):
        servers.append(Server(tmp_path / f"server-{len(servers)}", *arguments))
        return servers[-1].start()

    yield make
    for made in servers:
        made.kill()


@pytest.fixture
def program(server, tmp_path):
    """Starts programs that work for the shared server until the test is over."""
    programs = []

    def begin(*command, **variables):
        programs.append(Program(server, command, tmp_path / f"program-{len(programs)}.log", **variables))
        return programs[-1]

    yield begin
    for begun in programs:
        begun.kill()
