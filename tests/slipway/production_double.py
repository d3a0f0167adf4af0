"""Production's stack and endpoint as CloudFormation and SageMaker play them, a step further at each look."""

import io
import json
from dataclasses import dataclass, field
from typing import Any

from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import at
from tests.slipway.registry import ARN, PACKAGES

NAME = "flight-delays-production"
STACK_ID = f"arn:aws:cloudformation:us-east-1:000000000000:stack/{NAME}/1"
ROLE = "arn:aws:iam::000000000000:role/production-deployment"
EVALUATION = "s3://data/evaluations/{}/challenger/evaluation.json"
SAMPLES = {"columns": ["carrier"], "records": [{"carrier": "AA"}, {"carrier": "UA"}]}
_SAGEMAKER = "arn:aws:sagemaker:us-east-1:000000000000"


def arn(version: int) -> str:
    return f"{ARN}/{version}"


@dataclass
class ProductionDouble:
    """A stack whose update is done after some looks at it; a model answers 0.1 times its version.

    Attributes:
        parameters: of the stack.
        champion: the version that the endpoint serves; challenger: that of its other variant.
        noted: metadata of the model packages by version.
        fails: why the next update is taken back; None when it succeeds.
        looks: how many looks an operation takes.
        arrivals: updates by others, begun just before ours: each refuses one UpdateStack.
        wrong: whether the endpoint answers otherwise than offline.
        cancels: whether CancelUpdateStack comes in time.
        takes_notes: whether the model packages may be changed.
    """

    parameters: dict[str, str]
    champion: int
    challenger: int | None = None
    status: str = "UPDATE_COMPLETE"
    noted: dict[int, dict[str, str]] = field(default_factory=dict)
    unapproved: tuple[int, ...] = ()
    fails: str | None = None
    looks: int = 2
    arrivals: int = 0
    wrong: bool = False
    cancels: bool = True
    takes_notes: bool = True

    def __post_init__(self) -> None:
        self._left = self.looks
        self._before = dict(self.parameters)
        self.aws = AnsweringAws(
            {
                "DescribeStacks": lambda _: self._stack(),
                "UpdateStack": self._update,
                "CancelUpdateStack": lambda _: self._cancel(),
                "ContinueUpdateRollback": lambda _: self._become("UPDATE_ROLLBACK_IN_PROGRESS"),
                "DescribeStackEvents": lambda _: {"StackEvents": [self._failure()]},
                "DescribeEndpoint": lambda _: self._endpoint(),
                "DescribeEndpointConfig": lambda _: self._config(),
                "DescribeModel": self._model,
                "DescribeModelPackage": self._package,
                "ListModelPackages": {"ModelPackageSummaryList": [self._summary(version) for version in PACKAGES]},
                "UpdateModelPackage": lambda request: self._note(request),
                "GetObject": self._object,
                "InvokeEndpoint": lambda _: self._answer(),
            }
        )

    def _stack(self) -> dict[str, Any]:
        if self.status.endswith("_IN_PROGRESS"):
            self._left -= 1
            if self._left < 0:
                self._end()
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()]
        return {"Stacks": [{
            "StackName": NAME, "StackId": STACK_ID, "StackStatus": self.status, "CreationTime": at(0),
            "Parameters": parameters, "RoleARN": ROLE,
        }]}  # fmt: skip

    def _end(self) -> None:
        if self.status == "UPDATE_ROLLBACK_IN_PROGRESS":
            self.status, self.parameters = "UPDATE_ROLLBACK_COMPLETE", dict(self._before)
        elif self.status == "UPDATE_IN_PROGRESS" and self.fails is not None:
            self._become("UPDATE_ROLLBACK_IN_PROGRESS")
        else:
            self.status = "UPDATE_COMPLETE"
            self.champion = int(self.parameters["ModelPackageArn"].rpartition("/")[2])
            challenger = self.parameters.get("ChallengerModelPackageArn", "none")
            self.challenger = None if challenger == "none" else int(challenger.rpartition("/")[2])

    def _become(self, status: str) -> dict[str, Any]:
        self.status, self._left = status, self.looks
        return {}

    def _update(self, request: dict[str, Any]) -> dict[str, Any] | Refusal:
        if self.arrivals:
            self.arrivals -= 1
            self._become("UPDATE_IN_PROGRESS")
            return Refusal(
                "ValidationError", f"Stack:{STACK_ID} is in UPDATE_IN_PROGRESS state and can not be updated."
            )
        if self.status.endswith("_IN_PROGRESS"):
            return Refusal("ValidationError", f"Stack:{STACK_ID} is in {self.status} state and can not be updated.")
        self._before = dict(self.parameters)
        for one in request["Parameters"]:
            if one["ParameterKey"] not in self.parameters:
                return Refusal("ValidationError", f"Parameters: [{one['ParameterKey']}] do not exist in the template")
            if not one.get("UsePreviousValue"):
                self.parameters[one["ParameterKey"]] = one["ParameterValue"]
        self._become("UPDATE_IN_PROGRESS")
        return {"StackId": STACK_ID}

    def _cancel(self) -> dict[str, Any] | Refusal:
        if self.status != "UPDATE_IN_PROGRESS":
            return Refusal("ValidationError", "CancelUpdateStack cannot be called from current stack status")
        return self._become("UPDATE_ROLLBACK_IN_PROGRESS") if self.cancels else {}

    def _failure(self) -> dict[str, Any]:
        return {
            "StackId": STACK_ID, "EventId": "1", "StackName": NAME, "LogicalResourceId": "Endpoint",
            "ResourceType": "AWS::SageMaker::Endpoint", "Timestamp": at(1e9), "ResourceStatus": "UPDATE_FAILED",
            "ResourceStatusReason": self.fails or "",
        }  # fmt: skip

    def _endpoint(self) -> dict[str, Any]:
        busy = self.status == "UPDATE_IN_PROGRESS"
        champion = {"VariantName": "AllTraffic", "CurrentWeight": 1.0 if self.challenger is None else 0.9}
        challenger = [] if self.challenger is None else [{"VariantName": "Challenger", "CurrentWeight": 0.1}]
        return {
            "EndpointName": NAME, "EndpointArn": f"{_SAGEMAKER}:endpoint/{NAME}", "EndpointConfigName": "config",
            "EndpointStatus": "Updating" if busy else "InService", "CreationTime": at(0), "LastModifiedTime": at(0),
            "ProductionVariants": [champion, *challenger],
        }  # fmt: skip

    def _config(self) -> dict[str, Any]:
        variants = {"AllTraffic": self.champion, "Challenger": self.challenger}
        return {
            "EndpointConfigName": "config", "EndpointConfigArn": f"{_SAGEMAKER}:endpoint-config/config",
            "CreationTime": at(0),
            "ProductionVariants": [
                {"VariantName": name, "ModelName": f"model-{version}"}
                for name, version in variants.items() if version is not None
            ],
        }  # fmt: skip

    def _model(self, request: dict[str, Any]) -> dict[str, Any]:
        version = request["ModelName"].rpartition("-")[2]
        return {
            "ModelName": request["ModelName"], "ModelArn": f"{_SAGEMAKER}:model/m", "CreationTime": at(0),
            "PrimaryContainer": {"ModelPackageName": arn(int(version))},
        }  # fmt: skip

    def _package(self, request: dict[str, Any]) -> dict[str, Any]:
        version = int(request["ModelPackageName"].rpartition("/")[2])
        metadata = {"evaluation_uri": EVALUATION.format(version), **self.noted.get(version, {})}
        status = "Rejected" if version in self.unapproved else "Approved"
        return {**PACKAGES[version], "ModelApprovalStatus": status, "CustomerMetadataProperties": metadata}

    def _summary(self, version: int) -> dict[str, Any]:
        names = ("ModelPackageArn", "ModelPackageVersion", "CreationTime", "ModelPackageStatus")
        return {name: PACKAGES[version][name] for name in names}

    def _note(self, request: dict[str, Any]) -> dict[str, Any] | Refusal:
        if not self.takes_notes:
            return Refusal("AccessDeniedException", "not you")
        version = int(request["ModelPackageArn"].rpartition("/")[2])
        self.noted.setdefault(version, {}).update(request["CustomerMetadataProperties"])
        return {"ModelPackageArn": arn(version)}

    def _object(self, request: dict[str, Any]) -> dict[str, Any]:
        version = int(request["Key"].split("/")[1])
        document = {"metrics": {"roc_auc": 0.6}, "rows": 10, "task": "binary"}
        if request["Key"].endswith("samples.json"):
            document = {**SAMPLES, "predictions": [version / 10, version / 10]}
        return {"Body": io.BytesIO(json.dumps(document).encode())}

    def _answer(self) -> dict[str, Any]:
        answer = 0.99 if self.wrong else self.champion / 10
        return {"Body": io.BytesIO(json.dumps({"predictions": [answer, answer]}).encode())}


def serving(champion: int, challenger: int | None = None, **more: Any) -> ProductionDouble:
    """A stack at rest that serves what its parameters say."""
    beside = "none" if challenger is None else arn(challenger)
    parameters = {"ModelPackageArn": arn(champion), "ChallengerModelPackageArn": beside, "Strategy": "canary"}
    return ProductionDouble(parameters, champion, challenger, **more)
