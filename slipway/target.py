"""Which AWS is spoken to: the local cloud, or the account of the usual AWS variables."""

import configparser
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
import botocore.session
from botocore.config import Config

from slipway.errors import UserError
from slipway.local_server import ServerRecord

Kind = Literal["local", "aws"]

_LOOPBACK = "127.0.0.1,localhost"
NOT_LOCAL = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
"""Variables that lead away from the local cloud."""
GIT_HELPER_VARIABLES = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_REGION")
"""What git's credential helper must know of the local cloud."""


@dataclass(frozen=True)
class Target:
    """An AWS, as clients in this process and as environment variables for child processes.

    Attributes:
        kind: `local` or `aws`.
        account_id: twelve digits.
        region: such as `us-east-1`.
        endpoint_url: None for AWS's own endpoints.
        ca_bundle: a file of the certificates to trust; None for those that are usual.
        ca_folder: a folder of the same.
        environment: for child processes that shall speak to the same AWS (cdk, git, aws).
        poll_seconds: the pause between two looks at something that runs.
    """

    kind: Kind
    account_id: str
    region: str
    endpoint_url: str | None
    ca_bundle: str | None
    ca_folder: str | None
    environment: Mapping[str, str]
    poll_seconds: float
    _session: boto3.Session = field(repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        """A boto3 client; one is made for each service."""
        if service not in self._clients:
            self._clients[service] = self._session.client(
                service, endpoint_url=self.endpoint_url, verify=self.ca_bundle, config=_client_config(self.kind)
            )
        return self._clients[service]

    @property
    def overlay(self) -> str | None:
        """The settings overlay that goes with this target."""
        return overlay_of(self.kind)

    @property
    def place(self) -> str:
        """For people: where this is."""
        where = f"account {self.account_id}, region {self.region}"
        if self.kind == "local":
            return f"local cloud at {self.endpoint_url}, {where}"
        return f"AWS {where}" + (f", through {self.endpoint_url} (AWS_ENDPOINT_URL)" if self.endpoint_url else "")


def overlay_of(kind: Kind) -> str | None:
    """The settings overlay of a kind of target: `local` or none."""
    return "local" if kind == "local" else None


def local_variables(server: ServerRecord) -> dict[str, str]:
    """The variables that bring any AWS client to the local cloud: where it is, whom to trust, who one is.

    The key itself stays in the local cloud's credentials file, which stands in for the user's configuration as well.
    """
    return {
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "AWS_CA_BUNDLE": server.ca_bundle,
        "NODE_EXTRA_CA_CERTS": server.ca_bundle,
        "AWS_SHARED_CREDENTIALS_FILE": server.credentials_file,
        "AWS_CONFIG_FILE": server.credentials_file,
        "AWS_REGION": server.region,
        "AWS_DEFAULT_REGION": server.region,
    }


def local_target(server: ServerRecord, environment: Mapping[str, str]) -> Target:
    """The local cloud; profiles, proxies and credentials of the environment have no part in it."""
    child = {name: value for name, value in environment.items() if name not in NOT_LOCAL} | local_variables(server)
    for name in ("NO_PROXY", "no_proxy"):
        child[name] = ",".join(filter(None, (environment.get(name), _LOOPBACK)))
    profile = configparser.ConfigParser()
    profile.read(server.credentials_file)
    session = boto3.Session(
        aws_access_key_id=profile.get("default", "aws_access_key_id", fallback=None),
        aws_secret_access_key=profile.get("default", "aws_secret_access_key", fallback=None),
        region_name=server.region,
        botocore_session=botocore.session.Session(session_vars={"profile": (None, [], None, None)}),
    )
    return Target(
        "local", server.account_id, server.region, server.endpoint_url, server.ca_bundle, server.ca_folder, child, 0.5,
        session,
    )  # fmt: skip


def aws_target(environment: Mapping[str, str]) -> Target:
    """The account of the usual AWS variables, profile and region; asks STS which one it is.

    Raises:
        UserError: no region is set. botocore raises its own when there are no valid credentials.
    """
    session = boto3.Session()
    if session.region_name is None:
        raise UserError("no AWS region is set", "export AWS_REGION=... (or set a region in your AWS profile)")
    endpoint_url = environment.get("AWS_ENDPOINT_URL")
    identity = session.client("sts", endpoint_url=endpoint_url).get_caller_identity()
    child = dict(environment) | {"AWS_REGION": session.region_name, "AWS_DEFAULT_REGION": session.region_name}
    return Target("aws", identity["Account"], session.region_name, endpoint_url, None, None, child, 3.0, session)


def _client_config(kind: Kind) -> Config:
    if kind == "local":
        return Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 2})
    return Config(retries={"mode": "standard", "total_max_attempts": 5})
