"""What requests name in a repository: commits, by what stands for them, and paths."""

from local_cloud.codecommit.git import COMMIT_ID, GitRepository
from local_cloud.codecommit.repositories import checked_path
from local_cloud.wire import ServiceError


def check_commit_id(commit_id: str) -> None:
    """Raises:
    ServiceError: InvalidCommitIdException.
    """
    if not COMMIT_ID.fullmatch(commit_id):
        message = f"a commit's id has 40 hexadecimal digits, got {commit_id[:100]!r}"
        raise ServiceError("InvalidCommitIdException", message)


def commit_for(git: GitRepository, specifier: str) -> str:
    """The commit that a full commit id, branch, tag, full reference name or HEAD stands for.

    git itself would take more, `HEAD~1` or the start of an id, which CodeCommit refuses.

    Raises:
        ServiceError: InvalidCommitException, CommitDoesNotExistException.
    """
    if not specifier:
        raise ServiceError("InvalidCommitException", "The commit specifier must not be empty")
    references = git.references()
    names = (specifier, f"refs/heads/{specifier}", f"refs/tags/{specifier}")
    commit_id = next((references[name] for name in names if name in references), None)
    if commit_id is None and (specifier == "HEAD" or COMMIT_ID.fullmatch(specifier)):
        commit_id = git.resolve_commit(specifier)
    if commit_id is None:
        raise ServiceError("CommitDoesNotExistException", f"{specifier} does not stand for a commit")
    return commit_id


def file_path(path: str) -> str:
    """The path of a file.

    Raises:
        ServiceError: InvalidPathException, PathRequiredException.
    """
    checked = checked_path(path)
    if not checked:
        raise ServiceError("PathRequiredException", f"{path!r} names no file")
    return checked
