"""What the fidelity tests have in common: the added services as registered, and requests that boto3 would not send."""

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import conformity
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from local_cloud_server import CloudServer

from local_cloud import server
from local_cloud.cloud import Cloud
from local_cloud.wire import JsonService

VALIDATION_CODES = {"codebuild": "InvalidInputException"}
HARMLESS = {
    "codecommit": "list_repositories", "codebuild": "list_projects", "codepipeline": "list_pipelines",
    "sagemaker": "list_models",
}  # fmt: skip


@dataclass
class Registered:
    """What the added services plug into the platform, kept instead of served."""

    services: dict[str, JsonService] = field(default_factory=dict)
    resources: list[str] = field(default_factory=list)
    routes: list[str] = field(default_factory=list)
    event_targets: list[str] = field(default_factory=list)
    access: None = None

    def add_service(self, service: JsonService) -> None:
        self.services[service.name] = service

    add_operations = add_service

    def add_resource(self, type_name: str, handler: object) -> None:
        self.resources.append(type_name)

    def add_route(self, prefix: str, *details: object) -> None:
        self.routes.append(prefix)

    add_signed_route = add_route

    def add_event_target(self, service_name: str, *details: object) -> None:
        self.event_targets.append(service_name)


@contextlib.contextmanager
def registered(state_dir: Path) -> Iterator[Registered]:
    """The added services in this process, on a state of their own; there is no server for them to call."""
    found = Registered()
    cloud = Cloud(
        endpoint_url="https://127.0.0.1:9", ca_bundle=state_dir / "ca.pem", account_id=server.ACCOUNT_ID,
        region=server.REGION, state_dir=state_dir, platform=found,  # type: ignore[arg-type]
    )  # fmt: skip
    try:
        for name in server.SERVICES:
            importlib.import_module(f"local_cloud.{name}").register(cloud.of_service(name), found)
        yield found
    finally:
        cloud.processes.close(0)


def listed_codes(operation: OperationModel) -> set[str]:
    """The codes of the errors that an operation's model names."""
    return {shape.name for shape in operation.error_shapes}


@dataclass(frozen=True)
class Answer:
    """An answer as it came over the wire."""

    status: int
    document: dict[str, Any]

    @property
    def code(self) -> str:
        """The error's code; empty for a success."""
        return str(self.document.get("__type", ""))

    @property
    def message(self) -> str:
        return str(self.document.get("message", ""))


class RawService:
    """A service's API below boto3, which signs and sends any body to any target."""

    def __init__(self, cloud_server: CloudServer, name: str) -> None:
        client = cloud_server.client(name)
        conformity.unwatch(client)  # it would hold the answers to the operation that boto3 asks for
        self.name = name
        self.model = client.meta.service_model
        self.prefix = f"{self.model.metadata['targetPrefix']}."
        self._ask = getattr(client, HARMLESS[name])
        self._target, self._body = "", b""
        self._answer: Answer | None = None
        client.meta.events.register("before-call", self._replace)
        client.meta.events.register_first("before-parse", self._keep)

    def call(self, operation: str, request: object) -> Answer:
        """Ask for an operation; bytes are sent as they are."""
        return self.send(self.prefix + operation, request)

    def send(self, target: str | None, request: object) -> Answer:
        """The same for any X-Amz-Target; None leaves it out."""
        self._target, self._answer = target, None
        self._body = request if isinstance(request, bytes) else json.dumps(request).encode()
        with contextlib.suppress(ClientError):
            self._ask()
        assert self._answer is not None
        return self._answer

    def _replace(self, params: dict[str, Any], **_: Any) -> None:
        del params["headers"]["X-Amz-Target"]
        if self._target is not None:
            params["headers"]["X-Amz-Target"] = self._target
        params["body"] = self._body

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        self._answer = Answer(response_dict["status_code"], json.loads(response_dict["body"] or b"{}"))


def succeeded(client: Any) -> set[str]:
    """The names of the operations that a boto3 client's calls succeed in, from now on."""
    names: set[str] = set()

    def note(model: OperationModel, http_response: Any, **_: Any) -> None:
        if http_response.status_code == 200:
            names.add(model.name)

    client.meta.events.register("after-call", note)
    return names


def pages(
    operation: Callable[..., Any], member: str, request: Mapping[str, Any],
    names: tuple[str, str] = ("maxResults", "nextToken"),
) -> list[Any]:  # fmt: skip
    """All items of a list, fetched one by one; none twice."""
    size, token = names
    items: list[Any] = []
    answer = operation(**request, **{size: 1})
    while True:
        assert len(answer[member]) <= 1
        items += answer[member]
        if not answer.get(token):
            break
        answer = operation(**request, **{size: 1, token: answer[token]})
    assert all(item not in items[:number] for number, item in enumerate(items))
    return items
