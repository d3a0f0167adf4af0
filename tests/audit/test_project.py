"""The project's own templates, in every variant: nothing that cdk-nag finds and no grant is unexplained."""

from collections.abc import Iterator

import pytest

import settings
from audit import nag, policies, project, resource_policies
from audit.project import ROOT, Project
from audit.variants import VARIANTS, Variant


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project, synthesized in every variant."""
    yield project.synthesize(tmp_path_factory.mktemp("assemblies"))


def test_aws_and_the_local_overlay_are_audited_in_each_kind_of_network() -> None:
    assert list(map(str, VARIANTS)) == [
        f"{overlay} {network}" for overlay in ("aws", "local") for network in ("isolated", "vpc", "given vpc")
    ]


@pytest.mark.parametrize(
    ("network", "mode", "makes_vpc"),
    [("isolated", "isolated", False), ("vpc", "vpc", True), ("given vpc", "vpc", False)],
)
def test_a_variant_changes_the_network_alone(network: str, mode: str, makes_vpc: bool) -> None:
    ours, varied = settings.load(ROOT / "slipway.yaml"), Variant("", network).settings(ROOT / "slipway.yaml")

    assert (varied.network.mode, varied.network.makes_vpc) == (mode, makes_vpc)
    assert varied.model_dump(exclude={"network"}) == ours.model_dump(exclude={"network"})


def test_the_overlays_variants_are_what_the_local_cloud_may_record() -> None:
    assert [variant.overlay for variant in VARIANTS if variant.recorded] == [settings.LOCAL_OVERLAY] * 3


def test_every_finding_of_cdk_nag_is_mended_or_acknowledged_and_no_acknowledgement_is_stale(ours: Project) -> None:
    assert list(nag.faults(ours.nag)) == []


def test_every_reason_tells_something(ours: Project) -> None:
    reasons = {finding.reason for finding in ours.nag.findings}

    assert min(len(reason.split()) for reason in reasons) >= 5


def test_every_grant_is_one_that_aws_checks_and_has_no_wildcard_without_a_reason(ours: Project) -> None:
    assert [fault for role in ours.roles for fault in policies.faults(role, ours.types)] == []


def test_no_resource_lets_in_whom_it_should_not(ours: Project) -> None:
    assert list(resource_policies.faults(ours.admissions)) == []


def test_a_vpc_of_its_own_adds_the_role_of_its_flow_log_and_no_other(ours: Project) -> None:
    isolated, own, given = ({str(role.id) for role in roles} for roles in ours.recorded)

    assert own - isolated == {"NetworkFlowLogRole"}
    assert given == isolated
