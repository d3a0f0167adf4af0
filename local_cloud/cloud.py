"""What an added service is given: this cloud's clients, roles, logs, events, store and processes."""

import copy
import logging
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local_cloud.authorization import Principal, acting_as
from local_cloud.ministack import AccessControl, Platform
from local_cloud.ministack.access import git_signature
from local_cloud.processes import Processes
from local_cloud.store import Store

logger = logging.getLogger(__name__)

_READ_SECONDS = 120
_FLUSH_SECONDS = 0.25
_EVENTS_PER_PUT = 1_000  # CloudWatch Logs takes 10,000 events or 1 MiB in one PutLogEvents
_LINE_CHARACTERS = 200_000  # one event is 256 KiB at most


class LogStream:
    """A CloudWatch Logs stream; lines are sent in batches, at the latest after a quarter of a second.

    Once CloudWatch Logs has refused one, the rest is dropped: whoever flushes hears of it once.
    """

    def __init__(self, client: Any, group: str, stream: str, forget: Callable[["LogStream"], None]) -> None:
        self._client = client
        self._target = {"logGroupName": group, "logStreamName": stream}
        self._forget = forget
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._events: list[dict[str, Any]] = []
        self._refused = False

    def write(self, line: str) -> None:
        """Add a line; CloudWatch Logs has no empty events, so an empty line becomes a space."""
        with self._lock:
            if not self._refused:
                self._events.append({"timestamp": int(time.time() * 1000), "message": line[:_LINE_CHARACTERS] or " "})

    def flush(self) -> None:
        with self._sending:
            with self._lock:
                events, self._events = self._events, []
            try:
                for start in range(0, len(events), _EVENTS_PER_PUT):
                    self._client.put_log_events(**self._target, logEvents=events[start : start + _EVENTS_PER_PUT])
            except ClientError:
                self._refused = True
                raise

    def close(self) -> None:
        self._forget(self)
        self.flush()


