"""CodeCommit's API."""

from typing import Any

from local_cloud.authorization import caller_arn
from local_cloud.cloud import Cloud
from local_cloud.codecommit.comments import CommentOperations, Comments
from local_cloud.codecommit.commits import new_commit
from local_cloud.codecommit.contents import check_commit_id, commit_for, file_path
from local_cloud.codecommit.events import ReferenceEvents
from local_cloud.codecommit.git import GitError, GitRepository, TreeEntry
from local_cloud.codecommit.pull_request_operations import PullRequestOperations
from local_cloud.codecommit.pull_requests import PullRequests
from local_cloud.codecommit.repositories import (
    Repositories,
    branch_commit,
    check_branch_name,
    check_not_a_tag,
    checked_path,
)
from local_cloud.codecommit.tags import check_keys, check_tags
from local_cloud.wire import ServiceError

_FILE_MODES = {"100644": "NORMAL", "100755": "EXECUTABLE", "120000": "SYMLINK"}
_MOST_REPOSITORY_NAMES = 100
_LARGEST_FILE = 6 * 2**20
_TOKEN_DIGITS = 10
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

Request = dict[str, Any]


class Operations(PullRequestOperations, CommentOperations):
    """One method for each operation that is served; here those on repositories and what is in them."""

    def __init__(
        self,
        cloud: Cloud,
        repositories: Repositories,
        events: ReferenceEvents,
        pull_requests: PullRequests,
        comments: Comments,
    ) -> None:
        PullRequestOperations.__init__(self, repositories, pull_requests, self._note_change)
        CommentOperations.__init__(self, cloud, repositories, pull_requests, comments)
        self._cloud = cloud
        self._repositories = repositories
        self._events = events

    def create_repository(self, request: Request) -> Request:
        check_tags(request.get("tags", {}))
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
        known = {one["repositoryName"]: one for one in self._repositories.all()}
        names = request["repositoryNames"]
        if len(names) > _MOST_REPOSITORY_NAMES:
            raise ServiceError(
                "MaximumRepositoryNamesExceededException",
                f"repositoryNames has {len(names)} names, the most is {_MOST_REPOSITORY_NAMES}",
            )
        return {
            "repositories": [known[name] for name in names if name in known],
            "repositoriesNotFound": [name for name in names if name not in known],
        }

    def list_repositories(self, request: Request) -> Request:
        _refuse_token(request, "nextToken")
        member = "lastModifiedDate" if request.get("sortBy") == "lastModifiedDate" else "repositoryName"
        found = sorted(
            self._repositories.all(), key=lambda one: one[member], reverse=request.get("order") == "descending"
        )
        return {"repositories": found}

    def delete_repository(self, request: Request) -> Request:
        repository_id = self._repositories.delete(request["repositoryName"])
        if repository_id is not None:
            for holder in (self._events, self._pull_requests, self._comments):
                holder.forget(repository_id)
        return {"repositoryId": repository_id}

    def update_repository_name(self, request: Request) -> Request:
        self._repositories.rename(request["oldName"], request["newName"])
        return {}

    def update_repository_description(self, request: Request) -> Request:
        self._repositories.change(request["repositoryName"], repositoryDescription=request.get("repositoryDescription"))
        return {}

    def update_repository_encryption_key(self, request: Request) -> Request:
        name, key = request["repositoryName"], request["kmsKeyId"]
        before = self._repositories.get(name)
        self._repositories.change(name, kmsKeyId=key)
        return {
            "repositoryId": before["repositoryId"], "kmsKeyId": key, "originalKmsKeyId": before["kmsKeyId"],
        }  # fmt: skip

    def create_branch(self, request: Request) -> Request:
        name, branch, commit_id = request["repositoryName"], request["branchName"], request["commitId"]
        git = self._repositories.git(name)
        check_branch_name(git, branch)
        check_commit_id(commit_id)
        if branch in git.branches():
            raise ServiceError("BranchNameExistsException", f"Branch {branch} already exists")
        if git.resolve_commit(commit_id) != commit_id:
            raise ServiceError("CommitDoesNotExistException", f"Commit {commit_id} does not exist")
        git.move_reference(f"refs/heads/{branch}", commit_id, "")
        self._note_change(name)
        return {}

    def get_branch(self, request: Request) -> Request:
        branch = request["branchName"]
        git = self._repositories.git(request["repositoryName"])
        return {"branch": {"branchName": branch, "commitId": branch_commit(git, branch)}}

    def list_branches(self, request: Request) -> Request:
        branches = self._repositories.git(request["repositoryName"]).branches()
        _refuse_token(request, "nextToken")
        return {"branches": sorted(branches)}

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
        check_commit_id(commit_id)
        if git.resolve_commit(commit_id) is None:
            raise ServiceError("CommitIdDoesNotExistException", f"Commit {commit_id} does not exist")
        return {"commit": _commit(git, commit_id)}

    def get_file(self, request: Request) -> Request:
        git = self._repositories.git(request["repositoryName"])
        path = file_path(request["filePath"])
        commit_id = commit_for(git, request.get("commitSpecifier", "HEAD"))
        entry = next((entry for entry in git.tree(commit_id, path) if entry.kind == "blob"), None)
        if entry is None:
            raise ServiceError("FileDoesNotExistException", f"{path} does not exist in commit {commit_id}")
        content = git.blob(entry.object_id)
        if len(content) > _LARGEST_FILE:
            raise ServiceError("FileTooLargeException", f"{path} has {len(content)} bytes, the most is {_LARGEST_FILE}")
        return {"commitId": commit_id, "blobId": entry.object_id, "filePath": path, "fileSize": len(content),
                "fileMode": _FILE_MODES[entry.mode], "fileContent": content}  # fmt: skip

    def get_folder(self, request: Request) -> Request:
        git = self._repositories.git(request["repositoryName"])
        path = checked_path(request["folderPath"])
        commit_id = commit_for(git, request.get("commitSpecifier", "HEAD"))
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
        after = commit_for(git, request["afterCommitSpecifier"])
        before = request.get("beforeCommitSpecifier")
        base = _EMPTY_TREE if before is None else commit_for(git, before)
        paths = _compared_paths(git, request, base, after)
        listing = git.run("diff-tree", "-r", "-z", "--no-renames", "--raw", "--abbrev=40", base, after, "--", *paths)
        return _page(_differences(listing.decode(errors="replace")), request)

    def create_commit(self, request: Request) -> Request:
        name, branch = request["repositoryName"], request["branchName"]
        git = self._repositories.git(name)
        check_branch_name(git, branch)
        check_not_a_tag(git, branch)
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
        check_keys(request["tagKeys"])
        self._set_tags(request["resourceArn"], added={}, removed=request["tagKeys"])
        return {}

    def list_tags_for_resource(self, request: Request) -> Request:
        name = self._repositories.name_of(request["resourceArn"])
        _refuse_token(request, "nextToken", "ValidationException")
        return {"tags": self._repositories.get(name)["tags"]}

    def _set_tags(self, arn: str, added: dict[str, str], removed: list[str]) -> None:
        name = self._repositories.name_of(arn)
        tags = self._repositories.get(name)["tags"] | added
        check_tags(tags)
        self._repositories.change(name, tags={key: value for key, value in tags.items() if key not in removed})

    def _note_change(self, name: str) -> None:
        self._repositories.note_push(name)
        self._events.publish_changes(name, caller_arn())


