"""Production's stack, changed without the pipeline: another version, with the template that it has.

That works whatever the pipeline is like by now, and while it is at work.
"""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from pipeline_steps.documents import Prediction
from settings import IMMEDIATE
from slipway import serving
from slipway.errors import DeployError, EndpointError
from slipway.failures import stack_failure
from slipway.project import Project
from slipway.serving import ServedModel
from slipway.stacks import Stacks, parameters_of
from slipway.target import Target

NO_CHALLENGER = "none"
_UPDATE_FAILED = ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED")
_ATTEMPTS = 5
_LONGEST_WAIT_SECONDS = 3600.0
_RECORDS = 5
_TOLERANCE = 1e-6
_NOT_IN_METADATA = re.compile(r"[^\w\s.:/=+\-@]+")  # UpdateModelPackage, CustomerMetadataValue
_LONGEST_METADATA_VALUE = 256

Say = Callable[[str], None]


@dataclass(frozen=True)
class ProductionState:
    """What production's stack was told to serve, and what its endpoint does serve.

    Attributes:
        status: of the stack.
        package_arn: what the champion's variant is to serve.
        challenger_arn: what is to be tested beside it; None for nothing.
        served: the endpoint.
    """

    status: str
    package_arn: str
    challenger_arn: str | None
    served: ServedModel

    @property
    def is_going_back(self) -> bool:
        """Whether an update is being taken back, by an alarm or by somebody."""
        return self.status.startswith("UPDATE_ROLLBACK") and self.status.endswith("_IN_PROGRESS")

    @property
    def is_stuck(self) -> bool:
        """Whether an update could not be taken back."""
        return self.status == "UPDATE_ROLLBACK_FAILED"

    @property
    def incoming_arn(self) -> str | None:
        """The version that an update which is under way brings; None when there is no such update."""
        if self.status != "UPDATE_IN_PROGRESS":
            return None
        if self.package_arn != self.served.package_arn:
            return self.package_arn
        challenger = self.served.challenger
        is_new = challenger is None or challenger.package_arn != self.challenger_arn
        return self.challenger_arn if is_new else None


