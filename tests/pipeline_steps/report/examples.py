"""Evidence of an evaluation as the flight example makes it, and of the special cases."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline_steps.documents import (
    AgreementFindings,
    Behaviour,
    ColumnSummary,
    Comparison,
    Curves,
    CurvesOfBoth,
    DatasetManifest,
    Estimate,
    EvaluationReport,
    FitFindings,
    HostileFindings,
    Importance,
    LoadFindings,
    MetricComparison,
    PromotionDecision,
    ReportFacts,
    SliceComparison,
    SplitRows,
    Verification,
)
from pipeline_steps.report.evidence import ReportEvidence
from settings import ChampionPolicy, Evaluation, Limit, PrimaryMetric, SliceColumn, Slices
from tests.pipeline_steps.doubles import COMMIT_ID, EXECUTION_ID, IMAGE_URI, MODEL_DATA_URI, MODEL_SHA256

CHAMPION_ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flight-delays/7"
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)> $\\frac{1}{0}$ {{ 7*7 }} | `x` [a](http://b)"

POLICY = Evaluation(
    primary=PrimaryMetric(metric="roc_auc", goal="maximize"),
    limits=(
        Limit(metric="roc_auc", at_least=0.6),
        Limit(metric="log_loss", at_most=0.6),
        Limit(metric="expected_calibration_error", at_most=0.1),
        Limit(metric="model_mib", at_most=50),
    ),
    champion=ChampionPolicy(not_worse_by=0.01),
    slices=Slices(
        by=(SliceColumn(column="origin"), SliceColumn(column="distance", bands=(500, 1500))),
        minimum_records=300,
        not_worse_by=0.03,
        may_fail=1,
    ),
)


def estimate(value: float | None, half: float | None = None) -> Estimate:
    """A value with an interval of so much on both sides."""
    if value is None or half is None:
        return Estimate(value=value)
    return Estimate(value=value, low=value - half, high=value + half)


def metric(
    name: str, new: float | None, old: float | None, half: float | None = None, *, goal: Any = "maximize"
) -> MetricComparison:
    """Challenger beside champion; the difference is surer than either."""
    both = new is not None and old is not None
    return MetricComparison(
        name=name,
        goal=goal,
        challenger=estimate(new, half),
        champion=estimate(old, half),
        difference=estimate(new - old, None if half is None else half / 2) if both else None,  # type: ignore[operator]
        primary=name == POLICY.primary.metric,
    )


def slice_(column: str, name: str, records: int, difference: float, *, half: float = 0.02) -> SliceComparison:
    """A slice that fails when it is surely worse by more than the policy's 0.03."""
    judged = records >= POLICY.slices.minimum_records
    failed = judged and difference + half < -0.03
    reason = (
        f"The challenger's roc_auc is worse by at least {-(difference + half):.3g}; 0.03 is allowed."
        if failed
        else "The challenger's roc_auc is not surely worse; 0.03 is allowed."
    )
    return SliceComparison(
        column=column,
        name=name,
        records=records,
        challenger=estimate(0.70 + difference, half),
        champion=estimate(0.70, half),
        difference=estimate(difference, half) if judged else None,
        verdict="failed" if failed else "passed" if judged else "not judged",
        reason=reason if judged else f"It has {records} records; slices are judged from 300 on.",
    )


SLICES = (
    slice_("origin", "EWR", 4832, 0.012),
    slice_("origin", "JFK", 4120, 0.004),
    slice_("origin", "LGA", 3961, -0.061),
    slice_("distance", "below 500", 3104, 0.021, half=0.025),
    slice_("distance", "500 to 1500", 7011, -0.006),
    slice_("distance", "1500 and above", 2798, 0.009, half=0.03),
    slice_("carrier", "OO", 41, 0.0),
)


def _roc(bend: float) -> tuple[tuple[float, float], ...]:
    return tuple((x / 100, (x / 100) ** bend) for x in range(101))


def _calibration(shift: float) -> tuple[tuple[float, float, int], ...]:
    return tuple((x / 15, min(1.0, x / 15 + shift * math.sin(x)), 2400 - 180 * x) for x in range(1, 13))


