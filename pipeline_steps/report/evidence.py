"""What the report is made of."""

from dataclasses import dataclass

from pipeline_steps.documents import Comparison, EvaluationReport, PromotionDecision, ReportFacts, Verification
from settings import Evaluation


@dataclass(frozen=True, kw_only=True)
class ReportEvidence:
    """All that the report shows; whoever has the same evidence gets the same bytes.

    Attributes:
        champion: None when production serves no model; with its failure when it could not be scored.
        verification: of staging's endpoint; None as long as there was none.
    """

    challenger: EvaluationReport
    champion: EvaluationReport | None
    comparison: Comparison
    decision: PromotionDecision
    policy: Evaluation
    facts: ReportFacts
    verification: Verification | None = None

    @property
    def champion_name(self) -> str:
        """What the champion is called: by its version where that is known."""
        arn = self.champion.model_package_arn if self.champion is not None else None
        return "the champion" if arn is None else f"the champion, version {arn.rpartition('/')[2]}"

    @property
    def secure_links(self) -> dict[str, str]:
        """The links that a reader may be sent to."""
        return {label: url for label, url in self.facts.links.items() if url.startswith("https://")}
