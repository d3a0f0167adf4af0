"""An environment's endpoint: one model package in, one endpoint out."""

import re

import pytest
from infra_support import Deployment

ENVIRONMENTS = ("staging", "production")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_model_package_is_the_only_parameter(deployment: Deployment, environment: str) -> None:
    parameters = deployment.templates[environment]["Parameters"]

    assert list(parameters) == ["ModelPackageArn"]
    assert parameters["ModelPackageArn"]["Type"] == "String"


@pytest.mark.parametrize(
    ("arn", "accepted"),
    [
        ("arn:aws:sagemaker:us-east-1:000000000000:model-package/flight-delays/1", True),
        ("arn:aws-cn:sagemaker:cn-north-1:111122223333:model-package/flight-delays/120", True),
        ("arn:aws:sagemaker:us-east-1:000000000000:model-package-group/flight-delays", False),
        ("flight-delays", False),
        ("", False),
    ],
)
def test_only_a_model_packages_arn_is_accepted(deployment: Deployment, arn: str, accepted: bool) -> None:
    pattern = deployment.staging["Parameters"]["ModelPackageArn"]["AllowedPattern"]

    assert (re.fullmatch(pattern, arn) is not None) is accepted


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_logical_ids_of_the_endpoint_stack_never_change(deployment: Deployment, environment: str) -> None:
    resources = {name: one["Type"] for name, one in deployment.templates[environment]["Resources"].items()}

    assert resources == {
        "Endpoint": "AWS::SageMaker::Endpoint",
        f"flightdelays{environment}endpointconfig": "AWS::SageMaker::EndpointConfig",
        f"flightdelays{environment}model": "AWS::SageMaker::Model",
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_model_is_the_package_isolated_from_the_network(deployment: Deployment, environment: str) -> None:
    model = deployment.properties(environment, "AWS::SageMaker::Model", f"flightdelays{environment}model")

    model.pop("Tags")
    assert model == {
        "PrimaryContainer": {"ModelPackageName": "<ModelPackageArn>"},
        "ExecutionRoleArn": "<ExecutionRolesEndpoint.Arn>",
        "EnableNetworkIsolation": True,
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize(
    ("fixture", "vpc_config"),
    [
        (
            "in_a_vpc",
            {
                "Subnets": ["<NetworkVpcIsolatedSubnet1Subnet>", "<NetworkVpcIsolatedSubnet2Subnet>"],
                "SecurityGroupIds": ["<NetworkInstances.GroupId>"],
            },
        ),
        (
            "in_the_teams_vpc",
            {
                "Subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
                "SecurityGroupIds": ["sg-0123456789abcdef0"],
            },
        ),
    ],
)
def test_in_a_vpc_the_model_is_connected_to_its_subnets_and_still_isolated(
    fixture: str, vpc_config: dict[str, list[str]], environment: str, request: pytest.FixtureRequest
) -> None:
    deployment: Deployment = request.getfixturevalue(fixture)

    model = deployment.properties(environment, "AWS::SageMaker::Model", f"flightdelays{environment}model")

    assert model["VpcConfig"] == vpc_config
    assert model["EnableNetworkIsolation"] is True


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_network_does_not_change_what_the_endpoint_stack_asks_for(in_a_vpc: Deployment, environment: str) -> None:
    template = in_a_vpc.templates[environment]

    assert list(template["Parameters"]) == ["ModelPackageArn"]
    assert sorted(one["Type"] for one in template["Resources"].values()) == [
        "AWS::SageMaker::Endpoint",
        "AWS::SageMaker::EndpointConfig",
        "AWS::SageMaker::Model",
    ]


@pytest.mark.parametrize(("environment", "instances"), [("staging", 1), ("production", 2)])
def test_the_endpoint_runs_the_settings_instances_on_encrypted_volumes(
    deployment: Deployment, environment: str, instances: int
) -> None:
    config = deployment.properties(
        environment, "AWS::SageMaker::EndpointConfig", f"flightdelays{environment}endpointconfig"
    )
    endpoint = deployment.properties(environment, "AWS::SageMaker::Endpoint", "Endpoint")

    assert config["KmsKeyId"] == "<Key.Arn>"
    assert config["ProductionVariants"] == [
        {
            "VariantName": "AllTraffic",
            "ModelName": f"<flightdelays{environment}model.ModelName>",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": instances,
            "InitialVariantWeight": 1,
        }
    ]
    assert endpoint["EndpointName"] == f"flight-delays-{environment}"
    assert endpoint["EndpointConfigName"] == f"<flightdelays{environment}endpointconfig.EndpointConfigName>"
    assert endpoint["RetainAllVariantProperties"] is False


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_names_that_an_update_replaces_are_left_to_cloudformation(deployment: Deployment, environment: str) -> None:
    resources = deployment.templates[environment]["Resources"]

    assert "ModelName" not in resources[f"flightdelays{environment}model"]["Properties"]
    assert "EndpointConfigName" not in resources[f"flightdelays{environment}endpointconfig"]["Properties"]


def test_an_instance_type_that_encrypts_its_own_storage_gets_no_key(customized: Deployment) -> None:
    staging, production = (
        customized.properties(
            environment, "AWS::SageMaker::EndpointConfig", f"anameof23characters{environment}endpointconfig"
        )
        for environment in ENVIRONMENTS
    )

    assert "KmsKeyId" in staging
    assert "KmsKeyId" not in production
    assert production["ProductionVariants"][0]["InitialInstanceCount"] == 3