class Cloud:
    """This cloud, as its added services see it.

    Attributes:
        ca_bundle: what a client must trust to call this cloud.
        state_dir: each service keeps its files in a folder of its own below it.
    """

    def __init__(
        self, *, endpoint_url: str, ca_bundle: Path, account_id: str, region: str, state_dir: Path, platform: Platform
    ) -> None:
        self.endpoint_url = endpoint_url
        self.ca_bundle = ca_bundle
        self.account_id = account_id
        self.region = region
        self.state_dir = state_dir
        self.store = Store(state_dir / "state.db")
        self.processes = Processes()
        self._platform = platform
        self._service = self._source_arn = ""
        self._clients = _Clients(endpoint_url, ca_bundle, region, platform.access)
        self._streams: set[LogStream] = set()
        self.background(self._flush_logs, "logs")

    def of_service(self, name: str) -> "Cloud":
        """This cloud as one service sees it: it can assume the roles that trust `NAME.amazonaws.com`."""
        view = copy.copy(self)
        view._service = f"{name}.amazonaws.com"
        return view

    def on_behalf_of(self, source_arn: str) -> "Cloud":
        """This cloud as a service sees it that acts for a resource; a role's trust may ask which (aws:SourceArn)."""
        view = copy.copy(self)
        view._source_arn = source_arn
        return view

    def client(self, service: str, role_arn: str | None = None) -> Any:
        """A boto3 client of this cloud; call it from worker threads only, the event loop would wait for itself.

        Args:
            service: as in `boto3.client`.
            role_arn: act with temporary credentials of this role; without it, as the cloud itself.

        Raises:
            ServiceError: AccessDenied; the role does not exist or does not trust this service.
        """
        return self._clients.get(service, role_arn, (self._service, self._source_arn))

    def role_environment(self, role_arn: str, session_name: str) -> dict[str, str]:
        """The AWS_* variables that give a child process this cloud and temporary credentials of a role.

        Args:
            role_arn: of a role that trusts this service.
            session_name: names the session.

        Raises:
            ServiceError: AccessDenied; the role does not exist or does not trust this service.
        """
        keys = self._platform.access.assume_role(role_arn, session_name, self._service, self._source_arn)
        return {
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_SESSION_TOKEN": keys.session_token,
            **self.place_environment(),
        }

    def check_assumable(self, role_arn: str) -> None:
        """Raise ServiceError (AccessDenied) unless the role exists and trusts this service."""
        self._platform.access.assume_role(role_arn, "check", self._service, self._source_arn)

    def acting_as_role(self, role_arn: str, session_name: str) -> AbstractContextManager[None]:
        """What runs inside is done by this service as a role.

        Raises:
            ServiceError: AccessDenied; the role does not exist or does not trust this service.
        """
        return acting_as(self._platform.access.role_principal(role_arn, session_name, self._service, self._source_arn))

    def authenticate_git(self, username: str, password: str, host: str, path: str) -> Principal:
        """Whoever git calls for, by the user name and password that the aws command's credential helper makes.

        Raises:
            ServiceError: they are wrong or too old.
        """
        return self._platform.access.authenticate_git(username, password, host, path)

    def git_credentials(self, role_arn: str, path: str) -> tuple[str, str]:
        """User name and password with which git may call a repository's path as a role, for a quarter of an hour.

        Raises:
            ServiceError: AccessDenied; the role does not exist or does not trust this service.
        """
        keys = self._platform.access.assume_role(role_arn, "local-cloud-git", self._service, self._source_arn)
        timestamp, host = datetime.now(UTC).strftime("%Y%m%dT%H%M%S"), self.endpoint_url.removeprefix("https://")
        signing = Credentials(keys.access_key_id, keys.secret_access_key)
        signature = git_signature(signing, self.region, host, path, timestamp)
        return f"{keys.access_key_id}%{keys.session_token}", f"{timestamp}Z{signature}"

    def read(self, path: str, *, service: str, role_arn: str) -> bytes:
        """GET a path of this cloud, signed for a service with a role's credentials.

        Raises:
            urllib.error.URLError: it was refused, or is not there.
        """
        keys = self._platform.access.assume_role(role_arn, f"local-cloud-{service}", self._service, self._source_arn)
        request = AWSRequest("GET", f"{self.endpoint_url}{path}")
        credentials = Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
        SigV4Auth(credentials, service, self.region).add_auth(request)
        trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca_bundle))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), trust)
        signed = urllib.request.Request(request.url, headers=dict(request.headers))  # noqa: S310 - our own address
        with opener.open(signed, timeout=_READ_SECONDS) as answer:
            content: bytes = answer.read()
            return content

    def place_environment(self) -> dict[str, str]:
        """The variables that say where this cloud is and whom to trust, without credentials."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "NODE_EXTRA_CA_CERTS": str(self.ca_bundle),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def logs(self, group: str, stream: str, role_arn: str | None = None) -> LogStream:
        """Open a log stream, with the permissions of a role; group and stream are made when they do not exist.

        Raises:
            ClientError: the role may not write there.
        """
        client = self.client("logs", role_arn)
        try:
            _create_log_stream(client, group, stream)
        except client.exceptions.ResourceNotFoundException:
            with suppress(client.exceptions.ResourceAlreadyExistsException):  # another was quicker
                client.create_log_group(logGroupName=group)
            _create_log_stream(client, group, stream)
        log_stream = LogStream(client, group, stream, self._streams.discard)
        self._streams.add(log_stream)
        return log_stream

    def publish(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        """Put an event of an AWS service on the default event bus."""
        self._platform.publish(source, detail_type, detail, resources)

    def put_metric_data(self, namespace: str, data: list[dict[str, Any]]) -> None:
        """Publish metrics of an AWS service; PutMetricData itself is not for namespaces that begin with AWS/."""
        self._platform.put_metric_data(namespace, data)

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


def _create_log_stream(client: Any, group: str, stream: str) -> None:
    with suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_stream(logGroupName=group, logStreamName=stream)


class _Clients:
    """boto3 clients by service and role; making one takes some 50 ms, so they are kept."""

    def __init__(self, endpoint_url: str, ca_bundle: Path, region: str, access: AccessControl) -> None:
        self._endpoint_url = endpoint_url
        self._ca_bundle = ca_bundle
        self._region = region
        self._access = access
        self._lock = threading.RLock()
        self._session = boto3.Session(region_name=region)
        self._own: dict[str, Any] = {}
        self._of_roles: dict[tuple[str, str, tuple[str, str]], tuple[Any, datetime]] = {}

    def get(self, service: str, role_arn: str | None, acting: tuple[str, str]) -> Any:
        with self._lock:
            if role_arn is None:
                if service not in self._own:
                    self._own[service] = self._make(service, self._access.own_key_id, "unchecked", None)
                return self._own[service]
            who = (service, role_arn, acting)
            client, expires = self._of_roles.get(who, (None, datetime.now(UTC)))
            if expires - datetime.now(UTC) < timedelta(minutes=10):
                keys = self._access.assume_role(role_arn, f"local-cloud-{service}", *acting)
                client = self._make(service, keys.access_key_id, keys.secret_access_key, keys.session_token)
                self._of_roles[who] = client, keys.expiration
            return client

    def _make(self, service: str, key: str, secret: str, token: str | None) -> Any:
        return self._session.client(
            service,
            endpoint_url=self._endpoint_url,
            verify=str(self._ca_bundle),
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=32,
                          s3={"addressing_style": "path"}, proxies={}),
        )  # fmt: skip
