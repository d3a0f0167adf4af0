"""IAM in force: who signs a request, who trusts a role to whom, and what the policies allow."""

import importlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_cloud.authorization import Check
from local_cloud.ministack.decisions import Decision
from local_cloud.ministack.encryption import kms_check
from local_cloud.wire import ServiceError

_ROLE_SESSION_SECONDS = 12 * 3600
"""AWS renews a role's credentials while a build or job runs; here they are issued for longer than any runs."""
_GIT_SIGNATURE_SECONDS = 15 * 60
_IN_THEIR_OWN_WORDS = frozenset({"logs", "ssm", "sns", "sts"})
"""ministack words their refusals as AWS does; those of the others leave the resource out."""


@dataclass(frozen=True)
class RoleCredentials:
    """Temporary credentials of a role."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime


class AccessControl:
    """IAM of one cloud, by ministack's evaluation of policies.

    Args:
        account_id: the only account.
        region: the only region.
        record: told of every decision.

    Attributes:
        own_key_id: the access key with which the cloud calls itself; as root, it may do everything.
    """

    def __init__(self, *, account_id: str, region: str, record: Callable[[Decision], None] | None) -> None:
        self._account_id = account_id
        self._region = region
        self._record = record
        self._evaluator = _module("ministack.core.iam_evaluator")
        self._router = _module("ministack.core.router")
        self._responses = _module("ministack.core.responses")
        self._iam = _module("ministack.services.iam")
        self._sts = _module("ministack.services.sts")
        self._s3 = _module("ministack.services.s3")
        self._sns = _module("ministack.services.sns")
        self.own_key_id = f"LOCALCLOUD{secrets.token_hex(16).upper()}"
        self._identity_evaluation: ContextVar[list[Any] | None] = ContextVar("identity_evaluation", default=None)
        self._close_back_doors()
        self._enforce = self._evaluator.enforce
        self._evaluate = self._evaluator.evaluate
        self._evaluator.enforce, self._evaluator.evaluate = self._enforced, self._evaluated
        self._sts.register_session = one_at_a_time(self._sts.register_session)

    def principal(self, access_key_id: str) -> "SignedPrincipal":
        """Whoever has an access key that is known already, such as that of a request whose signature was checked.

        Raises:
            ServiceError: there is no such key, or no key at all.
        """
        if not access_key_id:
            raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
        found = self._evaluator.resolve_principal(access_key_id, self._account_id)
        if isinstance(found, self._evaluator.AuthError):
            raise ServiceError(found.code, found.message, 403)
        return SignedPrincipal(found.arn, access_key_id, self)

    def principal_of(self, headers: Mapping[str, str], query: Mapping[str, Any]) -> "SignedPrincipal":
        """Whoever has signed a request that ministack has authenticated."""
        return self.principal(self._router.extract_access_key_id(headers, query) or "")

    def authenticate(self, scope: Mapping[str, Any], body: bytes, service: str) -> "SignedPrincipal":
        """Check the signature (Signature Version 4) of a request to a route of our own.

        Raises:
            ServiceError: it is not signed, or not rightly.
        """
        query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
        self._evaluator.pin_request_origin((scope.get("client") or ("127.0.0.1",))[0], scope["scheme"] == "https")
        self._responses.set_request_region(self._region)
        self._evaluator.pin_signed_request(scope["method"], raw_path.decode("latin-1"), query, scope["headers"])
        self._evaluator.pin_signed_body(body)
        failure = self._evaluator.check_credentials(self._router.extract_access_key_id(headers, query), service)
        if failure is not None:
            raise ServiceError(failure.code, failure.message, 403)
        return self.principal_of(headers, query)

    def authenticate_git(self, username: str, password: str, host: str, path: str) -> "SignedPrincipal":
        """Check the user name and password that `aws codecommit credential-helper` makes for git.

        The user name is the access key, with `%` and the session token behind it if there is one. The password is a
        time, `Z` and a signature over the repository's path (the aws command, customizations/codecommit.py).

        Raises:
            ServiceError: they are wrong or too old.
        """
        key_id, _, token = username.partition("%")
        timestamp, _, signature = password.partition("Z")
        credential = self._evaluator.resolve_credential(key_id, self._account_id, token)
        if isinstance(credential, self._evaluator.CredentialResolutionError) or not key_id:
            raise ServiceError("UnrecognizedClientException", "The user name is not a known access key.", 403)
        if not _is_recent(timestamp):
            raise ServiceError("SignatureDoesNotMatch", "The password is not of the last 15 minutes.", 403)
        keys = Credentials(credential.access_key_id, credential.secret_access_key)
        if not secrets.compare_digest(signature, git_signature(keys, self._region, host, path, timestamp)):
            raise ServiceError("SignatureDoesNotMatch", "The password was not signed with the key's secret.", 403)
        return self.principal(key_id)

    def role_principal(self, role_arn: str, session_name: str, service: str, source_arn: str = "") -> "SignedPrincipal":
        """A service acting as a role; see `assume_role`."""
        keys = self.assume_role(role_arn, session_name, service, source_arn)
        return self.principal(keys.access_key_id)

    def assume_role(self, role_arn: str, session_name: str, service: str, source_arn: str = "") -> RoleCredentials:
        """Temporary credentials of a role for an AWS service, if the role trusts it.

        Args:
            role_arn: of this account.
            session_name: names what is done, at most 64 characters of it are used.
            service: such as `codebuild.amazonaws.com`.
            source_arn: the resource on whose behalf the service acts, for the condition aws:SourceArn.

        Raises:
            ServiceError: AccessDenied; the role does not exist or does not trust the service.
        """
        role = self._iam._roles.get_scoped(self._account_id, None, role_arn.rpartition("/")[2])
        if role is None or role["Arn"] != role_arn or not self._trusts(role, service, source_arn):
            message = f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            raise ServiceError("AccessDenied", message, 403)
        assumed_arn, fault = self._sts._assumed_role_arn(role_arn, session_name[:64])
        if fault:
            raise ServiceError("ValidationError", f"{session_name!r} cannot name a session")
        key_id, secret = self._sts._gen_session_access_key(), self._sts._gen_secret()
        token, expiration = self._sts._gen_session_token(), time.time() + _ROLE_SESSION_SECONDS
        session = {
            "Arn": assumed_arn, "UserId": f"{self._sts._role_id(role_arn)}:{session_name[:64]}",
            "SecretAccessKey": secret, "SessionToken": token, "Expiration": expiration, "AccountId": self._account_id,
            "PrincipalType": "AssumedRole",
        }  # fmt: skip
        self._sts.register_session(key_id, session)
        return RoleCredentials(key_id, secret, token, datetime.fromtimestamp(expiration, UTC))

    def check(self, access_key_id: str, check: Check) -> str | None:
        """None if a key's owner may do it, otherwise AWS's words for why not."""
        service = check.action.partition(":")[0]
        denied = self._evaluator.enforce(
            access_key_id, check.action, service, self._region, resource_arn=check.resource,
            service_context=dict(check.context),
        )  # fmt: skip
        if denied is None:
            return None
        return denied.message if isinstance(denied, self._evaluator.AuthError) else self._words(denied, check)

    def _trusts(self, role: Mapping[str, Any], service: str, source_arn: str) -> bool:
        context: dict[str, Any] = {"aws:sourceaccount": self._account_id}
        if source_arn:
            context["aws:sourcearn"] = source_arn
        request = self._evaluator.EvalContext(
            principal_arn="", principal_type="Service", principal_account="", action="sts:AssumeRole",
            resource_arn=role["Arn"], region=self._region, service_context=context,
        )  # fmt: skip
        matching = [
            statement["Effect"]
            for statement in self._statements(role["AssumeRolePolicyDocument"])
            if self._evaluator._service_principal_matches(statement.get("Principal"), service)
            and self._evaluator._first_match(request, self._parsed(statement), statement["Effect"])
        ]
        return "Allow" in matching and "Deny" not in matching

    def _statements(self, document: Any) -> list[dict[str, Any]]:
        found = (json.loads(document) if isinstance(document, str) else document)["Statement"]
        return found if isinstance(found, list) else [found]

    def _parsed(self, statement: dict[str, Any]) -> Any:
        return self._evaluator.parse_policy_document({"Statement": [statement]})

    def _close_back_doors(self) -> None:
        """ministack takes well-known keys and requests without a key for its root user; here only its own key is."""

        def is_root(access_key_id: str) -> bool:
            return not access_key_id or access_key_id == self.own_key_id

        self._evaluator.is_root_access_key = is_root
        self._sts.is_root_access_key = is_root
        original = self._evaluator.check_credentials

        def check_credentials(access_key_id: str, service: str | None = None) -> Any:
            if not access_key_id and self._evaluator._signed_request.get() is None:
                return self._evaluator.AuthError("MissingAuthenticationToken", "Missing Authentication Token")
            return original(access_key_id, service)

        self._evaluator.check_credentials = check_credentials

    def _enforced(
        self,
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        """Stands in for ministack's `enforce`: the same decision, with AWS's resources and words, and recorded."""
        if not access_key_id and service == "s3" and self._evaluator._signed_request.get() is None:
            return self._evaluator.AuthError("AccessDenied", "Access Denied")
        check = Check(iam_action, resource_arn, service_context or {})
        evaluation: list[Any] = []
        token = self._identity_evaluation.set(evaluation)
        try:
            denied = self._enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        finally:
            self._identity_evaluation.reset(token)
        if self._record is not None and evaluation:
            self._record(Decision.of(self._evaluator, self._iam, evaluation[0], allowed=denied is None))
        if isinstance(denied, self._evaluator.EvalResult) and service not in _IN_THEIR_OWN_WORDS:
            return self._evaluator.AuthError("AccessDenied", self._words(denied, check))
        if denied is None and access_key_id != self.own_key_id:
            return self._check_key(access_key_id, check)
        return denied

    def _check_key(self, access_key_id: str, check: Check) -> Any:
        """What KMS says to a call that another service has allowed; it is asked with the caller's permissions."""
        needed = kms_check(self._s3, self._sns, check, self._region)
        if needed is None:
            return None
        denied = self.check(access_key_id, needed)
        return None if denied is None else self._evaluator.AuthError("AccessDenied", denied)

    def _evaluated(self, request: Any, policies: Any, *limits: Any) -> Any:
        evaluation = self._identity_evaluation.get()
        if evaluation is not None and not evaluation:
            evaluation.append(request)
        return self._evaluate(request, policies, *limits)

    def _words(self, denied: Any, check: Check) -> str:
        """AWS's words for a refusal (IAM user guide, "Troubleshoot access denied error messages")."""
        reason = (
            "with an explicit deny in a policy"
            if denied.decision == "Deny"
            else f"because no identity-based policy allows the {check.action} action"
        )
        what = f"{check.action} on resource: {check.resource}"
        return f"User: {denied.principal_arn} is not authorized to perform: {what} {reason}"