class Production:
    """Production's stack and endpoint.

    Args:
        say: told a line for each thing that happens.
    """

    def __init__(self, target: Target, project: Project, say: Say) -> None:
        self._target, self._say = target, say
        self._stacks = Stacks(target)
        self.name = project.endpoint("production")

    def read(self) -> ProductionState:
        """Look at stack and endpoint.

        Raises:
            EndpointError: production serves nothing.
        """
        stack, served = self._stacks.describe(self.name), serving.served_model(self._target, self.name)
        if stack is None or served is None or served.package_arn is None:
            raise EndpointError(
                "production serves no registered model yet, so there is nothing to change", "slipway status"
            )
        parameters = parameters_of(stack)
        challenger = parameters.get("ChallengerModelPackageArn", NO_CHALLENGER)
        return ProductionState(
            status=stack["StackStatus"],
            package_arn=parameters["ModelPackageArn"],
            challenger_arn=None if challenger == NO_CHALLENGER else challenger,
            served=served,
        )

    def serve_alone(self, package_arn: str) -> None:
        """Have one version serve all calls, at once; what is under way is broken off, and taken back first.

        Raises:
            DeployError: the stack's update failed, with its reason.
        """
        self._settle()
        if self._serves_alone(package_arn):
            return
        parameters = {
            "ModelPackageArn": package_arn,
            "ChallengerModelPackageArn": NO_CHALLENGER,
            "Strategy": IMMEDIATE,  # alarms that the bad model has set off would undo the way back
        }
        for _ in range(_ATTEMPTS):
            began = datetime.now(UTC)
            if self._stacks.update(self.name, parameters):
                self._await_update(began)
                return
            self._settle()
        raise DeployError(f"the stack {self.name} is updated by somebody else again and again", "slipway status")

    def check_answers(self, package_arn: str) -> None:
        """See that the endpoint answers as the version did when it was evaluated.

        Raises:
            EndpointError: it does not.
        """
        served = serving.served_model(self._target, self.name)
        if served is None or served.status != "InService" or served.package_arn != package_arn:
            found = "gone" if served is None else f"{served.status} with {served.package_arn}"
            raise EndpointError(f"{self.name} must be InService with {package_arn}, it is {found}", "slipway status")
        samples = serving.read_samples(self._target, served)
        body = serving.json_body(samples.records[:_RECORDS])
        answer = serving.invoke(self._target, self.name, body, "application/json")
        offline, online = samples.predictions[:_RECORDS], serving.predictions(answer, "application/json")
        if len(offline) != len(online) or not all(map(_agree, offline, online)):
            raise EndpointError(
                f"{self.name} serves {package_arn}, but answers {online[0]!r}, offline it was {offline[0]!r}",
                "slipway logs production",
            )
        self._say(f"production answers {len(offline)} records as version {version_of(package_arn)} did offline")

    def note(self, package_arn: str, **properties: str) -> None:
        """Note something on a model package; that nobody may is told, for what was to be done is done."""
        values = {
            key: " ".join(_NOT_IN_METADATA.sub(" ", text).split())[:_LONGEST_METADATA_VALUE]
            for key, text in properties.items()
        }
        try:
            self._target.client("sagemaker").update_model_package(
                ModelPackageArn=package_arn,
                CustomerMetadataProperties={key: value for key, value in values.items() if value},
            )
        except ClientError as error:
            self._say(f"this could not be noted on version {version_of(package_arn)}: {error}")

    def _serves_alone(self, package_arn: str) -> bool:
        state = self.read()
        is_alone = state.challenger_arn is None and not state.served.variants
        return is_alone and state.package_arn == package_arn == state.served.package_arn

    def _settle(self) -> None:
        """Break off what the stack does, and wait until it can be updated."""
        status = self._status()
        if status == "UPDATE_IN_PROGRESS":
            self._say(f"{self.name} is being updated: that is cancelled, and taken back")
            self._stacks.cancel_update(self.name)
        status = self._await(lambda status: not status.endswith("_IN_PROGRESS"))
        if status == "UPDATE_ROLLBACK_FAILED":
            self._say(f"an update of {self.name} could not be taken back: trying it again")
            self._stacks.continue_rollback(self.name)
            status = self._await(lambda status: not status.endswith("_IN_PROGRESS"))
        if not status.endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")):
            raise DeployError(
                f"the stack {self.name} is {status} and cannot be updated",
                "look at its events in the CloudFormation console",
            )

    def _await_update(self, began: datetime) -> None:
        # Once the endpoint is updated, what the update replaced is cleaned up, which may take its time.
        status = self._await(lambda status: status not in ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"))
        if status.startswith("UPDATE_ROLLBACK") or status in _UPDATE_FAILED:
            reason = stack_failure(self._stacks.events(self.name), began) or "its events give no reason"
            raise DeployError(f"{self.name} could not be updated, {status}: {reason}", "slipway status")

    def _await(self, is_over: Callable[[str], bool]) -> str:
        """Wait with a line for each change; returns the stack's status."""
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        told = ""
        while True:
            status = self._status()
            endpoint = self._endpoint_status()
            line = f"stack {status}, endpoint {endpoint}"
            if line != told:
                self._say(line)
            told = line
            if is_over(status):
                return status
            if time.monotonic() > deadline:
                raise DeployError(f"the stack {self.name} has been {status} for an hour", "slipway status")
            time.sleep(self._target.poll_seconds)

    def _status(self) -> str:
        stack = self._stacks.describe(self.name)
        if stack is None:
            raise DeployError(f"the stack {self.name} is gone", "slipway status")
        return str(stack["StackStatus"])

    def _endpoint_status(self) -> str:
        described: dict[str, Any] = self._target.client("sagemaker").describe_endpoint(EndpointName=self.name)
        return str(described["EndpointStatus"])


def version_of(package_arn: str) -> str:
    """The version in a model package's ARN."""
    return package_arn.rpartition("/")[2]


def _agree(offline: Prediction, online: Prediction) -> bool:
    if isinstance(offline, tuple) and isinstance(online, tuple):
        return len(offline) == len(online) and all(map(_agree, offline, online))
    if isinstance(offline, tuple) or isinstance(online, tuple):
        return False
    return math.isclose(offline, online, rel_tol=0, abs_tol=_TOLERANCE)
