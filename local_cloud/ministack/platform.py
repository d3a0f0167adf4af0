"""ministack as the platform that the added services plug into."""

import asyncio
import contextvars
import copy
import importlib
import json
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Protocol

from local_cloud import authorization
from local_cloud.authorization import Check
from local_cloud.ministack import corrections, monitoring_resources
from local_cloud.ministack.access import AccessControl
from local_cloud.ministack.alarms import Alarms
from local_cloud.ministack.decisions import DecisionLog
from local_cloud.ministack.saving import ChangedStates
from local_cloud.ministack.stack_roles import StackRoles
from local_cloud.wire import JsonService, ServiceError

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
StartTarget = Callable[[str, dict[str, Any], str], None]

_SETTLED = {
    "CREATE_IN_PROGRESS": "ROLLBACK_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
}
_ADMINISTRATION = (
    "/_ministack/reset", "/_ministack/config", "/_ministack/ses/", "/_ministack/sns/", "/_ministack/sqs/",
    "/_ministack/transfer/", "/_localstack/",
)  # fmt: skip
"""ministack's own paths that wipe or show what is stored; they ask for no credentials."""
_BEFORE = "_slipway_before_update"
_MAXIMUM_BODY_BYTES = 64 * 1024 * 1024
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
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": account_id,
        "MINISTACK_REGION": region,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_dir / "ministack"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state_dir / "s3"),
        "USE_SSL": "1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": log_level,
        # ministack removes containers that it takes for its own from the Docker daemon it finds: let it find none.
        "DOCKER_HOST": f"unix://{state_dir / 'no-docker.sock'}",
    }