@dataclass(frozen=True)
class SignedPrincipal:
    """Whoever has an access key."""

    arn: str
    access_key_id: str
    access: AccessControl

    def authorize(self, check: Check) -> None:
        denied = self.access.check(self.access_key_id, check)
        if denied is not None:
            raise ServiceError("AccessDeniedException", denied)


def git_signature(keys: Credentials, region: str, host: str, path: str, timestamp: str) -> str:
    """The signature in git's password for CodeCommit; the host is signed without its port."""
    request = AWSRequest(method="GIT", url=f"https://{host}{path}")
    request.context["timestamp"] = timestamp
    signer = SigV4Auth(keys, "codecommit", region)
    canonical = f"GIT\n{path}\n\nhost:{host.partition(':')[0]}\n\nhost\n"
    signature: str = signer.signature(signer.string_to_sign(request, canonical), request)
    return signature


def _is_recent(timestamp: str) -> bool:
    with suppress(ValueError):
        made = datetime.strptime(timestamp, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        return abs((datetime.now(UTC) - made).total_seconds()) <= _GIT_SIGNATURE_SECONDS
    return False


def _module(name: str) -> Any:
    return importlib.import_module(name)


def one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that changes what it walks through, for callers in several threads."""
    lock = threading.Lock()

    def locked(*arguments: Any, **named: Any) -> Any:
        with lock:
            return function(*arguments, **named)

    return locked