CURVES = CurvesOfBoth(
    challenger=Curves(roc=_roc(0.45), calibration=_calibration(0.02), confusion=((9120, 1103), (1410, 1280))),
    champion=Curves(roc=_roc(0.5), calibration=_calibration(0.05), confusion=((9011, 1212), (1502, 1188))),
)
METRICS = (
    metric("roc_auc", 0.7031, 0.6929, 0.0112),
    metric("log_loss", 0.4412, 0.4441, 0.0061, goal="minimize"),
    metric("expected_calibration_error", 0.0213, 0.0187, 0.0055, goal="minimize"),
    metric("model_mib", 0.41, 0.38, goal="minimize"),
    metric("average_precision", 0.5127, 0.5011),
    metric("brier_score", 0.1402, 0.1411, goal="minimize"),
    metric("prediction_p50_ms", 0.82, 0.79, goal="minimize"),
    metric("late_share_at_top_decile", 0.52, 0.5, goal=None),
)
COLUMNS = {
    "scheduled_departure": "Datetime(time_unit='us', time_zone=None)",
    "sched_arr_time": "Int64",
    "carrier": "String",
    "origin": "String",
    "dest": "String",
    "distance": "Float64",
    "temp": "Float64",
    "wind_speed": "Float64",
    "visib": "Float64",
    "late": "Int8",
}


def manifest(version: str, train: int, temperature: float, **columns: str) -> DatasetManifest:
    """A data set of so many training rows at such a mean temperature."""
    return DatasetManifest(
        data_version=version * 32,
        rows=SplitRows(train=train, validation=6_480, holdout=12_913),
        columns={**COLUMNS, **columns},
        label="late",
        mean_label={"train": 0.2371, "validation": 0.2011, "holdout": 0.2083},
        windows={
            "train": ("2013-01-01 05:15:00", "2013-12-10 23:59:00"),
            "holdout": ("2013-12-18 05:00:00", "2013-12-31 23:59:00"),
        },
        summary={
            "train": {
                "temp": ColumnSummary(missing=0.0004, mean=temperature, deviation=17.9),
                "wind_speed": ColumnSummary(missing=0.0021, mean=10.5, deviation=5.6),
                "visib": ColumnSummary(missing=0.0, mean=9.26, deviation=2.06),
                "distance": ColumnSummary(missing=0.0, mean=1048.4, deviation=735.9),
                "carrier": ColumnSummary(missing=0.0, top="UA", top_share=0.176),
                "origin": ColumnSummary(missing=0.0, top="EWR", top_share=0.358),
            }
        },
    )


def behaviour(name: str, violations: int, example: str | None = None) -> Behaviour:
    return Behaviour(
        name=name, kind="direction", records=200, violations=violations, allowed_share=0.02, example=example
    )


CHALLENGER = EvaluationReport(
    metrics={one.name: one.challenger.value for one in METRICS},
    rows=12_913,
    task="binary",
    classes=("on time", "late"),
    model_sha256=MODEL_SHA256,
    image_uri=IMAGE_URI,
    model_data_uri=MODEL_DATA_URI,
    evaluation_uri="s3://flight-delays-data/evaluations/1/challenger/evaluation.json",
    behaviours=(
        behaviour("a stronger wind never makes a flight more punctual", 2, "wind_speed 8.1 -> 28.1: 0.31 -> 0.29"),
        behaviour("the name of the carrier in lower case changes nothing", 11, "carrier UA -> ua: 0.21 -> 0.34"),
    ),
    importance=Importance(
        metric="roc_auc",
        columns={
            "scheduled_departure": 0.0912, "carrier": 0.0413, "dest": 0.0287, "precip": 0.0142, "visib": 0.0121,
            "pressure": 0.0094, "wind_speed": 0.0061, "humid": 0.0044, "origin": 0.0031, "distance": 0.0018,
            "temp": 0.0009, "wind_dir": 0.0002, "wind_gust": -0.0003, "dewp": None,
        },
    ),
)  # fmt: skip
CHAMPION = EvaluationReport(
    metrics={one.name: one.champion.value for one in METRICS if one.champion is not None},
    rows=12_913,
    task="binary",
    model_package_arn=CHAMPION_ARN,
)
ACCEPTED = PromotionDecision(
    verdict="Accepted",
    reasons=(
        "The holdout has 12913 records; at least 1000 are needed.",
        "The challenger's roc_auc 0.7031 is at least the limit 0.6.",
        "The challenger's log_loss 0.4412 is at most the limit 0.6.",
        "The challenger's roc_auc is worse than the champion's by at most 0; 0.01 is allowed.",
        "1 slice failed; 1 may.",
    ),
    notes=("The slice carrier: OO was not judged: it has 41 records.",),
)
REJECTED = PromotionDecision(
    verdict="Rejected",
    reasons=(
        "The challenger's roc_auc 0.58 is below the limit 0.6.",
        "The slice origin: LGA failed: the challenger's roc_auc is worse by at least 0.041; 0.03 is allowed.",
    ),
)

