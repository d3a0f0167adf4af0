"""The wire of CodeCommit, which has an error of its own for each malformed or missing member."""

from collections.abc import Mapping

from botocore.model import OperationModel

from local_cloud.authorization import Rules
from local_cloud.codecommit.operations import Operations
from local_cloud.validation import Fault
from local_cloud.wire import JsonService, ServiceError

_NAMES = ("RepositoryNameRequiredException", "InvalidRepositoryNameException")
_BRANCHES = ("BranchNameRequiredException", "InvalidBranchNameException")
_COMMITS = ("CommitRequiredException", "InvalidCommitException")
_PATHS = ("PathRequiredException", "InvalidPathException")
_CODES: Mapping[str, tuple[str, str]] = {
    "repositoryName": _NAMES, "oldName": _NAMES, "newName": _NAMES,
    "repositoryNames": ("RepositoryNamesRequiredException", "InvalidRepositoryNameException"),
    "repositoryDescription": ("", "InvalidRepositoryDescriptionException"),
    "kmsKeyId": ("", "EncryptionKeyInvalidIdException"),
    "branchName": _BRANCHES, "defaultBranchName": _BRANCHES,
    "commitId": ("CommitIdRequiredException", "InvalidCommitIdException"),
    "parentCommitId": ("", "InvalidParentCommitIdException"),
    "beforeCommitSpecifier": _COMMITS, "afterCommitSpecifier": _COMMITS, "commitSpecifier": _COMMITS,
    "filePath": _PATHS, "folderPath": _PATHS,
    "fileContent": ("", "FileContentSizeLimitExceededException"),
    "fileMode": ("FileModeRequiredException", "InvalidFileModeException"),
    "resourceArn": ("ResourceArnRequiredException", "InvalidResourceArnException"),
    "tags": ("TagsMapRequiredException", "InvalidTagsMapException"),
    "tagKeys": ("TagKeysListRequiredException", "InvalidTagKeysListException"),
    "sortBy": ("", "InvalidSortByException"), "order": ("", "InvalidOrderException"),
    "pullRequestId": ("PullRequestIdRequiredException", "InvalidPullRequestIdException"),
    "pullRequestStatus": ("PullRequestStatusRequiredException", "InvalidPullRequestStatusException"),
    "title": ("TitleRequiredException", "InvalidTitleException"), "description": ("", "InvalidDescriptionException"),
    "targets": ("TargetsRequiredException", "InvalidTargetsException"),
    "sourceReference": ("ReferenceNameRequiredException", "InvalidReferenceNameException"),
    "commentId": ("CommentIdRequiredException", "InvalidCommentIdException"),
    "content": ("CommentContentRequiredException", ""),
    "beforeCommitId": ("CommitIdRequiredException", "InvalidCommitIdException"),
    "afterCommitId": ("CommitIdRequiredException", "InvalidCommitIdException"),
}  # fmt: skip
"""By member: the code for one that is missing, and for one that is not valid."""

_ALSO_REQUIRED = {"GetBranch": ("repositoryName", "branchName")}
NOT_SERVED = {
    "CreateCommit": ("keepEmptyFolders", "putFiles.sourceFile"),
    "PostCommentForPullRequest": ("location",),
}


class CodeCommitService(JsonService):
    """Refuses a request with the code of its first fault, when the operation's model lists that code."""

    def __init__(self, operations: Operations, rules: Rules) -> None:
        super().__init__("codecommit", operations, rules, also_required=_ALSO_REQUIRED, not_served=NOT_SERVED)

    def _refusal(self, model: OperationModel, faults: list[Fault]) -> ServiceError:
        general = super()._refusal(model, faults)
        listed = {shape.name for shape in model.error_shapes}
        codes = (_code(fault) for fault in faults)
        return ServiceError(next((code for code in codes if code in listed), general.code), general.message)


def _code(fault: Fault) -> str:
    """The code of a member; an item of a list and an entry of a map have that of the list or the map."""
    names = [part for part in fault.member.split(".") if part in _CODES]
    missing, invalid = _CODES[names[-1]] if names else ("", "")
    return missing if fault.value is None else invalid
