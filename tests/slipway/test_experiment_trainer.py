"""The SageMaker SDK as `make experiments` installs it, against an AWS that writes down what it is asked.

Run by `make test-experiments`.
"""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline_steps.jobs import JobRequest
from pipeline_steps.steps.train_model import Inputs, training_request
from settings import Settings, load
from slipway import experiment_trainer
from slipway.errors import UserError
from slipway.experiment_sdk import ENVIRONMENT, SageMakerSdk, installed_sdk
from slipway.target import Target
from tests.pipeline_steps.doubles import COMMIT_ID, EXECUTION_ID, IMAGE_URI, KEY_ARN, ROLE_ARN, SETTINGS, VPC_INPUTS

ROOT = Path(__file__).parents[2]
TELEMETRY = "CONNECT sm-pysdk-t-us-east-1.s3.us-east-1.amazonaws.com:443"

pytestmark = pytest.mark.experiments


class Recorder(ThreadingHTTPServer):
    """AWS, and the proxy through which the SDK would have to go to reach anybody else.

    Attributes:
        asked: operation and request of every call to AWS.
        proxied: the first line of every request to somebody else.
        refusal: AWS's answer to CreateTrainingJob, when it refuses.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.proxied: list[str] = []
        self.refusal: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.asked if name == operation]


class Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get("X-Amz-Target", "").removeprefix("SageMaker.")
        request = json.loads(body) if operation else {}
        self.server.asked.append((operation, request))
        if operation == "CreateTrainingJob" and self.server.refusal:
            self._answer(400, {"__type": "ResourceLimitExceeded", "message": self.server.refusal})
        else:
            name = request.get("TrainingJobName", "")
            arn = f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}"
            self._answer(200, {"TrainingJobName": name, "TrainingJobArn": arn, "TrainingJobSummaries": []})

    def do_CONNECT(self) -> None:
        self.server.proxied.append(self.requestline.rpartition(" ")[0])
        self._answer(403, {})

    def _answer(self, status: int, document: Mapping[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what was asked is in the recorder."""


@pytest.fixture
def aws() -> Iterator[Recorder]:
    with Recorder() as recorder:
        thread = threading.Thread(target=recorder.serve_forever)
        thread.start()
        yield recorder
        recorder.shutdown()
        thread.join()


@pytest.fixture
def target(aws: Recorder, tmp_path: Path) -> Target:
    """A person with SDK defaults of their own: a variable for every training job, and telemetry on."""
    mine = tmp_path / "sagemaker" / "config.yaml"
    mine.parent.mkdir()
    mine.write_text(
        "SchemaVersion: '1.0'\n"
        "SageMaker: {TrainingJob: {Environment: {MINE: '1'}}, PythonSDK: {Modules: {TelemetryOptOut: false}}}\n"
    )
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": aws.url,
        "HTTPS_PROXY": aws.url, "HTTP_PROXY": aws.url, "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    return Target("aws", "0" * 12, "us-east-1", aws.url, None, None, environment, 0.0, session)


@pytest.fixture
def sdk(tmp_path: Path) -> SageMakerSdk:
    return installed_sdk(ROOT, tmp_path)


def request_of_the_step(tmp_path: Path, change: Callable[[str], str] = str, **network: str) -> JobRequest:
    """What train_model asks SageMaker for."""
    file = tmp_path / "slipway.yaml"
    file.write_text(change(SETTINGS))
    settings: Settings = load(file)
    inputs = Inputs(
        execution_id=EXECUTION_ID, commit_id=COMMIT_ID, data_bucket="data", key_arn=KEY_ARN, image_uri=IMAGE_URI,
        dataset_uri="s3://data/datasets/1/", training_role_arn=ROLE_ARN, **network,
    )  # fmt: skip
    return training_request(settings, inputs)


def on_local_storage(text: str) -> str:
    return text.replace("ml.m5.xlarge", "ml.m5d.xlarge")


def on_two_instances(text: str) -> str:
    return text.replace("  instance_count: 1\n", "  instance_count: 2\n", 1)


def in_a_vpc(text: str) -> str:
    return f"{text}\nnetwork: {{mode: vpc}}\n"


@pytest.mark.parametrize(
    ("change", "network"),
    [(str, {}), (on_local_storage, {}), (on_two_instances, {}), (in_a_vpc, VPC_INPUTS)],
    ids=["as it is", "local storage", "two instances", "in a VPC"],
)
def test_model_trainer_asks_for_what_the_step_asks_for_but_for_the_name(
    aws: Recorder,
    target: Target,
    sdk: SageMakerSdk,
    tmp_path: Path,
    change: Callable[[str], str],
    network: dict[str, str],
) -> None:
    step = request_of_the_step(tmp_path, change, **network)

    name = sdk.start_training(target, step.body, step.name)

    (asked,) = aws.requests("CreateTrainingJob")
    assert asked == {**step.body, "TrainingJobName": name}
    assert name.startswith(f"{step.name}-2")  # the year


def test_a_job_that_aws_refuses_is_told_in_its_words(
    aws: Recorder, target: Target, sdk: SageMakerSdk, tmp_path: Path
) -> None:
    step = request_of_the_step(tmp_path)
    aws.refusal = "the limit for ml.m5.xlarge is 0 Instances"

    with pytest.raises(UserError, match=r"the training job was refused: .*the limit for ml.m5.xlarge is 0 Instances"):
        sdk.start_training(target, step.body, step.name)


_DRIVER = """
import importlib.util, sys, threading
spec = importlib.util.spec_from_file_location("trainer", sys.argv[1])
trainer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(trainer)
if sys.argv[2] == "the person's defaults":
    trainer.SDK_DEFAULTS = None
trainer.main(sys.stdin, sys.stdout)
for thread in threading.enumerate():
    if thread.name == "sagemaker-telemetry":
        thread.join(20)
"""


def drive(target: Target, step: JobRequest, defaults: str) -> None:
    """Run the trainer, and wait for telemetry that it may send."""
    subprocess.run(
        [str(ROOT / ENVIRONMENT / "bin" / "python"), "-I", "-c", _DRIVER, experiment_trainer.__file__, defaults],
        env={**target.environment, "SAGEMAKER_VALIDATE_ROLE": "false"}, text=True, check=True, capture_output=True,
        input=json.dumps({"base_job_name": step.name, "request": step.body}),
    )  # fmt: skip


def test_no_telemetry_is_sent_and_nobodys_defaults_are_read(aws: Recorder, target: Target, tmp_path: Path) -> None:
    drive(target, request_of_the_step(tmp_path), "ours")

    assert aws.proxied == []
    assert "Environment" not in aws.requests("CreateTrainingJob")[0]


def test_this_would_be_noticed(aws: Recorder, target: Target, tmp_path: Path) -> None:
    """The same with the defaults that the SDK finds by itself: the test above looks in the right places."""
    drive(target, request_of_the_step(tmp_path), "the person's defaults")

    assert TELEMETRY in aws.proxied
    assert aws.requests("CreateTrainingJob")[0]["Environment"] == {"MINE": "1"}
