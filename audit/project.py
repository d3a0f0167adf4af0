"""The project itself: every variant of its templates, synthesized and read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import app
from audit import grants, nag, resource_policies
from audit.grants import AuditedRole, Role
from audit.resource_policies import Admission
from audit.templates import Assembly
from audit.variants import VARIANTS

ROOT = Path(app.__file__).parent


@dataclass(frozen=True)
class Project:
    """What is audited.

    Attributes:
        roles: of all variants together.
        recorded: the roles of each variant that the local cloud may run.
        admissions: of the resources' own policies, of all variants together.
        types: CloudFormation's types of all resources, by name.
        templates: files of all variants.
        nag: cdk-nag's report on all variants together.
    """

    roles: tuple[AuditedRole, ...]
    recorded: tuple[tuple[Role, ...], ...]
    admissions: tuple[Admission, ...]
    types: Mapping[str, str]
    templates: tuple[Path, ...]
    nag: nag.Report


def synthesize(folder: Path) -> Project:
    """Synthesize every variant into a folder of its own, and read them."""
    assemblies, reports = {}, []
    for variant in VARIANTS:
        outdir = folder / str(variant).replace(" ", "-")
        settings = variant.settings(ROOT / "slipway.yaml")
        reports.append(nag.synthesize(app.build(settings, overlay=variant.overlay, outdir=str(outdir))))
        assemblies[variant] = Assembly.read(outdir)
    roles = {variant: tuple(grants.read_roles(assembly)) for variant, assembly in assemblies.items()}
    return Project(
        roles=tuple(grants.together((variant.network, found) for variant, found in roles.items())),
        recorded=tuple(found for variant, found in roles.items() if variant.recorded),
        admissions=tuple(resource_policies.read(assemblies.values())),
        types={name: kind for assembly in assemblies.values() for name, kind in assembly.types.items()},
        templates=tuple(template.path for assembly in assemblies.values() for template in assembly.templates),
        nag=nag.together(reports),
    )
