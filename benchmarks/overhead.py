"""What the delivery line costs beside its work: push to production InService, against the same work as plain processes.

Both run one after the other on this machine, on the example's three months of data. The line is deployed and has been
used once (its environments are installed), as it is at every push but the first. Waiting for the approver is left out.

    make benchmark
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import settings
from slipway.example_data import write_example
from tests.delivery_line import ROOT, DeliveryLine

RUNS = 3
AIM_FACTOR, AIM_SECONDS = 1.5, 10.0


def measure_line(line: DeliveryLine, run: int) -> tuple[float, list[tuple[str, float]]]:
    """One push, approved as soon as it waits: wall seconds without the waiting, and the seconds of each action."""
    line.edit("slipway.yaml", r"trees: \d+", f"trees: {101 + run}")
    line.commit(f"Run {run}")
    known = _executions(line)
    started = time.perf_counter()
    line.push()
    execution = _wait(lambda: next((id for id in _executions(line) if id not in known), None))
    waited = _approve(line, execution)
    _wait(lambda: _status(line, execution) == "Succeeded")
    wall = time.perf_counter() - started - waited
    return wall, _actions(line, execution)


def _approve(line: DeliveryLine, execution: str) -> float:
    """Approve as soon as the pipeline waits for it; the seconds from its waiting to its going on."""
    pipeline = line.client("codepipeline")

    def token() -> str | None:
        if _status(line, execution) in ("Failed", "Stopped"):
            raise SystemExit("the pipeline failed: slipway status tells why")
        stages = pipeline.get_pipeline_state(name="flight-delays")["stageStates"]
        action = next(s for s in stages if s["stageName"] == "Approve")["actionStates"][0].get("latestExecution", {})
        found: str | None = action.get("token") if action.get("status") == "InProgress" else None
        return found

    found = _wait(token)
    started = time.perf_counter()
    pipeline.put_approval_result(
        pipelineName="flight-delays", stageName="Approve", actionName="Approve", token=found,
        result={"summary": "benchmark", "status": "Approved"},
    )  # fmt: skip
    return time.perf_counter() - started


def _executions(line: DeliveryLine) -> set[str]:
    return {execution["pipelineExecutionId"] for execution in line.executions()}


def _status(line: DeliveryLine, execution: str) -> str:
    return str(next(e["status"] for e in line.executions() if e["pipelineExecutionId"] == execution))


def _actions(line: DeliveryLine, execution: str) -> list[tuple[str, float]]:
    details = line.client("codepipeline").list_action_executions(
        pipelineName="flight-delays", filter={"pipelineExecutionId": execution}
    )["actionExecutionDetails"]
    ordered = sorted(details, key=lambda action: action["startTime"])
    return [
        (f"{a['stageName']} {a['actionName']}", (a["lastUpdateTime"] - a["startTime"]).total_seconds()) for a in ordered
    ]


def measure_plain(folder: Path, data: Path) -> list[tuple[str, float]]:
    """Prepare, train, evaluate, and serve to the first answer, as processes one after the other: seconds of each."""
    config = settings.load(ROOT / "slipway.yaml", overlay="local")
    opt = folder / "opt"
    shutil.copytree(data, opt / "processing/input/raw")
    (opt / "processing/output/dataset").mkdir(parents=True)
    split = config.data.split.model_dump_json()
    times = [("prepare", _run("prepare", opt, SLIPWAY_SPLIT=split))]
    for channel in ("train", "validation"):
        shutil.copytree(opt / "processing/output/dataset" / channel, opt / "input/data" / channel)
    (opt / "input/config").mkdir(parents=True)
    (opt / "model").mkdir()
    parameters = {name: str(value) for name, value in config.training.hyperparameters.items()}
    (opt / "input/config/hyperparameters.json").write_text(json.dumps(parameters))
    times.append(("train", _run("train", opt)))
    (opt / "processing/input/model").mkdir()
    subprocess.run(["tar", "czf", opt / "processing/input/model/model.tar.gz", "-C", opt / "model", "."], check=True)
    shutil.copytree(opt / "processing/output/dataset/holdout", opt / "processing/input/holdout")
    (opt / "processing/output/evaluation").mkdir()
    times.append(("evaluate", _run("evaluate", opt)))
    times.append(("serve", _serve(opt)))
    return times


def _run(command: str, opt: Path, **variables: str) -> float:
    started = time.perf_counter()
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(opt), "PYTHONPATH": str(ROOT), **variables}
    subprocess.run(
        [sys.executable, "-m", "model_code", command], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - started


def _serve(opt: Path) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, "SAGEMAKER_BASE_DIR": str(opt), "PYTHONPATH": str(ROOT),
        "SAGEMAKER_BIND_TO_PORT": str(port), "SLIPWAY_BIND_ADDRESS": "127.0.0.1",
    }  # fmt: skip
    started = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "model_code", "serve"], env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(lambda: _answers(f"http://127.0.0.1:{port}/ping"))
        return time.perf_counter() - started
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
        return bool(answer.status == 200)
    return False


def _wait(check: Callable[[], Any], seconds: float = 600) -> Any:
    deadline = time.perf_counter() + seconds
    while not (found := check()):
        if time.perf_counter() > deadline:
            raise SystemExit(f"nothing happened within {seconds} s")
        time.sleep(0.05)
    return found


def _peak_mib(line: DeliveryLine) -> int:
    """The largest resident memory that the local cloud's own process has had, in MiB (Linux)."""
    server = json.loads((line.folder / ".slipway/local-cloud/server.json").read_text())
    status = Path(f"/proc/{server['pid']}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def report(
    lines: list[tuple[float, list[tuple[str, float]]]], plains: list[list[tuple[str, float]]], memory_mib: int
) -> None:
    """Print the medians: each plain process, each action, and the whole beside the aim."""
    console = Console(width=100)
    plain_total = _median([sum(seconds for _, seconds in run) for run in plains])
    wall = _median([seconds for seconds, _ in lines])
    table = Table("part", "seconds", title=f"Medians of {RUNS} runs")
    for n, (name, _) in enumerate(plains[0]):
        table.add_row(f"plain {name}", f"{_median([run[n][1] for run in plains]):.2f}")
    table.add_row("plain processes, all", f"{plain_total:.2f}", end_section=True)
    for name, _ in lines[0][1]:
        table.add_row(name, f"{_median([dict(actions)[name] for _, actions in lines]):.2f}")
    table.add_row("push to production, without the approval", f"{wall:.2f}", end_section=True)
    aim = AIM_FACTOR * plain_total + AIM_SECONDS
    table.add_row(f"aim: {AIM_FACTOR} x plain + {AIM_SECONDS:.0f} s", f"{aim:.2f}")
    console.print(table)
    console.print("The runs, push to production: " + ", ".join(f"{seconds:.2f} s" for seconds, _ in lines))
    console.print(f"The local cloud's process took {memory_mib} MiB at most, its builds, jobs and endpoints besides.")


def main() -> None:
    """Deploy a line, use it once, then measure."""
    with tempfile.TemporaryDirectory(prefix="slipway-benchmark-") as name:
        folder = Path(name)
        (folder / "line").mkdir()
        line = DeliveryLine.make(folder / "line")
        print("Deploying a delivery line and using it once ...", flush=True)
        line.slipway("up", "--port", str(line.port))
        try:
            measure_line(line, 0)
            lines, plains = [], []
            write_example(folder / "data", range(1, 4))
            for run in range(1, RUNS + 1):
                print(f"Run {run} of {RUNS} ...", flush=True)
                lines.append(measure_line(line, run))
                plains.append(measure_plain(folder / f"plain-{run}", folder / "data"))
            memory = _peak_mib(line)
        finally:
            line.slipway("down", check=False)
    report(lines, plains, memory)


if __name__ == "__main__":
    main()
