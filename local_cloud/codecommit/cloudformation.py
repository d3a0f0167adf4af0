"""The CloudFormation type AWS::CodeCommit::Repository."""

from typing import Any

from local_cloud.codecommit.operations import Operations
from local_cloud.codecommit.repositories import Repositories
from local_cloud.wire import ServiceError


class RepositoryHandler:
    """Ref is the repository's id; its name may change in place."""

    replace_on: frozenset[str] = frozenset()

    def __init__(self, repositories: Repositories, operations: Operations) -> None:
        self._repositories = repositories
        self._operations = operations

    def create(self, logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        """Make the repository; its physical id is its repository id."""
        _refuse_unserved(properties)
        repository = self._repositories.create(
            properties["RepositoryName"],
            properties.get("RepositoryDescription"),
            _tags(properties),
            properties.get("KmsKeyId"),
        )
        return str(repository["repositoryId"]), _attributes(repository)

    def update(self, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """Change name, description, key and tags."""
        _refuse_unserved(new)
        name = new["RepositoryName"]
        if name != old["RepositoryName"]:
            self._repositories.rename(old["RepositoryName"], name)
        self._repositories.change(
            name, repositoryDescription=new.get("RepositoryDescription"), kmsKeyId=new.get("KmsKeyId"), tags=_tags(new)
        )
        return _attributes(self._repositories.get(name))

    def delete(self, physical_id: str, properties: dict[str, Any]) -> None:
        """Remove the repository when it still is the one that the stack made."""
        name = properties.get("RepositoryName", "")
        if name in self._repositories.names() and self._repositories.get(name)["repositoryId"] == physical_id:
            self._operations.delete_repository({"repositoryName": name})


def _refuse_unserved(properties: dict[str, Any]) -> None:
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
