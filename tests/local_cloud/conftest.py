"""Fixtures: a real local cloud for the session, and servers of a test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fidelity_support import Registered, registered
from local_cloud_server import CloudServer


@pytest.fixture(scope="session")
def cloud_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudServer]:
    """One server for all tests of the session; use names of your own for what you make in it."""
    server = CloudServer.start(tmp_path_factory.mktemp("cloud"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    """The added services in this process, without a server."""
    with registered(tmp_path_factory.mktemp("registered")) as found:
        yield found


@pytest.fixture
def start_cloud(tmp_path: Path) -> Iterator[Callable[[], CloudServer]]:
    """Starts servers of the test's own, all on one state, to be killed and started again."""
    servers: list[CloudServer] = []

    def start() -> CloudServer:
        servers.append(CloudServer.start(tmp_path / "cloud"))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.stop()
