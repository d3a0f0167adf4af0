"""The command: `python -m audit [--decisions FILE]`; it fails if anything is unexplained."""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from audit import linting, report, second_opinion, usage
from audit import project as audited
from audit.faults import AuditError
from audit.findings import EXPLANATIONS, Findings

_CHECKOV = audited.ROOT / "build/checkov/bin/checkov"
_WIDTH = 160


def find(folder: Path, decisions: Path | None) -> Findings:
    """Ask every part of the audit.

    Args:
        folder: for the templates.
        decisions: a recording, if there is one.
    """
    recording = usage.read(decisions) if decisions else None
    project = audited.synthesize(folder)
    with ThreadPoolExecutor() as side_by_side:  # each takes a quarter of a minute in a process of its own
        found = side_by_side.submit(second_opinion.findings, _CHECKOV, project.templates, os.environ)
        linted = side_by_side.submit(linting.findings, project.templates)
    explained = second_opinion.explanations(audited.ROOT / EXPLANATIONS)
    return Findings(
        roles=project.roles,
        admissions=project.admissions,
        types=project.types,
        usage=None if recording is None else usage.match(recording, project.recorded),
        nag=project.nag,
        lint=tuple(linted.result()),
        opinion=second_opinion.compare(found.result(), explained),
    )


def main() -> int:
    """Print the audit; 0 if everything is explained."""
    parser = argparse.ArgumentParser(prog="python -m audit", description="What the roles may do, and what they did.")
    parser.add_argument("--decisions", type=Path, help="what the local cloud recorded of a run")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="slipway-audit-") as folder:
            findings = find(Path(folder), arguments.decisions)
        report.show(findings, Console(width=_WIDTH))
        return 1 if findings.faults() else 0
    except AuditError as error:
        print(f"The audit cannot be made: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
