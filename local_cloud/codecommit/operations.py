"""CodeCommit's API."""

from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.codecommit.commits import new_commit
from local_cloud.codecommit.events import ReferenceEvents
from local_cloud.codecommit.git import COMMIT_ID, GitError, GitRepository, TreeEntry
from local_cloud.codecommit.repositories import Repositories, branch_commit, check_branch_name
from local_cloud.wire import JsonService, ServiceError

_FILE_MODES = {"100644": "NORMAL", "100755": "EXECUTABLE", "120000": "SYMLINK"}
_INVALID_MEMBERS = {
    "repositoryName": "InvalidRepositoryNameException",
    "branchName": "InvalidBranchNameException",
    "repositoryDescription": "InvalidRepositoryDescriptionException",
}

Request = dict[str, Any]


class CodeCommitService(JsonService):
    """The wire of CodeCommit, which has an error of its own for most malformed members."""

    def __init__(self, operations: "Operations") -> None:
        super().__init__("codecommit", operations)

    def call(self, operation: str, body: bytes) -> dict[str, Any]:
        try:
            return super().call(operation, body)
        except ServiceError as error:
            member = next((name for name in _INVALID_MEMBERS if f" at '{name}' " in error.message), None)
            if error.code != "ValidationException" or member is None:
                raise
            raise ServiceError(_INVALID_MEMBERS[member], error.message) from error


class Operations:
    """One method for each operation that is served."""

    def __init__(self, cloud: Cloud, repositories: Repositories, events: ReferenceEvents) -> None:
        self._cloud = cloud
        self._repositories = repositories
        self._events = events

    def create_repository(self, request: Request) -> Request:
        metadata = self._repositories.create(
            request["repositoryName"],
            request.get("repositoryDescription"),
            request.get("tags", {}),
            request.get("kmsKeyId"),
        )
        return {"repositoryMetadata": metadata}

    def get_repository(self, request: Request) -> Request:
        return {"repositoryMetadata": self._repositories.get(request["repositoryName"])}

    def batch_get_repositories(self, request: Request) -> Request:
        known = set(self._repositories.names())
        names = request["repositoryNames"]
        return {
            "repositories": [self._repositories.get(name) for name in names if name in known],
            "repositoriesNotFound": [name for name in names if name not in known],
        }

    def list_repositories(self, request: Request) -> Request:
        member = "lastModifiedDate" if request.get("sortBy") == "lastModifiedDate" else "repositoryName"
        found = sorted(
            self._repositories.all(), key=lambda one: one[member], reverse=request.get("order") == "descending"
        )
        return {"repositories": found}

    def delete_repository(self, request: Request) -> Request:
        repository_id = self._repositories.delete(request["repositoryName"])
        if repository_id is not None:
            self._events.forget(repository_id)
        return {"repositoryId": repository_id}

    def update_repository_name(self, request: Request) -> Request:
        self._repositories.rename(request["oldName"], request["newName"])
        return {}

    def update_repository_description(self, request: Request) -> Request:
        self._repositories.change(request["repositoryName"], repositoryDescription=request.get("repositoryDescription"))
        return {}

    def create_branch(self, request: Request) -> Request:
        name, branch, commit_id = request["repositoryName"], request["branchName"], request["commitId"]
        git = self._repositories.git(name)
        check_branch_name(git, branch)
        if branch in git.branches():
            raise ServiceError("BranchNameExistsException", f"Branch {branch} already exists")
        if git.resolve_commit(commit_id) != commit_id:
            raise ServiceError("CommitDoesNotExistException", f"Commit {commit_id} does not exist")
        git.move_reference(f"refs/heads/{branch}", commit_id, "")
        self._note_change(name)
        return {}

    def get_branch(self, request: Request) -> Request:
        branch = request.get("branchName", "")
        git = self._repositories.git(request.get("repositoryName", ""))
        return {"branch": {"branchName": branch, "commitId": branch_commit(git, branch)}}

    def list_branches(self, request: Request) -> Request:
        return {"branches": sorted(self._repositories.git(request["repositoryName"]).branches())}

    def delete_branch(self, request: Request) -> Request:
        name, branch = request["repositoryName"], request["branchName"]
        if self._repositories.get(name)["defaultBranch"] == branch:
            raise ServiceError("DefaultBranchCannotBeDeletedException", f"{branch} is the default branch of {name}")
        git = self._repositories.git(name)
        commit_id = git.branches().get(branch)
        if commit_id is None:
            return {}
        git.run("update-ref", "-d", f"refs/heads/{branch}", commit_id)
        self._note_change(name)
        return {"deletedBranch": {"branchName": branch, "commitId": commit_id}}

    def update_default_branch(self, request: Request) -> Request:
        name, branch = request["repositoryName"], request["defaultBranchName"]
        branch_commit(self._repositories.git(name), branch)
        self._repositories.set_default_branch(name, branch)
        return {}

    def get_commit(self, request: Request) -> Request:
        git = self._repositories.git(request["repositoryName"])
        commit_id = request["commitId"]
        if not COMMIT_ID.fullmatch(commit_id):
            raise ServiceError("InvalidCommitIdException", f"{commit_id!r} is not 40 hexadecimal digits")
        if git.resolve_commit(commit_id) is None:
            raise ServiceError("CommitIdDoesNotExistException", f"Commit {commit_id} does not exist")
        return {"commit": _commit(git, commit_id)}

    def get_file(self, request: Request) -> Request:
        git = self._repositories.git(request["repositoryName"])
        commit_id = _commit_for(git, request.get("commitSpecifier", "HEAD"))
        path = request["filePath"].strip("/")
        entry = next((entry for entry in git.tree(commit_id, path) if entry.kind == "blob"), None)
        if entry is None:
            raise ServiceError("FileDoesNotExistException", f"{path} does not exist in commit {commit_id}")
        content = git.blob(entry.object_id)
        return {"commitId": commit_id, "blobId": entry.object_id, "filePath": path, "fileSize": len(content),
                "fileMode": _FILE_MODES[entry.mode], "fileContent": content}  # fmt: skip

    def get_folder(self, request: Request) -> Request:
        git = self._repositories.git(request["repositoryName"])
        commit_id = _commit_for(git, request.get("commitSpecifier", "HEAD"))
        path = request["folderPath"].strip("/")
        entries = git.tree(commit_id, f"{path}/" if path else "")
        if path and not entries:
            raise ServiceError("FolderDoesNotExistException", f"{path} does not exist in commit {commit_id}")
        return {
            "commitId": commit_id, "folderPath": path,
            "treeId": git.run("rev-parse", f"{commit_id}:{path}").decode().strip(),
            "subFolders": [_entry(e, path) | {"treeId": e.object_id} for e in entries if e.kind == "tree"],
            "files": [_entry(e, path) for e in entries if e.kind == "blob" and e.mode != "120000"],
            "symbolicLinks": [_entry(e, path) for e in entries if e.mode == "120000"],
            "subModules": [_entry(e, path) | {"commitId": e.object_id} for e in entries if e.kind == "commit"],
        }  # fmt: skip

    def get_differences(self, request: Request) -> Request:
        git = self._repositories.git(request["repositoryName"])
        after = _commit_for(git, request["afterCommitSpecifier"])
        before = request.get("beforeCommitSpecifier")
        base = "4b825dc642cb6eb9a060e54bf8d69288fbee4904" if before is None else _commit_for(git, before)
        listing = git.run("diff-tree", "-r", "-z", "--no-renames", "--raw", "--abbrev=40", base, after)
        return {"differences": _differences(listing.decode(errors="replace"))}

    def create_commit(self, request: Request) -> Request:
        name, branch = request["repositoryName"], request["branchName"]
        git = self._repositories.git(name)
        check_branch_name(git, branch)
        made = new_commit(git, request)
        try:
            git.move_reference(f"refs/heads/{branch}", made["commitId"], request.get("parentCommitId", ""))
        except GitError as error:
            raise ServiceError("ParentCommitIdOutdatedException", f"Branch {branch} has moved on: {error}") from error
        self._note_change(name)
        return made

    def tag_resource(self, request: Request) -> Request:
        self._set_tags(request["resourceArn"], added=request["tags"], removed=[])
        return {}

    def untag_resource(self, request: Request) -> Request:
        self._set_tags(request["resourceArn"], added={}, removed=request["tagKeys"])
        return {}

    def list_tags_for_resource(self, request: Request) -> Request:
        return {"tags": self._repositories.get(self._repositories.name_of(request["resourceArn"]))["tags"]}

    def _set_tags(self, arn: str, added: dict[str, str], removed: list[str]) -> None:
        name = self._repositories.name_of(arn)
        tags = self._repositories.get(name)["tags"] | added
        self._repositories.change(name, tags={key: value for key, value in tags.items() if key not in removed})

    def _note_change(self, name: str) -> None:
        self._repositories.note_push(name)
        self._events.publish_changes(name)


