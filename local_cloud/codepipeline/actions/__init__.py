"""The action providers that pipelines may use."""

from local_cloud.codepipeline.actions.action import ActionType
from local_cloud.codepipeline.actions.cloudformation import CLOUDFORMATION
from local_cloud.codepipeline.actions.codebuild import CODEBUILD
from local_cloud.codepipeline.actions.codecommit import CODECOMMIT
from local_cloud.codepipeline.actions.manual_approval import MANUAL_APPROVAL
from local_cloud.codepipeline.records import Declaration

ACTION_TYPES: tuple[ActionType, ...] = (CODECOMMIT, CODEBUILD, CLOUDFORMATION, MANUAL_APPROVAL)


def action_type_of(action: Declaration) -> ActionType | None:
    """The provider of an action; None when it is not served."""
    wanted = action["actionTypeId"]
    if wanted["owner"] != "AWS" or wanted["version"] != "1":
        return None
    return next(
        (t for t in ACTION_TYPES if t.provider == wanted["provider"] and wanted["category"] in t.categories), None
    )


def served_action_types() -> str:
    """The providers as a sentence lists them: `Source/CodeCommit, Build/CodeBuild, ...`."""
    return ", ".join(f"{category}/{t.provider}" for t in ACTION_TYPES for category in t.categories)
