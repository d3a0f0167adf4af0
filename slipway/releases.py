"""`slipway releases`: every version of the model registry, with its verdict, its numbers and who approved it."""

import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from slipway import serving
from slipway.errors import RegistryError
from slipway.executions import now
from slipway.production_history import InProduction, in_production
from slipway.project import ENVIRONMENTS, Project
from slipway.rendering import age
from slipway.status import as_document
from slipway.target import Target

_AT_ONCE = 8
_STYLES = {"Accepted": "green", "Rejected": "red"}


@dataclass(frozen=True)
class Release:
    """A version of the model registry.

    Attributes:
        verdict: the gate's, Accepted or Rejected; of a version that the pipeline did not register SageMaker's status.
        value: of the primary metric; None when it is not known.
        difference: the value minus the champion's; None when there was no champion, or it is not known.
        approval: who approved it for production, and why, as the pipeline noted it; None when nobody did.
        serves: the environments whose endpoint serves it.
        report_uri: report.html in S3; None when it was registered without one.
        status: SageMaker's approval status.
        production: what became of it in production.
    """

    version: int
    arn: str
    registered: datetime
    verdict: str
    commit: str | None
    execution: str | None
    metric: str | None
    value: float | None
    difference: float | None
    approval: str | None
    serves: tuple[str, ...]
    report_uri: str | None
    status: str
    production: InProduction

    @property
    def approver(self) -> str | None:
        """The name at the end of the approver's ARN."""
        return None if self.approval is None else self.approval.partition(": ")[0].rpartition("/")[2]


def read_releases(target: Target, project: Project) -> tuple[Release, ...]:
    """All versions, the newest first."""
    arns = package_arns(target, project)
    served = {name: serving.served_model(target, project.endpoint(name)) for name in ENVIRONMENTS}
    serves = {name: model.package_arn for name, model in served.items() if model is not None}
    sagemaker = target.client("sagemaker")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        packages = pool.map(lambda arn: sagemaker.describe_model_package(ModelPackageName=arn), arns.values())
        return tuple(_release(package, serves) for package in packages)


def package_arns(target: Target, project: Project) -> dict[int, str]:
    """The ARN of each version, the newest first.

    Raises:
        RegistryError: there is no model package group: the project is not deployed.
    """
    pages = target.client("sagemaker").get_paginator("list_model_packages")
    try:
        summaries = [
            summary
            for page in pages.paginate(ModelPackageGroupName=project.name)
            for summary in page["ModelPackageSummaryList"]
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationException":
            raise RegistryError(f"there is no model registry {project.name} here", "slipway up") from error
        raise
    arns = {summary["ModelPackageVersion"]: summary["ModelPackageArn"] for summary in summaries}
    return dict(sorted(arns.items(), reverse=True))


def show_releases(console: Console, releases: Sequence[Release]) -> None:
    """Print them for people."""
    if not releases:
        console.print("No model is registered yet.")
        return
    metrics = {release.metric for release in releases if release.metric is not None}
    (metric,) = metrics if len(metrics) == 1 else ("metric",)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in ("version", "serves", "verdict", metric, "champion", "commit", "age"):
        table.add_column(column, no_wrap=True)
    table.add_column("approved by")
    for release in releases:
        name = "" if release.metric == metric else f"{release.metric} "
        table.add_row(
            str(release.version),
            Text("both" if release.serves == ENVIRONMENTS else ", ".join(release.serves), "bold"),
            Text(release.verdict, _STYLES.get(release.verdict, "")),
            "" if release.value is None else f"{name}{release.value:.4f}",
            "" if release.difference is None else f"{release.difference:+.4f}",
            (release.commit or "")[:8],
            age(now() - release.registered),
            Text(release.approver or "", no_wrap=True, overflow="ellipsis"),
        )
    console.print(table)
    for release in releases:
        for line in release.production.told(now(), serves="production" in release.serves):
            console.print(Text(f"version {release.version} {line}"), soft_wrap=True)


def as_json_text(releases: Sequence[Release]) -> str:
    """Everything, as JSON."""
    return json.dumps(as_document(releases), indent=2)


def _release(package: Mapping[str, Any], serves: Mapping[str, str | None]) -> Release:
    noted, arn = package.get("CustomerMetadataProperties", {}), package["ModelPackageArn"]
    return Release(
        version=package["ModelPackageVersion"],
        arn=arn,
        registered=package["CreationTime"],
        verdict=noted.get("verdict") or package["ModelApprovalStatus"],
        commit=noted.get("commit"),
        execution=noted.get("execution"),
        metric=noted.get("primary_metric"),
        value=_number(noted.get("primary_metric_value")),
        difference=_number(noted.get("primary_metric_difference")),
        approval=package.get("ApprovalDescription") or None,
        serves=tuple(name for name, served in serves.items() if served == arn),
        report_uri=noted.get("report_uri"),
        status=package["ModelApprovalStatus"],
        production=in_production(noted),
    )


def _number(text: str | None) -> float | None:
    """A finite number; None for whatever else stands there."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
