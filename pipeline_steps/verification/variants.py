"""The variants of an endpoint: what each is made of, and which model package it serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_steps.aws import Aws, translated

CHALLENGER = "Challenger"
"""The variant beside the one that stays: a production variant in an A/B test, else a shadow."""

Variant = Mapping[str, Any]


@dataclass(frozen=True)
class Variants:
    """Those of one endpoint config, by name.

    Attributes:
        production: what answers clients.
        shadow: what is sent copies of their requests.
    """

    production: dict[str, Variant]
    shadow: dict[str, Variant]


def read_variants(aws: Aws, endpoint_name: str) -> Variants:
    """What an endpoint is made of now."""
    with translated(f"look at the variants of {endpoint_name}"):
        name = aws.sagemaker.describe_endpoint(EndpointName=endpoint_name)["EndpointConfigName"]
        config = aws.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    production, shadow = (
        {variant["VariantName"]: variant for variant in config.get(key, ())}
        for key in ("ProductionVariants", "ShadowProductionVariants")
    )
    return Variants(production, shadow)


def model_package_of(aws: Aws, variant: Variant) -> str | None:
    """ARN of the model package that a variant serves; None when its model was made of none."""
    with translated(f"look at the model of the variant {variant['VariantName']}"):
        model = aws.sagemaker.describe_model(ModelName=variant["ModelName"])
    container = model["PrimaryContainer"] if "PrimaryContainer" in model else model["Containers"][0]
    arn: str | None = container.get("ModelPackageName")
    return arn
