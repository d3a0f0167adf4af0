import socket
import subprocess
import sys
from pathlib import Path

from local_cloud_server import ROOT, CloudServer


def _run(port: int, state_dir: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "local_cloud", "--port", str(port), "--state-dir", str(state_dir)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = _run(port, tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"local_cloud: port {port} of 127.0.0.1 is in use")
    assert "choose another with --port" in ended.stderr


def test_a_second_server_may_not_use_the_state_of_one_that_runs(tmp_path: Path) -> None:
    first = CloudServer.start(tmp_path)
    ended = _run(0, tmp_path)
    first.stop()
    assert ended.returncode == 1
    assert f"another local cloud runs on {tmp_path}; stop it first" in ended.stderr
