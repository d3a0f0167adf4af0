"""cdk-nag's findings: acknowledged with a reason, not acknowledged, and acknowledged without a finding."""

import json
from pathlib import Path
from typing import cast

import pytest
from aws_cdk import Acknowledgment, App, CfnResource, Stack, Validations
from aws_cdk import aws_sns as sns

from audit import nag
from audit.faults import AuditError
from audit.nag import Acknowledgement

# cdk-nag wants a topic to refuse publishers without TLS.
RULE = "AwsSolutions-SNS3"


def topics(folder: Path, acknowledged: dict[str, str] | None = None, *, namespace: str = "AwsSolutions::") -> App:
    """An app with two topics, and acknowledgements by the path of their construct."""
    app = App(outdir=str(folder), analytics_reporting=False, builtin_cloud_formation_validation=False)
    stack = Stack(app, "Line")
    for name in ("One", "Two"):
        sns.Topic(stack, name)
    for path, rule in (acknowledged or {}).items():
        construct = stack.node.find_child(path) if path else stack
        Validations.of(construct).acknowledge(Acknowledgment(id=f"{namespace}{rule}", reason="inside only"))
    return app


def test_findings_that_nobody_acknowledges_are_at_fault(tmp_path: Path) -> None:
    report = nag.synthesize(topics(tmp_path))

    assert {(one.construct, one.rule, one.reason) for one in report.findings} == {
        ("Line/One/Resource", RULE, ""),
        ("Line/Two/Resource", RULE, ""),
    }
    assert [fault.where for fault in nag.faults(report)] == ["Line/One/Resource", "Line/Two/Resource"]
    assert f"AwsSolutions::{RULE}" in next(nag.faults(report)).move


@pytest.mark.parametrize("construct", ["One", ""], ids=["at the construct", "at the stack"])
def test_an_acknowledged_finding_has_its_reason(tmp_path: Path, construct: str) -> None:
    report = nag.synthesize(topics(tmp_path, {construct: RULE}))

    assert {one.reason for one in report.findings if one.construct == "Line/One/Resource"} == {"inside only"}
    assert len(list(nag.faults(report))) == (1 if construct else 0)


def test_an_acknowledgement_of_nothing_is_at_fault(tmp_path: Path) -> None:
    report = nag.synthesize(topics(tmp_path, {"": RULE, "Two": "AwsSolutions-S1"}))

    assert report.acknowledgements - report.answered == {Acknowledgement("Line/Two", "AwsSolutions::AwsSolutions-S1")}
    (fault,) = nag.faults(report)
    assert (fault.where, fault.move) == ("Line/Two", "remove the acknowledgement")


def test_a_finding_that_is_hidden_from_the_report_is_at_fault(tmp_path: Path) -> None:
    report = nag.synthesize(topics(tmp_path, {"": RULE}, namespace=""))

    assert report.findings == frozenset()
    (fault,) = nag.faults(report)
    assert fault.what == f"{RULE} is hidden from the report"
    assert fault.move == f"acknowledge AwsSolutions::{RULE} instead"


def test_acknowledgements_for_other_checkers_are_their_business(tmp_path: Path) -> None:
    report = nag.synthesize(topics(tmp_path, {"One": "W3010"}, namespace="CloudFormation-Validate::"))

    assert report.acknowledgements == frozenset()


def test_the_templates_are_written_whatever_is_found(tmp_path: Path) -> None:
    nag.synthesize(topics(tmp_path))

    assert (tmp_path / "Line.template.json").exists()


def test_a_synthesis_that_fails_for_another_reason_fails(tmp_path: Path) -> None:
    app = topics(tmp_path)
    for topic in app.node.find_child("Line").node.children:
        cast(CfnResource, topic.node.default_child).override_logical_id("Same")

    with pytest.raises(RuntimeError, match="Same"):
        nag.synthesize(app)


def test_an_acknowledgement_that_one_variant_needs_is_needed(tmp_path: Path) -> None:
    needed = nag.synthesize(topics(tmp_path / "one", {"": RULE}))
    nothing = nag.Report(frozenset(), needed.acknowledgements, frozenset())

    assert list(nag.faults(nothing)) != []
    assert list(nag.faults(nag.together([needed, nothing]))) == []


def test_a_cdk_nag_that_fails_itself_finds_nothing_and_says_so(tmp_path: Path) -> None:
    failed = {"pluginName": "AwsSolutions", "violations": [], "metadata": {"error": "it crashed"}}
    (tmp_path / "validation-report.json").write_text(json.dumps({"pluginReports": [failed]}))

    with pytest.raises(AuditError, match="it crashed"):
        nag.read(tmp_path)
