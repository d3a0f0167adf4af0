import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.cdk import Cdk, failure_of, shortened
from slipway.errors import DeployError
from tests.slipway.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("line", "short"),
    [
        pytest.param(
            "x-pipeline |  2/15 | 7:14:25 AM | CREATE_COMPLETE      | AWS::SNS::Topic            | T (TD925BC7E) \n",
            "x-pipeline  CREATE_COMPLETE  AWS::SNS::Topic T",
            id="complete",
        ),
        pytest.param(
            "Toy | 3/4 | 7:14:25 AM | CREATE_FAILED | AWS::S3::Bucket | Data (D) it exists",
            "Toy  CREATE_FAILED  AWS::S3::Bucket Data",
            id="failed",
        ),
        pytest.param("Toy | 0/4 | 7:14:25 AM | CREATE_IN_PROGRESS | AWS::S3::Bucket | Data (D)", None, id="started"),
        pytest.param("✨  Synthesis time: 3.43s", "Synthesis time: 3.43s", id="synthesis"),
        pytest.param(" ✅  Toy (no changes)", "Toy (no changes)", id="no changes"),
        pytest.param("Toy: start: Building Toy Template", None, id="chatter"),
        pytest.param("", None, id="empty"),
    ],
)
def test_of_the_output_one_line_a_resource_is_left(line: str, short: str | None) -> None:
    assert shortened(line) == short


def test_the_reason_of_a_failure_is_picked_out() -> None:
    output = "\n".join(
        [
            "chatter",
            "Toy | 3/4 | 7:14:25 AM | CREATE_FAILED | AWS::S3::Bucket | Data (D) it exists",
            *["more chatter"] * 30,
            " ❌  Toy failed: ToolkitError: it exists",
        ]
    )

    assert failure_of(output).splitlines() == [
        "Toy | 3/4 | 7:14:25 AM | CREATE_FAILED | AWS::S3::Bucket | Data (D) it exists",
        "❌  Toy failed: ToolkitError: it exists",
    ]


def test_a_failure_without_a_marked_reason_is_told_by_its_last_lines() -> None:
    assert failure_of("\n".join(str(number) for number in range(50)), lines=2) == "48\n49"


def cdk(root: Path, script: str) -> Cdk:
    """A CLI that does what `script` says."""
    cli = root / "node_modules" / ".bin" / "cdk"
    cli.parent.mkdir(parents=True)
    cli.write_text(f"#!/bin/sh\n{script}\n")
    cli.chmod(0o755)
    return Cdk(root, root / ".slipway" / "logs", {"PATH": os.environ["PATH"]}, "local")


def test_the_output_is_kept_and_the_progress_told(tmp_path: Path) -> None:
    told: list[str] = []

    cdk(tmp_path, 'echo "T | 1/1 | 7:00:00 AM | CREATE_COMPLETE | AWS::SNS::Topic | X (X1)"; echo chatter >&2').deploy(
        told.append
    )

    assert told == ["T  CREATE_COMPLETE  AWS::SNS::Topic X"]
    assert "chatter" in (tmp_path / ".slipway" / "logs" / "cdk-deploy.log").read_text()


def test_the_cli_gets_the_overlay_and_the_programs_of_this_environment(tmp_path: Path) -> None:
    cdk(tmp_path, 'echo "overlay=$SLIPWAY_OVERLAY"; echo "path=$PATH"; echo "$@"').bootstrap(
        "000000000000", "us-east-1", print
    )

    output = (tmp_path / ".slipway" / "logs" / "cdk-bootstrap.log").read_text()
    assert "overlay=local\n" in output
    assert f"path={Path(sys.executable).parent}:" in output
    assert "bootstrap aws://000000000000/us-east-1" in output


def test_a_failure_is_told_with_its_reason_and_where_the_rest_is(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="cdk deploy failed:\n❌  X failed: no such role") as raised:
        cdk(tmp_path, 'echo "❌  X failed: no such role"; exit 1').deploy(print)

    assert raised.value.next_step == "read .slipway/logs/cdk-deploy.log"


def test_a_missing_cli_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="not installed") as raised:
        Cdk(tmp_path, tmp_path, {}, None).deploy(print)

    assert raised.value.next_step == "make setup"


def test_ctrl_c_ends_the_cli_and_what_it_started(tmp_path: Path) -> None:
    cdk(tmp_path, f"echo $$ > {tmp_path}/pid; sleep 600 & echo $! > {tmp_path}/child; wait")
    code = (
        "import signal, sys; from pathlib import Path; from slipway.cdk import Cdk; root = Path(sys.argv[1]);"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"  # a shell's background jobs ignore it
        "Cdk(root, root, {'PATH': '/usr/bin:/bin'}, None).deploy(print)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE)
    wait_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().strip() != "")

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    for name in ("pid", "child"):
        pid = int((tmp_path / name).read_text())
        wait_until(lambda pid=pid: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
