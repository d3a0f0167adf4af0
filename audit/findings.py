"""Everything that the audit has found, and its figures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from audit import nag, policies, resource_policies, second_opinion, usage
from audit.faults import Fault
from audit.grants import AuditedRole, Grant
from audit.resource_policies import Admission
from audit.second_opinion import SecondOpinion
from audit.usage import Usage

EXPLANATIONS = "docs/second-opinion.md"


@dataclass(frozen=True)
class Findings:
    """What every part of the audit has found.

    Attributes:
        roles: of all variants together.
        admissions: of the resources' own policies.
        types: CloudFormation's types of the resources that grants refer to, by name.
        usage: None if no run was recorded.
        nag: cdk-nag's report on all variants together.
        lint: cfn-lint's findings.
        opinion: checkov's.
    """

    roles: tuple[AuditedRole, ...]
    admissions: tuple[Admission, ...]
    types: Mapping[str, str]
    usage: Usage | None
    nag: nag.Report
    lint: tuple[Fault, ...]
    opinion: SecondOpinion

    def faults(self) -> list[tuple[str, Fault]]:
        """All that is unexplained, with the name of the part that found it."""
        return list(dict.fromkeys((part, fault) for part, faults in self._parts() for fault in faults))

    def _parts(self) -> Iterator[tuple[str, Iterator[Fault]]]:
        for role in self.roles:
            yield "policy", policies.faults(role, self.types)
        yield "policy", resource_policies.faults(self.admissions)
        if self.usage is not None:
            yield "use", usage.faults(self.roles, self.usage)
        yield "cdk-nag", nag.faults(self.nag)
        yield "cfn-lint", iter(self.lint)
        yield "checkov", second_opinion.faults(self.opinion, EXPLANATIONS)

    def figures(self) -> list[tuple[str, int | None]]:
        """The summary's figures in its order; None where no run was recorded."""
        grants = self.grants()
        patterns = [(role, grant) for role, grant in grants if policies.is_wild(grant.resource)]
        wild = {(grant.role, grant.resource) for _, grant in patterns}
        unexplained = {(grant.role, grant.resource) for role, grant in patterns if role.wildcard_reason(grant) is None}
        unused = [role.unused_reason(grant) for role, grant in grants if not self.is_used(role, grant)]
        recorded = self.usage is not None
        accepted = [bool(finding.reason) for finding in self.nag.findings]
        return [
            ("Roles", len(self.roles)),
            ("Grants", len(grants)),
            ("Grants used", len(grants) - len(unused) if recorded else None),
            ("Never used, with reason", sum(r is not None for r in unused) if recorded else None),
            ("Never used, without reason", unused.count(None) if recorded else None),
            ("Wildcard actions", sum(policies.is_wild(grant.action) for _, grant in grants)),
            ("Wildcard resources, with reason", len(wild - unexplained)),
            ("Wildcard resources, without reason", len(unexplained)),
            ("cdk-nag findings, unacknowledged", accepted.count(False)),
            ("cdk-nag findings, acknowledged", accepted.count(True)),
            ("cfn-lint findings", len(self.lint)),
            ("checkov findings, unexplained", len(self.opinion.unexplained)),
            ("checkov findings, explained", len(self.opinion.explained)),
        ]

    def grants(self) -> list[tuple[AuditedRole, Grant]]:
        """Every grant beside its role."""
        return [(role, grant) for role in self.roles for grant in sorted(role.grants)]

    def is_used(self, role: AuditedRole, grant: Grant) -> bool:
        """Whether the recorded run has used a role's grant."""
        return self.usage is not None and self.usage.uses(role, grant)
