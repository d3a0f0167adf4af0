"""Reads synthesized templates as CloudFormation would deploy them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PSEUDO_PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "111122223333",
    "AWS::URLSuffix": "amazonaws.com",
}
BOUNDARY = "arn:aws:iam::111122223333:policy/boundary"
_HASH = re.compile(r"[0-9A-F]{8}$")


@dataclass(frozen=True, repr=False)
class Deployment:
    """The four templates of a project by their place in the assembly."""

    foundation: dict[str, Any]
    pipeline: dict[str, Any]
    staging: dict[str, Any]
    production: dict[str, Any]

    @staticmethod
    def read(assembly: Path) -> "Deployment":
        """Read an assembly; fails unless each endpoint's folder holds one template, as the buildspec expects."""
        (staging,) = assembly.glob("assembly-Staging/*.template.json")
        (production,) = assembly.glob("assembly-Production/*.template.json")
        paths = (assembly / "Foundation.template.json", assembly / "Pipeline.template.json", staging, production)
        return Deployment(*(json.loads(path.read_text()) for path in paths))

    @property
    def templates(self) -> dict[str, dict[str, Any]]:
        return {name: getattr(self, name) for name in ("foundation", "pipeline", "staging", "production")}

    def exports(self) -> dict[str, Any]:
        """What the foundation exports, by the export's name."""
        outputs = self.foundation["Outputs"].values()
        return {self.resolve(o["Export"]["Name"]): o["Value"] for o in outputs if "Export" in o}

    def resolve(self, value: Any) -> Any:
        """A value with pseudo parameters and imports filled in; `<Key.Arn>` is an attribute, `<Key>` a reference."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, argument), *_ = value.items()
            match function:
                case "Ref":
                    return PSEUDO_PARAMETERS.get(argument, f"<{_HASH.sub('', argument)}>")
                case "Fn::GetAtt":
                    return f"<{_HASH.sub('', argument[0])}.{argument[1]}>"
                case "Fn::ImportValue":
                    return self.resolve(self.exports()[argument])
                case "Fn::Join":
                    return argument[0].join(str(part) for part in self.resolve(argument[1]))
        return {key: self.resolve(item) for key, item in value.items()}

    def resources(self, template: str, resource_type: str) -> dict[str, dict[str, Any]]:
        """A template's resources of a type, by logical id without its hash, with resolved properties."""
        return {
            _HASH.sub("", logical_id): {**resource, "Properties": self.resolve(resource["Properties"])}
            for logical_id, resource in self.templates[template]["Resources"].items()
            if resource["Type"] == resource_type
        }

    def properties(self, template: str, resource_type: str, logical_id: str) -> dict[str, Any]:
        """The resolved properties of one resource."""
        return self.resources(template, resource_type)[logical_id]["Properties"]

    def grants(self, template: str, role: str) -> set[str]:
        """All that a role is allowed, one `ACTION on RESOURCE [if CONDITION]` for each pair."""
        properties = self.properties(template, "AWS::IAM::Role", role)
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        others = [policy["Properties"] for policy in self.resources(template, "AWS::IAM::Policy").values()]
        documents += [policy["PolicyDocument"] for policy in others if f"<{role}>" in policy["Roles"]]
        assert not properties.get("ManagedPolicyArns"), f"{role} has managed policies"
        return {grant for document in documents for grant in _grants(document)}

    def statements(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every statement of every identity policy in all templates, with the place it stands at."""
        for name in self.templates:
            for logical_id, role in self.resources(name, "AWS::IAM::Role").items():
                for policy in role["Properties"].get("Policies", []):
                    yield from ((f"{name} {logical_id}", one) for one in policy["PolicyDocument"]["Statement"])
            for logical_id, policy in self.resources(name, "AWS::IAM::Policy").items():
                statements = policy["Properties"]["PolicyDocument"]["Statement"]
                yield from ((f"{name} {logical_id}", one) for one in statements)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _grants(document: Mapping[str, Any]) -> Iterator[str]:
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        condition = f" if {json.dumps(statement['Condition'], sort_keys=True)}" if "Condition" in statement else ""
        for action in as_list(statement["Action"]):
            yield from (f"{action} on {resource}{condition}" for resource in as_list(statement["Resource"]))


def on(resource: str | list[str], *actions: str, condition: Mapping[str, Any] | None = None) -> set[str]:
    """The grants of actions on one resource or on each of several, as `Deployment.grants` writes them."""
    suffix = f" if {json.dumps(condition, sort_keys=True)}" if condition else ""
    return {f"{action} on {one}{suffix}" for one in as_list(resource) for action in actions}
