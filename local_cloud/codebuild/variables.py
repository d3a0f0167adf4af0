"""The environment variables of a build: where each value comes from, and which of them are secrets."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.codebuild.buildspec import Environment
from local_cloud.codebuild.failures import PhaseError

Variable = Mapping[str, str]  # as in the API: name, value, type


@dataclass(frozen=True)
class Variables:
    """Values by name, and the names of those that logs must not show."""

    values: dict[str, str]
    secret_names: frozenset[str]

    def secrets(self) -> list[str]:
        return [self.values[name] for name in self.secret_names]


def merged(project: Iterable[Variable], override: Iterable[Variable]) -> list[dict[str, str]]:
    """A project's variables with those of StartBuild, which win."""
    by_name = {variable["name"]: {"type": "PLAINTEXT", **variable} for variable in (*project, *override)}
    return list(by_name.values())


def resolve(section: Environment, given: Iterable[Variable], ssm: Any, secrets_manager: Any) -> Variables:
    """The values of all variables; those of the build (`given`) win over the buildspec's.

    Args:
        section: the buildspec's `env`.
        given: the build's own variables, in the API's form.
        ssm: a client of the Parameter Store.
        secrets_manager: a client of Secrets Manager.

    Raises:
        PhaseError: a parameter or secret cannot be read, or a variable is none that a process can have.
    """
    wanted = {name: ("PLAINTEXT", value) for name, value in section.variables.items()}
    wanted |= {name: ("PARAMETER_STORE", value) for name, value in section.parameter_store.items()}
    wanted |= {name: ("SECRETS_MANAGER", value) for name, value in section.secrets_manager.items()}
    wanted |= {variable["name"]: (variable["type"], variable["value"]) for variable in given}
    values = {}
    for name, (kind, value) in wanted.items():
        if kind == "PARAMETER_STORE":
            values[name] = _parameter(ssm, value)
        elif kind == "SECRETS_MANAGER":
            values[name] = _secret(secrets_manager, value)
        else:
            values[name] = value
    for name, value in values.items():
        if not name or "=" in name or "\0" in f"{name}{value}":  # it would end this variable and begin another
            message = f"{name!r} cannot be a variable: its name has no '=', and neither name nor value a null character"
            raise PhaseError("CLIENT_ERROR", message)
    return Variables(values, frozenset(name for name, (kind, _) in wanted.items() if kind != "PLAINTEXT"))


def exported(names: Iterable[str], environment: Mapping[str, str], variables: Variables) -> list[dict[str, str]]:
    """The exported variables as the API shows them; secrets and AWS_* cannot be exported.

    A variable that no command has set is exported empty (an assumption: the documentation does not say).
    """
    return [
        {"name": name, "value": environment.get(name, "")}
        for name in names
        if name not in variables.secret_names and not name.startswith("AWS_")
    ]


def _parameter(ssm: Any, name: str) -> str:
    try:
        answer = ssm.get_parameters(Names=[name], WithDecryption=True)
    except ClientError as error:
        raise PhaseError("Decrypted Variables Error", _words(error)) from error
    if not answer["Parameters"]:
        raise PhaseError("Decrypted Variables Error", f"parameter does not exist: {name}")
    return str(answer["Parameters"][0]["Value"])


def _secret(client: Any, reference: str) -> str:
    """The value of `secret-id:json-key:version-stage:version-id`, of which only the id is needed; it may be an ARN."""
    is_arn = reference.startswith("arn:")
    parts = reference.split(":")
    identifier, options = (":".join(parts[:7]), parts[7:]) if is_arn else (parts[0], parts[1:])
    key, stage, version = (*options, "", "", "")[:3]
    which = {"VersionStage": stage} if stage else {"VersionId": version} if version else {}
    try:
        text = str(client.get_secret_value(SecretId=identifier, **which)["SecretString"])
    except ClientError as error:
        raise PhaseError("Secrets Manager Error Message", _words(error)) from error
    if not key:
        return text
    try:
        return str(json.loads(text)[key])
    except (ValueError, KeyError, TypeError) as error:
        raise PhaseError(
            "Secrets Manager Error Message", f"{identifier} has no key {key!r} in a JSON object"
        ) from error


def _words(error: ClientError) -> str:
    return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
