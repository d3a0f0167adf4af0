from pathlib import Path

import pytest

from settings import load
from slipway.errors import UserError
from slipway.experiment_settings import declared_hyperparameters, read_changes, with_changes
from slipway.project import Project

MODEL = """
from dataclasses import dataclass
raise RuntimeError("this text is read, not run")

@dataclass(frozen=True)
class Hyperparameters:
    trees: int = 100
    learning_rate: float = 0.05
    grow: str = "lossguide"
    verbose: bool = False
    seed: int | None = None

    def __post_init__(self) -> None: ...
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "model_code").mkdir()
    (tmp_path / "model_code" / "model.py").write_text(MODEL)
    return tmp_path


def test_values_are_json_of_the_declared_type_or_text(root: Path) -> None:
    given = ["trees=200", "learning_rate=1", "grow=7", "verbose=true", "seed=3"]

    changes = read_changes(given, root)

    assert changes == {"trees": 200, "learning_rate": 1, "grow": "7", "verbose": True, "seed": 3}


def test_an_equals_sign_may_stand_in_a_value(root: Path) -> None:
    assert read_changes(["grow=a=b"], root) == {"grow": "a=b"}


def test_all_faults_are_told_at_once_with_what_is_allowed(root: Path) -> None:
    with pytest.raises(UserError) as raised:
        read_changes(["tres=200", "learning_rate=fast", "verbose=1", "trees", "trees=1.5", "grow=a", "grow=b"], root)

    message = raised.value.message
    assert "tres is unknown, did you mean trees?" in message
    assert "learning_rate must be a number, got fast" in message
    assert "verbose must be true or false, got 1" in message
    assert "'trees' must be NAME=VALUE" in message
    assert "trees must be a whole number, got 1.5" in message
    assert "grow is given twice" in message
    assert "(allowed: trees (a whole number), learning_rate (a number), grow (text), " in message


def test_true_is_no_number(root: Path) -> None:
    with pytest.raises(UserError, match="trees must be a whole number, got true"):
        read_changes(["trees=true"], root)


def test_nothing_is_no_value_of_a_number(root: Path) -> None:
    with pytest.raises(UserError, match="trees must be a whole number, got nothing"):
        read_changes(["trees="], root)


@pytest.mark.parametrize(
    "text", ["from mine import Hyperparameters", "class Hyperparameters(:"], ids=["elsewhere", "no Python"]
)
def test_where_the_code_does_not_say_what_there_is_the_container_decides(root: Path, text: str) -> None:
    (root / "model_code" / "model.py").write_text(text)

    assert read_changes(["anything=1"], root) == {"anything": 1}
    with pytest.raises(UserError, match="anything must be text, a number, true or false"):
        read_changes(["anything=[1]"], root)


def test_the_examples_hyperparameters_are_found() -> None:
    file = Path(__file__).parents[2] / "model_code" / "model.py"

    assert declared_hyperparameters(file)["trees"] == "int"


def test_changes_replace_and_add_to_those_of_the_settings(project: Project) -> None:
    settings = load(project.root / "slipway.yaml")

    changed = with_changes(settings, {"trees": 7, "seed": 1})

    assert changed.training.hyperparameters == {**settings.training.hyperparameters, "trees": 7, "seed": 1}
    assert settings.training.hyperparameters["trees"] != 7
