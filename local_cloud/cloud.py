"""What an added service is given: this cloud's clients, roles, logs, events, store and processes."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local_cloud.ministack import Platform
from local_cloud.processes import Processes
from local_cloud.store import Store

logger = logging.getLogger(__name__)

_FLUSH_SECONDS = 0.25
_EVENTS_PER_PUT = 1_000  # CloudWatch Logs takes 10,000 events or 1 MiB in one PutLogEvents
_LINE_CHARACTERS = 200_000  # one event is 256 KiB at most


class LogStream:
    """A CloudWatch Logs stream; lines are sent in batches, at the latest after a quarter of a second."""

    def __init__(self, client: Any, group: str, stream: str, forget: Callable[["LogStream"], None]) -> None:
        self._client = client
        self._target = {"logGroupName": group, "logStreamName": stream}
        self._forget = forget
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._events: list[dict[str, Any]] = []

    def write(self, line: str) -> None:
        """Add a line; CloudWatch Logs has no empty events, so an empty line becomes a space."""
        with self._lock:
            self._events.append({"timestamp": int(time.time() * 1000), "message": line[:_LINE_CHARACTERS] or " "})

    def flush(self) -> None:
        with self._sending:
            with self._lock:
                events, self._events = self._events, []
            for start in range(0, len(events), _EVENTS_PER_PUT):
                self._client.put_log_events(**self._target, logEvents=events[start : start + _EVENTS_PER_PUT])

    def close(self) -> None:
        self._forget(self)
        self.flush()


class Cloud:
    """This cloud, as its added services see it.

    Attributes:
        state_dir: each service keeps its files in a folder of its own below it.
    """

    def __init__(self, *, endpoint_url: str, account_id: str, region: str, state_dir: Path, platform: Platform) -> None:
        self.endpoint_url = endpoint_url
        self.account_id = account_id
        self.region = region
        self.state_dir = state_dir
        self.store = Store(state_dir / "state.db")
        self.processes = Processes()
        self._platform = platform
        self._clients = _Clients(endpoint_url, region)
        self._streams: set[LogStream] = set()
        self.background(self._flush_logs, "logs")

    def client(self, service: str, role_arn: str | None = None) -> Any:
        """A boto3 client of this cloud; call it from worker threads only, the event loop would wait for itself.

        Args:
            service: as in `boto3.client`.
            role_arn: act with temporary credentials of this role; without it, as the cloud itself.
        """
        return self._clients.get(service, role_arn)

    def role_environment(self, role_arn: str, session_name: str) -> dict[str, str]:
        """The AWS_* variables that give a child process this cloud and temporary credentials of a role."""
        credentials = self._clients.assume_role(role_arn, session_name)
        return {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
            **self.place_environment(),
        }

    def place_environment(self) -> dict[str, str]:
        """The AWS_* variables that say where this cloud is, without credentials."""
        return {"AWS_ENDPOINT_URL": self.endpoint_url, "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}

    def logs(self, group: str, stream: str) -> LogStream:
        """Open a log stream; group and stream are made when they do not exist."""
        client = self.client("logs")
        for create, names in (
            (client.create_log_group, {"logGroupName": group}),
            (client.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
        ):
            try:
                create(**names)
            except client.exceptions.ResourceAlreadyExistsException:
                continue
        log_stream = LogStream(client, group, stream, self._streams.discard)
        self._streams.add(log_stream)
        return log_stream

    def publish(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        """Put an event of an AWS service on the default event bus."""
        self._platform.publish(source, detail_type, detail, resources)

    def background(self, work: Callable[[], None], name: str) -> None:
        """Run `work` on a daemon thread; what it raises is logged."""

        def run() -> None:
            try:
                work()
            except Exception:
                logger.exception("%s failed", name)

        threading.Thread(target=run, name=name, daemon=True).start()

    def _flush_logs(self) -> None:
        while True:
            time.sleep(_FLUSH_SECONDS)
            for stream in list(self._streams):
                try:
                    stream.flush()
                except ClientError as error:
                    logger.warning("a log stream lost lines: %s", error)


class _Clients:
    """boto3 clients by service and role; making one takes some 50 ms, so they are kept."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._lock = threading.RLock()
        self._session = boto3.Session(region_name=region)
        self._own: dict[str, Any] = {}
        self._of_roles: dict[tuple[str, str], tuple[Any, datetime]] = {}

    def get(self, service: str, role_arn: str | None) -> Any:
        with self._lock:
            if role_arn is None:
                if service not in self._own:
                    self._own[service] = self._make(service, "local-cloud", "local-cloud", None)
                return self._own[service]
            client, expires = self._of_roles.get((service, role_arn), (None, datetime.now(UTC)))
            if expires - datetime.now(UTC) < timedelta(minutes=10):
                keys = self.assume_role(role_arn, f"local-cloud-{service}")
                client = self._make(service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
                self._of_roles[service, role_arn] = client, keys["Expiration"]
            return client

    def assume_role(self, role_arn: str, session_name: str) -> dict[str, Any]:
        credentials: dict[str, Any] = self.get("sts", None).assume_role(
            RoleArn=role_arn, RoleSessionName=session_name[:64]
        )["Credentials"]
        return credentials

    def _make(self, service: str, key: str, secret: str, token: str | None) -> Any:
        return self._session.client(
            service,
            endpoint_url=self._endpoint_url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=32,
                          s3={"addressing_style": "path"}, proxies={}),
        )  # fmt: skip
