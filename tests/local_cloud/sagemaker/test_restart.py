"""What a killed or stopped local cloud leaves behind, and what its next start makes of it."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from eventually import eventually
from local_cloud_sagemaker import SageMakerCloud, alive
from local_cloud_server import CloudServer

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_endpoints_are_back_and_jobs_are_failed_after_a_restart(
    start_cloud: Callable[[], CloudServer], tmp_path: Path, number: signal.Signals
) -> None:
    before = SageMakerCloud.make(start_cloud(), tmp_path)
    completed = before.train()
    endpoint = before.make_endpoint(before.make_config(before.make_model("one"), InitialInstanceCount=2))
    updated = before.make_endpoint(config := before.make_config(before.make_model("old")))
    serverless = before.make_endpoint(before.make_serverless_config(before.make_model("cold")))
    warm = before.invoke(serverless)["pid"]
    hanging = before.make_config(before.make_model("hang"))
    before.api.update_endpoint(EndpointName=updated, EndpointConfigName=hanging)
    job = before.name()
    before.api.create_training_job(**before.training_request(job, {"hang": "", "mortal": ""}))
    eventually(lambda: "hanging" in _lines(before, LOG_GROUP, job))
    eventually(lambda: "serving hang" in _lines(before, f"/aws/sagemaker/Endpoints/{updated}", "A/"))
    children = _descendants(before.server.process.pid)
    assert len(children) >= 5
    assert warm in children
    eventually(lambda: (tmp_path / "cloud" / "ministack").exists())  # what ministack keeps is written every second

    before.server.stop(number)
    eventually(lambda: not [pid for pid in children if alive(pid)])

    after = SageMakerCloud(start_cloud(), tmp_path)
    assert after.endpoint_settled(endpoint)["EndpointStatus"] == "InService"
    assert len({after.invoke(endpoint)["pid"] for _ in range(4)}) == 2
    described = after.endpoint_settled(updated)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", config)
    assert "The local cloud was stopped during the update" in described["FailureReason"]
    assert after.invoke(updated)["prediction"] == "old"
    assert after.endpoint_settled(serverless)["EndpointStatus"] == "InService"
    assert after.invoke(serverless)["prediction"] == "cold"
    cut_off = after.api.describe_training_job(TrainingJobName=job)
    assert (cut_off["TrainingJobStatus"], cut_off["SecondaryStatus"]) == ("Failed", "Failed")
    assert cut_off["FailureReason"] == "InternalServerError: The local cloud was stopped while the job ran."
    kept = after.api.describe_training_job(TrainingJobName=completed["TrainingJobName"])
    assert kept["SecondaryStatusTransitions"] == completed["SecondaryStatusTransitions"]
    assert not (tmp_path / "cloud" / "sagemaker" / "jobs" / "training" / job).exists()


def test_shadows_capture_and_scaling_go_on_after_a_kill(start_cloud: Callable[[], CloudServer], tmp_path: Path) -> None:
    before = SageMakerCloud.make(start_cloud(), tmp_path)
    variants = [
        {"VariantName": name, "ModelName": before.make_model(name), "InstanceType": "ml.m5.large",
         "InitialInstanceCount": 2}
        for name in ("Champion", "Challenger")
    ]  # fmt: skip
    capture = {
        "InitialSamplingPercentage": 100, "CaptureOptions": [{"CaptureMode": "Output"}],
        "DestinationS3Uri": f"s3://{before.bucket}/captures",
    }  # fmt: skip
    before.api.create_endpoint_config(
        EndpointConfigName="shadowed", ProductionVariants=variants[:1], ShadowProductionVariants=variants[1:],
        DataCaptureConfig=capture,
    )  # fmt: skip
    endpoint = before.make_endpoint("shadowed")
    names = {
        "ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{endpoint}/variant/Champion",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }  # fmt: skip
    scaling = before.client("application-autoscaling")
    scaling.register_scalable_target(**names, MinCapacity=1, MaxCapacity=2)
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    alarm = scaling.put_scaling_policy(
        **names, PolicyName="invocations", PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 30.0, "PredefinedMetricSpecification": metric},
    )["Alarms"][1]["AlarmName"]  # fmt: skip
    eventually(lambda: alarm in (tmp_path / "cloud" / "ministack" / "cloudwatch.json").read_text())

    before.server.stop(signal.SIGKILL)
    after = SageMakerCloud(start_cloud(), tmp_path)
    after.endpoint_settled(endpoint)

    after.invoke(endpoint)
    for name in ("Champion", "Challenger"):
        eventually(lambda name=name: after.keys(f"captures/{endpoint}/{name}/"))

    def scaled_in() -> bool:
        after.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
        described = after.api.describe_endpoint(EndpointName=endpoint)
        return bool(described["ProductionVariants"][0]["CurrentInstanceCount"] == 1)

    eventually(scaled_in, 40)


def _lines(sagemaker: SageMakerCloud, group: str, prefix: str) -> list[str]:
    logs = sagemaker.client("logs")
    try:
        return sagemaker.log_lines(group, prefix)
    except logs.exceptions.ResourceNotFoundException:
        return []


def _descendants(pid: int) -> set[int]:
    """All processes that come from a process, the warden and the containers included."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, wave = set(), {pid}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave}
        found |= wave
    return found