EVIDENCE = ReportEvidence(
    challenger=CHALLENGER,
    champion=CHAMPION,
    comparison=Comparison(
        task="binary",
        records=12_913,
        confidence=0.95,
        resamples=1000,
        seed=0,
        metrics=METRICS,
        slices=SLICES,
        curves=CURVES,
    ),
    decision=ACCEPTED,
    policy=POLICY,
    facts=ReportFacts(
        manifest=manifest("3f", 312_400, 57.1, visib_at_dest="Float64"),
        champion_manifest=manifest("a0", 298_114, 54.3, dewp="Float64"),
        project="flight-delays",
        commit_id=COMMIT_ID,
        execution_id=EXECUTION_ID,
        image_uri=IMAGE_URI,
        model_data_uri=MODEL_DATA_URI,
        training_job_name="flight-delays-train-0f9e8d7c",
        hyperparameters={"trees": "100", "max_depth": "6", "learning_rate": "0.05"},
        training_seconds=192,
        billable_seconds=148,
        reproduce=f"git checkout {COMMIT_ID}\nslipway run --execution {EXECUTION_ID}",
        links={"Pipeline execution": "https://us-east-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/1"},
    ),
)


def _with_comparison(evidence: ReportEvidence, **changes: Any) -> ReportEvidence:
    return replace(evidence, comparison=evidence.comparison.model_copy(update=changes))


def _without_champion(metrics: Sequence[MetricComparison]) -> tuple[MetricComparison, ...]:
    return tuple(one.model_copy(update={"champion": None, "difference": None}) for one in metrics)


def rejected() -> ReportEvidence:
    """A challenger that is worse, on a metric and on a slice."""
    worse = metric("roc_auc", 0.58, 0.6929, 0.0112)
    return replace(_with_comparison(EVIDENCE, metrics=(worse, *METRICS[1:])), decision=REJECTED)


def first_model() -> ReportEvidence:
    """Production serves nothing yet."""
    slices = tuple(
        one.model_copy(update={"champion": None, "difference": None, "verdict": "not judged", "reason": "No champion."})
        for one in SLICES
    )
    curves = CURVES.model_copy(update={"champion": None})
    first = _with_comparison(EVIDENCE, metrics=_without_champion(METRICS), slices=slices, curves=curves)
    return replace(first, champion=None, facts=first.facts.model_copy(update={"champion_manifest": None}))


def unscored_champion(
    failure: str = "the processing job flight-delays-evaluate-champion-0f9e failed",
) -> ReportEvidence:
    """There is a champion, but no score of it."""
    champion = EvaluationReport(metrics={}, rows=0, failure=failure, model_package_arn=CHAMPION_ARN)
    return replace(first_model(), champion=champion, decision=REJECTED)


def not_numbers() -> ReportEvidence:
    """The challenger's primary metric and one other are NaN, a third was not measured."""
    metrics = (metric("roc_auc", None, 0.6929), metric("log_loss", None, None), *METRICS[3:])
    challenger = CHALLENGER.model_copy(update={"metrics": {"roc_auc": None, "model_mib": 0.41}})
    return replace(_with_comparison(EVIDENCE, metrics=metrics), challenger=challenger, decision=REJECTED)


def many_slices(number: int = 200) -> ReportEvidence:
    """More slices than a chart can hold, every tenth of which failed."""
    slices = tuple(
        slice_("dest", f"D{one:03}", 400 + one, -0.08 if one % 10 == 0 else 0.01 * math.sin(one))
        for one in range(number)
    )
    return _with_comparison(EVIDENCE, slices=slices)


