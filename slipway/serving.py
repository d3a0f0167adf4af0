"""What the endpoints serve, and how to call them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from pipeline_steps.documents import Document, Prediction, Samples, Scores
from pipeline_steps.errors import DocumentError
from slipway.errors import EndpointError
from slipway.target import Target

BODY_BYTES = 6_291_456
"""SageMaker takes no larger body for a real-time endpoint."""

CHAMPION, CHALLENGER = "AllTraffic", "Challenger"
"""The names of an endpoint's variants; the champion's stays over all updates."""

AnyDocument = TypeVar("AnyDocument", bound=Document)


@dataclass(frozen=True)
class Variant:
    """One of the two variants that serve while a test runs.

    Attributes:
        role: `champion`, `challenger`, or `shadow` for a challenger whose answers nobody gets.
        share: of the calls that it answers; of a shadow, of those that are copied to it. None when it is not known.
        instances: number of them that run.
    """

    name: str
    role: str
    package_arn: str | None
    share: float | None
    instances: int | None

    @property
    def version(self) -> int | None:
        """Of its model package."""
        number = (self.package_arn or "").rpartition("/")[2]
        return int(number) if number.isdecimal() else None


@dataclass(frozen=True)
class ServedModel:
    """An endpoint and the model package that it serves.

    Attributes:
        status: the endpoint's.
        since: when the endpoint was last changed.
        version: of the model package; None when the endpoint serves a model that came from none.
        metrics: of the model package's evaluation; empty when they cannot be read.
        evaluation_uri: what was measured when the model was evaluated, or None.
        samples_uri: real records with the answers that the model gave offline, or None.
        failure: why the endpoint is not in service, or why its last update failed; or None.
        variants: champion and challenger while a test runs; empty when one variant serves.
    """

    endpoint: str
    status: str
    since: datetime | None
    package_arn: str | None = None
    version: int | None = None
    commit: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    evaluation_uri: str | None = None
    samples_uri: str | None = None
    failure: str | None = None
    variants: tuple[Variant, ...] = ()

    @property
    def challenger(self) -> Variant | None:
        """The variant that is tested beside the champion; None when no test runs."""
        return next((variant for variant in self.variants if variant.role != "champion"), None)


def served_model(target: Target, endpoint: str) -> ServedModel | None:
    """What an endpoint serves; None when there is no such endpoint."""
    sagemaker = target.client("sagemaker")
    try:
        described = sagemaker.describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationException":
            return None
        raise
    packages = _packages(sagemaker, described)
    package_arn = packages.get(CHAMPION, next(iter(packages.values()), None))
    package = _package(sagemaker, package_arn)
    evaluation_uri = package.get("CustomerMetadataProperties", {}).get("evaluation_uri")
    scores = _read(target, evaluation_uri, Scores)
    return ServedModel(
        endpoint=endpoint,
        status=described["EndpointStatus"],
        since=described.get("LastModifiedTime"),
        package_arn=package_arn,
        version=package.get("ModelPackageVersion"),
        commit=package.get("MetadataProperties", {}).get("CommitId"),
        metrics={} if scores is None else dict(scores.metrics),
        evaluation_uri=evaluation_uri,
        samples_uri=None if evaluation_uri is None else evaluation_uri.rpartition("/")[0] + "/samples.json",
        failure=described.get("FailureReason"),
        variants=_variants(described, packages),
    )


def read_samples(target: Target, model: ServedModel) -> Samples:
    """Records of the served model's evaluation, with what the model answered then.

    Raises:
        EndpointError: there are none to be found.
    """
    samples = _read(target, model.samples_uri, Samples)
    if samples is None:
        raise EndpointError(
            f"no sample records are known of the model that {model.endpoint} serves",
            "slipway invoke --file RECORDS.csv (or .json)",
        )
    return samples


def read_scores(target: Target, model: ServedModel) -> Scores | None:
    """What the served model's evaluation measured; None when it cannot be read."""
    return _read(target, model.evaluation_uri, Scores)