def _commit_for(git: GitRepository, specifier: str) -> str:
    commit_id = git.resolve_commit(specifier)
    if commit_id is None:
        raise ServiceError("CommitDoesNotExistException", f"{specifier} does not stand for a commit")
    return commit_id


def _commit(git: GitRepository, commit_id: str) -> dict[str, Any]:
    commit = git.commit(commit_id)
    members = ("name", "email", "date")
    return {
        "commitId": commit.commit_id, "treeId": commit.tree_id, "parents": list(commit.parents),
        "message": commit.message, "additionalData": "",
        "author": dict(zip(members, commit.author, strict=True)),
        "committer": dict(zip(members, commit.committer, strict=True)),
    }  # fmt: skip


def _entry(entry: TreeEntry, folder: str) -> dict[str, Any]:
    return {
        "absolutePath": entry.path,
        "relativePath": entry.path.removeprefix(f"{folder}/"),
        "blobId": entry.object_id,
        "fileMode": _FILE_MODES.get(entry.mode),
    }


def _differences(listing: str) -> list[dict[str, Any]]:
    parts = listing.split("\0")[:-1]
    found = []
    for facts, path in zip(parts[::2], parts[1::2], strict=True):
        before_mode, after_mode, before_id, after_id, change = facts.removeprefix(":").split(" ")
        difference: dict[str, Any] = {"changeType": "M" if change == "T" else change}
        if change != "A":
            difference["beforeBlob"] = {"blobId": before_id, "path": path, "mode": before_mode}
        if change != "D":
            difference["afterBlob"] = {"blobId": after_id, "path": path, "mode": after_mode}
        found.append(difference)
    return found
