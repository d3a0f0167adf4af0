"""An environment's endpoint: a model package in, and how to come to it; one endpoint out, with what watches it."""

import json
import re
from typing import Any

import pytest
from infra_support import Deployment

ENVIRONMENTS = ("staging", "production")
STRATEGIES = ["all_at_once", "canary", "linear", "ab_test", "shadow", "immediate"]
CONFIG, ENDPOINT, ALARM = "AWS::SageMaker::EndpointConfig", "AWS::SageMaker::Endpoint", "AWS::CloudWatch::Alarm"
VERSION = "arn:aws:sagemaker:us-east-1:000000000000:model-package/flight-delays/{}"


class Stack:
    """A template with values for its parameters: what CloudFormation makes of its conditions and rules."""

    def __init__(
        self, deployment: Deployment, environment: str, *, challenger: str = "none", strategy: str = ""
    ) -> None:
        self._template = deployment.templates[environment]
        self._deployment, self._environment = deployment, environment
        default = self._template["Parameters"]["Strategy"]["Default"]
        self._parameters = {"ChallengerModelPackageArn": challenger, "Strategy": strategy or default}

    def properties(self, resource_type: str, logical_id: str) -> dict[str, Any]:
        properties = self._deployment.properties(self._environment, resource_type, logical_id)
        made: dict[str, Any] = self._made(properties)
        return made

    @property
    def endpoint(self) -> dict[str, Any]:
        return self.properties(ENDPOINT, "Endpoint")

    @property
    def config(self) -> dict[str, Any]:
        return self.properties(CONFIG, f"flightdelays{self._environment}endpointconfig")

    @property
    def resources(self) -> set[str]:
        return {
            re.sub(r"[0-9A-F]{8}$", "", name)
            for name, one in self._template["Resources"].items()
            if "Condition" not in one or self._holds({"Condition": one["Condition"]})
        }

    @property
    def refusals(self) -> list[str]:
        return [
            assertion["AssertDescription"]
            for rule in self._template["Rules"].values()
            if self._holds(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not self._holds(assertion["Assert"])
        ]

    def _holds(self, condition: dict[str, Any]) -> bool:
        ((function, arguments),) = condition.items()
        match function:
            case "Condition":
                return self._holds(self._template["Conditions"][arguments])
            case "Fn::Equals":
                return self._value(arguments[0]) == self._value(arguments[1])
            case "Fn::Or":
                return any(map(self._holds, arguments))
            case "Fn::Not":
                return not self._holds(arguments[0])
            case "Fn::Contains":
                return self._value(arguments[1]) in arguments[0]
        raise AssertionError(function)

    def _value(self, value: Any) -> Any:
        return self._parameters[value["Ref"]] if isinstance(value, dict) else value

    def _made(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._made(item) for item in value]
        if not isinstance(value, dict):
            return value
        if list(value) == ["Fn::If"]:
            condition, yes, no = value["Fn::If"]
            return self._made(yes if self._holds({"Condition": condition}) else no)
        made = {key: self._made(item) for key, item in value.items()}
        return {key: item for key, item in made.items() if item != "<AWS::NoValue>"}


def variant(name: str, model: str, weight: int, *, instances: int = 2) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": f"<flightdelays{model}.ModelName>",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": instances,
        "InitialVariantWeight": weight,
    }


def test_the_parameters_say_what_is_served_and_how_it_gets_there(deployment: Deployment) -> None:
    for environment, strategy in (("staging", "immediate"), ("production", "canary")):
        parameters = deployment.templates[environment]["Parameters"]
        assert {name: one.get("Default") for name, one in parameters.items()} == {
            "ModelPackageArn": None,
            "ChallengerModelPackageArn": "none",
            "Strategy": strategy,
        }
        assert parameters["Strategy"]["AllowedValues"] == STRATEGIES


