"""An evaluation in this process, of the example's model or of another one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from model_code import evaluate, holdout
from model_code.paths import Paths
from model_code.serving_check import METRICS
from model_code.slices import read_slice_columns
from tests.model_code.archives import archive, member


class Job:
    """What an evaluation reads and writes."""

    def __init__(self, base: Path, module: ModuleType | Any, records: pl.DataFrame) -> None:
        self.paths, self.records = Paths(base), records
        directory = base / "trained"
        directory.mkdir(parents=True)
        module.train(records, records, module.Hyperparameters(), directory)
        files = [member(file.name, file.read_bytes()) for file in sorted(directory.iterdir())]
        for place in (self.paths.model_archive, self.paths.holdout):
            place.parent.mkdir(parents=True)
        self.paths.model_archive.write_bytes(archive(*files))
        records.write_parquet(self.paths.holdout)
        self.predictor = module.load(directory)

    def run(self, *options: str) -> dict[str, Any]:
        """Evaluate; gives evaluation.json."""
        slices = read_slice_columns([f"--slice={option}" for option in options])
        evaluate.run(self.paths, None, slices, check_serving=self.check_serving)
        return self.document("evaluation.json")

    def check_serving(self, base: Path, records: Sequence[Mapping[str, Any]], digest: str) -> dict[str, float]:
        """The server would not run this process's model.py: test_serving_check.py starts one."""
        self.served = ({file.name for file in (base / "model").iterdir()}, len(records), digest)
        return dict.fromkeys(METRICS, 1.5)

    def document(self, name: str) -> dict[str, Any]:
        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is not JSON")

        document: dict[str, Any] = json.loads((self.paths.evaluation / name).read_text(), parse_constant=refuse)
        return document

    @property
    def arrays(self) -> dict[str, Any]:
        with np.load(self.paths.evaluation / "predictions.npz", allow_pickle=False) as arrays:
            return dict(arrays)


def use(monkeypatch: pytest.MonkeyPatch, module: ModuleType | Any) -> None:
    """Let another module be model.py."""
    for user in (evaluate, holdout):
        monkeypatch.setattr(user, "model", module)
