"""The only module that touches ministack, whose internals move: every hook that the local cloud hangs on is here.

tests/local_cloud/test_ministack.py has a contract test for each of them. ministack is imported inside functions: it
reads its settings from the environment when it is first imported, which `configure` fills.
"""

import asyncio
import contextvars
import importlib
import json
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Protocol

from local_cloud.wire import JsonService, ServiceError

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
StartTarget = Callable[[str, dict[str, Any]], None]

_SETTLED = {
    "CREATE_IN_PROGRESS": "ROLLBACK_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
}
_READING = ("Describe", "Get", "List", "BatchGet", "Head", "Filter")


class ResourceHandler(Protocol):
    """How CloudFormation makes, changes and deletes a resource of one type; all of it may block.

    A ServiceError becomes the reason of the stack event.
    """

    replace_on: frozenset[str]
    """Names of the properties whose change replaces the resource."""

    def create(self, logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        """Returns the physical id (what Ref gives) and the attributes (what Fn::GetAtt gives)."""

    def update(self, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """Returns the attributes."""

    def delete(self, physical_id: str, properties: dict[str, Any]) -> None:
        """An absent resource is no error."""


def configure(*, port: int, account_id: str, region: str, state_dir: Path, log_level: str) -> None:
    """Set ministack up; call before anything else here, once in a process."""
    os.environ |= {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": account_id,
        "MINISTACK_REGION": region,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_dir / "ministack"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state_dir / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": log_level,
        # ministack removes containers that it takes for its own from the Docker daemon it finds: let it find none.
        "DOCKER_HOST": f"unix://{state_dir / 'no-docker.sock'}",
    }


class Platform:
    """What the added services plug into."""

    def __init__(self) -> None:
        self._app: Any = importlib.import_module("ministack.app")
        self._router: Any = importlib.import_module("ministack.core.router")
        self._provisioners: Any = importlib.import_module("ministack.services.cloudformation.provisioners")
        self._stacks: Any = importlib.import_module("ministack.services.cloudformation.stacks")
        self._eventbridge: Any = importlib.import_module("ministack.services.eventbridge")
        self._persistence: Any = importlib.import_module("ministack.core.persistence")
        self._routes: list[tuple[str, AsgiApp]] = []
        self._event_targets: dict[str, StartTarget] = {}
        self._added_types: set[str] = set()
        self._changed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run_added_types_on_threads()
        self._refuse_absent_images()
        self._deliver_to_added_targets()

    def add_service(self, service: JsonService) -> None:
        """Serve an AWS service; one of ministack's own with that name is replaced."""

        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> tuple[int, dict[str, str], bytes]:
            return await service.handle(headers, body)

        self._app.SERVICE_HANDLERS[service.name] = handle
        self._router.SERVICE_PATTERNS[service.name] = {
            "target_prefixes": [service.target_prefix + "."],
            "host_patterns": [],
            "credential_scope": service.name,
        }

    def add_resource(self, type_name: str, handler: ResourceHandler) -> None:
        """Let CloudFormation provision a resource type; one of ministack's own is replaced."""

        def guarded(work: Callable[[], Any]) -> Any:
            try:
                return work()
            except ServiceError as error:
                service = type_name.split("::")[1]
                raise ValueError(f"{error.message} (Service: {service}, Code: {error.code})") from error

        def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
            return guarded(lambda: handler.create(logical_id, properties, stack_name))

        def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> Any:
            return physical_id, guarded(lambda: handler.update(physical_id, old, new))

        def delete(physical_id: str, properties: dict[str, Any]) -> None:
            guarded(lambda: handler.delete(physical_id, properties))

        self._added_types.add(type_name)
        self._provisioners._RESOURCE_HANDLERS[type_name] = {"create": create, "update": update, "delete": delete}
        self._provisioners._REPLACING_PROPERTIES[type_name] = tuple(handler.replace_on)

    def add_route(self, prefix: str, app: AsgiApp) -> None:
        """Serve the paths below a prefix by an ASGI application of its own."""
        self._routes.append((prefix, app))

    def add_event_target(self, service_name: str, start: StartTarget) -> None:
        """Deliver events to rule targets of that service (the third part of the target's ARN).

        `start(target_arn, event)` is called on a thread of its own.
        """
        self._event_targets[service_name] = start

    def publish(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        """Put an event of an AWS service on the default event bus; may be called from any thread."""
        event = {
            "EventId": str(uuid.uuid4()), "Source": source, "DetailType": detail_type, "Detail": json.dumps(detail),
            "EventBusName": "default", "Time": int(time.time()), "Resources": resources,
            "Account": os.environ["MINISTACK_ACCOUNT_ID"], "Region": os.environ["MINISTACK_REGION"],
        }  # fmt: skip
        if self._loop is None:
            raise RuntimeError("the server does not run: an event cannot be delivered")
        self._loop.call_soon_threadsafe(contextvars.copy_context().run, self._eventbridge._dispatch_event, event)

    def settle_interrupted_stacks(self) -> None:
        """End the stack operations that were under way when the last server was killed: nobody goes on with them.

        A stack that was being created is left for deletion (as cdk and REPLACE_ON_FAILURE do with ROLLBACK_FAILED), one
        that was being updated can be updated again.
        """
        cloudformation: Any = importlib.import_module("ministack.services.cloudformation")
        for stack in cloudformation._stacks.values():
            settled = _SETTLED.get(stack["StackStatus"])
            if settled is not None:
                reason = f"The local cloud was stopped while the stack was {stack['StackStatus']}."
                stack["StackStatus"], stack["StackStatusReason"] = settled, reason
                names = (stack["StackId"], stack["StackName"], stack["StackName"])
                self._stacks._add_event(*names, "AWS::CloudFormation::Stack", settled, reason, stack["StackId"])

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application: the added routes, then ministack."""
        self._loop = asyncio.get_running_loop()
        if scope["type"] == "http":
            for prefix, route in self._routes:
                if scope["path"].startswith(prefix):
                    await route(scope, receive, send)
                    return
            self._note_change(scope)
        await self._app.app(scope, receive, send)

    async def save_changes(self, interval_seconds: float) -> None:
        """Write ministack's state to disk whenever it has changed, until cancelled.

        ministack itself writes at an orderly end only; with this, a killed server loses `interval_seconds` at most.
        """
        while True:
            await asyncio.sleep(interval_seconds)
            if self._changed:
                self._changed = False
                self._persistence.save_all(self._app._build_persistence_save_dict())

    def _note_change(self, scope: Scope) -> None:
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        target = next((value.decode() for name, value in scope["headers"] if name == b"x-amz-target"), "")
        if not target.rpartition(".")[2].startswith(_READING):
            self._changed = True

    def _run_added_types_on_threads(self) -> None:
        """Our handlers block (an endpoint takes its time), so they must not run on the event loop."""
        original = self._stacks._runs_on_worker_thread
        self._stacks._runs_on_worker_thread = lambda kind: kind in self._added_types or original(kind)

    def _refuse_absent_images(self) -> None:
        """ECR's DescribeImages refuses an image that it does not have; ministack leaves it out."""
        ecr: Any = importlib.import_module("ministack.services.ecr")
        responses: Any = importlib.import_module("ministack.core.responses")
        original = ecr._describe_images

        def describe(request: dict[str, Any]) -> Any:
            repository = request.get("repositoryName", "")
            for image in request.get("imageIds") or [] if repository in ecr._repositories else []:
                if ecr._find_image(repository, image) is None:
                    wanted = ", ".join(f"{key}:'{image.get(key, 'null')}'" for key in ("imageDigest", "imageTag"))
                    message = (
                        f"The image with imageId {{{wanted}}} does not exist within the repository with name"
                        f" '{repository}' in the registry with id '{os.environ['MINISTACK_ACCOUNT_ID']}'"
                    )
                    return responses.error_response_json("ImageNotFoundException", message, 400)
            return original(request)

        ecr._describe_images = describe

    def _deliver_to_added_targets(self) -> None:
        original = self._eventbridge._invoke_target

        def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
            arn = target.get("Arn", "")
            start = self._event_targets.get(arn.split(":")[2] if arn.count(":") >= 5 else "")
            if start is None:
                original(target, event, rule, view)
                return
            envelope = (view or self._eventbridge._pattern_event_view(event)).event_with_detail()
            assert self._loop is not None
            self._loop.run_in_executor(None, _logged, start, arn, envelope)

        self._eventbridge._invoke_target = invoke


def _logged(start: StartTarget, arn: str, event: dict[str, Any]) -> None:
    try:
        start(arn, event)
    except Exception:
        logger.exception("an event could not be delivered to %s", arn)
