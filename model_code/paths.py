"""Where SageMaker puts what the container reads and takes what it writes.

Source: SageMaker developer guide, "How Amazon SageMaker AI provides training information", "Build your own processing
container" and "Custom inference code with hosting services".
"""

from dataclasses import dataclass
from pathlib import Path

RECORDS_FILE = "records.parquet"


@dataclass(frozen=True)
class Paths:
    """The layout below one base directory: /opt/ml in a container, elsewhere when run without one.

    Attributes:
        base: the base directory (SAGEMAKER_BASE_DIR).
    """

    base: Path

    @property
    def raw(self) -> Path:
        """Prepare: the team's raw files."""
        return self.base / "processing/input/raw"

    @property
    def dataset(self) -> Path:
        """Prepare: the data set, with a directory for each split."""
        return self.base / "processing/output/dataset"

    @property
    def hyperparameters(self) -> Path:
        """Train: a flat map of strings."""
        return self.base / "input/config/hyperparameters.json"

    @property
    def model(self) -> Path:
        """Train: what becomes model.tar.gz. Serve: the same, unpacked."""
        return self.base / "model"

    @property
    def model_archive(self) -> Path:
        """Evaluate: the model artifact."""
        return self.base / "processing/input/model/model.tar.gz"

    @property
    def holdout(self) -> Path:
        """Evaluate: the records to score."""
        return self.base / "processing/input/holdout" / RECORDS_FILE

    @property
    def evaluation(self) -> Path:
        """Evaluate: evaluation.json, openapi.json, samples.json and predictions.npz."""
        return self.base / "processing/output/evaluation"

    @property
    def training_failure(self) -> Path:
        """Its first 1,024 characters become the training job's FailureReason."""
        return self.base / "output/failure"

    @property
    def processing_message(self) -> Path:
        """Its first kilobyte becomes the processing job's ExitMessage."""
        return self.base / "output/message"

    def channel(self, name: str) -> Path:
        """Train: the records of an input channel."""
        return self.base / "input/data" / name / RECORDS_FILE
