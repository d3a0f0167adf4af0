"""The text of the manual approval: what can be decided on without opening the report."""

from collections.abc import Iterator

from pipeline_steps.report.evidence import ReportEvidence
from pipeline_steps.report.figures import Figure, key_figures, slices_in_order
from pipeline_steps.report.wording import confidence, count, interval, printable, shortened

# CodePipeline, ActionConfigurationValue: the text of an approval action has 1 to 1,000 characters. The text comes as a
# variable; all variables of an action may have 122,880 bytes together, so this is the narrower limit.
# https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html and botocore's model of CreatePipeline
LONGEST_APPROVAL = 1_000
_LONGEST_NAME = 60
_MOST_SLICES = 3


def approval_text(evidence: ReportEvidence, longest: int = LONGEST_APPROVAL) -> str:
    """The verdict, the three numbers that matter with the difference to the champion, and the slices that failed.

    It is one line, as a variable of a pipeline has to be that also goes into mails and terminals.

    Args:
        longest: number of characters that the text never exceeds, whatever the names and reasons are.
    """
    first, *others = key_figures(evidence)
    numbers = "; ".join([_first(first, evidence), *(_sentence(one, _difference(one, evidence)) for one in others)])
    text = f"{evidence.decision.verdict}: {numbers}. {' '.join(_rest(evidence))}"
    return shortened(" ".join(printable(text).split()), longest)


def _first(figure: Figure, evidence: ReportEvidence) -> str:
    """The metric that decides, which also says what the numbers of the others are."""
    words = ("difference to the champion ", f"{confidence(evidence.comparison.confidence)} interval ")
    return _sentence(figure, _difference(figure, evidence, *words))


def _sentence(figure: Figure, difference: str) -> str:
    name = shortened(figure.comparison.name, _LONGEST_NAME)
    limit = "" if figure.keeps_limit is None else f" ({figure.limit}{'' if figure.keeps_limit else ', not kept'})"
    return f"{name} {figure.challenger}{limit}, {difference}"


def _difference(figure: Figure, evidence: ReportEvidence, before: str = "", level: str = "") -> str:
    metric = figure.comparison
    if metric.difference is None or metric.difference.value is None:
        return figure.champion if evidence.champion is None else f"champion {figure.champion}"
    ends = interval(metric.difference, beside=metric.challenger.value, sign=True)
    within = "" if ends is None else f" ({level}{ends})"
    return f"{before}{figure.difference}{within}: {figure.outcome}"


def _rest(evidence: ReportEvidence) -> Iterator[str]:
    failed = [one for one in slices_in_order(evidence) if one.verdict == "failed"]
    if failed:
        names = ", ".join(shortened(f"{one.column}: {one.name}", _LONGEST_NAME) for one in failed[:_MOST_SLICES])
        more = " and others" if len(failed) > _MOST_SLICES else ""
        yield f"{len(failed)} of {count(len(evidence.comparison.slices), 'slice')} failed ({names}{more})."
    yield f"{count(evidence.comparison.records, 'holdout record')}."
    yield from evidence.decision.reasons if evidence.decision.verdict == "Rejected" else evidence.decision.notes
