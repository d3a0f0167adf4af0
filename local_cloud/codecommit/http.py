"""git over HTTP through `git http-backend`, and a commit's files as a zip; bodies are streamed both ways."""

import asyncio
import base64
import binascii
import contextlib
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs

from local_cloud.authorization import acting_as, authorize, caller_arn
from local_cloud.cloud import Cloud
from local_cloud.codecommit.authorization import git_checks, upload_archive
from local_cloud.codecommit.events import ReferenceEvents
from local_cloud.codecommit.git import COMMIT_ID, GitRepository, environment
from local_cloud.codecommit.repositories import Repositories
from local_cloud.ministack import Receive, Scope, Send
from local_cloud.wire import ServiceError

_PATH = re.compile(r"/v1/repos/(?P<name>[^/]+)/(?P<service>info/refs|git-upload-pack|git-receive-pack)")
_ARCHIVE_PATH = re.compile(r"/v1/archives/(?P<name>[^/]+)/(?P<commit>[^/]+)\.zip")
_NO_CREDENTIALS = (
    "CodeCommit wants credentials. `slipway up` sets git up for the remote `slipway`; elsewhere:\n"
    "git config credential.helper '!aws codecommit credential-helper --ignore-host-check $@'\n"
    "git config credential.useHttpPath true"
)
_CHUNK_BYTES = 65_536
_HEADER_BYTES = 65_536


class _ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


class GitHttpApp:
    """The smart HTTP protocol below /v1/repos/NAME, as an ASGI application."""

    def __init__(self, cloud: Cloud, repositories: Repositories, events: ReferenceEvents) -> None:
        self._cloud = cloud
        self._repositories = repositories
        self._events = events
        self._git_pull, self._git_push = git_checks(cloud.region, cloud.account_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = _PATH.fullmatch(scope["path"])
        name = match["name"] if match else scope["path"].split("/")[3]
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        credentials = _basic_credentials(headers.get("authorization", ""))
        if credentials is None:
            await _answer_text(send, 401, _NO_CREDENTIALS, {"www-authenticate": 'Basic realm="CodeCommit"'})
            return
        try:
            host = headers.get("host", "")
            principal = self._cloud.authenticate_git(*credentials, host, f"/v1/repos/{name}")
            pushing = _service(scope, match) == "git-receive-pack"
            with acting_as(principal):
                authorize([self._git_push(name) if pushing else self._git_pull(name)])
        except ServiceError as error:
            await _answer_text(send, 403, error.message)
            return
        try:
            git = await asyncio.to_thread(self._repositories.git, name)
        except ServiceError:
            await _answer_text(send, 404, self._unknown(name))
            return
        if match is None:
            await _answer_text(send, 404, f"{scope['path']} is not part of git's smart HTTP protocol.")
            return
        with acting_as(principal):
            await self._serve(scope, receive, send, git, name, match["service"])

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, git: GitRepository, name: str, service: str
    ) -> None:
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=_cgi(scope, git.path, service), stdin=PIPE, stdout=PIPE, start_new_session=True
        )
        complete = False
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump_in(receive, process))
                tasks.create_task(_pump_out(send, process))
            await process.wait()
            complete = True
        except* _ClientGoneError:
            pass
        finally:
            await _end(process)
        if complete and service == "git-receive-pack":
            await asyncio.to_thread(self._take_in, name)
        if complete:
            await send({"type": "http.response.body", "body": b""})

    def _take_in(self, name: str) -> None:
        with contextlib.suppress(ServiceError):  # the repository was deleted during the push
            self._repositories.note_push(name)
            self._events.publish_changes(name, caller_arn())

    def _unknown(self, name: str) -> str:
        known = ", ".join(sorted(self._repositories.names())) or "none yet"
        return (
            f"CodeCommit has no repository named {name}. Repositories here: {known}.\n"
            f"Create it (deploy its stack, or: aws codecommit create-repository --repository-name {name}),\n"
            f"then repeat the command with {self._cloud.endpoint_url}/v1/repos/{name}"
        )


