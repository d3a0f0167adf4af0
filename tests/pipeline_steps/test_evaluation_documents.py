"""The steps read what the container's `evaluate` writes, of models of every task."""

from pathlib import Path
from typing import Any

import pytest

from pipeline_steps.documents import Samples, Scores
from tests.model_code import multiclass_model, regression_model
from tests.model_code.evaluation_job import Job, use


@pytest.mark.parametrize(
    ("module", "slices"),
    [(multiclass_model, ["colour", "grams:1,10"]), (regression_model, ["stops"])],
    ids=["multiclass", "regression"],
)
def test_the_documents_of_an_evaluation_are_read_as_they_were_written(
    module: Any, slices: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, module)
    job = Job(tmp_path, module, module.example_records())
    written = job.run(*slices)

    scores = Scores.read(job.paths.evaluation, "evaluation")
    samples = Samples.read(job.paths.evaluation, "samples")

    assert {name: value for name, value in scores.model_dump(mode="json").items() if name in written} == written
    assert samples.model_dump(mode="json") == job.document("samples.json")
