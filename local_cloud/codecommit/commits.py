"""Commits made through the API (CreateCommit), in an index of their own."""

import tempfile
import time
from collections.abc import Set
from pathlib import Path, PurePosixPath
from typing import Any

from local_cloud.codecommit.contents import file_path
from local_cloud.codecommit.git import GitError, GitRepository, TreeEntry
from local_cloud.wire import ServiceError

_MODES = {"NORMAL": "100644", "EXECUTABLE": "100755", "SYMLINK": "120000"}
_LARGEST_CHANGE = 7 * 2**20
_LONGEST_MESSAGE = 256 * 2**10


def new_commit(git: GitRepository, request: dict[str, Any]) -> dict[str, Any]:
    """Write the commit that a CreateCommit request describes; no branch points to it yet.

    Returns:
        CreateCommitOutput.

    Raises:
        ServiceError: the parent is missing or outdated, a path is unknown or named twice, or nothing would change.
    """
    _check(request)
    parent = _parent(git, request)
    present = {entry.path: entry for entry in git.tree(parent, recursive=True)} if parent else {}
    changes = _changes(git, request, present)
    tree_id = _write_tree(git, parent, changes)
    if parent and git.commit(parent).tree_id == tree_id:
        raise ServiceError("NoChangeException", "The commit would change nothing")
    person = {
        "NAME": request.get("authorName") or "local-cloud",
        "EMAIL": request.get("email") or "local-cloud@localhost",
    }
    variables = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in person.items()}
    variables |= {f"GIT_{role}_DATE": f"{int(time.time())} +0000" for role in ("AUTHOR", "COMMITTER")}
    message = request.get("commitMessage") or ""
    parents = ["-p", parent] if parent else []
    try:
        commit_id = git.run("commit-tree", tree_id, *parents, standard_input=message.encode(), variables=variables)
    except GitError as error:  # such as a name without a letter in it
        raise ServiceError("ValidationException", f"git does not take the commit: {error}") from error
    return {"commitId": commit_id.decode().strip(), "treeId": tree_id} | _summary(present, changes)


def _check(request: dict[str, Any]) -> None:
    """Refuse what is over CodeCommit's limits, and what git cannot write."""
    if len(request.get("commitMessage", "").encode()) > _LONGEST_MESSAGE:
        raise ServiceError("CommitMessageLengthExceededException", f"commitMessage is over {_LONGEST_MESSAGE} bytes")
    for member in ("authorName", "email", "commitMessage"):
        if "\0" in request.get(member, ""):
            code = "InvalidEmailException" if member == "email" else "ValidationException"
            raise ServiceError(code, f"{member} holds a character that git does not take")
    size = sum(len(one.get("fileContent", b"")) for one in request.get("putFiles", []))
    if size > _LARGEST_CHANGE:
        message = f"putFiles holds {size} bytes, the most is {_LARGEST_CHANGE}"
        raise ServiceError("FileContentSizeLimitExceededException", message)


def _parent(git: GitRepository, request: dict[str, Any]) -> str | None:
    tip: str | None = git.branches().get(request["branchName"])
    given: str | None = request.get("parentCommitId")
    if given is None and tip is not None:
        raise ServiceError(
            "ParentCommitIdRequiredException", f"Branch {request['branchName']} has commits: name its tip, {tip}"
        )
    if given is not None and tip is None:
        raise ServiceError("BranchDoesNotExistException", f"Branch {request['branchName']} does not exist")
    if given != tip:
        raise ServiceError(
            "ParentCommitIdOutdatedException", f"The tip of {request['branchName']} is {tip}, not {given}"
        )
    return tip


def _changes(git: GitRepository, request: dict[str, Any], present: dict[str, TreeEntry]) -> dict[str, TreeEntry | None]:
    """The new entry of each path that changes, None for one that goes."""
    puts, deletes, modes = (request.get(k, []) for k in ("putFiles", "deleteFiles", "setFileModes"))
    if not puts and not deletes and not modes:
        raise ServiceError("FileEntryRequiredException", "Name at least one file to put, delete or set the mode of")
    paths = [file_path(one["filePath"]) for one in (*puts, *deletes, *modes)]
    if len(set(paths)) < len(paths):
        raise ServiceError("SamePathRequestException", f"A path is named twice: {', '.join(paths)}")
    for path in paths[len(puts) :]:
        if path not in present:
            raise ServiceError("FileDoesNotExistException", f"{path} does not exist")
    changes: dict[str, TreeEntry | None] = dict.fromkeys(paths[len(puts) : len(puts) + len(deletes)])
    for one in modes:
        entry = present[file_path(one["filePath"])]
        changes[entry.path] = TreeEntry(_MODES[one["fileMode"]], "blob", entry.object_id, entry.path)
    _check_conflicts(paths[: len(puts)], present.keys() - changes.keys())
    for one in puts:
        changes[file_path(one["filePath"])] = _put(git, one)
    return changes


def _check_conflicts(put: list[str], kept: Set[str]) -> None:
    """Refuse files whose path is that of a folder, and the other way round."""
    folders_put = {str(folder) for path in put for folder in PurePosixPath(path).parents}
    folders_kept = {str(folder) for path in kept for folder in PurePosixPath(path).parents}
    for code, clashing in (
        ("PutFileEntryConflictException", folders_put & set(put)),
        ("DirectoryNameConflictsWithFileNameException", folders_put & kept),
        ("FileNameConflictsWithDirectoryNameException", folders_kept & set(put)),
    ):
        if clashing:
            raise ServiceError(code, f"{', '.join(sorted(clashing))} would be both a file and a folder")


def _put(git: GitRepository, one: dict[str, Any]) -> TreeEntry:
    if "fileContent" not in one:
        raise ServiceError("SourceFileOrContentRequiredException", f"{one['filePath']}: fileContent is needed")
    blob_id = git.run("hash-object", "-w", "--stdin", standard_input=one["fileContent"]).decode().strip()
    return TreeEntry(_MODES[one.get("fileMode", "NORMAL")], "blob", blob_id, file_path(one["filePath"]))


def _write_tree(git: GitRepository, parent: str | None, changes: dict[str, TreeEntry | None]) -> str:
    lines = "".join(
        f"0 {'0' * 40}\t{path}\0" if entry is None else f"{entry.mode} {entry.object_id}\t{path}\0"
        for path, entry in changes.items()
    )
    with tempfile.TemporaryDirectory() as directory:
        variables = {"GIT_INDEX_FILE": str(Path(directory) / "index")}
        git.run("read-tree", *([parent] if parent else ["--empty"]), variables=variables)
        git.run("update-index", "-z", "--index-info", standard_input=lines.encode(), variables=variables)
        return git.run("write-tree", variables=variables).decode().strip()


def _summary(present: dict[str, TreeEntry], changes: dict[str, TreeEntry | None]) -> dict[str, Any]:
    names = {mode: name for name, mode in _MODES.items()}

    def facts(entry: TreeEntry) -> dict[str, str]:
        return {"absolutePath": entry.path, "blobId": entry.object_id, "fileMode": names[entry.mode]}

    return {
        "filesAdded": [facts(e) for p, e in changes.items() if e is not None and p not in present],
        "filesUpdated": [facts(e) for p, e in changes.items() if e is not None and p in present],
        "filesDeleted": [facts(present[p]) for p, e in changes.items() if e is None],
    }
