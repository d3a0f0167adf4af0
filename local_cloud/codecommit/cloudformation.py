"""The CloudFormation type AWS::CodeCommit::Repository."""

import json
from typing import Any

from local_cloud.codecommit.repositories import Repositories
from local_cloud.wire import JsonService, ServiceError

_DEFAULT_KEY = "alias/aws/codecommit"
_PROPERTIES = frozenset({"Code", "KmsKeyId", "RepositoryDescription", "RepositoryName", "Tags", "Triggers"})


class RepositoryHandler:
    """Ref is the repository's id; its name may change in place. It calls what whoever makes the stack may call."""

    replace_on: frozenset[str] = frozenset()

    def __init__(self, service: JsonService, repositories: Repositories) -> None:
        self._service = service
        self._repositories = repositories

    def create(self, logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        """Make the repository; its physical id is its repository id."""
        _check(properties)
        repository = self._call(
            "CreateRepository", repositoryName=properties["RepositoryName"], tags=_tags(properties),
            repositoryDescription=properties.get("RepositoryDescription"), kmsKeyId=properties.get("KmsKeyId"),
        )["repositoryMetadata"]  # fmt: skip
        return str(repository["repositoryId"]), _attributes(repository)

    def update(self, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """Change name, description, key and tags."""
        _check(new)
        name = new["RepositoryName"]
        if name != old["RepositoryName"]:
            self._call("UpdateRepositoryName", oldName=old["RepositoryName"], newName=name)
        description = new.get("RepositoryDescription")
        if description != old.get("RepositoryDescription"):
            self._call("UpdateRepositoryDescription", repositoryName=name, repositoryDescription=description)
        if new.get("KmsKeyId") != old.get("KmsKeyId"):
            key = new.get("KmsKeyId", _DEFAULT_KEY)
            self._call("UpdateRepositoryEncryptionKey", repositoryName=name, kmsKeyId=key)
        self._update_tags(self._repositories.arn(name), _tags(old), _tags(new))
        return _attributes(self._repositories.get(name))

    def delete(self, physical_id: str, properties: dict[str, Any]) -> None:
        """Remove the repository when it still is the one that the stack made."""
        name = properties.get("RepositoryName", "")
        if name in self._repositories.names() and self._repositories.get(name)["repositoryId"] == physical_id:
            self._call("DeleteRepository", repositoryName=name)

    def _update_tags(self, arn: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        removed = [key for key in old if key not in new]
        if removed:
            self._call("UntagResource", resourceArn=arn, tagKeys=removed)
        if new != old and new:
            self._call("TagResource", resourceArn=arn, tags=new)

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self._service.call(operation, json.dumps(request).encode())


def _check(properties: dict[str, Any]) -> None:
    if "RepositoryName" not in properties:
        raise ServiceError("InvalidRequestException", "Missing required property RepositoryName")
    unknown = properties.keys() - _PROPERTIES
    if unknown:
        raise ServiceError("InvalidRequestException", f"Encountered unsupported property {', '.join(sorted(unknown))}")
    unserved = properties.keys() & {"Code", "Triggers"}
    if unserved:
        raise ServiceError(
            "InvalidRequestException",
            f"The local cloud does not serve {' and '.join(sorted(unserved))} of AWS::CodeCommit::Repository; "
            "create the repository empty and push to it",
        )


def _tags(properties: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}


def _attributes(repository: dict[str, Any]) -> dict[str, Any]:
    return {
        "Arn": repository["Arn"],
        "Name": repository["repositoryName"],
        "CloneUrlHttp": repository["cloneUrlHttp"],
        "CloneUrlSsh": repository["cloneUrlSsh"],
    }