class Platform:
    """What the added services plug into.

    Args:
        account_id: the only account.
        region: the only region.
        decisions: a file that gets a line for each distinct decision of IAM.

    Attributes:
        access: who may do what.
    """

    def __init__(self, *, account_id: str, region: str, decisions: Path | None = None) -> None:
        self._app: Any = importlib.import_module("ministack.app")
        self._router: Any = importlib.import_module("ministack.core.router")
        self._actions: Any = importlib.import_module("ministack.core.iam_actions")
        self._provisioners: Any = importlib.import_module("ministack.services.cloudformation.provisioners")
        self._stacks: Any = importlib.import_module("ministack.services.cloudformation.stacks")
        self._cloudformation: Any = importlib.import_module("ministack.services.cloudformation")
        self._eventbridge: Any = importlib.import_module("ministack.services.eventbridge")
        self._persistence: Any = importlib.import_module("ministack.core.persistence")
        self.access = AccessControl(
            account_id=account_id, region=region, record=None if decisions is None else DecisionLog(decisions).record
        )
        self._remember_stacks_before_updates()
        StackRoles(self.access)
        self._routes: list[tuple[str, AsgiApp]] = []
        self._event_targets: dict[str, tuple[str, StartTarget]] = {}
        self._added_types: set[str] = set()
        self._changed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run_added_types_on_threads()
        self._send_back_added_types()
        self._act_as_the_caller("cloudformation")
        corrections.apply()
        self._save_what_has_changed()
        self._alarms = Alarms()
        monitoring_resources.hold_to_iam(region, account_id)
        self._deliver_to_added_targets()

    def add_service(self, service: JsonService) -> None:
        """Serve an AWS service; one of ministack's own with that name is replaced.

        ministack checks the signature of its requests; what the caller may do is the service's own concern.
        """

        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> tuple[int, dict[str, str], bytes]:
            return await service.handle(headers, body)

        self._app.SERVICE_HANDLERS[service.name] = handle
        self._act_as_the_caller(service.name)
        self._actions.SERVICE_TO_IAM_NAMESPACE.pop(service.name, None)
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
            attributes = guarded(lambda: handler.update(physical_id, old, new))
            self._heed_cancellation(stack_name)
            return physical_id, attributes

        def delete(physical_id: str, properties: dict[str, Any]) -> None:
            guarded(lambda: handler.delete(physical_id, properties))

        self._added_types.add(type_name)
        self._provisioners._RESOURCE_HANDLERS[type_name] = {"create": create, "update": update, "delete": delete}
        self._provisioners._REPLACING_PROPERTIES[type_name] = tuple(handler.replace_on)

    def _heed_cancellation(self, stack_name: str) -> None:
        """Take an update back that was cancelled (CancelUpdateStack) while a resource of ours was being updated.

        ministack looks at the wish before it begins with a resource, so it would miss it at the last one.
        """
        stack = self._cloudformation._stacks.get(stack_name, {})
        if stack["StackStatus"] == "UPDATE_IN_PROGRESS" and stack.pop("_cancel_requested", False):
            raise ValueError("Resource update cancelled")

    def add_operations(self, service: JsonService) -> None:
        """Serve those operations of one of ministack's services that `service` has, in place of ministack's own."""
        original = self._app.SERVICE_HANDLERS[service.name]
        added = frozenset(service.served_operations())

        async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
            if headers.get("x-amz-target", "").rpartition(".")[2] in added:
                return await service.handle(headers, body)
            return await original(method, path, headers, body, query)

        self._app.SERVICE_HANDLERS[service.name] = handle
        self._act_as_the_caller(service.name)

    def add_route(self, prefix: str, app: AsgiApp) -> None:
        """Serve the paths below a prefix by an ASGI application of its own, which sees to who may call it."""
        self._routes.append((prefix, app))

    def add_signed_route(self, prefix: str, app: AsgiApp, service: str) -> None:
        """Serve the paths below a prefix by an ASGI application that acts for whoever has signed the request.

        Args:
            prefix: of the paths.
            app: called with the whole body read.
            service: that the requests are signed for.
        """

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                body = await _read_body(receive)
                principal = self.access.authenticate(scope, body, service)
            except ConnectionAbortedError:
                return
            except ServiceError as error:
                await _answer_error(send, error)
                return
            with authorization.acting_as(principal):
                await app(scope, _replaying(body, receive), send)

        self._routes.append((prefix, serve))

    def add_event_target(self, service_name: str, start: StartTarget, action: str) -> None:
        """Deliver events to rule targets of that service (the third part of the target's ARN).

        Args:
            service_name: such as `codepipeline`.
            start: `start(target_arn, input, rule_arn)` is called on a thread of its own. The input is the event, or
                what the target's Input, InputPath or InputTransformer makes of it.
            action: what the target's role must be allowed to do to the target.
        """
        self._event_targets[service_name] = action, start

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

    def put_metric_data(self, namespace: str, data: list[dict[str, Any]]) -> None:
        """Store metrics of an AWS service, as PutMetricData has them; may be called from any thread."""
        if self._loop is None:
            raise RuntimeError("the server does not run: metrics cannot be stored")
        self._loop.call_soon_threadsafe(contextvars.copy_context().run, self._alarms.store, namespace, data)

    async def watch_alarms(self, interval_seconds: float) -> None:
        """Evaluate all alarms of CloudWatch again and again, until cancelled: also where no data comes."""
        while True:
            await asyncio.sleep(interval_seconds)
            self._alarms.evaluate_all()

    def settle_interrupted_stacks(self) -> None:
        """End the stack operations that were under way when the last server was killed: nobody goes on with them.

        A stack that was being created is left for deletion (as cdk and REPLACE_ON_FAILURE do with ROLLBACK_FAILED), one
        that was being updated is what it was before and can be updated again.
        """
        for stack in self._cloudformation._stacks.values():
            settled = _SETTLED.get(stack["StackStatus"])
            before = stack.pop(_BEFORE, {})
            if settled is not None:
                if settled == "UPDATE_ROLLBACK_COMPLETE":
                    stack.update(before)
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
            if scope["path"].startswith(_ADMINISTRATION):
                await _answer_error(send, ServiceError("AccessDeniedException", "This is not served here.", 403))
                return
            self._note_change(scope)
        await self._app.app(scope, receive, send)

    async def save_changes(self, interval_seconds: float) -> None:
        """Write ministack's state to disk whenever it has changed, until cancelled.

        ministack itself writes at an orderly end only; with this, a killed server loses `interval_seconds` at most, and
        CloudWatch's metrics: to write those of a minute's load takes long enough to be felt by every call.
        """
        while True:
            await asyncio.sleep(interval_seconds)
            if self._changed:
                self._changed = False
                states = self._app._build_persistence_save_dict()
                if "cloudwatch" in states:
                    states["cloudwatch"] = self._alarms.state_without_metrics
                self._persistence.save_all(states)

    def _save_what_has_changed(self) -> None:
        self._persistence.save_state = ChangedStates(self._persistence).save

    def _note_change(self, scope: Scope) -> None:
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        target = next((value.decode() for name, value in scope["headers"] if name == b"x-amz-target"), "")
        if not target.rpartition(".")[2].startswith(_READING):
            self._changed = True

    def _act_as_the_caller(self, service_name: str) -> None:
        """Let what a service does be done by whoever has signed the request."""
        original = self._app.SERVICE_HANDLERS[service_name]

        async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
            try:
                principal = self.access.principal_of(headers, query)
            except ServiceError as error:
                answer = {"__type": error.code, "message": error.message}
                return error.status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()
            with authorization.acting_as(principal):
                return await original(method, path, headers, body, query)

        self._app.SERVICE_HANDLERS[service_name] = handle

    def _run_added_types_on_threads(self) -> None:
        """Our handlers block (an endpoint takes its time), so they must not run on the event loop."""
        original = self._stacks._runs_on_worker_thread
        self._stacks._runs_on_worker_thread = lambda kind: kind in self._added_types or original(kind)

    def _send_back_added_types(self) -> None:
        """A resource of ours may have been changed before its update failed, so a rollback updates it as well."""
        original = self._stacks._sends_back_failed_update
        self._stacks._sends_back_failed_update = lambda kind: kind in self._added_types or original(kind)

    def _remember_stacks_before_updates(self) -> None:
        """A stack's record changes while it is updated: what it was is kept with it until the update is over."""
        original = self._stacks._deploy_stack_async

        async def deploy(stack_name: str, *arguments: Any, **keywords: Any) -> None:
            stack = self._cloudformation._stacks[stack_name]
            stack[_BEFORE] = copy.deepcopy(keywords.get("previous_stack") or {})
            try:
                await original(stack_name, *arguments, **keywords)
            finally:
                stack.pop(_BEFORE, None)

        for name in ("stacks", "handlers", "changesets"):
            vars(importlib.import_module(f"ministack.services.cloudformation.{name}"))["_deploy_stack_async"] = deploy

    def _deliver_to_added_targets(self) -> None:
        original = self._eventbridge._invoke_target

        def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
            arn = target.get("Arn", "")
            added = self._event_targets.get(arn.split(":")[2] if arn.count(":") >= 5 else "")
            if added is None:
                original(target, event, rule, view)
                return
            payload = self._input_of(target, rule, view or self._eventbridge._pattern_event_view(event))
            if payload is None:
                logger.warning("an event was not delivered to %s: its input is no JSON object", arn)
                return
            assert self._loop is not None
            self._loop.run_in_executor(None, self._deliver, target, rule.get("Arn", ""), payload, *added)

        self._eventbridge._invoke_target = invoke

    def _input_of(self, target: dict[str, Any], rule: dict[str, Any], view: Any) -> dict[str, Any] | None:
        """What a target is sent; None when that is no JSON object."""
        event: dict[str, Any] = view.event_with_detail()
        if target.get("InputTransformer"):
            text = self._eventbridge._apply_input_transformer(target["InputTransformer"], rule, view)
        elif target.get("Input"):
            text = target["Input"]
        elif target.get("InputPath"):
            text = json.dumps(_at_path(event, target["InputPath"]))
        else:
            return event
        try:
            payload = json.loads(text)
        except ValueError:
            return None
        return payload if isinstance(payload, dict) else None

    def _deliver(
        self, target: dict[str, Any], rule_arn: str, payload: dict[str, Any], action: str, start: StartTarget
    ) -> None:
        arn = target["Arn"]
        try:
            role = self.access.role_principal(
                target.get("RoleArn", ""), "events", "events.amazonaws.com", source_arn=rule_arn
            )
            with authorization.acting_as(role):
                authorization.authorize([Check(action, arn)])
                start(arn, payload, rule_arn)
        except ServiceError as error:
            logger.warning("an event was not delivered to %s: %s", arn, error.message)
        except Exception:
            logger.exception("an event could not be delivered to %s", arn)


def _at_path(event: Any, path: str) -> Any:
    """What stands at a path such as `$.detail`; nothing where the event has no such place."""
    for part in filter(None, path.removeprefix("$").split(".")):
        event = event.get(part) if isinstance(event, dict) else None
    return event


async def _read_body(receive: Receive) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MAXIMUM_BODY_BYTES:
            raise ServiceError("RequestEntityTooLargeException", f"The body exceeds {_MAXIMUM_BODY_BYTES} bytes.", 413)
        more = message.get("more_body", False)
    return b"".join(parts)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body first."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> MutableMapping[str, Any]:
        return pending.pop() if pending else await receive()

    return replay


async def _answer_error(send: Send, error: ServiceError) -> None:
    body = json.dumps({"message": error.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"x-amzn-errortype", error.code.encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