def invoke(target: Target, endpoint: str, body: bytes, content_type: str) -> bytes:
    """Call an endpoint as a client does.

    Raises:
        EndpointError: no such endpoint, a body that is too large, or the container's own refusal, readable.
    """
    if len(body) > BODY_BYTES:
        raise EndpointError(f"the request has {len(body)} bytes, SageMaker takes {BODY_BYTES} at most", "send fewer")
    runtime = target.client("sagemaker-runtime")
    try:
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint, Body=body, ContentType=content_type, Accept=content_type
        )
    except runtime.exceptions.ModelError as error:
        raise EndpointError(f"{endpoint} refused the request: {_refusal(error.response)}") from error
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationError", "ValidationException"):
            message = error.response["Error"]["Message"]
            raise EndpointError(f"{endpoint} cannot be called: {message}", "slipway status") from error
        raise
    return bytes(answer["Body"].read())


def predictions(answer: bytes, content_type: str) -> list[Prediction]:
    """The predictions in an endpoint's answer: numbers, or a probability for each class.

    Raises:
        EndpointError: the answer is not what the container's contract says.
    """
    try:
        if content_type == "text/csv":
            return [_prediction(line.split(",")) for line in answer.decode().split()]
        return [
            _prediction(value if isinstance(value, list) else [value]) for value in json.loads(answer)["predictions"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise EndpointError(f"the endpoint's answer is not a list of predictions: {answer[:200]!r}") from error


def json_body(records: Sequence[Mapping[str, Any]]) -> bytes:
    """The request for some records."""
    return json.dumps({"instances": list(records)}).encode()


def _prediction(values: Sequence[Any]) -> Prediction:
    if not values:
        raise ValueError("a prediction must be a number or a list of numbers")
    return float(values[0]) if len(values) == 1 else tuple(map(float, values))


def _packages(sagemaker: Any, described: Mapping[str, Any]) -> dict[str, str | None]:
    """The model package of each variant, shadows too."""
    if "EndpointConfigName" not in described:
        return {}
    config = sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    variants = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
    return {variant["VariantName"]: _package_arn(sagemaker, variant["ModelName"]) for variant in variants}


def _package_arn(sagemaker: Any, model_name: str) -> str | None:
    model = sagemaker.describe_model(ModelName=model_name)
    containers = model.get("Containers") or [model.get("PrimaryContainer", {})]
    return next((c["ModelPackageName"] for c in containers if "ModelPackageName" in c), None)


def _variants(described: Mapping[str, Any], packages: Mapping[str, str | None]) -> tuple[Variant, ...]:
    """Those of DescribeEndpoint when there is more than one, the champion first."""
    production, shadows = described.get("ProductionVariants", []), described.get("ShadowProductionVariants", [])
    if len(production) + len(shadows) < 2:
        return ()
    weights = {one["VariantName"]: one.get("CurrentWeight") for one in (*production, *shadows)}
    whole = sum(weights[one["VariantName"]] or 0 for one in production)
    made = []
    for one in (*production, *shadows):
        name, weight = one["VariantName"], weights[one["VariantName"]]
        role = "shadow" if one in shadows else "champion" if name == CHAMPION else "challenger"
        share = None if weight is None or not whole else min(weight / whole, 1.0)
        made.append(Variant(name, role, packages.get(name), share, one.get("CurrentInstanceCount")))
    return tuple(sorted(made, key=lambda variant: variant.role != "champion"))


def _package(sagemaker: Any, arn: str | None) -> Mapping[str, Any]:
    if arn is None:
        return {}
    package: Mapping[str, Any] = sagemaker.describe_model_package(ModelPackageName=arn)
    return package


def _read(target: Target, uri: str | None, kind: type[AnyDocument]) -> AnyDocument | None:
    """A document in S3; None when it is not there or is not such a document."""
    if uri is None:
        return None
    place = urlsplit(uri)
    try:
        answer = target.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
        return kind.parse(answer["Body"].read().decode(), uri)
    except (ClientError, UnicodeDecodeError, DocumentError):
        return None


def _refusal(response: Mapping[str, Any]) -> str:
    """The container's own words out of SageMaker's ModelError."""
    said = response.get("OriginalMessage") or response["Error"]["Message"]
    try:
        document = json.loads(said)
    except ValueError:
        return str(said).strip()
    error = document.get("error", document) if isinstance(document, dict) else document
    if not isinstance(error, dict):
        return str(error)
    return "\n" + "\n".join(f"  {name}: {value}" for name, value in error.items())
