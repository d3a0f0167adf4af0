"""What the SageMaker tests need in a local cloud: a role, a bucket, and a tiny image that does what it is told."""

import base64
import io
import json
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventually import pause
from local_cloud_server import CloudServer

from local_cloud.images import command_directory

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
# What an execution role needs ("CreateTrainingJob API: Execution Role Permissions" in SageMaker's developer guide).
PERMISSIONS = {
    "s3:GetObject": "arn:aws:s3:::sagemaker-tests/*",
    "s3:PutObject": "arn:aws:s3:::sagemaker-tests/*",
    "s3:ListBucket": "arn:aws:s3:::sagemaker-tests",
    "logs:CreateLogGroup": "*",
    "logs:CreateLogStream": "*",
    "logs:PutLogEvents": "*",
    "ecr:GetAuthorizationToken": "*",
    "ecr:BatchGetImage": "*",
    "ecr:BatchCheckLayerAvailability": "*",
    "ecr:GetDownloadUrlForLayer": "*",
    "cloudwatch:DescribeAlarms": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:*",
}
REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
LABELS
WORKDIR /opt/program
COPY toy toy
ENTRYPOINT ["python", "-m", "toy"]
CMD ["process"]
"""

PROGRAM = """\
import http.server, json, os, pathlib, signal, sys, time
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])

def told():
    return json.loads((base / "input/config/hyperparameters.json").read_text())

def train():
    how = told()
    def save_and_end(*_):
        (base / "model/stopped.txt").write_text("saved in time")
        sys.exit(0)
    if "mortal" not in how:
        signal.signal(signal.SIGTERM, save_and_end)
    facts = {
        "hyperparameters": how,
        "inputdataconfig": json.loads((base / "input/config/inputdataconfig.json").read_text()),
        "resourceconfig": json.loads((base / "input/config/resourceconfig.json").read_text()),
        "files": {str(f.relative_to(base)): f.read_text() for f in base.glob("input/data/**/*") if f.is_file()},
        "environment": dict(os.environ), "arguments": sys.argv[1:],
    }
    (base / "model/facts.json").write_text(json.dumps(facts))
    (base / "model/prediction.txt").write_text(how.get("prediction", "1"))
    for line in json.loads(how.get("lines", "[]")):
        print(line, flush=True)
    if "data" in how:
        (base / "output/data/report.txt").write_text(how["data"])
    if "failure" in how:
        (base / "output/failure").write_text(how["failure"])
    if "hang" in how:
        print("hanging", flush=True)
        time.sleep(600)
    sys.exit(int(how.get("exit", "0")))

