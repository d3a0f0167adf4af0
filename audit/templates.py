"""Synthesized templates: their resources, and references written out on one line."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from audit.faults import AuditError

_HASH = re.compile(r"[0-9A-F]{8}$")


@dataclass(frozen=True)
class Template:
    """One stack's template.

    Attributes:
        stack_name: the stack's name in AWS.
        path: of the file.
        resources: by logical id, as they stand in the file.
        outputs: likewise.
    """

    stack_name: str
    path: Path
    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Assembly:
    """The templates of one synthesis, nested assemblies included."""

    folder: Path
    templates: tuple[Template, ...]

    @classmethod
    def read(cls, folder: Path) -> "Assembly":
        """Read all templates below a cloud assembly's folder."""
        return cls(folder, tuple(_templates(folder)))

    @cached_property
    def types(self) -> Mapping[str, str]:
        """CloudFormation's type of each resource, by the name under which `text` shows it."""
        return {
            plain(logical_id): resource["Type"]
            for template in self.templates
            for logical_id, resource in template.resources.items()
        }

    @cached_property
    def _exports(self) -> Mapping[str, Any]:
        outputs = [output for template in self.templates for output in template.outputs.values()]
        return {self.text(output["Export"]["Name"]): output["Value"] for output in outputs if "Export" in output}

    def text(self, value: Any) -> str:
        """A value on one line, as `<DataBucket.Arn>/raw/*`: imports are followed to what is exported.

        Raises:
            AuditError: for a function that no policy here uses.
        """
        match value:
            case str():
                return value
            case {"Ref": str(name)}:
                return f"<{plain(name)}>"
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return f"<{plain(name)}.{attribute}>"
            case {"Fn::ImportValue": name}:
                return self.text(self._exports[self.text(name)])
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(self.text(part) for part in parts)
        raise AuditError(f"{json.dumps(value)} cannot be read: teach it to audit/templates.py")

    def condition(self, statement: Mapping[str, Any]) -> str:
        """The condition of a policy's statement, as `KEY OPERATOR VALUE, ... and ...`; empty if it has none."""
        tests = [
            f"{key} {operator} {', '.join(self.text(value) for value in as_list(values))}"
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        ]
        return " and ".join(sorted(tests))


def plain(logical_id: str) -> str:
    """A logical id without the hash that the CDK puts behind it."""
    return _HASH.sub("", logical_id)


def as_list(value: Any) -> list[Any]:
    """The list that IAM and CloudFormation allow to be written as its only item."""
    return value if isinstance(value, list) else [value]


def condition_keys(statement: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys that the condition of a policy's statement looks at, each once."""
    return tuple(sorted({key for keys in statement.get("Condition", {}).values() for key in keys}))


def _templates(folder: Path) -> Iterator[Template]:
    for manifest in sorted(folder.rglob("manifest.json")):
        for artifact in json.loads(manifest.read_text(encoding="utf-8"))["artifacts"].values():
            if artifact["type"] == "aws:cloudformation:stack":
                path = manifest.parent / artifact["properties"]["templateFile"]
                document = json.loads(path.read_text(encoding="utf-8"))
                name = artifact["properties"]["stackName"]
                yield Template(name, path, document["Resources"], document.get("Outputs", {}))
