"""report.html: one file that asks for nothing else, for an approver with two minutes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline_steps.documents import EvaluationReport, ReportFacts, SliceComparison
from pipeline_steps.report import charts, figures, interval_charts, wording
from pipeline_steps.report.confusion import confusion_tables
from pipeline_steps.report.data_changes import column_changes, data_facts
from pipeline_steps.report.evidence import ReportEvidence
from pipeline_steps.report.staging import staging_facts
from pipeline_steps.report.svg import style

_TEMPLATE = "report.html.jinja"
_MOST_FAILURES = 5
_ROC_ROWS = slice(0, None, 10)  # of 101 points


def render_html(evidence: ReportEvidence) -> str:
    """The whole report as one HTML document; the same evidence gives the same text."""
    return _environment().get_template(_TEMPLATE).render(_page(evidence))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (wording.number, wording.interval, wording.percent, wording.duration, wording.count, wording.confidence)
    environment.filters |= {word.__name__: word for word in words} | {"minus": _minus, "breakable": _breakable}
    return environment


def _shown(value: Any) -> Any:
    """What others named is shown without control characters; markup is our own."""
    return wording.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _minus(text: str) -> str:
    """A number with the sign that is as wide as a plus."""
    return text.replace("-", "\N{MINUS SIGN}")


def _breakable(name: str) -> Markup:
    """A name that a narrow column may break behind its underscores."""
    return Markup("_<wbr>").join(_shown(name).split("_"))


def _page(evidence: ReportEvidence) -> Mapping[str, Any]:
    """What the template speaks of."""
    return {
        "evidence": evidence,
        "accepted": evidence.decision.verdict == "Accepted",
        "key_figures": figures.key_figures(evidence),
        "figures": figures.figures(evidence),
        "staging": staging_facts(evidence.verification) if evidence.verification else (),
        "champion_rule": figures.champion_rule(evidence.policy),
        "slices": [_slice(one, evidence) for one in figures.slices_in_order(evidence)],
        "most_slices": interval_charts.MOST_SLICES,
        "most_failures": _MOST_FAILURES,
        "confusion": confusion_tables(evidence),
        "absent": wording.ABSENT,
        "roc_rows": _ROC_ROWS,
        "columns_by_importance": charts.columns_by_importance,
        **_data(evidence.facts),
        **_charts(evidence),
    }


def _data(facts: ReportFacts) -> Mapping[str, Any]:
    if facts.manifest is None:
        return {"facts": (), "columns": ()}
    both = (facts.manifest, facts.champion_manifest)
    return {"facts": data_facts(*both), "columns": column_changes(*both)}


def _charts(evidence: ReportEvidence) -> dict[str, Markup | None]:
    comparison, importance = evidence.comparison, evidence.challenger.importance
    with style():
        return {
            "metrics_chart": interval_charts.metric_intervals(comparison.metrics),
            "slices_chart": _slices_chart(evidence),
            "roc_chart": charts.roc(comparison.curves),
            "calibration_chart": charts.calibration(comparison.curves),
            "residuals_chart": charts.residuals(comparison.curves),
            "importance_chart": None if importance is None else charts.importance(importance),
        }


def _slices_chart(evidence: ReportEvidence) -> Markup | None:
    ordered, metric = figures.slices_in_order(evidence), evidence.policy.primary.metric
    if evidence.champion is None or evidence.champion.failure is not None:
        return interval_charts.slice_values(ordered, metric)
    return interval_charts.slice_differences(ordered, metric, evidence.policy)


def _slice(one: SliceComparison, evidence: ReportEvidence) -> Mapping[str, Any]:
    """A row of the table of slices."""
    champion: EvaluationReport | None = evidence.champion
    return {
        "slice": one,
        "champion": figures.champion_value(one.champion, champion, evidence.policy.primary.metric),
        "difference": wording.ABSENT
        if one.difference is None
        else wording.difference(one.difference, one.challenger.value),
    }
