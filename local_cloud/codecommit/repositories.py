"""The repositories of the account: a document and a bare git repository each."""

import re
import shutil
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.codecommit.git import COMMIT_ID, GitError, GitRepository
from local_cloud.wire import ServiceError

_NAME = re.compile(r"[\w.-]{1,100}", re.ASCII)


class Repositories:
    """Repositories by name; their git data lies in `state_dir/codecommit/NAME.git`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._directory = cloud.state_dir / "codecommit"
        self._table = cloud.store.table("codecommit.repositories")
        self._changing = threading.Lock()

    def create(
        self, name: str, description: str | None, tags: dict[str, str], kms_key_id: str | None
    ) -> dict[str, Any]:
        """Make an empty repository and answer its metadata (RepositoryMetadata, and its tags).

        Raises:
            ServiceError: InvalidRepositoryNameException, RepositoryNameExistsException.
        """
        _check_name(name)
        with self._changing:
            self._refuse_taken(name)
            shutil.rmtree(self._path(name), ignore_errors=True)  # left by a server killed between the two steps
            GitRepository.create(self._path(name))
            now = datetime.now(UTC)
            self._table.put(name, {
                "repositoryId": str(uuid.uuid4()), "accountId": self._cloud.account_id,
                "repositoryDescription": description, "kmsKeyId": kms_key_id, "defaultBranch": None,
                "creationDate": now, "lastModifiedDate": now, "tags": tags,
            })  # fmt: skip
        return self.get(name)

    def get(self, name: str) -> dict[str, Any]:
        """The metadata of a repository.

        Raises:
            ServiceError: RepositoryDoesNotExistException.
        """
        document = self._table.get(name)
        if document is None:
            raise ServiceError("RepositoryDoesNotExistException", f"{name} does not exist")
        return self._metadata(name, document)

    def git(self, name: str) -> GitRepository:
        """The git repository of an existing repository.

        Raises:
            ServiceError: RepositoryDoesNotExistException.
        """
        self.get(name)
        return GitRepository(self._path(name))

    def names(self) -> list[str]:
        return [name for name, _ in self._table.items()]

    def all(self) -> list[dict[str, Any]]:
        return [self._metadata(name, document) for name, document in self._table.items()]

    def name_of(self, arn: str) -> str:
        """The name in a repository's ARN.

        Raises:
            ServiceError: InvalidResourceArnException, RepositoryDoesNotExistException.
        """
        prefix, _, name = arn.rpartition(":")
        if f"{prefix}:" != self.arn(""):
            raise ServiceError(
                "InvalidResourceArnException", f"{arn} is no repository's ARN of this account and region"
            )
        return str(self.get(name)["repositoryName"])

    def arn(self, name: str) -> str:
        return f"arn:aws:codecommit:{self._cloud.region}:{self._cloud.account_id}:{name}"

    def delete(self, name: str) -> str | None:
        """Remove a repository with all its commits; answers its id, None when there was none."""
        with self._changing:
            document = self._table.get(name)
            self._table.delete(name)
            shutil.rmtree(self._path(name), ignore_errors=True)
        return None if document is None else str(document["repositoryId"])

    def rename(self, old: str, new: str) -> None:
        """Give a repository another name; its id, commits and tags stay.

        Raises:
            ServiceError: the new name is malformed or taken, or no repository has the old one.
        """
        _check_name(new)
        with self._changing:
            document = self._table.get(old)
            if document is None:
                raise ServiceError("RepositoryDoesNotExistException", f"{old} does not exist")
            self._refuse_taken(new)
            self._path(old).rename(self._path(new))
            self._table.put(new, document | {"lastModifiedDate": datetime.now(UTC)})
            self._table.delete(old)

    def change(self, name: str, **members: Any) -> None:
        """Set members of an existing repository's document."""
        self.get(name)
        with self._table.change(name) as document:
            document.update(members, lastModifiedDate=datetime.now(UTC))

    def set_default_branch(self, name: str, branch: str) -> None:
        """Make a branch the default one, which a clone checks out."""
        self.git(name).run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        self.change(name, defaultBranch=branch)

    def note_push(self, name: str) -> None:
        """After commits came in: the first branch pushed becomes the default one."""
        branches = self.git(name).branches()
        default = self.get(name)["defaultBranch"]
        if branches and default not in branches:
            self.set_default_branch(name, "main" if "main" in branches else min(branches))
        else:
            self.change(name)

    def _metadata(self, name: str, document: dict[str, Any]) -> dict[str, Any]:
        return document | {
            "repositoryName": name,
            "Arn": self.arn(name),
            "cloneUrlHttp": f"{self._cloud.endpoint_url}/v1/repos/{name}",
            "cloneUrlSsh": f"ssh://git-codecommit.{self._cloud.region}.amazonaws.com/v1/repos/{name}",
        }

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.git"

    def _refuse_taken(self, name: str) -> None:
        if self._table.get(name) is not None:
            raise ServiceError("RepositoryNameExistsException", f"Repository named {name} already exists")


def branch_commit(git: GitRepository, branch: str) -> str:
    """The commit that a branch points to.

    Raises:
        ServiceError: BranchDoesNotExistException.
    """
    commit_id = git.branches().get(branch)
    if commit_id is None:
        raise ServiceError("BranchDoesNotExistException", f"Branch {branch} does not exist")
    return commit_id


def check_branch_name(git: GitRepository, branch: str) -> None:
    """Raises:
    ServiceError: InvalidBranchNameException.
    """
    invalid = ServiceError("InvalidBranchNameException", f"{branch!r} is not a valid branch name")
    if "\0" in branch or COMMIT_ID.fullmatch(branch):
        raise invalid
    try:
        git.run("check-ref-format", f"refs/heads/{branch}")
    except GitError as error:
        raise invalid from error


def check_not_a_tag(git: GitRepository, branch: str) -> None:
    """Raises:
    ServiceError: BranchNameIsTagNameException.
    """
    references = git.references()
    if f"refs/tags/{branch}" in references and f"refs/heads/{branch}" not in references:
        raise ServiceError("BranchNameIsTagNameException", f"{branch} is a tag; name a branch")


def checked_path(path: str) -> str:
    """A path in a repository, without slashes around it; empty for the root.

    git writes whatever it is told into a tree, and a working copy or an archive would have it outside or as its own.

    Raises:
        ServiceError: InvalidPathException.
    """
    path = path.strip("/")
    if path and any(part.lower() in ("", ".", "..", ".git") or "\0" in part for part in path.split("/")):
        raise ServiceError("InvalidPathException", f"{path!r} is not a valid path in a repository")
    return path


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.endswith(".git"):
        raise ServiceError(
            "InvalidRepositoryNameException",
            f"{name!r} is no repository name: 1 to 100 letters, digits, '_', '.' and '-', without '.git' at the end",
        )
