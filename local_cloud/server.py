"""The composition root of the local cloud: one loopback server made of ministack and the added services."""

import asyncio
import contextlib
import fcntl
import importlib
import json
import logging
import os
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from local_cloud import ministack, tls
from local_cloud.cloud import Cloud
from local_cloud.developer import provide_credentials
from local_cloud.flow_logs import FlowLogHandler
from local_cloud.images.scanning import scan_service

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"
SERVICES = ("codecommit", "codebuild", "codepipeline", "sagemaker", "application_autoscaling")

_SAVE_SECONDS = 1.0
_ALARM_SECONDS = 1.0
_CHILD_GRACE_SECONDS = 5.0
_TLS_SHUTDOWN_SECONDS = 0.5

logger = logging.getLogger(__name__)


class PortInUseError(Exception):
    """The port is taken by another process."""


class StateInUseError(Exception):
    """Another local cloud runs on the same state."""


def bind(port: int) -> socket.socket:
    """A listening loopback socket.

    Args:
        port: 0 for any free port.

    Raises:
        PortInUseError: another process listens there.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise PortInUseError(f"port {port} of 127.0.0.1 is in use ({error.strerror})") from error
    listener.listen(512)
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def sole_use(state_dir: Path) -> Iterator[None]:
    """Hold the state for this process; the lock goes with the process, however it ends.

    Raises:
        StateInUseError: another process holds it.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateInUseError(f"another local cloud runs on {state_dir}") from error
        yield


def run(listener: socket.socket, state_dir: Path, log_level: str = "WARNING", decisions: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `state_dir/server.json` tells clients where, as long as it runs.

    Args:
        listener: from `bind`.
        state_dir: held by `sole_use`.
        log_level: of the server's log.
        decisions: a file that gets a line for each distinct decision of IAM.
    """
    port: int = listener.getsockname()[1]
    ministack.configure(port=port, account_id=ACCOUNT_ID, region=REGION, state_dir=state_dir, log_level=log_level)
    platform = ministack.Platform(account_id=ACCOUNT_ID, region=REGION, decisions=decisions)
    certificate = tls.certificate(state_dir / "tls")
    cloud = Cloud(
        endpoint_url=f"https://127.0.0.1:{port}", ca_bundle=certificate.ca, account_id=ACCOUNT_ID, region=REGION,
        state_dir=state_dir, platform=platform,
    )  # fmt: skip
    platform.add_operations(scan_service(cloud))
    platform.add_resource("AWS::EC2::FlowLog", FlowLogHandler(cloud))
    services = {name: (importlib.import_module(f"local_cloud.{name}"), cloud.of_service(name)) for name in SERVICES}
    for module, view in services.values():
        module.register(view, platform)
    with asyncio.Runner(loop_factory=_EventLoop) as runner:
        runner.run(_serve(listener, certificate, cloud, platform, list(services.values()), log_level))


class _EventLoop(asyncio.SelectorEventLoop):
    """Ends TLS connections without waiting half a minute for clients that keep theirs open to answer."""

    def call_exception_handler(self, context: Any) -> None:
        if isinstance(context.get("exception"), TimeoutError):  # such a client did not answer
            logger.debug("a TLS connection was cut: %s", context)
        else:
            super().call_exception_handler(context)

    async def create_server(self, *arguments: Any, **options: Any) -> asyncio.Server:
        return await super().create_server(*arguments, **options, ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS)


async def _serve(
    listener: socket.socket, certificate: tls.Certificate, cloud: Cloud, platform: ministack.Platform,
    services: list[tuple[ModuleType, Cloud]], log_level: str,
) -> None:  # fmt: skip
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.certfile = config.keyfile = str(certificate.server)
    config.alpn_protocols = ["http/1.1"]  # curl 7.88 does not end a chunked body over HTTP/2: git push would hang
    config.keep_alive_timeout = 75
    config.loglevel = log_level
    config.graceful_timeout = 2
    saver = asyncio.create_task(platform.save_changes(_SAVE_SECONDS))
    watcher = asyncio.create_task(platform.watch_alarms(_ALARM_SECONDS))
    resumer = asyncio.create_task(_announce(certificate, cloud, platform, services))
    try:
        await serve(platform.app, config, shutdown_trigger=stopped.wait)  # type: ignore[arg-type]  # hypercorn's own scope types
    finally:
        for task in (saver, watcher, resumer):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(cloud.processes.close, _CHILD_GRACE_SECONDS)
        (cloud.state_dir / "server.json").unlink(missing_ok=True)


async def _announce(
    certificate: tls.Certificate,
    cloud: Cloud,
    platform: ministack.Platform,
    services: list[tuple[ModuleType, Cloud]],
) -> None:
    """Once the server answers: let the services take up what was running, then say that it is ready."""
    credentials = await asyncio.to_thread(provide_credentials, cloud)
    platform.settle_interrupted_stacks()
    for module, view in services:
        try:
            await asyncio.to_thread(module.resume, view)
        except Exception:
            logger.exception("%s could not take up what was running", module.__name__)
    facts = {
        "pid": os.getpid(), "port": int(cloud.endpoint_url.rpartition(":")[2]), "endpoint_url": cloud.endpoint_url,
        "ca_bundle": str(certificate.ca), "ca_folder": str(certificate.ca_folder), "credentials_file": str(credentials),
        "account_id": cloud.account_id, "region": cloud.region, "started_at": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    draft = cloud.state_dir / "server.json.draft"
    draft.write_text(json.dumps(facts, indent=2) + "\n")
    draft.replace(cloud.state_dir / "server.json")
