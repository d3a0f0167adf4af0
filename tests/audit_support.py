"""Small assemblies for the tests of the audit."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.grants import AuditedRole, Grant, Note, RoleId, Trust
from audit.templates import Assembly

BUCKET = {"DataBucketE3889A50": {"Type": "AWS::S3::Bucket", "Properties": {}}}
BUCKET_ARN = {"Fn::GetAtt": ["DataBucketE3889A50", "Arn"]}
CODEBUILD = Trust("codebuild.amazonaws.com")
READER = RoleId("line-pipeline", "ReaderRole0A1B2C3D")


def assemble(folder: Path, resources: Mapping[str, Any], *, stack: str = "line-pipeline", **template: Any) -> Assembly:
    """Write a cloud assembly with one stack, and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{stack}.template.json"
    (folder / file).write_text(json.dumps({"Resources": resources, **template}))
    properties = {"stackName": stack, "templateFile": file}
    manifest = {"artifacts": {stack: {"type": "aws:cloudformation:stack", "properties": properties}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Assembly.read(folder)


def allowed(actions: str | Sequence[str], resources: Any, **more: Any) -> dict[str, Any]:
    """A statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def role(*statements: Mapping[str, Any], trusts: str = "codebuild.amazonaws.com", **properties: Any) -> dict[str, Any]:
    """A role with one inline policy."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": trusts}}
    policies = [{"PolicyName": "Permissions", "PolicyDocument": {"Statement": list(statements)}}]
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Statement": [trust]}, "Policies": policies, **properties},
    }


def noted(resource: dict[str, Any], *notes: Mapping[str, Any]) -> dict[str, Any]:
    """A role with reasons in its metadata."""
    return {**resource, "Metadata": {"Slipway": {"Grants": list(notes)}}}


def audited(*grants: Grant, notes: Sequence[Note] = (), trusted: Trust = CODEBUILD) -> AuditedRole:
    """A role with these grants in every network mode."""
    networks = frozenset({"isolated", "vpc"})
    return AuditedRole(READER, frozenset({trusted}), dict.fromkeys(grants, networks), tuple(notes))


def note(action: str, resource: str, *, wildcard: str | None = None, unused: str | None = None) -> Note:
    """A reason for one action on one resource."""
    return Note(frozenset({action}), frozenset({resource}), wildcard, {action: unused} if unused else {})
