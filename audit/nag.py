"""cdk-nag's findings (AWS Solutions): those that infra acknowledges with a reason, those that it does not, and reasons
that no finding asks for."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from audit.faults import AuditError, Fault

_REPORT = "validation-report.json"
_NAMESPACE = "AwsSolutions::"
_UNQUALIFIED = "Annotation::AwsSolutions-"
"""As the CDK writes a rule without a namespace. cdk-nag then hides the finding, and no report tells of it."""


@dataclass(frozen=True, order=True)
class Finding:
    """What cdk-nag has against a construct.

    Attributes:
        reason: why it is accepted; empty if it is not.
    """

    construct: str
    rule: str
    description: str
    reason: str


@dataclass(frozen=True, order=True)
class Acknowledgement:
    """A reason in the code, for a rule, at a construct and those below it."""

    construct: str
    rule: str


@dataclass(frozen=True)
class Report:
    """What cdk-nag says.

    Attributes:
        findings: acknowledged ones as well.
        acknowledgements: all that the code has.
        answered: those of them that a finding asks for.
    """

    findings: frozenset[Finding]
    acknowledgements: frozenset[Acknowledgement]
    answered: frozenset[Acknowledgement]


def synthesize(application: App) -> Report:
    """Synthesize an app under cdk-nag.

    The templates are written whatever it finds; the CDK itself prints what is not acknowledged, and fails.
    """
    Validations.of(application).add_plugins(AwsSolutionsChecks(application))
    folder = Path(application.outdir)
    try:
        application.synth()
    except RuntimeError:
        if not (folder / _REPORT).exists():
            raise
    return read(folder)


def read(folder: Path) -> Report:
    """The report of a cloud assembly that cdk-nag has validated.

    Raises:
        AuditError: cdk-nag itself failed.
    """
    path = folder / _REPORT
    plugins = json.loads(path.read_text(encoding="utf-8"))["pluginReports"] if path.exists() else []
    for plugin in plugins:
        if error := (plugin.get("metadata") or {}).get("error"):
            raise AuditError(f"cdk-nag failed: {error}")
    violations = [one for plugin in plugins for one in plugin["violations"]]
    suppressed = [one for plugin in plugins for one in plugin.get("suppressedViolations", [])]
    return Report(
        frozenset(finding for one in [*violations, *suppressed] for finding in _findings(one)),
        frozenset(_acknowledgements(folder)),
        frozenset(Acknowledgement(one["acknowledgedAt"], one["acknowledgedId"]) for one in suppressed),
    )


def _findings(violation: dict[str, Any]) -> Iterator[Finding]:
    for construct in violation["violatingConstructs"]:
        yield Finding(
            construct["constructPath"], violation["ruleName"], violation["description"], violation.get("reason", "")
        )


def _acknowledgements(folder: Path) -> Iterator[Acknowledgement]:
    for path in folder.rglob("*.metadata.json"):
        for construct, entries in json.loads(path.read_text(encoding="utf-8")).items():
            for entry in entries:
                if entry["type"] == Validations.ACKNOWLEDGED_RULES_METADATA_KEY:
                    ours = (rule for rule in entry["data"] if rule.startswith((_NAMESPACE, _UNQUALIFIED)))
                    yield from (Acknowledgement(construct.removeprefix("/"), rule) for rule in ours)


def together(reports: Iterable[Report]) -> Report:
    """What several reports find together."""
    parts = [(one.findings, one.acknowledgements, one.answered) for one in reports]
    findings, acknowledgements, answered = zip(*parts, strict=True)
    return Report(
        frozenset[Finding]().union(*findings),
        frozenset[Acknowledgement]().union(*acknowledgements),
        frozenset[Acknowledgement]().union(*answered),
    )


def faults(report: Report) -> Iterator[Fault]:
    """Findings without a reason, and reasons without a finding."""
    for finding in sorted(report.findings):
        if not finding.reason:
            what = f"{finding.rule}: {finding.description}"
            move = f"mend it, or acknowledge {_NAMESPACE}{finding.rule} with its reason"
            yield Fault(finding.construct, what, move)
    for stale in sorted(report.acknowledgements - report.answered):
        if stale.rule.startswith(_UNQUALIFIED):
            rule = stale.rule.removeprefix("Annotation::")
            yield Fault(stale.construct, f"{rule} is hidden from the report", f"acknowledge {_NAMESPACE}{rule} instead")
        else:
            yield Fault(stale.construct, f"{stale.rule} is acknowledged, but not found", "remove the acknowledgement")
