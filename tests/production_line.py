"""Production's stack on a deployed delivery line, with tiny models that do what they are told.

The template, the roles, the key and the registry are the project's own; only the container is a toy, so that a model
can be slow, fail or die.
"""

import base64
import configparser
import io
import json
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from local_cloud.images import command_directory
from pipeline_steps.documents import Document, Samples, Scores
from settings import Settings, load
from slipway.local_server import LocalServer
from tests.delivery_line import DeliveryLine
from tests.eventually import eventually

AnyDocument = TypeVar("AnyDocument", bound=Document)

NAME = "flight-delays"
STACK = ENDPOINT = f"{NAME}-production"

DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
WORKDIR /opt/program
COPY toy toy
ENTRYPOINT ["python", "-m", "toy"]
"""

PROGRAM = """\
import http.server, json, os, pathlib, sys, time
how = json.loads((pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "model/how.json").read_text())

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_GET(self):
        self.answer(200, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        time.sleep(how["seconds"])
        if self.headers["content-type"] == "application/json":
            predictions = [how["answer"] for _ in json.loads(body)["instances"]]
            self.answer(how["status"], json.dumps({"predictions": predictions}).encode(), "application/json")
        else:
            self.answer(how["status"], str(how["answer"]).encode())
    def answer(self, status, body, kind="text/csv"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

if how["dies"]:
    sys.exit("this model cannot start")
Server((os.environ["SLIPWAY_BIND_ADDRESS"], int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


INSTANCES = 4
"""Of production, so that a canary of a quarter is one of them."""


def with_instances(line: DeliveryLine) -> None:
    """Give production INSTANCES instances."""
    one, more = (f"instance_count: {count}, max_instance_count: {count}" for count in (1, INSTANCES))
    line.edit("slipway.yaml", f"production: {{{one}}}", f"production: {{{more}}}")
    line.edit("slipway.yaml", "step_percent: 10 ", f"step_percent: {100 // INSTANCES} ")


@contextmanager
def deployed_production(
    folder: Path, edit: Callable[[DeliveryLine], None] = with_instances
) -> Iterator["ProductionLine"]:
    """A line of its own in an empty folder, after an edit of its files."""
    for name in ("line", "production"):
        (folder / name).mkdir()
    line = DeliveryLine.make(folder / "line")
    edit(line)
    line.commit("Another production")
    line.slipway("up", "--port", str(line.port))
    try:
        yield ProductionLine(line, folder / "production")
    finally:
        line.slipway("down", check=False)


@dataclass
class ProductionLine:
    """A line after `slipway up`, of whose production anything may be made.

    Args:
        folder: for what is built.
    """

    line: DeliveryLine
    folder: Path
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client whose connections many threads may use at once."""
        if service not in self._clients:
            record = LocalServer(self.line.folder, self.line.folder / ".slipway" / "local-cloud").require()
            keys = configparser.ConfigParser()
            keys.read(record.credentials_file)
            self._clients[service] = boto3.client(
                service,
                region_name=record.region,
                endpoint_url=record.endpoint_url,
                verify=record.ca_bundle,
                aws_access_key_id=keys["default"]["aws_access_key_id"],
                aws_secret_access_key=keys["default"]["aws_secret_access_key"],
                config=Config(max_pool_connections=64, retries={"total_max_attempts": 1}),
            )
        return self._clients[service]

    def package(self, answer: float, *, status: int = 200, seconds: float = 0.0, dies: bool = False) -> str:
        """Register a model that answers so; the package's ARN."""
        how = {"answer": answer, "status": status, "seconds": seconds, "dies": dies}
        folder = f"models/{uuid.uuid4().hex}"
        container = {"Image": self._image, "ModelDataUrl": self._put(f"{folder}/model.tar.gz", _archive(how))}
        scores = Scores(metrics={}, rows=1).model_dump_json()
        samples = Samples(columns=("x",), records=({"x": 1},), predictions=(answer,)).model_dump_json()
        self._put(f"{folder}/samples.json", samples.encode())
        created = self.client("sagemaker").create_model_package(
            ModelPackageGroupName=NAME,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            },
            ModelApprovalStatus="Approved",
            CustomerMetadataProperties={"evaluation_uri": self._put(f"{folder}/evaluation.json", scores.encode())},
        )
        return str(created["ModelPackageArn"])

    def deploy(self, package: str, **parameters: str) -> str:
        """Deploy a package to production as the pipeline does; the stack's status in the end."""
        self.begin(package, **parameters)
        return self.ended()

    def begin(self, package: str, **parameters: str) -> None:
        """Begin to deploy a package."""
        cloudformation = self.client("cloudformation")
        exists = self.status() is not None
        given = {"ModelPackageArn": package, **parameters}
        (cloudformation.update_stack if exists else cloudformation.create_stack)(
            StackName=STACK,
            TemplateBody=self._template,
            RoleARN=self._role_arn,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )

    def ended(self) -> str:
        """Wait until the stack has come to rest; its status."""
        return eventually(
            lambda: (status := self.status()) is not None and not status.endswith("_IN_PROGRESS") and status, 180
        )

    def status(self) -> str | None:
        """The stack's status; None when there is no stack."""
        cloudformation = self.client("cloudformation")
        try:
            return str(cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])
        except cloudformation.exceptions.ClientError:
            return None

    def served(self) -> list[str]:
        """The packages behind the endpoint's variants, shadows last."""
        sagemaker = self.client("sagemaker")
        endpoint = sagemaker.describe_endpoint(EndpointName=ENDPOINT)
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        variants = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
        models = [sagemaker.describe_model(ModelName=variant["ModelName"]) for variant in variants]
        return [model["PrimaryContainer"]["ModelPackageName"] for model in models]

    def document(self, key: str, kind: type[AnyDocument]) -> AnyDocument:
        """A document in the data bucket."""
        body = self.client("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return kind.parse(body.decode(), key)

    def calls_of(self, variant: str) -> float:
        """How many calls a variant has got in the last minutes, as CloudWatch tells it."""
        now = datetime.now(UTC)
        found = self.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="Invocations",
            Dimensions=[{"Name": "EndpointName", "Value": ENDPOINT}, {"Name": "VariantName", "Value": variant}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])

    def why_the_stack_failed(self) -> str:
        """The reason of the endpoint's last failed change, as the stack tells it."""
        events = self.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        reasons = (
            event["ResourceStatusReason"]
            for event in events
            if event["ResourceType"] == "AWS::SageMaker::Endpoint" and event["ResourceStatus"].endswith("_FAILED")
        )
        return next(reasons)

    @property
    def first_package(self) -> str:
        """The package that was registered first."""
        packages = self.client("sagemaker").list_model_packages(
            ModelPackageGroupName=NAME, SortBy="CreationTime", SortOrder="Ascending"
        )["ModelPackageSummaryList"]
        return str(packages[0]["ModelPackageArn"])

    @property
    def settings(self) -> Settings:
        """As the line is deployed."""
        return load(self.line.folder / "slipway.yaml", "local")

    @cached_property
    def _template(self) -> str:
        out = self.folder / "templates"
        environment = {**self.line.environment(), "SLIPWAY_OVERLAY": "local", "CDK_OUTDIR": str(out)}
        subprocess.run([sys.executable, "app.py"], cwd=self.line.folder, env=environment, check=True)
        (template,) = out.glob("assembly-Production/*.template.json")
        return template.read_text()

    @cached_property
    def _role_arn(self) -> str:
        """As which the pipeline has production deployed."""
        stages = self.client("codepipeline").get_pipeline(name=NAME)["pipeline"]["stages"]
        actions = next(stage["actions"] for stage in stages if stage["name"] == "Production")
        return str(next(action["configuration"]["RoleArn"] for action in actions if action["name"] == "Deploy"))

    @cached_property
    def _image(self) -> str:
        ecr = self.client("ecr")
        repository = ecr.describe_repositories(repositoryNames=[NAME])["repositories"][0]["repositoryUri"]
        context = self.folder / "image"
        (context / "toy").mkdir(parents=True)
        (context / "toy" / "__main__.py").write_text(PROGRAM)
        (context / "Dockerfile").write_text(DOCKERFILE)
        uri = f"{repository}:toy"
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        base = f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim"
        self._docker("login", "--username", user, "--password-stdin", repository.partition("/")[0], typed=password)
        self._docker("build", "--build-arg", f"BASE_IMAGE={base}", "--tag", uri, str(context))
        self._docker("push", uri)
        return uri

    def _docker(self, *arguments: str, typed: str | None = None) -> None:
        docker = command_directory(SimpleNamespace(state_dir=self.line.folder / ".slipway" / "local-cloud")) / "docker"
        environment = {**self.line.aws_environment(), "HOME": str(self.folder)}
        done = subprocess.run([docker, *arguments], env=environment, input=typed, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def _put(self, key: str, body: bytes) -> str:
        self.client("s3").put_object(Bucket=self._bucket, Key=key, Body=body)
        return f"s3://{self._bucket}/{key}"

    @cached_property
    def _bucket(self) -> str:
        outputs = self.client("cloudformation").describe_stacks(StackName=f"{NAME}-foundation")["Stacks"][0]["Outputs"]
        return str(next(one["OutputValue"] for one in outputs if one["OutputKey"] == "DataBucketName"))


def _archive(how: dict[str, Any]) -> bytes:
    """A model.tar.gz that tells the program what to do."""
    archive, content = io.BytesIO(), json.dumps(how).encode()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("how.json")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()
