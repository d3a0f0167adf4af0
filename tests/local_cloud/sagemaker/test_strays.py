"""Processes that leave their container's process group end with the container, as they do on AWS."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from eventually import eventually
from local_cloud_sagemaker import SageMakerCloud, alive

from local_cloud.processes import Processes
from local_cloud.sagemaker.containers import Command
from local_cloud.sagemaker.instances import ContainerGoneError, Instance

SERVER = """
import http.server, os, pathlib, subprocess, sys
stray = subprocess.Popen(["setsid", "sleep", "600"])
pathlib.Path("strays").open("a").write(f"{stray.pid} ")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("content-length", "0"); self.end_headers()
    def do_POST(self):
        os._exit(1)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_process_that_leaves_a_jobs_container_ends_with_the_job(sagemaker: SageMakerCloud) -> None:
    script = "setsid sleep 600 >/dev/null 2>&1 & echo stray $!"
    job = sagemaker.train(
        AlgorithmSpecification={
            "TrainingImage": sagemaker.image, "TrainingInputMode": "File", "ContainerEntrypoint": ["/bin/sh", "-c"],
            "ContainerArguments": [script],
        }
    )  # fmt: skip
    assert job["TrainingJobStatus"] == "Completed"
    lines = sagemaker.log_lines("/aws/sagemaker/TrainingJobs", job["TrainingJobName"])
    (stray,) = [int(line.split()[1]) for line in lines if line.startswith("stray")]
    eventually(lambda: not alive(stray), 5)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    def background(work: Callable[[], None], name: str) -> None:
        threading.Thread(target=work, name=name, daemon=True).start()

    def command(port: int) -> Command:
        environment = {"PATH": "/usr/bin:/bin", "SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_BASE_DIR": "shared"}
        return Command([sys.executable, "-c", SERVER, str(port)], environment, tmp_path)

    machine = SimpleNamespace(processes=Processes(), client=MagicMock(), background=background)
    made = Instance(machine, command, MagicMock(), "instance", 10)  # type: ignore[arg-type]
    made.start()
    yield made
    made.stop()
    machine.processes.close(0)


def test_a_process_that_leaves_an_endpoints_container_ends_when_that_crashes_or_is_stopped(
    instance: Instance, tmp_path: Path
) -> None:
    def strays() -> list[int]:
        return [int(pid) for pid in (tmp_path / "strays").read_text().split()]

    with pytest.raises(ContainerGoneError):
        instance.invoke(b"crash", {})
    eventually(lambda: len(strays()) == 2 and instance.ready)
    assert [alive(pid) for pid in strays()] == [False, True]
    instance.stop()
    eventually(lambda: not any(alive(pid) for pid in strays()), 5)