class ArchiveApp:
    """GET /v1/archives/NAME/COMMIT.zip: the files of a commit as CodePipeline's source action takes them.

    This route is of the local cloud only. Inside AWS, CodeCommit uploads the archive to CodePipeline's bucket.
    """

    def __init__(self, cloud: Cloud, repositories: Repositories) -> None:
        self._cloud = cloud
        self._repositories = repositories

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = _ARCHIVE_PATH.fullmatch(scope["path"])
        if match is None or scope["method"] != "GET":
            await _answer_text(send, 404, "GET /v1/archives/NAME/COMMIT.zip is what is served here.")
            return
        try:
            authorize(upload_archive(match["name"], self._cloud.region, self._cloud.account_id))
        except ServiceError as error:
            await _answer_text(send, 403, error.message)
            return
        try:
            git = await asyncio.to_thread(self._repositories.git, match["name"])
        except ServiceError as error:
            await _answer_text(send, 404, error.message)
            return
        commit = match["commit"]
        if not COMMIT_ID.fullmatch(commit) or await asyncio.to_thread(git.resolve_commit, commit) is None:
            await _answer_text(send, 404, f"{match['name']} has no commit {commit}")
            return
        await self._serve(send, git, commit)

    async def _serve(self, send: Send, git: GitRepository, commit: str) -> None:
        process = await asyncio.create_subprocess_exec(
            "git", "archive", "--format=zip", "-1", commit, cwd=git.path, env=environment(), stdin=DEVNULL, stdout=PIPE,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/zip")]})
        try:
            while chunk := await process.stdout.read(_CHUNK_BYTES):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if await process.wait() != 0:
                raise RuntimeError(f"git archive of {commit} in {git.path} ended with {process.returncode}")
        finally:
            await _end(process)
        await send({"type": "http.response.body", "body": b""})


def _cgi(scope: Scope, path: Path, service: str) -> dict[str, str]:
    """The CGI variables that `git http-backend` reads.

    CONTENT_LENGTH is left out: the body ends where its stream ends. Told a length, the backend would spin for ever on a
    body that ends before it (the client hung up, the server was killed).
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return {
        **environment(),
        "GIT_PROJECT_ROOT": str(path.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
        "PATH_INFO": f"/{path.name}/{service}",
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REQUEST_METHOD": scope["method"],
        "CONTENT_TYPE": headers.get("content-type", ""),
        "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_USER": "local-cloud",
    }


async def _pump_in(receive: Receive, process: Process) -> None:
    assert process.stdin is not None
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        more = message.get("more_body", False)
        with contextlib.suppress(ConnectionError):  # the backend has read all it wants; the rest is dropped
            process.stdin.write(message.get("body", b""))
            await process.stdin.drain()
    process.stdin.close()


async def _pump_out(send: Send, process: Process) -> None:
    assert process.stdout is not None
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = await process.stdout.read(_CHUNK_BYTES)
        if not chunk or len(head) > _HEADER_BYTES:
            raise RuntimeError(f"git http-backend answered no header: {head[:500]!r}")
        head += chunk
    head, _, rest = head.partition(b"\r\n\r\n")
    status, headers = 200, []
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name.lower(), value.strip()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    while chunk := rest or await process.stdout.read(_CHUNK_BYTES):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        rest = b""


async def _end(process: Process) -> None:
    """End git and the program that it has started, which lead a process group of their own."""
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _service(scope: Scope, match: re.Match[str] | None) -> str:
    """What git asks for: the path's service, or the one whose references it asks for first."""
    if match is None or match["service"] != "info/refs":
        return match["service"] if match else ""
    query: str = scope["query_string"].decode("latin-1")
    return parse_qs(query).get("service", [""])[0]


def _basic_credentials(authorization: str) -> tuple[str, str] | None:
    """User name and password of a Basic authorization (RFC 7617); None when there are none."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (username, password) if scheme.lower() == "basic" and username else None


async def _answer_text(send: Send, status: int, text: str, more_headers: Mapping[str, str] | None = None) -> None:
    """git shows an error answer's text on the screen when it is plain text."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    headers += [(name.encode(), value.encode()) for name, value in (more_headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode() + b"\n"})
