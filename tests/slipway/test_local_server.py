import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.errors import LocalCloudError
from slipway.local_server import LocalServer, ServerRecord, refuse_taken_port
from slipway.target import Target, local_target
from tests.slipway.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    server = LocalServer(ROOT, tmp_path / "local-cloud")
    yield server
    server.stop()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def started(server: LocalServer, port: int) -> ServerRecord:
    """As a process of its own starts it, so that the server is nobody's child when it has started."""
    code = (
        "import os, sys; from pathlib import Path; from slipway.local_server import LocalServer;"
        "LocalServer(Path(sys.argv[1]), Path(sys.argv[2])).start(int(sys.argv[3]), os.environ)"
    )
    command = [sys.executable, "-c", code, str(ROOT), str(server.state_dir), str(port)]
    subprocess.run(command, check=True, cwd=ROOT, timeout=90)
    return server.require()


def target(record: ServerRecord) -> Target:
    return local_target(record, os.environ)


def test_it_starts_answers_and_stops(server: LocalServer, free_port: int) -> None:
    record = started(server, free_port)

    assert record.endpoint_url == f"https://127.0.0.1:{free_port}"
    assert target(record).client("sts").get_caller_identity()["Account"] == record.account_id

    stopped = server.stop()

    assert stopped == record
    assert server.running() is None
    assert not _lives(record.pid)
    refuse_taken_port(free_port)


def test_what_a_killed_server_had_stored_is_there_when_it_is_started_again(server: LocalServer, free_port: int) -> None:
    record = started(server, free_port)
    target(record).client("s3").create_bucket(Bucket="kept")
    target(record).client("s3").put_object(Bucket="kept", Key="a", Body=b"stored")

    os.kill(record.pid, signal.SIGKILL)
    wait_until(lambda: not _lives(record.pid))
    assert server.record() is not None  # stale: the killed server could not remove it
    assert server.running() is None
    again = started(server, free_port)

    assert again.pid != record.pid
    assert target(again).client("s3").get_object(Bucket="kept", Key="a")["Body"].read() == b"stored"


def test_a_second_start_is_refused(server: LocalServer, free_port: int) -> None:
    started(server, free_port)

    with pytest.raises(LocalCloudError, match="already runs"):
        server.start(free_port, os.environ)


def test_a_port_in_use_is_refused_with_its_owner_and_another_port(server: LocalServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port = owner.getsockname()[1]

        with pytest.raises(LocalCloudError, match=f"port {port} of 127.0.0.1 is in use") as raised:
            server.start(port, os.environ)

    assert str(os.getpid()) in raised.value.message
    assert raised.value.next_step is not None
    assert f"slipway up --port {port + 1}" in raised.value.next_step


def test_a_server_that_does_not_start_shows_what_it_wrote(tmp_path: Path, free_port: int) -> None:
    (tmp_path / "local_cloud.py").write_text("raise SystemExit('the disk is full')")
    server = LocalServer(tmp_path, tmp_path / "state")

    with pytest.raises(LocalCloudError, match="ended with exit code 1:\nthe disk is full"):
        server.start(free_port, {**os.environ, "PYTHONPATH": str(tmp_path)})


def test_a_record_whose_number_now_belongs_to_another_process_is_stale(server: LocalServer) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        write_record(server, pid=other.pid)

        assert server.running() is None
        assert server.stop() is None
        assert other.poll() is None  # it was not ended
        assert server.record() is None
        other.kill()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_an_unreadable_record_counts_as_none(server: LocalServer, text: str) -> None:
    server.state_dir.mkdir()
    (server.state_dir / "server.json").write_text(text)

    assert server.record() is None
    with pytest.raises(LocalCloudError, match="not running"):
        server.require()


def write_record(server: LocalServer, pid: int) -> None:
    server.state_dir.mkdir(parents=True, exist_ok=True)
    record = {"pid": pid, "port": 1, "endpoint_url": "https://127.0.0.1:1", "account_id": "000000000000",
              "ca_bundle": "ca.pem", "ca_folder": "trusted", "credentials_file": "credentials"}  # fmt: skip
    (server.state_dir / "server.json").write_text(
        json.dumps({**record, "region": "us-east-1", "started_at": "2026-11-21T07:00:00+00:00"})
    )


def _lives(pid: int) -> bool:
    """Whether a process runs; one that is dead but unburied does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
