"""cfn-lint's findings."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from audit.faults import AuditError, Fault
from audit.templates import plain


def findings(templates: Iterable[Path]) -> list[Fault]:
    """Lint templates; each finding once, though several templates may have it.

    Raises:
        AuditError: cfn-lint itself failed.
    """
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--format", "json", "--", *map(str, templates)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout or "[]")
    except ValueError:
        found = None
    if found is None or (done.returncode != 0 and not found):
        raise AuditError(f"cfn-lint failed: {(done.stderr or done.stdout).strip()}")
    return sorted({_fault(one) for one in found})


def _fault(finding: dict[str, dict[str, object]]) -> Fault:
    path = finding["Location"]["Path"]
    resource = plain(str(path[1])) if isinstance(path, list) and len(path) > 1 else "the template"
    rule = finding["Rule"]["Id"]
    return Fault(resource, f"{rule}: {finding['Message']}", f"mend it: {finding['Rule'].get('Source', rule)}")
