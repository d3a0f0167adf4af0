"""Approval action: tells the approvers and waits for their answer, however long it takes."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.codepipeline.actions.action import ActionFailedError, ActionRun, ActionType, Outcome, Place

_LONGEST_WAIT_SECONDS = 3600.0
_SUBJECT_CHARACTERS = 100  # SNS takes no longer subject


def _perform(run: ActionRun) -> Outcome:
    topic = run.configuration.get("NotificationArn")
    if topic and not run.resumed:
        _notify(run, topic)
    while (approval := run.approval()) is None:
        run.pause(_LONGEST_WAIT_SECONDS)
    run.report(summary=approval.summary or None, updated_by=approval.by)
    if approval.status != "Approved":
        comment = f": {approval.summary}" if approval.summary else ""
        raise ActionFailedError("JobFailed", f"The approval action was rejected by {approval.by}{comment}")
    return Outcome(approval.summary or None)


def _notify(run: ActionRun, topic: str) -> None:
    document = notification(run)
    subject = f"APPROVAL NEEDED: AWS CodePipeline {run.pipeline} for action {run.name}"
    message = json.dumps({"default": json.dumps(document), "email": _email(document)})
    try:
        run.client("sns").publish(
            TopicArn=topic, Subject=subject[:_SUBJECT_CHARACTERS], Message=message, MessageStructure="json"
        )
    except ClientError as error:
        text = f"The approval could not be announced on {topic}: {error}"
        raise ActionFailedError("ConfigurationError", text) from error


def notification(run: ActionRun) -> dict[str, Any]:
    """The message that SNS subscribers get (CodePipeline user guide, "JSON data format for manual approval")."""
    place = Place(run.cloud.region, run.cloud.account_id)
    pipeline_page = place.console("codesuite/codepipeline", f"pipelines/{run.pipeline}/view?region={place.region}")
    review_page = (
        f"https://console.aws.amazon.com/codesuite/codepipeline/pipelines/{run.pipeline}/view?region={place.region}"
        f"#/{run.stage}/{run.name}/approve/{run.token}"
    )
    approval = {
        "pipelineName": run.pipeline, "stageName": run.stage, "actionName": run.name, "token": run.token,
        "expires": None if run.deadline is None else run.deadline.strftime("%Y-%m-%dT%H:%MZ"),
        "externalEntityLink": run.configuration.get("ExternalEntityLink"), "approvalReviewLink": review_page,
        "customData": run.configuration.get("CustomData"),
    }  # fmt: skip
    return {"region": place.region, "consoleLink": pipeline_page, "approval": approval}


def _email(document: Mapping[str, Any]) -> str:
    approval = document["approval"]
    action = f"{approval['stageName']}/{approval['actionName']}"
    lines = [
        f"The pipeline {approval['pipelineName']} waits for an approval in {action}.",
        "",
        f"Review: {approval['approvalReviewLink']}",
    ]
    for title, key in (("Content to review", "externalEntityLink"), ("Comments", "customData"), ("Until", "expires")):
        if approval[key]:
            lines.append(f"{title}: {approval[key]}")
    return "\n".join(lines)


MANUAL_APPROVAL = ActionType(
    provider="Manual",
    categories=("Approval",),
    required=frozenset(),
    optional=frozenset({"NotificationArn", "CustomData", "ExternalEntityLink"}),
    inputs=range(0, 1),
    outputs=range(0, 1),
    perform=_perform,
)
