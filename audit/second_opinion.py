"""checkov's findings, and the document that explains those which are meant to stay.

checkov needs other versions of our packages than we do: it lives in an environment of its own, made by `make audit`.
It looks at the files only: nothing is fetched, nothing sent.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from audit.faults import AuditError, Fault
from audit.templates import plain

_ROW = re.compile(r"^\| *(CKV\w+) *\| *`([^`]+)` *\| *(.*?) *\|$")


@dataclass(frozen=True, order=True)
class Finding:
    """What checkov has against a resource, `TYPE.NAME`."""

    check: str
    resource: str
    description: str


@dataclass(frozen=True)
class Explanation:
    """Why a finding stays; the resource may be a pattern, such as `AWS::Logs::LogGroup.Projects*Log`."""

    check: str
    resource: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        return self.check == finding.check and fnmatchcase(finding.resource, self.resource)


def findings(program: Path, templates: Iterable[Path], environment: Mapping[str, str]) -> list[Finding]:
    """Run checkov on templates; each finding once, though several templates may have it.

    Args:
        program: checkov's executable.
        templates: the files.
        environment: to run it in.

    Raises:
        AuditError: it is not installed, or failed.
    """
    if not program.exists():
        raise AuditError(f"checkov is not at {program}: `make audit` puts it there")
    command = [
        str(program), "--framework", "cloudformation", "--skip-download", "--compact", "--quiet", "--output", "json",
        "--file", *map(str, templates),
    ]  # fmt: skip
    # Without this it asks the package index for a newer version of itself.
    offline = {**environment, "SKIP_PACKAGE_UPDATE_CHECK": "true"}
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = None
    if not isinstance(report, dict) or report.get("summary", {}).get("parsing_errors"):
        raise AuditError(f"checkov could not check the templates: {(done.stderr or done.stdout).strip()}")
    return sorted(set(_findings(report)))


def _findings(report: Mapping[str, Any]) -> Iterator[Finding]:
    for failed in report.get("results", {}).get("failed_checks", []):
        yield Finding(failed["check_id"], plain(failed["resource"]), failed["check_name"])


def explanations(document: Path) -> list[Explanation]:
    """The rows of the document's table: check, resource in backticks, reason."""
    rows = map(_ROW.match, document.read_text(encoding="utf-8").splitlines())
    return [Explanation(*row.groups()) for row in rows if row]


@dataclass(frozen=True)
class SecondOpinion:
    """checkov's findings beside their explanations.

    Attributes:
        stale: explanations that no finding asks for.
    """

    explained: tuple[tuple[Finding, Explanation], ...]
    unexplained: tuple[Finding, ...]
    stale: tuple[Explanation, ...]


def compare(found: Iterable[Finding], explained: Iterable[Explanation]) -> SecondOpinion:
    """Give each finding its explanation."""
    explained = list(explained)
    answers = [(finding, next((one for one in explained if one.covers(finding)), None)) for finding in found]
    used = {explanation for _, explanation in answers}
    return SecondOpinion(
        tuple((finding, explanation) for finding, explanation in answers if explanation),
        tuple(finding for finding, explanation in answers if explanation is None),
        tuple(explanation for explanation in explained if explanation not in used),
    )


def faults(opinion: SecondOpinion, document: str) -> Iterator[Fault]:
    """Findings without an explanation, and explanations without a finding."""
    for finding in opinion.unexplained:
        what = f"{finding.check}: {finding.description}"
        yield Fault(finding.resource, what, f"mend it, or explain it in {document}")
    for stale in opinion.stale:
        what = f"{stale.check} is explained in {document}, but not found"
        yield Fault(stale.resource, what, "remove the row")
