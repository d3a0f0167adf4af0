import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from model_code.errors import HyperparameterError
from model_code.hyperparameters import read_hyperparameters


@dataclass(frozen=True)
class Declared:
    trees: int = 200
    rate: float = 0.1
    booster: str = "tree"
    verbose: bool = False

    def __post_init__(self) -> None:
        if self.trees < 1:
            raise ValueError(f"trees must be 1 or more, got {self.trees}")


def read(directory: Path, **texts: str) -> Declared:
    file = directory / "hyperparameters.json"
    file.write_text(json.dumps(texts))
    return read_hyperparameters(file, Declared)


def test_texts_become_what_the_model_declares(tmp_path: Path) -> None:
    assert read(tmp_path, trees="7", rate="0.5", booster="linear", verbose="true") == Declared(7, 0.5, "linear", True)


@pytest.mark.parametrize(
    ("text", "value"), [("007", "007"), ("12", "12"), ('"quoted"', "quoted"), ("a, b", "a, b"), ("null", "null")]
)
def test_text_that_is_no_json_text_is_taken_as_it_is(tmp_path: Path, text: str, value: str) -> None:
    assert read(tmp_path, booster=text).booster == value


def test_a_whole_number_is_a_number_too(tmp_path: Path) -> None:
    assert read(tmp_path, rate="1").rate == 1.0
    assert isinstance(read(tmp_path, rate="1").rate, float)


def test_what_is_not_given_has_its_default_also_without_a_file(tmp_path: Path) -> None:
    assert read(tmp_path, trees="7") == Declared(trees=7)
    assert read_hyperparameters(tmp_path / "absent.json", Declared) == Declared()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trees", "many"),
        ("trees", "1.5"),
        ("trees", "true"),
        ("rate", "NaN-ish"),
        ("rate", "false"),
        ("rate", "NaN"),
        ("verbose", "1"),
    ],
)
def test_a_wrong_type_is_refused_with_what_is_allowed(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(
        HyperparameterError, match=f"{name} must be .*, got {text} .*allowed: trees \\(a whole number\\)"
    ):
        read(tmp_path, **{name: text})


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(HyperparameterError) as error:
        read(tmp_path, tres="7", rate="fast")
    assert str(error.value) == (
        "tres is unknown; rate must be a number, got fast (slipway.yaml, training.hyperparameters; allowed: "
        "trees (a whole number), rate (a number), booster (text), verbose (true or false))"
    )


def test_a_value_that_the_model_refuses_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(HyperparameterError, match=r"trees must be 1 or more, got 0 \(slipway.yaml"):
        read(tmp_path, trees="0")
