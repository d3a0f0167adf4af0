"""A resource's own policy must not let in everybody, or to more than it lists."""

from pathlib import Path
from typing import Any

import pytest
from audit_support import assemble, role

from audit import resource_policies
from audit.resource_policies import Admission

ROOT = {"AWS": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::", {"Ref": "AWS::AccountId"}, ":root"]]}}
KEY = "AWS::KMS::Key Key"


def key(*statements: dict[str, Any]) -> dict[str, Any]:
    policy = {"Statement": [{"Effect": "Allow", "Resource": "*", **statement} for statement in statements]}
    return {"Key0A1B2C3D": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy, "EnableKeyRotation": True}}}


def whats(tmp_path: Path, *statements: dict[str, Any]) -> list[str]:
    admissions = resource_policies.read([assemble(tmp_path, key(*statements))])
    return [fault.what for fault in resource_policies.faults(admissions)]


def test_each_principal_is_admitted_to_the_actions_under_the_condition(tmp_path: Path) -> None:
    statement = {
        "Principal": {"Service": ["logs.amazonaws.com", "sns.amazonaws.com"]},
        "Action": ["kms:Decrypt", "kms:Encrypt"],
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    condition = "aws:SourceAccount StringEquals <AWS::AccountId>"

    assert resource_policies.read([assemble(tmp_path, key(statement))]) == [
        Admission(KEY, f"Service {name}.amazonaws.com", ("kms:Decrypt", "kms:Encrypt"), condition)
        for name in ("logs", "sns")
    ]


def test_roles_refusals_and_repetitions_admit_nobody_more(tmp_path: Path) -> None:
    allowed = {"Principal": ROOT, "Action": "kms:Decrypt"}
    denied = {"Effect": "Deny", "Principal": "*", "Action": "kms:*"}
    one = assemble(tmp_path / "one", {**key(allowed, denied), "Role0A1B2C3D": role()})
    other = assemble(tmp_path / "other", key(allowed))

    (admission,) = resource_policies.read([one, other])

    assert (admission.resource, admission.actions) == (KEY, ("kms:Decrypt",))


@pytest.mark.parametrize(
    ("statement", "faults"),
    [
        ({"Principal": ROOT, "Action": "kms:*"}, []),
        ({"Principal": {"Service": "logs.amazonaws.com"}, "Action": "kms:Decrypt"}, []),
        ({"Principal": {"Service": "logs.amazonaws.com"}, "Action": "kms:*"}, ["kms:* is a wildcard"]),
        ({"Principal": {"Service": "logs.amazonaws.com"}, "Action": "kms:Unlock"}, ["AWS has no action kms:Unlock"]),
        ({"Principal": "*", "Action": "kms:Decrypt"}, ["lets everybody in"]),
        ({"Principal": {"AWS": "*"}, "Action": "kms:Decrypt"}, ["lets everybody in"]),
        ({"Principal": "*", "Action": "kms:Decrypt", "Condition": {"StringEquals": {"kms:ViaService": "s3"}}}, []),
    ],
    ids=[
        "the account's IAM",
        "a service",
        "wildcard",
        "unknown",
        "everybody",
        "all of AWS",
        "everybody on a condition",
    ],
)
def test_only_named_principals_are_admitted_to_listed_actions(
    tmp_path: Path, statement: dict[str, Any], faults: list[str]
) -> None:
    assert whats(tmp_path, statement) == faults
