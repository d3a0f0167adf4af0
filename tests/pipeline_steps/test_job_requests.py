"""What requests for jobs have in common follows SageMaker's rules."""

import pytest

from pipeline_steps.inputs import StepInputs
from pipeline_steps.job_requests import job_tags, volume_key
from settings import Settings
from tests.pipeline_steps.doubles import COMMIT_ID, EXECUTION_ID, KEY_ARN


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
