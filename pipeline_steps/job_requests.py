"""What all requests for SageMaker jobs have in common."""

from typing import Any

from pipeline_steps.errors import UsageError
from pipeline_steps.inputs import JobInputs, StepInputs
from settings import Processing, Settings, has_local_storage


def job_tags(settings: Settings, inputs: StepInputs) -> list[dict[str, str]]:
    """The team's own tags, and those by which the execution's jobs are found."""
    tags = {**settings.tags, "slipway:execution": inputs.execution_id, "slipway:commit": inputs.commit_id}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def volume_key(instance_type: str, key_arn: str) -> dict[str, str]:
    """The volume's key as part of a request, or nothing for an instance type that does not take one."""
    return {} if has_local_storage(instance_type) else {"VolumeKmsKeyId": key_arn}


def vpc_config(settings: Settings, inputs: JobInputs) -> dict[str, Any]:
    """The VpcConfig as part of a request, or nothing for jobs that live in no VPC of ours.

    Raises:
        UsageError: the commit's settings and the deployed pipeline differ in whether there is a VPC.
    """
    deployed = "vpc" if inputs.subnet_ids and inputs.security_group_ids else "isolated"
    if settings.network.mode != deployed:
        raise UsageError(
            f"network.mode of slipway.yaml is {settings.network.mode}, but the pipeline was deployed with {deployed}: "
            "deploy it with this slipway.yaml first (slipway up)"
        )
    if deployed == "isolated":
        return {}
    subnets, groups = inputs.subnet_ids.split(","), inputs.security_group_ids.split(",")
    return {"VpcConfig": {"Subnets": subnets, "SecurityGroupIds": groups}}


def processing_network(settings: Settings, inputs: JobInputs) -> dict[str, Any]:
    """The NetworkConfig of a processing job: its container can call nobody."""
    return {"EnableNetworkIsolation": True, **vpc_config(settings, inputs)}


def processing_cluster(processing: Processing, key_arn: str) -> dict[str, Any]:
    """The ProcessingResources of a processing job: the model's container uses one instance."""
    cluster = {
        "InstanceCount": 1,
        "InstanceType": processing.instance_type,
        "VolumeSizeInGB": processing.volume_gib,
        **volume_key(processing.instance_type, key_arn),
    }
    return {"ClusterConfig": cluster}


def processing_input(name: str, uri: str, directory: str) -> dict[str, Any]:
    """One input of a processing job: everything under an S3 prefix (or the one object) in a directory."""
    s3_input = {
        "S3Uri": uri,
        "LocalPath": f"/opt/ml/processing/input/{directory}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    return {"InputName": name, "S3Input": s3_input}


def processing_output(name: str, uri: str) -> dict[str, Any]:
    """One output of a processing job: the directory of its name, copied to S3 when the job ends."""
    s3_output = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/output/{name}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "S3Output": s3_output}
