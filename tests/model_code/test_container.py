"""The container's contract with SageMaker, with real processes and real HTTP."""

import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from model_code import model
from model_code.artifact import model_digest
from model_code.metrics import metrics
from model_code.prepare import data_version, raw_files
from model_code.serving_check import METRICS
from tests.model_code import multiclass_model, regression_model
from tests.model_code.archives import archive, member

pytestmark = pytest.mark.container


def wait_until(check: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"this did not come true within {seconds} s"
        time.sleep(0.01)


# --- prepare, train, evaluate ---------------------------------------------------------------------------------------


def test_prepare_writes_three_parts_and_says_what_they_are(line: Any) -> None:
    assert line.prepared.returncode == 0, line.prepared.stderr
    parts = {
        name: pl.read_parquet(line.dataset / name / "records.parquet") for name in ("train", "validation", "holdout")
    }
    manifest = line.document("processing/output/dataset/manifest.json")
    assert manifest["rows"] == {name: part.height for name, part in parts.items()} == {
        "train": 849, "validation": 204, "holdout": 410,
    }  # fmt: skip
    assert manifest["mean_label"] == {name: part["late"].cast(pl.Float64).mean() for name, part in parts.items()}
    assert manifest["windows"]["holdout"] == ["2013-02-06 05:15:00", "2013-02-19 23:15:00"]
    assert list(manifest["columns"]) == [*model.COLUMNS, "flight", model.LABEL] == parts["holdout"].columns


def test_the_data_version_is_that_of_the_raw_files(line: Any, raw: Path, tmp_path: Path) -> None:
    manifest = line.document("processing/output/dataset/manifest.json")
    assert manifest["data_version"] == data_version(raw_files(raw))
    copy = shutil.copytree(raw, tmp_path / "copy", copy_function=shutil.copyfile)
    assert data_version(raw_files(copy)) == data_version(raw_files(raw))
    (copy / "weather/2013-01.parquet").rename(copy / "weather/renamed.parquet")
    assert data_version(raw_files(copy)) != data_version(raw_files(raw))


def test_the_data_version_is_reckoned_as_sha256sum_would(tmp_path: Path) -> None:
    for name, content in (("b/2", b"two"), ("a", b"one")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    listing = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in (("a", b"one"), ("b/2", b"two"))
    )
    assert data_version(raw_files(tmp_path)) == hashlib.sha256(listing.encode()).hexdigest()


def test_train_writes_a_model_and_a_log_that_sagemaker_can_read(line: Any) -> None:
    assert line.trained.returncode == 0, line.trained.stderr
    assert sorted(path.name for path in (line.base / "model").iterdir()) == [
        "categories.json", "model.ubj", "openapi.json",
    ]  # fmt: skip
    log = line.trained.stdout
    assert "Hyperparameters(trees=40, max_depth=6, learning_rate=0.1)" in log
    assert len(re.findall(r"^\[\d+\].*train-logloss:0\.\d+ +validation-logloss:0\.\d+$", log, re.MULTILINE)) > 5
    metrics = dict(re.findall(r"validation:(\w+)=([-+0-9.eE]+)", log))
    assert list(metrics) == [
        "roc_auc", "average_precision", "log_loss", "brier_score", "accuracy", "precision", "recall", "f1",
        "expected_calibration_error",
    ]  # fmt: skip
    assert f"its files have the SHA-256 {model_digest(line.base / 'model')}\n" in log
    assert 0.6 < float(metrics["roc_auc"]) < 1


def test_evaluate_scores_the_whole_holdout(line: Any) -> None:
    assert line.evaluated.returncode == 0, line.evaluated.stderr
    evaluation = line.document("processing/output/evaluation/evaluation.json")
    holdout = pl.read_parquet(line.dataset / "holdout/records.parquet")
    predictions = model.load(line.base / "model").predict(holdout).astype("float64")
    usual = metrics("binary", holdout["late"].to_numpy(), predictions)
    assert usual.items() <= evaluation["metrics"].items()
    assert evaluation["metrics"].keys() - usual.keys() == {
        "model_mib", "prediction_p50_ms", "prediction_p99_ms", *METRICS,
    }  # fmt: skip
    assert (evaluation["rows"], evaluation["model_sha256"]) == (holdout.height, model_digest(line.base / "model"))
    assert [one["names"] for one in evaluation["slices"]] == [["EWR", "JFK", "LGA"], ["below 500", "500 and above"]]
    assert all(one["violations"] <= one["allowed_share"] * one["records"] for one in evaluation["behaviours"])
    assert evaluation["metrics"]["roc_auc"] > 0.65
    with np.load(line.base / "processing/output/evaluation/predictions.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["prediction"], predictions)
        np.testing.assert_array_equal(arrays["slice_1"], holdout["distance"].to_numpy() >= 500)


def test_the_description_beside_the_samples_is_the_one_in_the_model(line: Any) -> None:
    assert line.document("processing/output/evaluation/openapi.json") == line.document("model/openapi.json")


def test_samples_hold_a_hundred_records_of_all_times_with_their_predictions(line: Any) -> None:
    samples = line.document("processing/output/evaluation/samples.json")
    assert samples["columns"] == list(model.COLUMNS)
    assert len(samples["records"]) == len(samples["predictions"]) == 100
    assert samples["records"][0]["scheduled_departure"].startswith("2013-02-06")
    assert samples["records"][-1]["scheduled_departure"].startswith("2013-02-19")
    assert all(list(record) == list(model.COLUMNS) for record in samples["records"])


def test_a_training_in_another_process_with_other_threads_makes_the_same_model(
    line: Any, run_command: Any, tmp_path: Path
) -> None:
    shutil.copytree(line.base / "input", tmp_path / "input")
    trained = run_command(tmp_path, "train", PYTHONHASHSEED="1", OMP_NUM_THREADS="3")
    assert trained.returncode == 0, trained.stderr
    assert model_digest(tmp_path / "model") == model_digest(line.base / "model")


def test_sigterm_ends_a_training_at_once_and_keeps_no_half_model(
    line: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(line.base / "input", tmp_path / "input")
    (tmp_path / "input/config/hyperparameters.json").write_text('{"trees": "1000000"}')
    (tmp_path / "model").mkdir()
    (tmp_path / "model/half").touch()
    training = subprocess.Popen(
        [sys.executable, "-m", "model_code", "train"], env={**environment, "SAGEMAKER_BASE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert training.stdout is not None
    assert any(text.startswith("[0]") for text in training.stdout)
    training.terminate()
    told = training.communicate(timeout=20)[0]
    assert training.returncode == 128 + signal.SIGTERM
    assert told.endswith("stopped by SIGTERM: the training is not finished, no model is kept\n")
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "output/failure").exists()


# --- serve ----------------------------------------------------------------------------------------------------------


class Server:
    """`python -m model_code serve` on a free port of the loopback."""

    def __init__(self, base: Path, environment: dict[str, str], **variables: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = base / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "model_code", "serve"],
                env={
                    **environment, "SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": str(self.port),
                    "SAGEMAKER_MODEL_SERVER_WORKERS": "2",
                    "PYTHONWARNINGS": "error,default::DeprecationWarning",  # granian forks, of which Python 3.12 warns
                    **variables,
                },
                cwd=environment["PYTHONPATH"], stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def predict(self, records: list[dict[str, Any]]) -> list[float]:
        status, body = self.call("POST", "/invocations", json.dumps({"instances": records}))
        assert status == 200, body
        predictions: list[float] = json.loads(body)["predictions"]
        return predictions

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            return self.call("GET", "/ping")[0] == 200
        return False

    def workers(self) -> list[int]:
        told = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(process) for process in told.split()]

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(line: Any, environment: dict[str, str]) -> Iterator[Server]:
    server = Server(line.base, environment, SLIPWAY_MODEL_SHA256=model_digest(line.base / "model"))
    try:
        wait_until(server.ready)
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def samples(line: Any) -> dict[str, Any]:
    document: dict[str, Any] = line.document("processing/output/evaluation/samples.json")
    return document


def test_ping_has_an_empty_body(server: Server) -> None:
    assert server.call("GET", "/ping") == (200, b"")


def test_json_gets_what_the_model_predicted_offline_one_by_one_and_together(
    server: Server, samples: dict[str, Any]
) -> None:
    assert server.predict(samples["records"]) == samples["predictions"]
    alone = [server.predict([record])[0] for record in samples["records"][:5]]
    assert alone == samples["predictions"][:5]


def test_csv_gets_what_the_model_predicted_offline(server: Server, samples: dict[str, Any]) -> None:
    rows = [[record[column] for column in samples["columns"]] for record in samples["records"]]
    body = "".join(",".join("" if value is None else str(value) for value in row) + "\n" for row in rows)
    status, answer = server.call("POST", "/invocations", body, "text/csv")
    assert status == 200
    assert [float(text) for text in answer.decode().splitlines()] == samples["predictions"]


def test_a_body_in_chunks_is_read(server: Server, samples: dict[str, Any]) -> None:
    body = json.dumps(samples["records"][0]).encode()
    status, answer = server.call("POST", "/invocations", iter([body[:50], body[50:]]))
    assert (status, json.loads(answer)["predictions"]) == (200, samples["predictions"][:1])


@pytest.mark.parametrize("chunked", [False, True], ids=["at once", "in chunks"])
def test_a_body_that_is_too_large_is_refused_and_the_client_hears_why(server: Server, chunked: bool) -> None:
    body = b" " * 30_000_000
    status, answer = server.call(
        "POST", "/invocations", iter([body[:15_000_000], body[15_000_000:]]) if chunked else body
    )
    assert status == 413
    assert json.loads(answer)["error"]["allowed"] == 6_291_456


def test_the_server_lives_on_after_hostile_input(server: Server, samples: dict[str, Any]) -> None:
    hostile = [(b"\xff\xfe\x00", "text/csv", 400), (b"{", "application/json", 400), (b"1", "a/b", 415)]
    for body, content_type, status in hostile:
        assert server.call("POST", "/invocations", body, content_type)[0] == status
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
    assert server.predict(samples["records"][:1]) == samples["predictions"][:1]


def test_a_process_that_is_killed_is_started_again_while_the_others_answer(
    server: Server, samples: dict[str, Any]
) -> None:
    before = server.workers()
    os.kill(before[0], signal.SIGKILL)

    def answers() -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):  # a connection that it had taken breaks off
            return server.predict(samples["records"][:1]) == samples["predictions"][:1]
        return False

    wait_until(answers)
    wait_until(lambda: len(server.workers()) == len(before) and before[0] not in server.workers())
    assert server.process.poll() is None
    assert server.predict(samples["records"]) == samples["predictions"]


def test_sigterm_ends_the_server_with_exit_code_0_and_frees_the_port(server: Server) -> None:
    """The last one that uses the server."""
    server.process.terminate()
    assert server.process.wait(timeout=20) == 0
    with pytest.raises(ConnectionRefusedError):
        server.call("GET", "/ping")


def changed_model(line: Any, tmp_path: Path) -> str:
    """Copy the model, change one byte of it, and say which digest it should have."""
    shutil.copytree(line.base / "model", tmp_path / "model")
    content = bytearray((tmp_path / "model/model.ubj").read_bytes())
    content[-100] ^= 1
    (tmp_path / "model/model.ubj").write_bytes(content)
    return model_digest(line.base / "model")


def test_another_model_than_the_one_that_was_trained_is_not_served(
    line: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    expected = changed_model(line, tmp_path)
    server = Server(tmp_path, environment, SLIPWAY_MODEL_SHA256=expected)
    try:
        assert server.process.wait(timeout=20) == 1
        log = server.log.read_text()
        got = model_digest(tmp_path / "model")
        reason = f"serve failed: the model's files have the SHA-256 {got}, but those that were trained have {expected} "
        assert reason in log
        assert "serving on" not in log
    finally:
        server.kill()


def test_a_model_of_which_no_digest_is_known_is_served_with_a_warning(
    line: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(line.base / "model", tmp_path / "model")
    server = Server(tmp_path, environment)
    try:
        wait_until(server.ready)
        assert "WARNING: SLIPWAY_MODEL_SHA256 is not set, so this can be any model" in server.log.read_text()
    finally:
        server.kill()


FORK = """
import os, signal
from model_code import serve

signal.signal(signal.SIGTERM, lambda *_: None)  # the server's handler, which a process inherits
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))  # as early as it can come
serve._end_forked_processes_at_once()
child = os.fork()
if child == 0:
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


def test_a_stop_that_comes_while_a_process_is_forked_ends_it(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK], env=environment, cwd=environment["PYTHONPATH"], capture_output=True, text=True,
        check=True,
    )  # fmt: skip

    assert done.stdout == f"{-signal.SIGTERM} set()\n"


def test_a_model_is_served_where_there_are_no_semaphores(
    line: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    # As in AWS Lambda, which has no /dev/shm.
    without = "import _multiprocessing\ndef refuse(*_, **__): raise OSError(38, 'Function not implemented')\n"
    (tmp_path / "sitecustomize.py").write_text(f"{without}_multiprocessing.SemLock = refuse\n")
    shutil.copytree(line.base / "model", tmp_path / "model")
    # joblib warns that it does without.
    server = Server(tmp_path, environment, PYTHONPATH=str(tmp_path), PYTHONWARNINGS="default")
    try:
        wait_until(server.ready)
    finally:
        server.kill()


def test_a_model_that_cannot_be_loaded_ends_the_server_with_its_reason(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    server = Server(tmp_path, environment, SAGEMAKER_MODEL_SERVER_WORKERS="1")
    try:
        assert server.process.wait(timeout=20) == 1
        assert f"the model in {tmp_path / 'model'} cannot be loaded: FileNotFoundError" in server.log.read_text()
    finally:
        server.kill()


# --- models of other teams ------------------------------------------------------------------------------------------


@pytest.fixture(params=[multiclass_model, regression_model], ids=["multiclass", "regression"])
def other(request: Any, run_command: Any, environment: dict[str, str], tmp_path: Path) -> Any:
    """Another model.py that was trained and evaluated: its directory, its records, and a server of it."""
    shutil.copytree(Path(model.__file__).parent, tmp_path / "model_code", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(request.param.__file__, tmp_path / "model_code/model.py")
    records = request.param.example_records()
    for place in ("input/data/train", "input/data/validation", "processing/input/holdout"):
        (tmp_path / place).mkdir(parents=True)
        records.write_parquet(tmp_path / place / "records.parquet")
    trained = run_command(tmp_path, "train", PYTHONPATH=str(tmp_path))
    assert trained.returncode == 0, trained.stderr
    (tmp_path / "processing/input/model").mkdir()
    artifact = archive(member("model.json", (tmp_path / "model/model.json").read_bytes()))
    (tmp_path / "processing/input/model/model.tar.gz").write_bytes(artifact)
    evaluated = run_command(
        tmp_path, "evaluate", f"--slice={next(iter(request.param.COLUMNS))}:5", PYTHONPATH=str(tmp_path)
    )
    assert evaluated.returncode == 0, evaluated.stderr
    server = Server(tmp_path, {**environment, "PYTHONPATH": str(tmp_path)})
    try:
        wait_until(server.ready)
        yield tmp_path, trained.stdout, server
    finally:
        server.kill()


def test_a_model_of_another_task_is_trained_evaluated_and_served(other: Any) -> None:
    base, trained, server = other
    samples = json.loads((base / "processing/output/evaluation/samples.json").read_text())
    measured = json.loads((base / "processing/output/evaluation/evaluation.json").read_text())["metrics"]
    told = {name: float(value) for name, value in re.findall(r"validation:(\w+)=(\S+)", trained)}
    assert told == pytest.approx({name: measured[name] for name in told}, rel=1e-5)  # of the same records
    assert server.predict(samples["records"]) == samples["predictions"]
    rows = [[record[column] for column in samples["columns"]] for record in samples["records"]]
    body = "".join(",".join("" if value is None else str(value) for value in row) + "\n" for row in rows)
    status, answer = server.call("POST", "/invocations", body, "text/csv")
    assert status == 200
    values = [[float(value) for value in text.split(",")] for text in answer.decode().splitlines()]
    assert values == np.reshape(samples["predictions"], (len(values), -1)).tolist()


# --- serve, with a model of another team ----------------------------------------------------------------------------

SLOW_MODEL = """
import time
from pathlib import Path

TASK = "regression"
COLUMNS = {"x": float}
HERE = Path(__file__).parent


def wait_for(name):
    while not (HERE / name).exists():
        time.sleep(0.01)


class Model:
    def predict(self, records):
        (HERE / "predicting").touch()
        wait_for("may predict")
        return records["x"]


def load(model_dir):
    try:
        (HERE / "loaded by one").touch(exist_ok=False)
    except FileExistsError:
        wait_for("may load")
    return Model()
"""


@pytest.fixture
def slow(environment: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    """A server of another model.py: its second process waits to load, its predictions wait too."""
    shutil.copytree(Path(model.__file__).parent, tmp_path / "model_code", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "model_code/model.py").write_text(SLOW_MODEL)
    server = Server(tmp_path, {**environment, "PYTHONPATH": str(tmp_path)})
    try:
        yield server
    finally:
        server.kill()


def ping(server: Server) -> int | None:
    with contextlib.suppress(OSError):
        return server.call("GET", "/ping")[0]
    return None


def test_ping_says_503_until_every_process_has_loaded_the_model(slow: Server, tmp_path: Path) -> None:
    wait_until(lambda: ping(slow) is not None)
    assert [ping(slow) for _ in range(20)] == [503] * 20
    (tmp_path / "model_code/may load").touch()
    wait_until(lambda: ping(slow) == 200)


def test_sigterm_does_not_wait_for_a_process_that_still_loads_the_model(slow: Server) -> None:
    wait_until(lambda: ping(slow) == 503)  # one process serves: granian loses a stop just before that
    wait_until(lambda: len(slow.workers()) == 2)
    slow.process.terminate()
    assert slow.process.wait(timeout=20) == 0  # granian would kill that process after 25 s


def test_a_model_that_one_process_cannot_load_ends_the_server_and_is_not_tried_for_ever(
    environment: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(Path(model.__file__).parent, tmp_path / "model_code", ignore=shutil.ignore_patterns("__pycache__"))
    fails_once = SLOW_MODEL.replace("touch(exist_ok=False)", "touch(exist_ok=False)\n        raise ValueError('no')")
    (tmp_path / "model_code/model.py").write_text(fails_once.replace('        wait_for("may load")', "        pass"))
    server = Server(tmp_path, {**environment, "PYTHONPATH": str(tmp_path)})
    try:
        assert server.process.wait(timeout=20) == 1
        assert "serve failed: the model in" in server.log.read_text()
    finally:
        server.kill()


def test_sigterm_lets_a_request_in_flight_finish(slow: Server, tmp_path: Path) -> None:
    def refuses() -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            slow.call("GET", "/ping")
            return False
        return True

    (tmp_path / "model_code/may load").touch()
    wait_until(slow.ready)
    with contextlib.closing(slow.connection()) as connection:
        connection.request("POST", "/invocations", b'{"x": 1.5}', {"Content-Type": "application/json"})
        wait_until((tmp_path / "model_code/predicting").exists)
        slow.process.terminate()
        (tmp_path / "model_code/may predict").touch()
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"predictions":[1.5]}')
    assert slow.process.wait(timeout=20) == 0
    wait_until(refuses)
