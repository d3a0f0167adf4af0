"""Turn what CodePipeline knows of an approval into the request that notes it on the model package.

in   actions.json        what ListActionExecutions answers for the execution
in   state.json          what GetPipelineState answers
in   MODEL_PACKAGE_ARN   the version that was approved
out  standard output     the UpdateModelPackage request

RecordApproval's build runs the text of this file, with the Python of its image: it imports nothing but what that has,
and is short, for it travels in a variable.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_LONGEST_DESCRIPTION = 1024  # UpdateModelPackage, ApprovalDescription, which has no line ends either


def request(
    actions: Sequence[Mapping[str, Any]], state: Mapping[str, Any], model_package_arn: str
) -> dict[str, Any] | None:
    """The UpdateModelPackage request; None when nobody has approved.

    The pipeline's state tells approver and comment, until the next execution asks for its own approval. The history of
    actions lasts; its summary is the comment, or, when there was none, who approved.

    Args:
        actions: `actionExecutionDetails` of one execution.
        state: of the pipeline.
        model_package_arn: the only version that is changed.
    """
    approvals = [action for action in actions if _is_approval(action) and action["status"] == "Succeeded"]
    if not approvals:
        return None
    approval = max(approvals, key=lambda action: str(action["lastUpdateTime"]))
    told = _latest_execution(state, approval["actionExecutionId"])
    approver = told.get("lastUpdatedBy") or approval.get("updatedBy")
    result = approval.get("output", {}).get("executionResult", {})
    comment = told.get("summary") or result.get("externalExecutionSummary")
    return {
        "ModelPackageArn": model_package_arn,
        "ApprovalDescription": _one_line(": ".join(filter(None, (approver, comment)))),
        "ModelLifeCycle": {"Stage": "Production", "StageStatus": "Approved"},
    }


def _latest_execution(state: Mapping[str, Any], action_execution_id: str) -> Mapping[str, Any]:
    """An action's execution in the pipeline's state; empty when another one came after it."""
    latest = (action.get("latestExecution", {}) for stage in state["stageStates"] for action in stage["actionStates"])
    return next((one for one in latest if one.get("actionExecutionId") == action_execution_id), {})


def _is_approval(action: Mapping[str, Any]) -> bool:
    return bool(action["input"]["actionTypeId"]["category"] == "Approval")


def _one_line(text: str) -> str:
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())[:_LONGEST_DESCRIPTION]


def main() -> int:
    """Read, print; returns the exit code."""
    actions, state = (json.loads(Path(name).read_text(encoding="utf-8")) for name in ("actions.json", "state.json"))
    made = request(actions["actionExecutionDetails"], state, os.environ["MODEL_PACKAGE_ARN"])
    if made is None:
        print("slipway: FAILED this execution has no approval, so there is none to record", file=sys.stderr)
        return 1
    print(json.dumps(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
