"""What requests for jobs have in common follows SageMaker's rules."""

import pytest

from pipeline_steps.errors import UsageError
from pipeline_steps.inputs import JobInputs, StepInputs
from pipeline_steps.job_requests import job_tags, processing_network, volume_key, vpc_config
from settings import Network, Settings
from tests.pipeline_steps.doubles import BUCKET, COMMIT_ID, EXECUTION_ID, KEY_ARN, VPC_CONFIG, VPC_INPUTS


@pytest.mark.parametrize(
    "kind", ["m5.large", "c5.xlarge", "m6i.large", "c7i-flex.large", "t3.medium", "p3.2xlarge", "r5.large"]
)
def test_a_volume_on_ebs_is_encrypted_with_the_projects_key(kind: str) -> None:
    assert volume_key(f"ml.{kind}", KEY_ARN) == {"VolumeKmsKeyId": KEY_ARN}


@pytest.mark.parametrize(
    "kind",
    [
        "r5d.large",
        "g4dn.xlarge",
        "g5.xlarge",
        "g6e.xlarge",
        "p3dn.24xlarge",
        "p4d.24xlarge",
        "p5en.48xlarge",
        "trn1n.32xlarge",
    ],
)
def test_local_storage_takes_no_key(kind: str) -> None:
    assert volume_key(f"ml.{kind}", KEY_ARN) == {}


def test_jobs_carry_the_teams_tags_and_where_they_belong(settings: Settings) -> None:
    assert job_tags(settings, StepInputs(execution_id=EXECUTION_ID, commit_id=COMMIT_ID)) == [
        {"Key": "team", "Value": "delays"},
        {"Key": "slipway:execution", "Value": EXECUTION_ID},
        {"Key": "slipway:commit", "Value": COMMIT_ID},
    ]


def job_inputs(**network: str) -> JobInputs:
    return JobInputs(execution_id=EXECUTION_ID, commit_id=COMMIT_ID, data_bucket=BUCKET, key_arn=KEY_ARN, **network)


def in_a_vpc(settings: Settings) -> Settings:
    return settings.model_copy(update={"network": Network(mode="vpc")})


def test_without_a_vpc_a_processing_job_is_isolated_and_no_more(settings: Settings) -> None:
    assert processing_network(settings, job_inputs()) == {"EnableNetworkIsolation": True}


def test_in_a_vpc_a_processing_job_is_isolated_and_connected_to_its_subnets(settings: Settings) -> None:
    network = processing_network(in_a_vpc(settings), job_inputs(**VPC_INPUTS))

    assert network == {"EnableNetworkIsolation": True, "VpcConfig": VPC_CONFIG}


@pytest.mark.parametrize("missing", [("subnet_ids",), ("security_group_ids",), ("subnet_ids", "security_group_ids")])
def test_a_commit_that_asks_for_a_vpc_is_not_run_outside_of_one(settings: Settings, missing: tuple[str, ...]) -> None:
    deployed = {name: value for name, value in VPC_INPUTS.items() if name not in missing}

    with pytest.raises(UsageError) as raised:
        vpc_config(in_a_vpc(settings), job_inputs(**deployed))

    assert str(raised.value) == (
        "network.mode of slipway.yaml is vpc, but the pipeline was deployed with isolated: "
        "deploy it with this slipway.yaml first (slipway up)"
    )


def test_a_commit_that_asks_for_no_vpc_does_not_leave_the_one_that_is_deployed(settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"network\.mode of slipway\.yaml is isolated, but .* deployed with vpc"):
        vpc_config(settings, job_inputs(**VPC_INPUTS))
