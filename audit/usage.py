"""Which grants a recorded run has used.

The local cloud appends every distinct decision of IAM, a line of JSON each, to the file LOCAL_CLOUD_DECISIONS.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from audit.faults import AuditError, Fault
from audit.grants import AuditedRole, Grant, Place, Role, RoleId, short
from audit.templates import plain

_MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Decision:
    """IAM's answer to a role.

    Attributes:
        place: of the grant that allowed it; None if it was refused.
    """

    role: RoleId
    action: str
    resource: str
    place: Place | None


@dataclass(frozen=True)
class Usage:
    """What a recorded run says about the templates.

    Attributes:
        decisions: how many concern the project's roles.
        used: grants.
        refused: what roles asked for and did not get.
        strangers: decisions that rest on grants which the templates do not have.
    """

    decisions: int
    used: frozenset[Grant]
    refused: tuple[Decision, ...]
    strangers: tuple[Decision, ...]

    def uses(self, role: AuditedRole, grant: Grant) -> bool:
        """Whether a grant was used, be it as the same grant under the condition of another kind of network."""
        if grant in self.used:
            return True
        elsewhere = [other for other, networks in role.grants.items() if not networks & role.grants[grant]]
        return any(other in self.used and other.request == grant.request for other in elsewhere)


def read(path: Path) -> list[Decision]:
    """The decisions on roles of stacks, from a recording.

    Raises:
        AuditError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [decision for line in lines if line for decision in _decision(json.loads(line))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuditError(f"{path} is no recording of decisions ({error!r}): `make audit` records one") from error


def _decision(line: Mapping[str, object]) -> Iterator[Decision]:
    if line["stack"] is None or line["logical_id"] is None:
        return
    role = RoleId(str(line["stack"]), str(line["logical_id"]))
    action = str(line["action"])
    place = None
    if line["allowed"]:
        if line["policy"] is None:
            return  # a policy of the resource allowed it, not one of the role
        place = Place(role, str(line["policy"]), int(str(line["statement"])), action, int(str(line["pattern"])))
    yield Decision(role, action, str(line["resource"]), place)


def match(decisions: Iterable[Decision], recorded: Iterable[Iterable[Role]]) -> Usage:
    """Find the grants that decisions rest on.

    Args:
        decisions: as recorded.
        recorded: the roles of each variant that the local cloud may have run.
    """
    variants = [{place: grant for role in roles for place, grant in role.grants.items()} for roles in recorded]
    stacks = {place.role.stack for variant in variants for place in variant}
    ours = [decision for decision in decisions if decision.role.stack in stacks]
    used: set[Grant] = set()
    strangers = []
    for decision in ours:
        if decision.place is None:
            continue
        found = [variant[decision.place] for variant in variants if decision.place in variant]
        fitting = [grant for grant in found if _fits(decision.resource, grant.resource)]
        used.update(fitting)
        if not fitting:
            strangers.append(decision)
    refused = tuple(decision for decision in ours if decision.place is None)
    return Usage(len(ours), frozenset(used), refused, tuple(strangers))


def _fits(resource: str, pattern: str) -> bool:
    """Whether a recorded resource can be what a template's pattern means; references can be anything."""
    wild = {"*": ".*", "?": "."}
    parts = re.split(r"(<[^>]+>|[*?])", pattern)
    regex = "".join(wild.get(part, ".+" if part.startswith("<") else re.escape(part)) for part in parts)
    return re.fullmatch(regex, resource) is not None


def faults(roles: Iterable[AuditedRole], usage: Usage) -> Iterator[Fault]:
    """Grants that are unused without a reason or used in spite of one, and recordings of something else."""
    for role in roles:
        for grant in sorted(role.grants):
            reason = role.unused_reason(grant)
            if reason is None and not usage.uses(role, grant):
                move = "remove it, or say why it stays: allow(..., unused={...})"
                yield Fault(str(role.id), f"{grant} is never used", move)
            elif reason is not None and usage.uses(role, grant):
                yield Fault(str(role.id), f"{grant} is used, but its reason says: {reason}", "remove the reason")
    for decision in usage.strangers[:_MAX_EXAMPLES]:
        what = f"{decision.action} on {short(decision.resource)} was allowed by a grant that the templates do not have"
        yield Fault(plain(decision.role.logical_id), what, "record again, with these settings: make audit")
