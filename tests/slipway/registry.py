"""Answers of a model registry whose production serves version 3 and whose version 4 waits; 2 was refused."""

import io
from typing import Any

from tests.slipway.answers import Refusal
from tests.slipway.recorded import COMMIT, EXECUTION, NAME, at

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/flight-delays"
ANN = "arn:aws:iam::000000000000:user/ann"
REPORT = f"s3://data/evaluations/{EXECUTION}/report.html"
COMMON = {"CreationTime": at(0), "LastModifiedTime": at(0)}


def package(version: int, *, verdict: str | None = "Accepted", **more: Any) -> dict[str, Any]:
    """DescribeModelPackage's answer; without a verdict that of a package which the pipeline did not register."""
    noted = {
        "verdict": verdict,
        "commit": COMMIT,
        "execution": EXECUTION,
        "primary_metric": "roc_auc",
        "primary_metric_value": f"0.6{version}",
        "primary_metric_difference": "0.0125" if version == 4 else "nan" if version == 2 else None,
        "report_uri": REPORT if version != 1 else None,
    }
    kept = {name: value for name, value in noted.items() if value is not None}
    return {
        "ModelPackageName": NAME, "ModelPackageArn": f"{ARN}/{version}", "ModelPackageVersion": version,
        "CreationTime": at(version), "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": "Rejected" if verdict == "Rejected" else "Approved",
        **({"CustomerMetadataProperties": kept} if verdict else {}), **more,
    }  # fmt: skip


PACKAGES = {
    1: package(1, verdict=None),
    2: package(2, verdict="Rejected"),
    3: package(3, ApprovalDescription=f"{ANN}: better: at night"),
    4: package(4),
}


def _summaries() -> list[dict[str, Any]]:
    names = ("ModelPackageArn", "ModelPackageVersion", "CreationTime", "ModelPackageStatus")
    return [{name: found[name] for name in names} for found in PACKAGES.values()]


def _described(request: dict[str, Any]) -> dict[str, Any]:
    return PACKAGES[int(request["ModelPackageName"].rpartition("/")[2])]


def _endpoint(request: dict[str, Any]) -> dict[str, Any] | Refusal:
    name = request["EndpointName"]
    if name.endswith("staging"):
        return Refusal("ValidationException", "Could not find endpoint")
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{name}"
    return {
        "EndpointName": name,
        "EndpointArn": arn,
        "EndpointConfigName": "c",
        "EndpointStatus": "InService",
        **COMMON,
    }


def registry(**more: Any) -> dict[str, Any]:
    """All that releases and reports ask for."""
    variant = {"VariantName": "AllTraffic", "ModelName": "model"}
    arn = "arn:aws:sagemaker:us-east-1:000000000000"
    return {
        "ListModelPackages": {"ModelPackageSummaryList": _summaries()},
        "DescribeModelPackage": _described,
        "DescribeEndpoint": _endpoint,
        "DescribeEndpointConfig": {
            "EndpointConfigName": "c", "EndpointConfigArn": f"{arn}:endpoint-config/c", "CreationTime": at(0),
            "ProductionVariants": [variant],
        },
        "DescribeModel": {
            "ModelName": "model", "ModelArn": f"{arn}:model/model", "CreationTime": at(0),
            "Containers": [{"ModelPackageName": f"{ARN}/3"}],
        },
        "GetObject": lambda request: {"Body": io.BytesIO(f"the report at {request['Key']}".encode())},
        **more,
    }  # fmt: skip
