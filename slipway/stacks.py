"""Read, change and delete the project's CloudFormation stacks."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from slipway.errors import DeployError
from slipway.target import Target

MINIMUM_BOOTSTRAP_VERSION = 6
"""What the synthesized stacks ask for (aws_cdk.DefaultStackSynthesizer)."""

_TOOLKIT_STACK = "CDKToolkit"
_SETTLE_SECONDS = 600.0
_NOTHING_TO_DO = "No updates are to be performed"
_BUSY = "_IN_PROGRESS"


class Stacks:
    """The stacks of an AWS account and region."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = target.client("cloudformation")

    def describe(self, name: str) -> Mapping[str, Any] | None:
        """A stack as DescribeStacks gives it; None when there is none."""
        try:
            stack: Mapping[str, Any] = self._client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack

    def outputs(self, name: str) -> dict[str, str]:
        """A stack's outputs.

        Raises:
            DeployError: there is no such stack.
        """
        stack = self.describe(name)
        if stack is None:
            raise DeployError(f"the stack {name} does not exist in {self._target.place}", "slipway up")
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def bootstrapped(self) -> bool:
        """Whether the account and region have a CDK bootstrap stack that is good enough."""
        stack = self.describe(_TOOLKIT_STACK)
        if stack is None or not stack["StackStatus"].endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE")):
            return False
        versions = [o["OutputValue"] for o in stack.get("Outputs", []) if o["OutputKey"] == "BootstrapVersion"]
        return bool(versions) and int(versions[0]) >= MINIMUM_BOOTSTRAP_VERSION

    def wait_until_settled(self, name: str, seconds: float = _SETTLE_SECONDS) -> None:
        """Wait while an operation of an earlier, interrupted command still runs on a stack.

        Raises:
            DeployError: it did not end in time.
        """
        deadline = time.monotonic() + seconds
        while (stack := self.describe(name)) is not None:
            status = stack["StackStatus"]
            if not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
                return
            if time.monotonic() > deadline:
                raise DeployError(f"the stack {name} has been {status} for {seconds:.0f} s", "slipway status")
            time.sleep(self._target.poll_seconds)

    def update(self, name: str, parameters: Mapping[str, str]) -> bool:
        """Begin to give a stack other parameters, with the template and the role that it has.

        Parameters that the template does not have are left out, the others of the stack stay.

        Returns:
            False when another operation came first; True also when there is nothing to change.

        Raises:
            DeployError: there is no such stack.
        """
        stack = self.describe(name)
        if stack is None:
            raise DeployError(f"the stack {name} does not exist in {self._target.place}", "slipway status")
        role = {"RoleARN": stack["RoleARN"]} if "RoleARN" in stack else {}
        given = [
            {"ParameterKey": key, "ParameterValue": parameters[key]}
            if key in parameters
            else {"ParameterKey": key, "UsePreviousValue": True}
            for key in parameters_of(stack)
        ]
        capabilities = stack.get("Capabilities", [])
        try:
            self._client.update_stack(
                StackName=name, UsePreviousTemplate=True, Parameters=given, Capabilities=capabilities, **role
            )
        except ClientError as error:
            message = error.response["Error"]["Message"]
            if error.response["Error"]["Code"] != "ValidationError" or not (
                _NOTHING_TO_DO in message or _BUSY in message
            ):
                raise
            return _NOTHING_TO_DO in message
        return True

    def cancel_update(self, name: str) -> None:
        """Have a stack's update taken back; nothing happens when none is under way any more."""
        try:
            self._client.cancel_update_stack(StackName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise

    def continue_rollback(self, name: str) -> None:
        """Try again to take an update back that could not be."""
        stack = self.describe(name)
        role = {"RoleARN": stack["RoleARN"]} if stack is not None and "RoleARN" in stack else {}
        self._client.continue_update_rollback(StackName=name, **role)

    def events(self, name: str) -> list[Mapping[str, Any]]:
        """The last events of a stack, the newest first."""
        return list(self._client.describe_stack_events(StackName=name)["StackEvents"])

    def retained(self, name: str) -> list[str]:
        """The resources that outlive a stack, as `type physical-id`."""
        template = self._client.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
        kept = {
            logical_id
            for logical_id, resource in (template.get("Resources", {}) if isinstance(template, dict) else {}).items()
            if resource.get("DeletionPolicy", "").startswith("Retain")
        }
        resources = [resource for resource in self.resources(name) if resource["LogicalResourceId"] in kept]
        return [f"{resource['ResourceType']} {resource['PhysicalResourceId']}" for resource in resources]

    def resources(self, name: str) -> Iterator[Mapping[str, Any]]:
        """The resources that a stack has, as ListStackResources gives them."""
        for page in self._client.get_paginator("list_stack_resources").paginate(StackName=name):
            for resource in page["StackResourceSummaries"]:
                if resource["ResourceStatus"] != "DELETE_COMPLETE" and resource.get("PhysicalResourceId"):
                    yield resource

    def delete(self, name: str, progress: Callable[[str], None]) -> None:
        """Delete a stack and wait until it is gone.

        Raises:
            DeployError: it could not be deleted; with the reason of the first resource that stayed.
        """
        stack = self.describe(name)
        if stack is None:
            return
        stack_id = stack["StackId"]
        self._client.delete_stack(StackName=name)
        while (stack := self.describe(stack_id)) is not None:
            if stack["StackStatus"] == "DELETE_FAILED":
                reason = stack.get("StackStatusReason", "no reason given")
                raise DeployError(f"the stack {name} could not be deleted: {reason}", "slipway down --purge")
            time.sleep(self._target.poll_seconds)
        progress(f"{name}  DELETE_COMPLETE")


def parameters_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a stack as DescribeStacks gives it."""
    return {parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in stack.get("Parameters", [])}
