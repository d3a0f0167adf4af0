"""A recorded run against the grants: used, unused with a reason, unused without, and reasons that are out of date."""

import json
from pathlib import Path
from typing import Any

import pytest
from audit_support import BUCKET, BUCKET_ARN, READER, allowed, assemble, audited, note, role

from audit import usage
from audit.faults import AuditError
from audit.grants import AuditedRole, Grant, Role, RoleId, read_roles

GET = Grant(READER, "s3:GetObject", "<DataBucket.Arn>/raw/*")
PUT = Grant(READER, "s3:PutObject", "<DataBucket.Arn>/raw/*")
OBJECT = "arn:aws:s3:::line-foundation-databucket-1x/raw/january.parquet"


@pytest.fixture
def roles(tmp_path: Path) -> list[Role]:
    statement = allowed(["s3:GetObject", "s3:PutObject"], {"Fn::Join": ["", [BUCKET_ARN, "/raw/*"]]})
    return read_roles(assemble(tmp_path / "assembly", {**BUCKET, READER.logical_id: role(statement)}))


def line(**changes: Any) -> dict[str, Any]:
    """A decision as the local cloud writes it."""
    return {
        "principal": "arn:aws:sts::000000000000:assumed-role/line-pipeline-reader-1x/build",
        "role": "line-pipeline-reader-1x",
        "stack": READER.stack,
        "logical_id": READER.logical_id,
        "action": "s3:GetObject",
        "resource": OBJECT,
        "allowed": True,
        "policy": "Permissions",
        "statement": 0,
        "pattern": 0,
        **changes,
    }


REFUSED = {"allowed": False, "policy": None, "statement": None, "pattern": None}


def recording(tmp_path: Path, *lines: dict[str, Any]) -> list[usage.Decision]:
    path = tmp_path / "decisions.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return usage.read(path)


def test_a_decision_uses_the_grant_at_its_place(tmp_path: Path, roles: list[Role]) -> None:
    found = usage.match(recording(tmp_path, line(), line(resource=f"{OBJECT}.2")), [roles])

    assert (found.used, found.decisions, found.strangers, found.refused) == ({GET}, 2, (), ())


def test_what_was_refused_uses_nothing_and_is_kept(tmp_path: Path, roles: list[Role]) -> None:
    found = usage.match(recording(tmp_path, line(**REFUSED, action="s3:DeleteObject")), [roles])

    assert found.used == frozenset()
    assert [decision.action for decision in found.refused] == ["s3:DeleteObject"]


@pytest.mark.parametrize(
    "changes",
    [
        {"stack": None, "logical_id": None, "role": None},
        {"stack": "CDKToolkit"},
        {"policy": None, "statement": None, "pattern": None},
    ],
    ids=["a user", "another stack", "allowed by the resource's policy"],
)
def test_decisions_that_rest_on_no_role_of_ours_use_nothing(
    tmp_path: Path, roles: list[Role], changes: dict[str, Any]
) -> None:
    found = usage.match(recording(tmp_path, line(**changes)), [roles])

    assert (found.used, found.strangers) == (frozenset(), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"statement": 7},
        {"pattern": 1},
        {"policy": "Other"},
        {"logical_id": "WriterRole0A1B2C3D"},
        {"action": "s3:DeleteObject"},
        {"resource": "arn:aws:s3:::line-foundation-databucket-1x/models/1"},
    ],
    ids=["statement", "pattern", "policy", "role", "action", "resource"],
)
def test_a_recording_of_other_templates_is_noticed(tmp_path: Path, roles: list[Role], changes: dict[str, Any]) -> None:
    found = usage.match(recording(tmp_path, line(**changes)), [roles])

    assert found.used == frozenset()
    (fault,) = usage.faults([], found)
    assert "templates do not have" in fault.what
    assert "make audit" in fault.move


def test_a_run_in_any_of_the_local_variants_counts(tmp_path: Path, roles: list[Role]) -> None:
    vpc_only = allowed("ec2:DescribeSubnets", "*")
    objects = {"Fn::Join": ["", [BUCKET_ARN, "/raw/*"]]}
    other = assemble(tmp_path / "vpc", {**BUCKET, READER.logical_id: role(vpc_only, allowed("s3:PutObject", objects))})
    decisions = recording(tmp_path, line(), line(action="s3:PutObject", statement=1))

    assert usage.match(decisions, [roles, read_roles(other)]).used == {GET, PUT}


def test_an_unused_grant_needs_a_reason_and_a_used_one_must_have_none() -> None:
    reasons = [note("s3:PutObject", PUT.resource, unused="written by hand only")]
    found = usage.Usage(1, frozenset({GET}), (), ())

    assert list(usage.faults([audited(GET, PUT, notes=reasons)], found)) == []
    (unused,) = usage.faults([audited(GET, PUT)], found)
    assert unused.what == "s3:PutObject on <DataBucket.Arn>/raw/* is never used"
    both = usage.Usage(2, frozenset({GET, PUT}), (), ())
    (stale,) = usage.faults([audited(GET, PUT, notes=reasons)], both)
    assert stale.what == "s3:PutObject on <DataBucket.Arn>/raw/* is used, but its reason says: written by hand only"


def test_a_grant_that_a_vpc_puts_under_another_condition_is_used_where_it_was_recorded() -> None:
    isolated, in_a_vpc = (Grant(READER, "s3:GetObject", GET.resource, condition) for condition in ("", "x Bool true"))
    found = usage.Usage(1, frozenset({isolated}), (), ())
    networks = {isolated: frozenset({"isolated"}), in_a_vpc: frozenset({"vpc"})}

    assert found.uses(AuditedRole(READER, frozenset(), networks, ()), in_a_vpc)


def test_two_conditions_in_the_same_network_are_two_grants() -> None:
    one, other = (Grant(READER, "s3:ListBucket", "<DataBucket.Arn>", prefix) for prefix in ("raw/", "models/"))

    assert not usage.Usage(1, frozenset({one}), (), ()).uses(audited(one, other), other)


@pytest.mark.parametrize("text", ["not json\n", '{"stack": "line"}\n', "[]\n"], ids=["text", "other keys", "a list"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "decisions.jsonl").write_text(text)

    with pytest.raises(AuditError, match="make audit"):
        usage.read(tmp_path / "decisions.jsonl")


def test_a_missing_recording_is_told_how_to_make(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="make audit"):
        usage.read(tmp_path / "missing.jsonl")


def test_few_examples_are_enough_to_show_that_a_recording_does_not_fit(tmp_path: Path, roles: list[Role]) -> None:
    strangers = [line(statement=n) for n in range(1, 20)]

    assert len(list(usage.faults([], usage.match(recording(tmp_path, *strangers), [roles])))) == 5


def test_roles_are_told_apart_by_their_stacks() -> None:
    assert RoleId("one", "Role0A1B2C3D") != RoleId("two", "Role0A1B2C3D")
