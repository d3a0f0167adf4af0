"""The champion's numbers beside a challenger's, or why there are none: that is the gate's to judge, and no error."""

from dataclasses import dataclass, replace

from pipeline_steps.aws import Aws
from pipeline_steps.champion import Champion
from pipeline_steps.comparison.compare import ScoredModel, refusal
from pipeline_steps.documents import EvaluationReport
from pipeline_steps.errors import DocumentError, NotFoundError
from pipeline_steps.jobs import FinishedJob
from pipeline_steps.progress import say
from pipeline_steps.scoring import Model, ScoringInputs, read_evaluation


@dataclass(frozen=True)
class ScoredChampion:
    """What is known of a champion.

    Attributes:
        report: with `failure` when it could not be scored or compared; None when production serves nothing yet.
        model: its predictions; None without numbers.
    """

    report: EvaluationReport | None = None
    model: ScoredModel | None = None

    def beside(self, challenger: ScoredModel) -> "ScoredChampion":
        """The same, or, when it cannot be compared with the challenger record by record, with that as its failure."""
        if self.model is None or self.report is None or (reason := refusal(challenger, self.model)) is None:
            return self
        say(f"the champion cannot be compared: {reason}")
        return replace(self, report=self.report.model_copy(update={"failure": reason}), model=None)


def champion_model(champion: Champion) -> Model:
    """The champion as a model to be scored."""
    return Model("champion", champion.image_uri, champion.model_data_uri, champion.sha256, champion.model_package_arn)


def read_champion(aws: Aws, inputs: ScoringInputs, champion: Model, job: FinishedJob) -> ScoredChampion:
    """What a processing job made of the champion."""
    if job.failure is not None:
        return unscored(f"the {job.kind.noun} {job.name} {job.failure}", champion.model_package_arn)
    try:
        return ScoredChampion(*read_evaluation(aws, inputs, champion))
    except (DocumentError, NotFoundError) as error:
        return unscored(str(error), champion.model_package_arn)


def unscored(failure: str, model_package_arn: str | None) -> ScoredChampion:
    """A champion without numbers."""
    say(f"the champion cannot be scored: {failure}")
    report = EvaluationReport(metrics={}, rows=0, failure=failure, model_package_arn=model_package_arn)
    return ScoredChampion(report)
