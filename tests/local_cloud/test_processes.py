import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_cloud.processes import Processes
from local_cloud.strays import end_strays

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.fixture(scope="module")
def processes():
    processes = Processes()
    yield processes
    processes.close(5)


def _exists(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _until(check, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def _start(processes: Processes, script: str, tmp_path: Path, lines: list[str]):
    return processes.start(
        ["bash", "-c", script], cwd=tmp_path, environment=ENVIRONMENT, output=lines.append, name="a test"
    )


def test_output_and_errors_arrive_line_by_line_and_the_exit_code_is_the_childs(processes, tmp_path) -> None:
    lines: list[str] = []
    process = _start(processes, "echo one; echo two >&2; printf three; exit 7", tmp_path, lines)
    assert process.wait(10) == 7
    assert sorted(lines) == ["one", "three", "two"]


def test_a_child_gets_exactly_the_environment_it_is_given(processes, tmp_path) -> None:
    lines: list[str] = []
    environment = {"PATH": "/usr/bin:/bin", "A": "1"}
    process = processes.start(["env"], cwd=tmp_path, environment=environment, output=lines.append, name="a test")
    process.wait(10)
    assert sorted(lines) == ["A=1", "PATH=/usr/bin:/bin"]


def test_waiting_for_a_child_that_still_runs_is_a_timeout(processes, tmp_path) -> None:
    process = _start(processes, "sleep 60", tmp_path, [])
    with pytest.raises(TimeoutError, match=str(process.pid)):
        process.wait(0.05)
    assert process.running()
    process.stop(5)
    assert not process.running()
    assert process.wait(0) == -signal.SIGTERM


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(processes, tmp_path) -> None:
    lines: list[str] = []
    process = _start(processes, "trap '' TERM; echo ready; sleep 60 & wait; wait", tmp_path, lines)
    _until(lambda: lines == ["ready"])
    process.stop(0.2)
    assert process.wait(0) == -signal.SIGKILL


def test_what_a_child_leaves_behind_ends_with_it(processes, tmp_path) -> None:
    lines: list[str] = []
    process = _start(processes, "sleep 60 & echo $!", tmp_path, lines)
    assert process.wait(10) == 0
    _until(lambda: not _exists(int(lines[0])))


def test_a_program_that_does_not_exist_is_named_with_its_purpose(processes, tmp_path) -> None:
    with pytest.raises(OSError, match="a test: cannot start no-such-program"):
        processes.start(["no-such-program"], cwd=tmp_path, environment=ENVIRONMENT, output=print, name="a test")


def test_nothing_is_started_once_all_children_are_ended(tmp_path) -> None:
    processes = Processes()
    running = _start(processes, "sleep 60", tmp_path, [])
    processes.close(5)
    assert not running.running()
    with pytest.raises(OSError, match="a test: not started, the local cloud is shutting down"):
        _start(processes, "true", tmp_path, [])


def test_no_child_outlives_a_killed_parent(tmp_path) -> None:
    script = (
        "import os, time; from pathlib import Path; from local_cloud.processes import Processes\n"
        "p = Processes().start(['bash', '-c', 'sleep 60 & echo $!; wait'], cwd=Path('.'),"
        " environment={'PATH': os.environ['PATH']}, output=lambda line: os.write(1, f'{line}\\n'.encode()), name='x')\n"
        "os.write(1, f'{p.pid}\\n'.encode()); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline()) for _ in range(2)]
    assert all(_exists(pid) for pid in pids)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _until(lambda: not any(_exists(pid) for pid in pids))


def test_no_process_that_left_its_group_outlives_a_killed_parent(tmp_path) -> None:
    script = (
        "import os, time; from pathlib import Path; from local_cloud.processes import Processes\n"
        "p = Processes().start(['bash', '-c', 'trap \"\" TERM; setsid sleep 60 & echo $!; wait'], cwd=Path('.'),"
        " environment={'PATH': os.environ['PATH'], 'MARK': 'a b'}, name='x', mark='MARK=a b',"
        " output=lambda line: os.write(1, f'{line}\\n'.encode()))\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    stray = int(parent.stdout.readline())
    assert _exists(stray)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _until(lambda: not _exists(stray))


def test_strays_are_found_by_their_mark_alone(tmp_path) -> None:
    sleepers = [
        subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], **mark}, start_new_session=True)
        for mark in ({"MARK": "1"}, {"MARK": "12"}, {"MARKED": "1"}, {})
    ]
    end_strays()
    end_strays("")
    end_strays("MARK=1", "MARK=3")
    assert sleepers[0].wait(10) == -signal.SIGKILL
    assert [sleeper.poll() for sleeper in sleepers[1:]] == [None] * 3
    for sleeper in sleepers[1:]:
        sleeper.kill()
        sleeper.wait()
