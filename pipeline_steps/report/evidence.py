"""What the report is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline_steps.documents import (
    Comparison,
    DatasetManifest,
    EvaluationReport,
    PromotionDecision,
    Verification,
)
from settings import Evaluation


@dataclass(frozen=True, kw_only=True)
class ReportEvidence:
    """All that the report shows; whoever has the same evidence gets the same bytes.

    Attributes:
        champion: None when production serves no model; with its failure when it could not be scored.
        manifest: of the data set of the challenger; None when it could not be read.
        champion_manifest: of the data set that the champion was trained on; None when it is not known.
        project: name of the settings.
        training_seconds: duration of the training job; None, as billable_seconds, when it is not known.
        reproduce: the command, of one line or more, that makes this model again.
        links: where to read on, an https URL by what it leads to.
        verification: of staging's endpoint; None as long as there was none.
    """

    challenger: EvaluationReport
    champion: EvaluationReport | None
    comparison: Comparison
    decision: PromotionDecision
    manifest: DatasetManifest | None
    champion_manifest: DatasetManifest | None
    policy: Evaluation
    project: str
    commit_id: str
    execution_id: str
    image_uri: str
    model_data_uri: str
    training_job_name: str
    hyperparameters: Mapping[str, str]
    training_seconds: float | None
    billable_seconds: float | None
    reproduce: str
    links: Mapping[str, str] = field(default_factory=dict)
    verification: Verification | None = None

    @property
    def champion_name(self) -> str:
        """What the champion is called: by its version where that is known."""
        arn = self.champion.model_package_arn if self.champion is not None else None
        return "the champion" if arn is None else f"the champion, version {arn.rpartition('/')[2]}"

    @property
    def secure_links(self) -> dict[str, str]:
        """The links that a reader may be sent to."""
        return {label: url for label, url in self.links.items() if url.startswith("https://")}