def process():
    config = json.loads((base / "config/processingjobconfig.json").read_text())
    how = config.get("Environment", {})
    source, target = base / "processing/input/in", base / "processing/output/out"
    for file in sorted(source.rglob("*")):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(file.read_text().upper())
    (target / "arguments.json").write_text(json.dumps(sys.argv[1:]))
    (target / "link").symlink_to("/etc/hostname")
    print("processed for", config["ProcessingJobArn"], flush=True)
    if "MESSAGE" in how:
        (base / "output/message").write_text(how["MESSAGE"] * int(how.get("TIMES", "1")))
    if "HANG" in how:
        time.sleep(600)
    sys.exit(int(how.get("EXIT", "0")))

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_GET(self):
        self.answer(200, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        word = body.decode(errors="replace")
        if word.startswith("crash"):
            (base / "model/pause.txt").write_text(word.partition(" ")[2] or "0")
            os._exit(7)
        if word.startswith("sleep"):
            time.sleep(float(word.split()[1]))
        how = (base / "model/prediction.txt").read_text()
        if how.startswith("slow"):
            time.sleep(float(how.split()[1]))
        if how == "die":
            os._exit(7)
        if how.startswith("bad"):
            self.answer(int(how.split()[1]), b"a bad model")
            return
        if word.startswith("status"):
            self.answer(int(word.split()[1]), b'{"error": "' + word.encode() + b'"}')
            return
        self.answer(200, json.dumps({
            "prediction": (base / "model/prediction.txt").read_text(), "pid": os.getpid(), "size": len(body),
            "headers": {k.lower(): v for k, v in self.headers.items()}, "environment": dict(os.environ),
        }).encode(), {"x-amzn-sagemaker-custom-attributes": self.headers.get("x-amzn-sagemaker-custom-attributes", "")})
    def answer(self, status, body, more={}):
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

def serve():
    how = (base / "model/prediction.txt").read_text()
    if (base / "model/pause.txt").exists():
        time.sleep(float((base / "model/pause.txt").read_text()))
    print("serving", how, flush=True)
    if how == "exit":
        sys.exit("the model is broken")
    if how == "hang":
        time.sleep(600)
    address = os.environ["SLIPWAY_BIND_ADDRESS"], int(os.environ["SAGEMAKER_BIND_TO_PORT"])
    Server(address, Handler).serve_forever()

{"train": train, "serve": serve}.get(sys.argv[1], process)()
"""


@dataclass
class _Builder:
    """Stands for the cloud as far as building images needs it."""

    state_dir: Path


@dataclass
class SageMakerCloud:
    """A local cloud with what a job or an endpoint needs; names made by it are used once."""

    server: CloudServer
    folder: Path
    bucket: str = "sagemaker-tests"
    role_name: str = "sagemaker-tests"
    image: str = f"{REGISTRY}/sagemaker-tests:1"
    clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, server: CloudServer, folder: Path) -> "SageMakerCloud":
        cloud = cls(server, folder)
        cloud.client("s3").create_bucket(Bucket=cloud.bucket)
        cloud.make_role(cloud.role_name)
        cloud.client("ecr").create_repository(repositoryName="sagemaker-tests")
        cloud.push_image(cloud.image, f"LABEL {LABEL}=true")
        return cloud

    def make_role(self, name: str, *, without: str = "", permissions: Mapping[str, str] = PERMISSIONS) -> str:
        """A role for SageMaker.

        Args:
            name: of the role.
            without: an action that it is not allowed.
            permissions: what it is allowed otherwise, action to resource.
        """
        created = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        self.put_permissions(name, without=without, permissions=permissions)
        return str(created["Role"]["Arn"])

    def put_permissions(
        self, role_name: str, *, without: str = "", permissions: Mapping[str, str] = PERMISSIONS
    ) -> None:
        """What a role is allowed, from now on."""
        statements = [
            {"Effect": "Allow", "Action": action, "Resource": resource}
            for action, resource in permissions.items()
            if action != without
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.client("iam").put_role_policy(RoleName=role_name, PolicyName="Permissions", PolicyDocument=policy)

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{self.server.account_id}:role/{self.role_name}"

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self.server.client(service)
        return self.clients[service]

    @property
    def api(self) -> Any:
        return self.client("sagemaker")

    def push_image(self, uri: str, labels: str) -> None:
        context = self.folder / uuid.uuid4().hex
        (context / "toy").mkdir(parents=True)
        (context / "toy" / "__main__.py").write_text(PROGRAM)
        (context / "Dockerfile").write_text(DOCKERFILE.replace("LABELS", labels))
        docker = str(command_directory(_Builder(self.server.state_dir)) / "docker")  # type: ignore[arg-type]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **self.server.environment()}
        base = f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim"
        token = self.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        for arguments in (
            ["login", "--username", user, "--password-stdin", REGISTRY],
            ["build", "--build-arg", f"BASE_IMAGE={base}", "--tag", uri, str(context)],
            ["push", uri],
        ):
            done = subprocess.run([docker, *arguments], env=environment, input=password, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr

    def name(self, start: str = "test") -> str:
        return f"{start}-{uuid.uuid4().hex[:8]}"

    def put(self, key: str, body: bytes | str) -> str:
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def get(self, uri: str) -> bytes:
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        body: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        answer = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for item in answer.get("Contents", [])]

    def put_model(self, **files: str) -> str:
        """A model.tar.gz with these files; `prediction` says what the image's server does."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            for name, text in files.items():
                member = tarfile.TarInfo(f"{name}.txt")
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return self.put(f"models/{uuid.uuid4().hex}/model.tar.gz", archive.getvalue())

    def training_request(self, name: str, hyperparameters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        return {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": self.image, "TrainingInputMode": "File"},
            "HyperParameters": hyperparameters or {},
            "RoleArn": self.role_arn,
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        } | more

    def train(self, hyperparameters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Run a training job to its end, and describe it."""
        name = self.name("train")
        self.api.create_training_job(**self.training_request(name, hyperparameters, **more))
        return self.job_ended(name)

    def job_ended(self, name: str, seconds: float = 30.0) -> dict[str, Any]:
        return self._ended("TrainingJob", name, seconds)

    def processing_ended(self, name: str, seconds: float = 30.0) -> dict[str, Any]:
        return self._ended("ProcessingJob", name, seconds)

    def _ended(self, kind: str, name: str, seconds: float) -> dict[str, Any]:
        describe = {
            "TrainingJob": self.api.describe_training_job,
            "ProcessingJob": self.api.describe_processing_job,
        }[kind]
        begun = time.monotonic()
        while (job := describe(**{f"{kind}Name": name}))[f"{kind}Status"] in ("InProgress", "Stopping"):
            assert time.monotonic() < begun + seconds, job
            pause(begun)
        return dict(job)

    def log_lines(self, group: str, prefix: str) -> list[str]:
        logs = self.client("logs")
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
        ]

    def make_model(
        self, prediction: str = "1", name: str | None = None, role_arn: str | None = None, **container: Any
    ) -> str:
        name = name or self.name("model")
        container = {"Image": self.image, "ModelDataUrl": self.put_model(prediction=prediction)} | container
        role_arn = role_arn or self.role_arn
        self.api.create_model(ModelName=name, ExecutionRoleArn=role_arn, PrimaryContainer=container)
        return name

    def make_config(self, *models: str, **variant: Any) -> str:
        """An endpoint config with a variant for each model, named A, B, …"""
        name = self.name("config")
        variants = [
            {"VariantName": letter, "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
            | variant
            for letter, model in zip("ABC", models, strict=False)
        ]
        self.api.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
        return name

    def make_serverless_config(self, model: str, *, memory: int = 2048, maximum: int = 2) -> str:
        """An endpoint config with the serverless variant A."""
        serverless = {"MemorySizeInMB": memory, "MaxConcurrency": maximum}
        variant = {"VariantName": "A", "ModelName": model, "ServerlessConfig": serverless}
        name = self.name("config")
        self.api.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        return name

    def make_endpoint(self, config: str, seconds: float = 30.0) -> str:
        name = self.name("endpoint")
        self.api.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.endpoint_settled(name, seconds)
        return name

    def endpoint_settled(self, name: str, seconds: float = 30.0) -> dict[str, Any]:
        begun = time.monotonic()
        while (endpoint := self.api.describe_endpoint(EndpointName=name))["EndpointStatus"] not in (
            "InService",
            "Failed",
        ):
            assert time.monotonic() < begun + seconds, endpoint
            pause(begun)
        return dict(endpoint)

    def invoke(self, endpoint: str, body: str | bytes = "hello", **more: Any) -> dict[str, Any]:
        answer = self.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=body, **more)
        return json.loads(answer["Body"].read()) | {"variant": answer.get("InvokedProductionVariant")}


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
