"""What production's stack is given, for each strategy and whatever serves there now."""

import pytest

from pipeline_steps.aws import Aws
from pipeline_steps.errors import ReleaseError
from pipeline_steps.steps import plan_release
from settings import ServerlessEndpoint, Settings
from tests.pipeline_steps.doubles import COMMIT_ID, EXECUTION_ID, ROLE_ARN, answer_instead, script, serve_model_package

PREFIX = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flight-delays/"
NEW = f"{PREFIX}7"
PRODUCTION = "flight-delays-production"


def inputs(strategy: str, new: str = NEW) -> plan_release.Inputs:
    return plan_release.Inputs(
        execution_id=EXECUTION_ID,
        commit_id=COMMIT_ID,
        model_package_arn=new,
        strategy=strategy,
        endpoint_name=PRODUCTION,
    )


def serve_champion(aws: Aws, *, registered: bool = True) -> str:
    return serve_model_package(
        aws, PRODUCTION, image_uri="an-image", model_data_uri="s3://data/model.tar.gz", registered=registered
    )


@pytest.mark.parametrize("strategy", ["all_at_once", "canary", "linear"])
def test_a_rollout_brings_the_new_version(aws: Aws, settings: Settings, strategy: str) -> None:
    serve_champion(aws)

    assert plan_release.run(aws, settings, inputs(strategy)) == {
        "MODEL_PACKAGE_ARN": NEW,
        "CHALLENGER_MODEL_PACKAGE_ARN": "none",
        "STRATEGY": strategy,
        "SUMMARY": f"version 7 after version 1: {strategy}",
    }


@pytest.mark.parametrize(
    ("strategy", "summary"),
    [
        ("ab_test", "ab_test: version 1 serves, version 7 answers its share of the calls"),
        ("shadow", "shadow: version 1 serves, version 7 is sent copies of calls"),
    ],
)
def test_in_a_test_the_champion_stays_and_the_new_version_is_its_challenger(
    aws: Aws, settings: Settings, strategy: str, summary: str
) -> None:
    champion = serve_champion(aws)

    assert plan_release.run(aws, settings, inputs(strategy)) == {
        "MODEL_PACKAGE_ARN": champion,
        "CHALLENGER_MODEL_PACKAGE_ARN": NEW,
        "STRATEGY": strategy,
        "SUMMARY": summary,
    }


def begin_test(aws: Aws, kind: str) -> str:
    """An endpoint with a challenger beside the champion, whose ARN is returned."""
    champion = serve_champion(aws)
    instances = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    aws.sagemaker.create_model(
        ModelName="another", ExecutionRoleArn=ROLE_ARN, PrimaryContainer={"ModelPackageName": f"{PREFIX}6"}
    )
    challenger = {"VariantName": "Challenger", "ModelName": "another", **instances}
    champions = {"VariantName": "AllTraffic", "ModelName": f"{PRODUCTION}-model", **instances}
    config = {
        "EndpointConfigName": "of-the-test",
        "EndpointConfigArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/of-the-test",
        "CreationTime": 0,
        "ProductionVariants": [challenger, champions] if kind == "ab_test" else [champions],
    }
    answer_instead(aws.sagemaker, "DescribeEndpointConfig", lambda _: (200, config))
    variants = [{"VariantName": "AllTraffic"}]
    beside = {"VariantName": "Challenger"}
    lies_beside = (
        {"ProductionVariants": [beside, *variants]}
        if kind == "ab_test"
        else {"ProductionVariants": variants, "ShadowProductionVariants": [beside]}
    )
    script(aws.sagemaker, "DescribeEndpoint", [lies_beside])
    return champion


@pytest.mark.parametrize("kind", ["ab_test", "shadow"])
def test_the_champion_of_a_test_that_runs_is_the_variant_that_stays(aws: Aws, settings: Settings, kind: str) -> None:
    champion = begin_test(aws, kind)

    assert plan_release.run(aws, settings, inputs("ab_test"))["MODEL_PACKAGE_ARN"] == champion


@pytest.mark.parametrize("kind", ["ab_test", "shadow"])
@pytest.mark.parametrize("strategy", ["all_at_once", "canary", "linear"])
def test_a_rollout_does_not_end_a_test(aws: Aws, settings: Settings, kind: str, strategy: str) -> None:
    begin_test(aws, kind)

    with pytest.raises(ReleaseError, match=r"has the variant Challenger beside AllTraffic.*slipway promote or slipway"):
        plan_release.run(aws, settings, inputs(strategy))


@pytest.mark.parametrize("strategy", ["canary", "ab_test", "shadow"])
def test_the_first_version_comes_all_at_once_whatever_is_asked(aws: Aws, settings: Settings, strategy: str) -> None:
    planned = plan_release.run(aws, settings, inputs(strategy))

    assert planned["SUMMARY"] == "version 7 is the first in production: all_at_once"
    assert (planned["MODEL_PACKAGE_ARN"], planned["CHALLENGER_MODEL_PACKAGE_ARN"]) == (NEW, "none")
    assert planned["STRATEGY"] == "all_at_once"


