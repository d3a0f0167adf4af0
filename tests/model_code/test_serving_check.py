"""The server of a model is started for real, and what it shows becomes metrics."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_code import model, serving_check
from model_code.artifact import model_digest
from model_code.errors import ModelError
from model_code.records import as_documents, declared_columns

pytestmark = pytest.mark.container

MEMORY_MODEL = """
TASK = "regression"
COLUMNS = {"x": float}


class Model:
    def __init__(self):
        self.kept = []

    def predict(self, records):
        if not self.kept:
            self.kept.append(bytearray(64 * 2**20))
        return records["x"]


def load(model_dir):
    return Model()
"""


@pytest.fixture
def served(model_dir: Path, tmp_path: Path) -> Path:
    shutil.copytree(model_dir, tmp_path / "model")
    return tmp_path


@pytest.fixture
def variables(environment: dict[str, str]) -> dict[str, str]:
    quiet = {"PYTHONWARNINGS": "error,default::DeprecationWarning"}  # granian forks, of which Python 3.12 warns
    return {**environment, "SAGEMAKER_MODEL_SERVER_WORKERS": "2", **quiet}


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[serving_check.Server]]:
    """The servers that were started, none of which may be left."""
    started: list[serving_check.Server] = []

    class Recorded(serving_check.Server):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr(serving_check, "Server", Recorded)
    yield started
    assert started
    assert all(server._process.poll() is not None for server in started)


@pytest.mark.usefixtures("servers")
def test_a_good_server_is_told_in_numbers(served: Path, records: Any, variables: dict[str, str]) -> None:
    documents = as_documents(records[:5], declared_columns(model.COLUMNS))
    measured = serving_check.measure(served, documents, model_digest(served / "model"), variables)
    assert tuple(measured) == serving_check.METRICS
    assert 0 < measured["serving_start_seconds"] < serving_check.START_SECONDS
    assert 0 < measured["serving_recovery_seconds"] < 60
    assert 20 < measured["serving_rest_mib"] <= measured["serving_memory_mib"] < 5000
    assert measured["serving_processes"] == 2


def other_model(directory: Path, source: str) -> Path:
    """A copy of the container's code with another model.py, and a model's directory."""
    shutil.copytree(Path(model.__file__).parent, directory / "model_code", ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "model_code/model.py").write_text(source)
    (directory / "model").mkdir()
    (directory / "model/model.json").write_text("{}")
    return directory


@pytest.mark.usefixtures("servers")
def test_memory_that_requests_take_is_counted_in_the_servers_processes(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = other_model(tmp_path, MEMORY_MODEL)
    monkeypatch.chdir(base)
    variables["PYTHONPATH"] = str(base)
    measured = serving_check.measure(base, [{"x": 1.0}], model_digest(base / "model"), variables)
    assert measured["serving_memory_mib"] - measured["serving_rest_mib"] > 60  # of one process at least


@pytest.mark.usefixtures("servers")
def test_a_server_that_does_not_start_fails_with_its_last_words(served: Path, variables: dict[str, str]) -> None:
    digest = model_digest(served / "model")
    (served / "model/model.ubj").write_bytes(b"{}")
    changed = model_digest(served / "model")
    with pytest.raises(ModelError, match=r"ended before it was ready: .*that were trained have"):
        serving_check.measure(served, [], digest, variables)
    with pytest.raises(ModelError, match=r"ended before it was ready: .*cannot be loaded"):
        serving_check.measure(served, [], changed, variables)


@pytest.mark.usefixtures("servers")
def test_a_server_that_never_gets_ready_is_given_up(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = other_model(tmp_path, MEMORY_MODEL.replace("    return Model()", "    import time\n    time.sleep(600)"))
    monkeypatch.chdir(base)
    variables["PYTHONPATH"] = str(base)
    monkeypatch.setattr(serving_check, "START_SECONDS", 0.2)
    with pytest.raises(ModelError, match=r"was not ready within 0\.2 s"):
        serving_check.measure(base, [], model_digest(base / "model"), variables)


@pytest.mark.usefixtures("servers")
def test_a_server_that_gives_no_good_answer_any_more_is_told(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = other_model(tmp_path, MEMORY_MODEL.replace('return records["x"]', "raise ValueError"))
    monkeypatch.chdir(base)
    variables["PYTHONPATH"] = str(base)
    monkeypatch.setattr(serving_check, "_ANSWER_SECONDS", 1)
    with pytest.raises(ModelError, match="the server gave no good answer"):
        serving_check.measure(base, [{"x": 1.0}], model_digest(base / "model"), variables)


def test_where_the_system_does_not_tell_of_processes_the_numbers_are_unknown(
    served: Path, records: Any, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_check, "_PROC", served / "no proc")
    documents = as_documents(records[:2], declared_columns(model.COLUMNS))
    measured = serving_check.measure(served, documents, model_digest(served / "model"), variables)
    unknown = {name for name, value in measured.items() if value != value}
    assert unknown == {"serving_recovery_seconds", "serving_rest_mib", "serving_memory_mib"}
