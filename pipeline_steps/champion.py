"""Finds the champion: the model that production serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_steps.aws import Aws, translated
from pipeline_steps.errors import NotFoundError, UnregisteredModelError
from pipeline_steps.model_artifact import DIGEST_VARIABLE
from pipeline_steps.progress import say
from pipeline_steps.serving import served_model_package


@dataclass(frozen=True)
class Champion:
    """A registered model that production serves.

    Attributes:
        sha256: digest of the model's files; None when it was registered without one.
        metadata: what was registered with it, by name.
    """

    model_package_arn: str
    image_uri: str
    model_data_uri: str
    sha256: str | None
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class UnknownChampion:
    """Production serves something, but what it is cannot be found out."""

    reason: str
    model_package_arn: str | None


def find_champion(aws: Aws, endpoint_name: str) -> Champion | UnknownChampion | None:
    """The model that an endpoint serves; None when there is no such endpoint."""
    try:
        arn = served_model_package(aws, endpoint_name)
    except UnregisteredModelError as error:
        return UnknownChampion(str(error), None)
    if arn is None:
        say(f"there is no endpoint {endpoint_name}: no champion to compare with")
        return None
    say(f"the champion is {arn}, served by {endpoint_name}")
    try:
        with translated(f"look at the champion {arn}"):
            package = aws.sagemaker.describe_model_package(ModelPackageName=arn)
    except NotFoundError as error:
        return UnknownChampion(str(error), arn)
    return _champion(arn, package)


def _champion(arn: str, package: Mapping[str, Any]) -> Champion:
    container = package["InferenceSpecification"]["Containers"][0]
    sha256 = container.get("Environment", {}).get(DIGEST_VARIABLE)
    if sha256 is None:
        say(f"the champion {arn} was registered without a digest: whether its artifact is the same cannot be told")
    metadata = package.get("CustomerMetadataProperties", {})
    return Champion(arn, container["Image"], container["ModelDataUrl"], sha256, metadata)
