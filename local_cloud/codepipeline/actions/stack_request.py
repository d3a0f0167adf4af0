"""What a CloudFormation action asks of CloudFormation: template, parameters, tags, capabilities and role."""

import json
from typing import Any

from local_cloud.codepipeline import artifacts
from local_cloud.codepipeline.actions.action import ActionFailedError, ActionRun

_LONGEST_TEMPLATE_BODY = 51_200  # bytes; CloudFormation takes a larger template by URL only


def stack_request(run: ActionRun) -> dict[str, Any]:
    """The members that CreateStack, UpdateStack and CreateChangeSet have in common.

    Raises:
        ActionFailedError: a file of the configuration is absent or not what it should be.
    """
    configuration = run.configuration
    document = _template_configuration(run)
    parameters = {**document.get("Parameters", {}), **json.loads(configuration.get("ParameterOverrides", "{}"))}
    request: dict[str, Any] = {
        "StackName": configuration["StackName"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        **_template(run),
    }
    if document.get("Tags"):
        request["Tags"] = [{"Key": key, "Value": value} for key, value in document["Tags"].items()]
    if "Capabilities" in configuration:
        request["Capabilities"] = [name.strip() for name in configuration["Capabilities"].split(",")]
    if "RoleArn" in configuration:
        request["RoleARN"] = configuration["RoleArn"]
    return request


def _template_configuration(run: ActionRun) -> dict[str, Any]:
    reference = run.configuration.get("TemplateConfiguration")
    if reference is None:
        return {}
    try:
        document = json.loads(artifacts.read_file(run, reference))
    except ValueError as error:
        raise ActionFailedError("ConfigurationError", f"The file {reference} is not JSON: {error}") from error
    if not isinstance(document, dict):
        message = f"The file {reference} must be a JSON map with Parameters, Tags and StackPolicy"
        raise ActionFailedError("ConfigurationError", message)
    return document


def _template(run: ActionRun) -> dict[str, str]:
    template = artifacts.read_file(run, run.configuration["TemplatePath"])
    if len(template) <= _LONGEST_TEMPLATE_BODY:
        return {"TemplateBody": template.decode()}
    place = artifacts.new_artifact(run.pipeline, "Template", run.inputs[0].bucket)
    artifacts.write(run, place, template)
    return {"TemplateURL": f"{run.cloud.endpoint_url}/{place.bucket}/{place.key}"}