def test_a_version_is_not_tested_against_itself(aws: Aws, settings: Settings) -> None:
    champion = serve_champion(aws)

    planned = plan_release.run(aws, settings, inputs("ab_test", new=champion))

    assert (planned["CHALLENGER_MODEL_PACKAGE_ARN"], planned["STRATEGY"]) == ("none", "all_at_once")


def test_without_a_wish_the_settings_decide(aws: Aws, settings: Settings) -> None:
    serve_champion(aws)
    release = settings.release.model_copy(update={"strategy": "linear"})

    planned = plan_release.run(aws, settings.model_copy(update={"release": release}), inputs("settings"))

    assert planned["STRATEGY"] == "linear"


def test_an_unknown_strategy_is_refused_with_those_there_are(aws: Aws, settings: Settings) -> None:
    with pytest.raises(ReleaseError, match=r"must be settings or one of all_at_once, .*canary.*, got 'quickly'"):
        plan_release.run(aws, settings, inputs("quickly"))


def test_a_strategy_that_the_settings_forbid_is_refused_with_what_to_change(aws: Aws, settings: Settings) -> None:
    release = settings.release.model_copy(update={"step_percent": 5})

    with pytest.raises(ReleaseError, match=r"linear needs other settings: release\.step_percent must be 10 or more"):
        plan_release.run(aws, settings.model_copy(update={"release": release}), inputs("linear"))


def test_what_no_pipeline_registered_is_replaced_but_tested_against_nothing(aws: Aws, settings: Settings) -> None:
    serve_champion(aws, registered=False)

    assert plan_release.run(aws, settings, inputs("canary"))["MODEL_PACKAGE_ARN"] == NEW
    with pytest.raises(ReleaseError, match="ab_test needs a version that serves beside the new one"):
        plan_release.run(aws, settings, inputs("ab_test"))


def serve(aws: Aws, *, serverless: bool) -> str:
    """An endpoint of one of the two kinds, as SageMaker describes it (moto does not tell them apart); its package."""
    champion = serve_champion(aws)
    described = aws.sagemaker.describe_endpoint(EndpointName=PRODUCTION)
    kind = {"CurrentServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}} if serverless else {}
    variant = {"VariantName": "AllTraffic", "CurrentInstanceCount": 0 if serverless else 1, **kind}
    wanted = {
        "EndpointName": PRODUCTION,
        "EndpointConfigName": described["EndpointConfigName"],
        "ProductionVariants": [variant],
    }
    answer_instead(aws.sagemaker, "DescribeEndpoint", lambda _: (200, wanted))
    return champion


def without_instances(settings: Settings) -> Settings:
    endpoint = ServerlessEndpoint.model_validate({"serverless": {"memory_mib": 2048, "max_concurrency": 5}})
    endpoints = settings.endpoints.model_copy(update={"production": endpoint})
    release = settings.release.model_copy(update={"strategy": "all_at_once"})
    return settings.model_copy(update={"endpoints": endpoints, "release": release})


def test_an_endpoint_of_instances_is_not_updated_to_a_serverless_one(aws: Aws, settings: Settings) -> None:
    serve(aws, serverless=False)

    with pytest.raises(ReleaseError) as refusal:
        plan_release.run(aws, without_instances(settings), inputs("settings"))
    assert f"{PRODUCTION} has instances, and SageMaker makes no such endpoint serverless" in str(refusal.value)
    assert f"aws cloudformation delete-stack --stack-name {PRODUCTION}" in str(refusal.value)


def test_a_serverless_endpoint_stays_one_all_at_once(aws: Aws, settings: Settings) -> None:
    serve(aws, serverless=True)

    planned = plan_release.run(aws, without_instances(settings), inputs("settings"))

    assert (planned["STRATEGY"], planned["SUMMARY"]) == ("all_at_once", "version 7 after version 1: all_at_once")


@pytest.mark.parametrize(
    ("strategy", "planned"),
    [("all_at_once", "immediate"), ("canary", "immediate"), ("linear", "immediate"), ("ab_test", "ab_test")],
)
def test_no_traffic_is_shifted_from_a_serverless_endpoint_to_its_first_instances(
    aws: Aws, settings: Settings, strategy: str, planned: str
) -> None:
    serve(aws, serverless=True)

    found = plan_release.run(aws, settings, inputs(strategy))

    assert found["STRATEGY"] == planned
    assert ("for no traffic is shifted from a serverless endpoint" in found["SUMMARY"]) is (planned == "immediate")


def test_a_serverless_production_begins_where_there_is_no_endpoint(aws: Aws, settings: Settings) -> None:
    planned = plan_release.run(aws, without_instances(settings), inputs("settings"))

    assert planned["SUMMARY"] == "version 7 is the first in production: all_at_once"


def test_a_version_that_is_not_tested_against_itself_gets_its_first_instances_at_once(
    aws: Aws, settings: Settings
) -> None:
    champion = serve(aws, serverless=True)

    assert plan_release.run(aws, settings, inputs("ab_test", new=champion))["STRATEGY"] == "immediate"
