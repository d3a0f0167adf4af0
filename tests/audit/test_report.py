"""What is printed: every figure, every fault with its next step, and every reason."""

import io

from audit_support import CODEBUILD, READER, audited, note
from rich.console import Console

from audit import nag, report, second_opinion
from audit.faults import Fault
from audit.findings import Findings
from audit.grants import AuditedRole, Grant, Trust
from audit.usage import Decision, Usage

DATA = "<DataBucket.Arn>"
BUCKET = Grant(READER, "s3:GetBucketLocation", DATA)
READ = Grant(READER, "s3:GetObject", f"{DATA}/raw/*")
WRITE = Grant(READER, "s3:PutObject", f"{DATA}/raw/*")
WILDCARD = note("s3:GetObject", READ.resource, wildcard="objects are many")
ALSO = note("s3:PutObject", WRITE.resource, wildcard="so too")
RARE = note("s3:PutObject", WRITE.resource, unused="written by hand")
NOTHING = second_opinion.SecondOpinion((), (), ())


def findings(
    role: AuditedRole,
    usage: Usage | None = None,
    nag_findings: frozenset[nag.Finding] = frozenset(),
    lint: tuple[Fault, ...] = (),
    opinion: second_opinion.SecondOpinion = NOTHING,
) -> Findings:
    report_of_nag = nag.Report(nag_findings, frozenset(), frozenset())
    return Findings((role,), (), {"DataBucket": "AWS::S3::Bucket"}, usage, report_of_nag, lint, opinion)


def printed(found: Findings) -> str:
    output = io.StringIO()
    report.show(found, Console(file=output, width=160, color_system=None))
    return output.getvalue()


def test_the_figures_count_grants_by_use_and_wildcards_by_reason() -> None:
    role = audited(BUCKET, READ, WRITE, Grant(READER, "s3:Get*", f"{DATA}/models/*"), notes=[WILDCARD, ALSO, RARE])
    nags = frozenset(
        nag.Finding(name, "Rule", "text", reason) for name, reason in (("a", ""), ("b", "why"), ("c", "why"))
    )
    opinion = second_opinion.compare(
        [second_opinion.Finding("CKV_1", "one", ""), second_opinion.Finding("CKV_2", "two", "")],
        [second_opinion.Explanation("CKV_1", "one", "why")],
    )
    lint = (Fault("Topic", "E1", "mend it"),)

    found = findings(role, Usage(1, frozenset({READ}), (), ()), nags, lint, opinion)

    assert {part for part, _ in found.faults()} == {"policy", "use", "cdk-nag", "cfn-lint", "checkov"}
    assert found.figures() == [
        ("Roles", 1),
        ("Grants", 4),
        ("Grants used", 1),
        ("Never used, with reason", 1),
        ("Never used, without reason", 2),
        ("Wildcard actions", 1),
        ("Wildcard resources, with reason", 1),
        ("Wildcard resources, without reason", 1),
        ("cdk-nag findings, unacknowledged", 1),
        ("cdk-nag findings, acknowledged", 2),
        ("cfn-lint findings", 1),
        ("checkov findings, unexplained", 1),
        ("checkov findings, explained", 1),
    ]


def test_without_a_recording_nothing_is_said_about_use() -> None:
    found = findings(audited(BUCKET))

    assert [number for name, number in found.figures() if "used" in name] == [None, None, None]
    assert found.faults() == []
    assert "`make audit` records one" in printed(found)


def test_everything_explained_is_printed_with_its_reasons() -> None:
    role = audited(BUCKET, READ, WRITE, notes=[WILDCARD, ALSO, RARE])
    text = printed(findings(role, Usage(2, frozenset({BUCKET, READ}), (), ())))

    for told in ("objects are many", "so too", "written by hand", "ReaderRole", "codebuild.amazonaws.com"):
        assert told in text
    assert "next step" not in text


def test_everything_unexplained_is_printed_with_its_next_step() -> None:
    found = findings(audited(BUCKET, READ), Usage(1, frozenset({READ}), (), ()))

    assert [(part, fault.what) for part, fault in found.faults()] == [
        ("policy", f"{DATA}/raw/* has no reason for its wildcard"),
        ("use", f"s3:GetBucketLocation on {DATA} is never used"),
    ]
    text = printed(found)
    assert "say why: allow(..., wildcard=...)" in text
    assert "remove it, or say why it stays" in text


def test_what_looks_like_markup_is_printed_as_it_is() -> None:
    rule = "AwsSolutions-IAM5[Resource::arn:key:*]"
    text = printed(findings(audited(BUCKET), nag_findings=frozenset({nag.Finding("Line", rule, "too wide", "")})))

    assert f"{rule}: too wide" in text


def test_a_fault_of_several_grants_counts_once() -> None:
    found = findings(audited(READ, WRITE))

    assert len(found.faults()) == 1


def test_what_a_trust_is_held_to_is_told() -> None:
    role = audited(
        BUCKET, trusted=Trust("sagemaker.amazonaws.com", "aws:SourceAccount StringEquals 1", ("aws:SourceAccount",))
    )

    assert "sagemaker.amazonaws.com, held to aws:SourceAccount" in printed(findings(role))


def test_what_was_refused_in_the_run_is_shown() -> None:
    refused = Decision(READER, "s3:DeleteObject", "arn:aws:s3:::mine/one", None)
    text = printed(findings(audited(BUCKET), Usage(1, frozenset({BUCKET}), (refused,), ())))

    assert "s3:DeleteObject" in text
    assert "Refused in the recorded run" in text


def test_grants_are_counted_in_each_kind_of_network() -> None:
    everywhere = frozenset({"isolated", "vpc", "given vpc"})
    grants = {BUCKET: everywhere, READ: everywhere, WRITE: frozenset({"vpc"})}
    role = AuditedRole(READER, frozenset({CODEBUILD}), grants, ())
    row = next(line for line in printed(findings(role)).splitlines() if "ReaderRole" in line)

    assert row.split() == ["ReaderRole", "codebuild.amazonaws.com", "2", "3", "2", "-", "-", "-", "1"]