def hostile(text: str = HOSTILE) -> ReportEvidence:
    """Every name that data or code of a commit gives tries to be more than a name; the documents let more of it by."""
    name = text[:100]
    importance = Importance.model_construct(metric=name, columns={name: 0.1})
    broken = behaviour("x", 9).model_copy(update={"name": name, "example": text})
    changes = {"importance": importance, "classes": (name, name[1:]), "behaviours": (broken,)}
    data = manifest("3f", 10, 1.0)
    data = data.model_copy(update={"columns": {**data.columns, name: name}, "label": name})
    one_slice = slice_("x", "y", 5000, -0.1).model_copy(update={"column": name, "name": name, "reason": text})
    metrics = (*METRICS, metric("x", 0.1, 0.2, 0.01).model_copy(update={"name": name}))
    return replace(
        _with_comparison(EVIDENCE, slices=(one_slice,), metrics=metrics),
        challenger=CHALLENGER.model_copy(update=changes),
        champion=CHAMPION.model_copy(update={"model_package_arn": f"arn/{text}"}),
        decision=PromotionDecision(verdict="Rejected", reasons=(text,), notes=(text,)),
        facts=ReportFacts(
            manifest=data,
            project=text,
            commit_id=text,
            execution_id=EXECUTION_ID,
            training_job_name=text,
            hyperparameters={text: text},
            reproduce=text,
            links={text: "javascript:alert(1)", "good": f"https://example.com/?{text}"},
        ),
    )


def regression() -> ReportEvidence:
    """A number is predicted: residuals instead of curves."""
    policy = POLICY.model_copy(
        update={
            "primary": PrimaryMetric(metric="mean_absolute_error", goal="minimize"),
            "limits": (Limit(metric="mean_absolute_error", at_most=20), Limit(metric="r2", at_least=0.1)),
        }
    )
    bins = tuple((-60.0 + 3 * x, -57.0 + 3 * x, round(900 * math.exp(-((x - 20) ** 2) / 60))) for x in range(40))
    older = tuple((low, high, round(records * 0.8) + 20) for low, high, records in bins)
    error = metric("mean_absolute_error", 14.21, 14.89, 0.4, goal="minimize").model_copy(update={"primary": True})
    compared = _with_comparison(
        EVIDENCE,
        task="regression",
        metrics=(error, metric("r2", 0.21, 0.19, 0.02)),
        curves=CurvesOfBoth(challenger=Curves(residuals=bins), champion=Curves(residuals=older)),
    )
    challenger = CHALLENGER.model_copy(update={"task": "regression", "classes": None})
    return replace(compared, policy=policy, challenger=challenger)


def multiclass(classes: int) -> ReportEvidence:
    """One of so many classes is predicted."""
    matrix = tuple(
        tuple(800 - 9 * row if row == column else (row * 7 + column * 3) % 40 for column in range(classes))
        for row in range(classes)
    )
    curves = Curves(calibration=CURVES.challenger.calibration, confusion=matrix)
    names = tuple(f"class {number}" for number in range(classes))
    compared = _with_comparison(EVIDENCE, task="multiclass", curves=CurvesOfBoth(challenger=curves, champion=curves))
    return replace(compared, challenger=CHALLENGER.model_copy(update={"task": "multiclass", "classes": names}))


VERIFICATION = Verification(
    environment="staging",
    endpoint_name="flight-delays-staging",
    model_package_arn="arn:aws:sagemaker:us-east-1:123456789012:model-package/flight-delays/8",
    contract="7e945e3c9ded",
    agreement=AgreementFindings(records=100, answers=204, tolerance=1e-6),
    hostile=HostileFindings(fixed=220, generated=131, seed=20131118, refused=290, answered=61),
    load=LoadFindings(
        requests_per_second=20, seconds=30, requests=600, answered_per_second=19.98, p50_ms=7.4, p95_ms=11.2,
        p99_ms=18.7, error_percent=0.0, allowed_p99_ms=500, allowed_error_percent=0.0,
    ),
    fit=FitFindings(
        instance_type="ml.m5.large", memory_mib=8192, needed_mib=258.4, start_seconds=1.9, recovery_seconds=0.03,
        verdict="fits",
        reason="its container takes 258 MiB under load of the 8,192 MiB of ml.m5.large, and starts in 1.9 s",
    ),
)  # fmt: skip


def verified(**changes: Any) -> ReportEvidence:
    """The example's model after its verification on staging."""
    return replace(EVIDENCE, verification=VERIFICATION.model_copy(update=changes))


def bare() -> ReportEvidence:
    """Nothing but the metrics of a first model."""
    challenger = CHALLENGER.model_copy(update={"importance": None, "behaviours": (), "classes": None})
    curves = CurvesOfBoth(challenger=Curves())
    compared = _with_comparison(first_model(), slices=(), curves=curves)
    return replace(
        compared,
        challenger=challenger,
        facts=ReportFacts(project="flight-delays", commit_id=COMMIT_ID, execution_id=EXECUTION_ID),
    )
