"""Roles and signed requests for tests of the local cloud's access control."""

import base64
import http.client
import json
import socket
import ssl
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from local_cloud_server import CloudServer

from local_cloud.ministack.access import git_signature

EVERYTHING = {"Action": "*", "Resource": "*"}


def make_role(server: CloudServer, trusted: str, *statements: Mapping[str, object]) -> str:
    """A role that trusts an AWS service such as `events`, or whoever is of the `account`, and allows what is given."""
    iam, name = server.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    principal = {"AWS": server.account_id} if trusted == "account" else {"Service": f"{trusted}.amazonaws.com"}
    trust = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if statements:
        policy = json.dumps({"Statement": [{"Effect": "Allow", **statement} for statement in statements]})
        iam.put_role_policy(RoleName=name, PolicyName="Permissions", PolicyDocument=policy)
    return arn


def http_request(
    server: CloudServer, method: str, path: str, body: bytes = b"", keys: Mapping[str, str] | None = None,
    service: str = "sagemaker",
) -> tuple[int, bytes]:  # fmt: skip
    """A plain request, signed for a service when there are keys."""
    request = AWSRequest(method, f"{server.endpoint_url}{path}", data=body)
    if keys is not None:
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        SigV4Auth(Credentials(*(keys.get(name) for name in names)), service, server.region).add_auth(request)
    host, _, port = server.endpoint_url.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=server.ca_bundle)
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=20)
    connection.request(method, path, body, dict(request.headers))
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def open_tls(server: CloudServer) -> ssl.SSLSocket:
    """A connection to say what one likes on; closing it ends it at once."""
    host, _, port = server.endpoint_url.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=server.ca_bundle)
    return context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)


def git_authorization(server: CloudServer, repository: str) -> str:
    """The Authorization header that git sends for a repository of CodeCommit."""
    keys, timestamp = server.keys(), datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    signature = git_signature(credentials, server.region, "127.0.0.1", f"/v1/repos/{repository}", timestamp)
    pair = f"{keys['aws_access_key_id']}:{timestamp}Z{signature}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
