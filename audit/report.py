"""Prints the audit: tables, what is at fault with the next step to take, and the figures."""

from collections.abc import Iterable, Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit import policies
from audit.faults import Fault
from audit.findings import Findings
from audit.grants import AuditedRole, Trust, short
from audit.variants import NETWORKS

_NOT_RECORDED = "-"
_MAX_NAMES = 3


def show(findings: Findings, console: Console) -> None:
    """Print everything; what is at fault and the figures come last."""
    tables = [_roles(findings), _wildcards(findings), _admissions(findings)]
    if findings.usage is not None:
        tables += [_unused(findings), _refused(findings)]
    tables += [_acknowledged(findings), _explained(findings), _faults(findings.faults())]
    for table in tables:
        if table.row_count:
            console.print(table, end="\n\n")
    console.print(_summary(findings))
    if findings.usage is None:
        console.print("No run was recorded, so nothing is known about use: `make audit` records one.")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    """Add a row of plain text: rich would take `[...]` and `:key:` in rules and ARNs for markup."""
    table.add_row(*map(Text, cells))


def _roles(findings: Findings) -> Table:
    table = _table("Roles and their grants, in each kind of network", "role", "assumed by")
    for column in (*NETWORKS, "used", "unused, reason", "no reason", "wildcards"):
        table.add_column(column, justify="right")
    stacks = list(dict.fromkeys(role.id.stack for role in findings.roles))
    for stack in stacks:
        table.add_row(Text(stack, style="bold"))
        for role in findings.roles:
            if role.id.stack == stack:
                _add(table, f"  {role.id}", ", ".join(map(_trust, sorted(role.trusted))), *_counts(findings, role))
    return table


def _trust(trust: Trust) -> str:
    return f"{trust.principal}, held to {_listed(trust.condition_keys)}" if trust.condition else trust.principal


def _counts(findings: Findings, role: AuditedRole) -> Iterator[str]:
    for network in NETWORKS:
        yield _count(sum(network in networks for networks in role.grants.values()))
    if findings.usage is None:
        yield from (_NOT_RECORDED,) * 3
    else:
        unused = [role.unused_reason(grant) for grant in role.grants if not findings.is_used(role, grant)]
        yield _count(len(role.grants) - len(unused))
        yield _count(len(unused) - unused.count(None))
        yield _count(unused.count(None))
    yield _count(len({grant.resource for grant in role.grants if policies.is_wild(grant.resource)}))


def _count(number: int) -> str:
    return str(number) if number else ""


def _wildcards(findings: Findings) -> Table:
    table = _table("Wildcards in resources", "resource", "leaves open", "roles", "why")
    rows: dict[tuple[str, str, str], set[str]] = {}
    for role, grant in findings.grants():
        if policies.is_wild(grant.resource):
            opened = policies.open_part(grant, findings.types)
            reason = role.wildcard_reason(grant) or "no reason"
            rows.setdefault((short(grant.resource), opened, reason), set()).add(str(role.id))
    for (resource, opened, reason), roles in sorted(rows.items(), key=lambda row: (row[0][2], row[0])):
        _add(table, resource, opened, _listed(roles), reason)
    return table


def _admissions(findings: Findings) -> Table:
    table = _table("Let in by resources' own policies", "resource", "who", "may", "if")
    for admission in findings.admissions:
        _add(table, admission.resource, admission.principal, _listed(admission.actions), admission.condition)
    return table


def _unused(findings: Findings) -> Table:
    table = _table("Never used, and why they stay", "grant", "roles", "why")
    rows: dict[tuple[str, str], set[str]] = {}
    for role, grant in findings.grants():
        reason = role.unused_reason(grant)
        if reason is not None and not findings.is_used(role, grant):
            rows.setdefault((str(grant), reason), set()).add(str(role.id))
    for (grant_text, reason), roles in sorted(rows.items(), key=lambda row: (row[0][1], row[0])):
        _add(table, grant_text, _listed(roles), reason)
    return table


def _refused(findings: Findings) -> Table:
    table = _table("Refused in the recorded run", "role", "action", "resource")
    refused = findings.usage.refused if findings.usage else ()
    for role, action, resource in sorted({(str(one.role), one.action, one.resource) for one in refused}):
        _add(table, role, action, resource)
    return table


def _acknowledged(findings: Findings) -> Table:
    table = _table("cdk-nag findings that are acknowledged", "rule", "constructs", "why")
    rows: dict[tuple[str, str], set[str]] = {}
    for finding in findings.nag.findings:
        if finding.reason:
            rows.setdefault((finding.rule.partition("[")[0], finding.reason), set()).add(finding.construct)
    for (rule, reason), constructs in sorted(rows.items()):
        names = sorted(construct.removesuffix("/Resource") for construct in constructs)
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        _add(table, rule, _listed(names[:_MAX_NAMES]) + more, reason)
    return table


def _explained(findings: Findings) -> Table:
    table = _table("checkov findings that are explained", "check", "resource", "why")
    for finding, explanation in findings.opinion.explained:
        _add(table, f"{finding.check} {finding.description}", finding.resource, explanation.reason)
    return table


def _faults(faults: Iterable[tuple[str, Fault]]) -> Table:
    table = _table("At fault", "found by", "what", "where", "next step")
    rows: dict[tuple[str, str, str], set[str]] = {}
    for part, fault in faults:
        rows.setdefault((part, fault.what, fault.move), set()).add(fault.where)
    for (part, what, move), places in rows.items():
        _add(table, part, what, _listed(places), move)
    return table


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _summary(findings: Findings) -> Table:
    table = _table("Summary", "figure", "")
    table.columns[1].justify = "right"
    for name, number in findings.figures():
        _add(table, name, _NOT_RECORDED if number is None else str(number))
    at_fault = len(findings.faults())
    table.add_section()
    table.add_row(Text("At fault", style="red" if at_fault else "green"), str(at_fault))
    return table
