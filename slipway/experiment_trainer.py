"""Starts a training job through the ModelTrainer of the SageMaker SDK; a program of its own, run by the SDK's Python.

in   standard input   {"base_job_name": ..., "request": what CreateTrainingJob takes, without the job's name}
out  standard output  {"job_name": ...}, or {"refusal": ...} when AWS refused the job (exit code 1)

Nothing of ours is imported: the SDK has an environment to itself. It speaks to the AWS of the usual variables.
"""

import contextlib
import json
import re
import sys
from collections.abc import Mapping
from typing import IO, Any

# Given to the session, they replace the defaults that the SDK would read from files of the person and of the machine.
SDK_DEFAULTS = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def model_trainer(request: Mapping[str, Any], base_job_name: str) -> Any:
    """The ModelTrainer that asks for the same training job.

    Args:
        request: a CreateTrainingJob request without TrainingJobName and Environment, for an image of one's own.
        base_job_name: ModelTrainer adds the time.

    Raises:
        ValueError: the request has a part that is not known here, and so would get lost.
    """
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.shapes import Channel, MetricDefinition, OutputDataConfig, StoppingCondition, Tag
    from sagemaker.core.training.configs import Compute, Networking
    from sagemaker.train.model_trainer import ModelTrainer

    rest = dict(request)
    algorithm = dict(rest.pop("AlgorithmSpecification"))
    metrics = [MetricDefinition(**_arguments(metric)) for metric in algorithm.pop("MetricDefinitions")]
    network = {**rest.pop("VpcConfig", {}), **_taken(rest, "EnableNetworkIsolation"),
               **_taken(rest, "EnableInterContainerTrafficEncryption")}  # fmt: skip
    trainer = ModelTrainer(
        sagemaker_session=Session(sagemaker_config=SDK_DEFAULTS),
        base_job_name=base_job_name,
        training_image=algorithm.pop("TrainingImage"),
        training_input_mode=algorithm.pop("TrainingInputMode"),
        role=rest.pop("RoleArn"),
        hyperparameters=rest.pop("HyperParameters"),
        input_data_config=[Channel(**_arguments(channel)) for channel in rest.pop("InputDataConfig")],
        output_data_config=OutputDataConfig(**_arguments(rest.pop("OutputDataConfig"))),
        compute=Compute(**_arguments(rest.pop("ResourceConfig"))),
        networking=Networking(**_arguments(network)),
        stopping_condition=StoppingCondition(**_arguments(rest.pop("StoppingCondition"))),
        tags=[Tag(**_arguments(tag)) for tag in rest.pop("Tags")],
    ).with_metric_definitions(metrics)
    if rest or algorithm:
        raise ValueError(f"the training request has parts that are not handed on: {', '.join([*rest, *algorithm])}")
    return trainer


def main(asked: IO[str], answers: IO[str]) -> int:
    """Start one job; returns the exit code."""
    task = json.load(asked)
    with contextlib.redirect_stdout(sys.stderr):  # the SDK writes there what it does
        from botocore.exceptions import ClientError

        trainer = model_trainer(task["request"], task["base_job_name"])
        try:
            trainer.train(wait=False, logs=False)
        except ClientError as error:
            json.dump({"refusal": str(error)}, answers)
            return 1
    json.dump({"job_name": trainer._latest_training_job.training_job_name}, answers)
    return 0


def _taken(rest: dict[str, Any], key: str) -> dict[str, Any]:
    return {key: rest.pop(key)} if key in rest else {}


def _arguments(part: Any) -> Any:
    """A part of a request as the SDK's classes take it: members named in snake case; they refuse those unknown."""
    if isinstance(part, Mapping):
        return {_WORDS.sub("_", key).lower(): _arguments(value) for key, value in part.items()}
    return [_arguments(item) for item in part] if isinstance(part, list) else part


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