def test_a_strategy_that_the_settings_make_impossible_is_not_allowed(customized: Deployment) -> None:
    allowed = customized.production["Parameters"]["Strategy"]["AllowedValues"]

    assert allowed == [one for one in STRATEGIES if one != "linear"]  # its steps would be of 5 %


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
    parameters = deployment.staging["Parameters"]

    for name in ("ModelPackageArn", "ChallengerModelPackageArn"):
        assert (re.fullmatch(parameters[name]["AllowedPattern"], arn) is not None) is accepted
    assert re.fullmatch(parameters["ChallengerModelPackageArn"]["AllowedPattern"], "none")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_challenger_is_asked_for_where_it_is_compared_and_refused_elsewhere(
    deployment: Deployment, strategy: str
) -> None:
    compares = strategy in ("ab_test", "shadow")
    without = Stack(deployment, "production", strategy=strategy).refusals
    beside = Stack(deployment, "production", strategy=strategy, challenger=VERSION.format(2)).refusals

    assert without == (["ab_test, shadow need a ChallengerModelPackageArn"] if compares else [])
    assert beside == ([] if compares else ["all_at_once, canary, linear, immediate take no ChallengerModelPackageArn"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_logical_ids_of_the_endpoint_stack_never_change(deployment: Deployment, environment: str) -> None:
    resources = {name: one["Type"] for name, one in deployment.templates[environment]["Resources"].items()}
    ids = {re.sub(r"[0-9A-F]{8}$", "", name): kind for name, kind in resources.items() if "SageMaker" not in kind}

    assert {name: kind for name, kind in resources.items() if "SageMaker" in kind} == {
        "Endpoint": ENDPOINT,
        f"flightdelays{environment}endpointconfig": CONFIG,
        f"flightdelays{environment}model": "AWS::SageMaker::Model",
        f"flightdelays{environment}challengermodel": "AWS::SageMaker::Model",
    }
    assert ids == {
        "AlarmsServerErrors": ALARM,
        "AlarmsRefused": ALARM,
        "AlarmsLatency": ALARM,
        "Dashboard": "AWS::CloudWatch::Dashboard",
    }


@pytest.mark.parametrize(
    ("name", "package"), [("model", "ModelPackageArn"), ("challengermodel", "ChallengerModelPackageArn")]
)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_model_is_its_package_isolated_from_the_network(
    deployment: Deployment, environment: str, name: str, package: str
) -> None:
    model = deployment.properties(environment, "AWS::SageMaker::Model", f"flightdelays{environment}{name}")

    model.pop("Tags")
    assert model == {
        "PrimaryContainer": {"ModelPackageName": f"<{package}>"},
        "ExecutionRoleArn": "<ExecutionRolesEndpoint.Arn>",
        "EnableNetworkIsolation": True,
    }


@pytest.mark.parametrize("name", ["model", "challengermodel"])
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
def test_in_a_vpc_a_model_is_connected_to_its_subnets_and_still_isolated(
    fixture: str, vpc_config: dict[str, list[str]], environment: str, name: str, request: pytest.FixtureRequest
) -> None:
    deployment: Deployment = request.getfixturevalue(fixture)

    model = deployment.properties(environment, "AWS::SageMaker::Model", f"flightdelays{environment}{name}")

    assert model["VpcConfig"] == vpc_config
    assert model["EnableNetworkIsolation"] is True


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_network_does_not_change_what_the_endpoint_stack_asks_for(
    deployment: Deployment, in_a_vpc: Deployment, environment: str
) -> None:
    isolated, template = deployment.templates[environment], in_a_vpc.templates[environment]

    assert template["Parameters"] == isolated["Parameters"]
    assert template["Resources"].keys() == isolated["Resources"].keys()


# --- What serves


@pytest.mark.parametrize(("environment", "instances"), [("staging", 1), ("production", 2)])
@pytest.mark.parametrize("strategy", ["all_at_once", "canary", "linear", "immediate"])
def test_the_endpoint_runs_the_settings_instances_on_encrypted_volumes(
    deployment: Deployment, environment: str, instances: int, strategy: str
) -> None:
    stack = Stack(deployment, environment, strategy=strategy)
    config = stack.config

    config.pop("Tags")
    assert config == {
        "KmsKeyId": "<Key.Arn>",
        "MetricsConfig": {
            "EnableDetailedObservability": False,
            "EnableEnhancedMetrics": False,
            "MetricPublishFrequencyInSeconds": 60,
        },
        "ProductionVariants": [variant("AllTraffic", f"{environment}model", 100, instances=instances)],
    }
    assert f"flightdelays{environment}challengermodel" not in stack.resources
    assert stack.endpoint["EndpointName"] == f"flight-delays-{environment}"
    assert stack.endpoint["EndpointConfigName"] == f"<flightdelays{environment}endpointconfig.EndpointConfigName>"
    assert stack.endpoint["RetainAllVariantProperties"] is False


def test_in_an_ab_test_the_challenger_has_its_share_of_the_calls(deployment: Deployment) -> None:
    stack = Stack(deployment, "production", strategy="ab_test", challenger=VERSION.format(2))

    assert "flightdelaysproductionchallengermodel" in stack.resources
    assert stack.config["ProductionVariants"] == [
        variant("AllTraffic", "productionmodel", 90),
        variant("Challenger", "productionchallengermodel", 10),
    ]
    assert "ShadowProductionVariants" not in stack.config


def test_a_shadow_is_copied_its_share_and_answers_nobody(deployment: Deployment) -> None:
    stack = Stack(deployment, "production", strategy="shadow", challenger=VERSION.format(2))

    assert "flightdelaysproductionchallengermodel" in stack.resources
    assert stack.config["ProductionVariants"] == [variant("AllTraffic", "productionmodel", 100)]
    assert stack.config["ShadowProductionVariants"] == [variant("Challenger", "productionchallengermodel", 10)]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_names_that_an_update_replaces_are_left_to_cloudformation(deployment: Deployment, environment: str) -> None:
    for resource in deployment.templates[environment]["Resources"].values():
        assert not {"ModelName", "EndpointConfigName"} & resource["Properties"].keys() or resource["Type"] == ENDPOINT


def test_an_instance_type_that_encrypts_its_own_storage_gets_no_key(customized: Deployment) -> None:
    staging, production = (
        customized.properties(environment, CONFIG, f"anameof23characters{environment}endpointconfig")
        for environment in ENVIRONMENTS
    )

    assert "KmsKeyId" in staging
    assert "KmsKeyId" not in production


# --- How it gets there

ALARMS = [f"flight-delays-production-{name}" for name in ("server-errors", "refused", "latency")]
CANARY = {"CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}
LINEAR = {"LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 10}}


@pytest.mark.parametrize(
    ("strategy", "routing", "size"),
    [("all_at_once", "ALL_AT_ONCE", {}), ("canary", "CANARY", CANARY), ("linear", "LINEAR", LINEAR)],
)
def test_traffic_is_shifted_as_the_strategy_says_under_the_watch_of_the_alarms(
    deployment: Deployment, strategy: str, routing: str, size: dict[str, Any]
) -> None:
    assert Stack(deployment, "production", strategy=strategy).endpoint["DeploymentConfig"] == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": routing, "WaitIntervalInSeconds": 300, **size},
            "TerminationWaitInSeconds": 300,
            # The longest, linear: nine times 300 seconds, the wait at the end, and the start of the instances.
            "MaximumExecutionTimeoutInSeconds": 4800,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in ALARMS]},
    }


@pytest.mark.parametrize("strategy", ["ab_test", "shadow", "immediate"])
def test_no_alarm_watches_the_way_into_a_test_out_of_one_or_back(deployment: Deployment, strategy: str) -> None:
    challenger = "none" if strategy == "immediate" else VERSION.format(2)

    assert "DeploymentConfig" not in Stack(deployment, "production", strategy=strategy, challenger=challenger).endpoint


def test_staging_waits_for_nothing_unless_it_is_told_to(deployment: Deployment) -> None:
    assert "DeploymentConfig" not in Stack(deployment, "staging").endpoint


def test_rollouts_follow_the_settings(eager: Deployment) -> None:
    policy = Stack(eager, "production").endpoint["DeploymentConfig"]["BlueGreenUpdatePolicy"]

    assert policy["TrafficRoutingConfiguration"]["LinearStepSize"] == {"Type": "CAPACITY_PERCENT", "Value": 25}


# --- What watches it


@pytest.mark.parametrize(
    ("logical_id", "name", "seen"),
    [
        (
            "AlarmsServerErrors",
            "server-errors",
            {"MetricName": "Invocation5XXErrors", "Statistic": "Average", "Threshold": 0.01},
        ),
        ("AlarmsRefused", "refused", {"MetricName": "Invocation4XXErrors", "Statistic": "Average", "Threshold": 0.1}),
        ("AlarmsLatency", "latency", {"MetricName": "ModelLatency", "ExtendedStatistic": "p99", "Threshold": 500_000}),
    ],
)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_alarm_looks_at_what_serves_and_in_a_rollout_at_the_new_instances_alone(
    deployment: Deployment, environment: str, logical_id: str, name: str, seen: dict[str, Any]
) -> None:
    alarm = deployment.properties(environment, ALARM, logical_id)

    assert alarm.pop("AlarmDescription")
    alarm.pop("Tags")
    assert alarm == {
        "AlarmName": f"flight-delays-{environment}-{name}",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [
            {"Name": "EndpointConfigName", "Value": f"<flightdelays{environment}endpointconfig.EndpointConfigName>"},
            {"Name": "EndpointName", "Value": f"flight-delays-{environment}"},
            {"Name": "VariantName", "Value": "AllTraffic"},
        ],
        "ComparisonOperator": "GreaterThanThreshold",
        "Period": 60,
        "EvaluationPeriods": 1,
        "TreatMissingData": "notBreaching",
        **seen,
    }


def test_the_alarms_are_there_before_an_update_that_they_watch(deployment: Deployment) -> None:
    endpoint = deployment.production["Resources"]["Endpoint"]

    assert {re.sub(r"[0-9A-F]{8}$", "", name) for name in endpoint["DependsOn"]} == {
        "AlarmsServerErrors",
        "AlarmsRefused",
        "AlarmsLatency",
    }


def test_alarms_that_look_at_less_than_a_minute_get_metrics_as_often(local_deployment: Deployment) -> None:
    metrics = Stack(local_deployment, "production").config["MetricsConfig"]

    assert {alarm["Properties"]["Period"] for alarm in local_deployment.resources("production", ALARM).values()} == {10}
    assert (metrics["EnableEnhancedMetrics"], metrics["MetricPublishFrequencyInSeconds"]) == (True, 10)


def metrics_on(graphs: list[dict[str, Any]]) -> set[str]:
    return {metric[1] for graph in graphs for metric in graph["properties"]["metrics"]}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_dashboard_shows_the_alarms_and_both_variants(deployment: Deployment, environment: str) -> None:
    dashboard = deployment.properties(environment, "AWS::CloudWatch::Dashboard", "Dashboard")
    alarms, *graphs = json.loads(dashboard["DashboardBody"])["widgets"]

    assert dashboard["DashboardName"] == f"flight-delays-{environment}"
    assert alarms["properties"]["alarms"] == ["<AlarmsServerErrors.Arn>", "<AlarmsRefused.Arn>", "<AlarmsLatency.Arn>"]
    assert metrics_on(graphs) == {
        "Invocations",
        "Invocation4XXErrors",
        "Invocation5XXErrors",
        "ModelLatency",
        "OverheadLatency",
        "InvocationsPerInstance",
        "CPUUtilization",
        "MemoryUtilization",
    }
    for graph in graphs:
        places = [dict(zip(metric[2:6:2], metric[3:6:2], strict=True)) for metric in graph["properties"]["metrics"]]
        assert {place["VariantName"] for place in places} == {"AllTraffic", "Challenger"}
        assert {place["EndpointName"] for place in places} == {f"flight-delays-{environment}"}


# --- Autoscaling and capture


def test_the_instances_follow_the_calls_where_there_may_be_more_of_them(eager: Deployment) -> None:
    target = eager.properties("production", "AWS::ApplicationAutoScaling::ScalableTarget", "ScalingTarget")
    policy = eager.properties("production", "AWS::ApplicationAutoScaling::ScalingPolicy", "ScalingPolicy")

    target.pop("Tags", None)
    assert target == {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": "endpoint/<Endpoint.EndpointName>/variant/AllTraffic",
        "MinCapacity": 2,
        "MaxCapacity": 5,
    }
    assert policy == {
        "PolicyName": "flight-delays-production-invocations",
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": "<ScalingTarget>",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 1000,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    }


def test_an_update_keeps_the_instances_that_autoscaling_has_decided_on(eager: Deployment) -> None:
    staging, production = Stack(eager, "staging").endpoint, Stack(eager, "production").endpoint

    assert production["RetainAllVariantProperties"] is True
    assert production["ExcludeRetainedVariantProperties"] == [
        {"VariantPropertyType": "DesiredWeight"},
        {"VariantPropertyType": "DataCaptureConfig"},
    ]
    assert staging["RetainAllVariantProperties"] is False
    assert "ScalingTarget" not in Stack(eager, "staging").resources


def test_calls_are_recorded_in_the_data_bucket_under_the_projects_key(eager: Deployment) -> None:
    assert Stack(eager, "production").config["DataCaptureConfig"] == {
        "EnableCapture": True,
        "InitialSamplingPercentage": 50,
        "DestinationS3Uri": "s3://<DataBucket>/captures/",
        "KmsKeyId": "<Key.Arn>",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    }
    assert "DataCaptureConfig" not in Stack(eager, "staging").config


# --- Without instances


def test_a_serverless_endpoint_has_one_variant_with_what_the_settings_give_it(serverless: Deployment) -> None:
    stack = Stack(serverless, "production")
    config = stack.config

    config.pop("Tags")
    assert config == {
        "KmsKeyId": "<Key.Arn>",
        "ProductionVariants": [
            {
                "VariantName": "AllTraffic",
                "ModelName": "<flightdelaysproductionmodel.ModelName>",
                "InitialVariantWeight": 100,
                "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
            }
        ],
    }
    assert "flightdelaysproductionchallengermodel" not in stack.resources
    assert serverless.production["Parameters"]["Strategy"]["AllowedValues"] == ["all_at_once", "immediate"]
    assert "Conditions" not in serverless.production


@pytest.mark.parametrize("strategy", ["all_at_once", "immediate"])
def test_sagemaker_guards_no_deployment_of_a_serverless_endpoint(serverless: Deployment, strategy: str) -> None:
    assert "DeploymentConfig" not in Stack(serverless, "production", strategy=strategy).endpoint


def test_a_serverless_endpoint_takes_no_challenger(serverless: Deployment) -> None:
    beside = Stack(serverless, "production", challenger=VERSION.format(2)).refusals

    assert beside == ["all_at_once, canary, linear, immediate take no ChallengerModelPackageArn"]


def test_only_a_serverless_model_is_not_isolated(serverless: Deployment) -> None:
    isolated = {
        environment: serverless.properties(environment, "AWS::SageMaker::Model", f"flightdelays{environment}model")[
            "EnableNetworkIsolation"
        ]
        for environment in ENVIRONMENTS
    }

    assert isolated == {"staging": True, "production": False}


def test_alarms_of_a_serverless_endpoint_look_at_whatever_serves(serverless: Deployment) -> None:
    for alarm in serverless.resources("production", ALARM).values():
        assert {dimension["Name"] for dimension in alarm["Properties"]["Dimensions"]} == {"EndpointName", "VariantName"}


def test_the_dashboard_of_a_serverless_endpoint_shows_what_sagemaker_publishes_of_one(serverless: Deployment) -> None:
    dashboard = serverless.properties("production", "AWS::CloudWatch::Dashboard", "Dashboard")
    _, *graphs = json.loads(dashboard["DashboardBody"])["widgets"]

    assert metrics_on(graphs) == {
        "Invocations",
        "Invocation4XXErrors",
        "Invocation5XXErrors",
        "ModelLatency",
        "OverheadLatency",
        "ModelSetupTime",
        "ServerlessConcurrentExecutionsUtilization",
        "MemoryUtilization",
    }