def _refuse_token(request: Request, member: str, code: str = "InvalidContinuationTokenException") -> None:
    """For the lists that come in one page: none of them has given out a token."""
    if member in request:
        raise ServiceError(code, f"The {member} {request[member]!r} was not given out by this list")


def _page(differences: list[Request], request: Request) -> Request:
    """GetDifferences' answer: all, or MaxResults of them, and as the token how many have been shown."""
    most = request.get("MaxResults", len(differences) or 1)
    if most < 1:
        raise ServiceError("InvalidMaxResultsException", f"MaxResults must be 1 or more, got {most}")
    token = request.get("NextToken", "0")
    start = int(token) if token.isascii() and token.isdigit() and len(token) < _TOKEN_DIGITS else -1
    if "NextToken" in request and not 0 < start < len(differences):
        _refuse_token(request, "NextToken")
    more = {"NextToken": str(start + most)} if start + most < len(differences) else {}
    return {"differences": differences[start : start + most], **more}


def _compared_paths(git: GitRepository, request: Request, base: str, after: str) -> list[str]:
    """The path that a comparison is limited to; none for all."""
    wanted = [checked_path(request[member]) for member in ("beforePath", "afterPath") if member in request]
    if len(set(wanted)) > 1:
        message = f"The local cloud does not serve a beforePath ({wanted[0]}) other than the afterPath ({wanted[1]})"
        raise ServiceError("ValidationException", message)
    for path in filter(None, wanted):
        if not git.tree(after, path) and not git.tree(base, path):
            raise ServiceError("PathDoesNotExistException", f"{path} is in neither commit")
    return [path for path in wanted[:1] if path]


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
