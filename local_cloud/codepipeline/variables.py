"""Variables of a pipeline, `#{namespace.KEY}`: where they stand in a configuration, and what they resolve to."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local_cloud.codepipeline.records import SUCCEEDED, Declaration, Execution

REFERENCE = re.compile(r"#\{([A-Za-z0-9@_-]+)\.([A-Za-z0-9@_-]+)\}")
RESERVED_NAMESPACES = ("codepipeline", "variables")

Scope = Mapping[str, Mapping[str, str]]
"""Namespace -> key -> value."""


class UnresolvedVariablesError(Exception):
    """Variables that have no value in this execution."""

    def __init__(self, references: list[str]) -> None:
        super().__init__(", ".join(references))
        self.references = references


def references(text: str) -> Iterator[tuple[str, str]]:
    """The (namespace, key) pairs that a configuration value refers to."""
    return ((match[1], match[2]) for match in REFERENCE.finditer(text))


def scope_of(execution: Execution, declaration: Declaration) -> dict[str, dict[str, str]]:
    """What an execution's next action may refer to: its own id, the pipeline's variables, earlier actions' output."""
    scope = {
        "codepipeline": {"PipelineExecutionId": execution.id},
        "variables": execution.variables,
    }
    namespaces = {
        (stage["name"], action["name"]): action.get("namespace")
        for stage in declaration["stages"]
        for action in stage["actions"]
    }
    for action in execution.counting():
        namespace = namespaces.get((action.stage, action.action))
        if namespace is not None and action.status == SUCCEEDED:
            scope[namespace] = action.output_variables
    return scope


def resolve(configuration: Mapping[str, str], scope: Scope) -> dict[str, str]:
    """The configuration with every variable replaced by its value.

    In a value that is JSON (EnvironmentVariables, ParameterOverrides) the strings inside are resolved, so that a quote
    in a variable cannot break the document.

    Raises:
        UnresolvedVariablesError: naming every variable without a value.
    """
    missing: list[str] = []

    def replace(match: re.Match[str]) -> str:
        value = scope.get(match[1], {}).get(match[2])
        if value is None:
            missing.append(match[0])
            return match[0]
        return value

    def substitute(text: str) -> str:
        return REFERENCE.sub(replace, text)

    resolved = {key: _resolve_text(text, substitute) for key, text in configuration.items()}
    if missing:
        raise UnresolvedVariablesError(list(dict.fromkeys(missing)))
    return resolved


def _resolve_text(text: str, substitute: Callable[[str], str]) -> str:
    if not REFERENCE.search(text):
        return text
    try:
        document = json.loads(text)
    except ValueError:
        return substitute(text)
    if not isinstance(document, (dict, list)):
        return substitute(text)
    return json.dumps(_resolve_document(document, substitute))


def _resolve_document(value: Any, substitute: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return substitute(value)
    if isinstance(value, list):
        return [_resolve_document(item, substitute) for item in value]
    if isinstance(value, dict):
        return {substitute(key): _resolve_document(item, substitute) for key, item in value.items()}
    return value
