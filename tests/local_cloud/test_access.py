"""Access control: who is let in, what policies allow, what a refusal says."""

import json
import socket
import stat
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_access import http_request, make_role
from local_cloud_server import CloudServer

from local_cloud.ministack.access import one_at_a_time

TOY = [sys.executable, str(Path(__file__).with_name("toy_cloud.py"))]
BOX = "arn:aws:codepipeline:us-east-1:000000000000:box"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    server = CloudServer.start(tmp_path_factory.mktemp("access"), command=TOY)
    yield server
    server.stop()


def _as_role(toy: CloudServer, service: str, *statements: dict):
    return toy.client(service, **toy.role_keys(make_role(toy, "account", *statements)))


def _refusal(call) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


WRONG_KEYS = {
    "unknown": ("AKIAUNKNOWNUNKNOWN00", "secret"),
    "ministack's root": ("test", "test"),
    "account number": ("000000000000", "local-cloud"),
    "wrong secret": (None, "x" * 40),
}


@pytest.mark.parametrize("who", WRONG_KEYS)
@pytest.mark.parametrize("service", ["codecommit", "sts", "s3"])
def test_a_key_that_iam_does_not_know_is_refused(toy: CloudServer, who: str, service: str) -> None:
    key, secret = WRONG_KEYS[who]
    client = toy.client(service, aws_access_key_id=key or toy.keys()["aws_access_key_id"], aws_secret_access_key=secret)
    call = {
        "codecommit": lambda: client.get_repository(repositoryName="x"),
        "sts": lambda: client.get_caller_identity(),
        "s3": lambda: client.list_buckets(),
    }[service]
    assert _refusal(call).split(":")[0] in (
        "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch",
        "InvalidSignatureException",
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/signed/x", "/some-bucket/some-key", "/"])
def test_a_request_that_nobody_signed_is_refused(toy: CloudServer, path: str) -> None:
    status, answer = http_request(toy, "GET", path)
    assert status == 403, answer


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/config", "/_localstack/state/reset"])
def test_the_platforms_own_back_doors_are_shut(toy: CloudServer, path: str) -> None:
    toy.client("ssm").put_parameter(Name="/kept", Value="yes", Type="String", Overwrite=True)
    assert http_request(toy, "POST", path, b"{}")[0] == 403
    assert toy.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "yes"


def test_a_signed_route_acts_for_whoever_signed(toy: CloudServer) -> None:
    status, answer = http_request(toy, "POST", "/signed/x", b"a note", toy.keys())
    assert (status, answer) == (200, b"arn:aws:iam::000000000000:user/developer sent a note")


def test_a_signed_route_refuses_a_body_that_was_changed(toy: CloudServer) -> None:
    keys = toy.keys() | {"aws_secret_access_key": "x" * 40}
    status, answer = http_request(toy, "POST", "/signed/x", b"a note", keys)
    assert status == 403
    assert b"signature" in answer


def test_a_role_may_do_what_its_policy_grants_and_nothing_beside(toy: CloudServer) -> None:
    client = _as_role(
        toy, "codecommit", {"Action": "codecommit:GetRepository", "Resource": "arn:aws:codecommit:::allowed"}
    )
    client.get_repository(repositoryName="allowed")
    refusal = _refusal(lambda: client.get_repository(repositoryName="other"))
    assert refusal.startswith("AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/role-")
    assert refusal.endswith(
        "/test is not authorized to perform: codecommit:GetRepository on resource: arn:aws:codecommit:::other "
        "because no identity-based policy allows the codecommit:GetRepository action"
    )


def test_a_condition_that_the_request_does_not_meet_is_a_refusal(toy: CloudServer) -> None:
    allowed = {"Action": "s3:ListBucket", "Resource": "*", "Condition": {"StringLike": {"s3:prefix": "raw/*"}}}
    toy.client("s3").create_bucket(Bucket="with-prefixes")
    client = _as_role(toy, "s3", allowed)
    client.list_objects_v2(Bucket="with-prefixes", Prefix="raw/2013")
    assert "s3:ListBucket" in _refusal(lambda: client.list_objects_v2(Bucket="with-prefixes", Prefix="other"))


def test_a_refusal_of_a_service_of_the_platform_names_action_and_resource(toy: CloudServer) -> None:
    client = _as_role(toy, "ecr")
    refusal = _refusal(lambda: client.describe_images(repositoryName="models"))
    assert (
        "is not authorized to perform: ecr:DescribeImages on resource: arn:aws:ecr:us-east-1:000000000000:" in refusal
    )


def test_log_streams_are_granted_one_by_one(toy: CloudServer) -> None:
    toy.client("logs").create_log_group(logGroupName="jobs")
    stream = "arn:aws:logs:us-east-1:000000000000:log-group:jobs:log-stream:mine-*"
    client = _as_role(toy, "logs", {"Action": "logs:CreateLogStream", "Resource": stream})
    client.create_log_stream(logGroupName="jobs", logStreamName="mine-1")
    assert "logs:CreateLogStream" in _refusal(
        lambda: client.create_log_stream(logGroupName="jobs", logStreamName="yours-1")
    )


def test_a_permissions_boundary_limits_a_role(toy: CloudServer) -> None:
    role = make_role(toy, "account", {"Action": "codecommit:GetRepository", "Resource": "*"})
    boundary = json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
    iam = toy.client("iam")
    policy = iam.create_policy(PolicyName="boundary", PolicyDocument=boundary)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=role.rpartition("/")[2], PermissionsBoundary=policy)
    client = toy.client("codecommit", **toy.role_keys(role))
    assert "codecommit:GetRepository" in _refusal(lambda: client.get_repository(repositoryName="x"))


def _encrypted_bucket(toy: CloudServer, name: str) -> str:
    """A bucket under a key of its own, made by CloudFormation; gives the key's ARN."""
    key = toy.client("kms").create_key()["KeyMetadata"]["Arn"]
    default = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    encryption = {"ServerSideEncryptionConfiguration": [{**default, "BucketKeyEnabled": True}]}
    template = {"Resources": {"Bucket": {
        "Type": "AWS::S3::Bucket", "Properties": {"BucketName": name, "BucketEncryption": encryption},
    }}}  # fmt: skip
    cloudformation = toy.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return str(key)


def test_objects_under_a_key_need_the_callers_leave_to_use_the_key(toy: CloudServer) -> None:
    key = _encrypted_bucket(toy, "under-a-key")
    objects = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::under-a-key/*"}
    writer = _as_role(toy, "s3", objects, {"Action": "kms:GenerateDataKey", "Resource": key})
    put = writer.put_object(Bucket="under-a-key", Key="a", Body=b"a")
    assert put["SSEKMSKeyId"] == key
    refusal = _refusal(lambda: writer.get_object(Bucket="under-a-key", Key="a"))
    assert f"is not authorized to perform: kms:Decrypt on resource: {key}" in refusal
    reader = _as_role(toy, "s3", objects, {"Action": "kms:Decrypt", "Resource": key})
    assert reader.get_object(Bucket="under-a-key", Key="a")["Body"].read() == b"a"
    assert "kms:GenerateDataKey" in _refusal(lambda: reader.put_object(Bucket="under-a-key", Key="a", Body=b"b"))


def _stack(toy: CloudServer, name: str, role: str, client=None) -> dict:
    template = json.dumps({"Resources": {"Thing": {"Type": "AWS::Toy::Toy", "Properties": {"Kind": "one"}}}})
    (client or toy.client("cloudformation")).create_stack(StackName=name, TemplateBody=template, RoleARN=role)
    reader = toy.client("cloudformation")

    def settled() -> dict | None:
        found = reader.describe_stacks(StackName=name)["Stacks"][0]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    return eventually(settled)


def test_a_stack_acts_as_the_role_that_it_was_given(toy: CloudServer) -> None:
    allowed = make_role(toy, "cloudformation", {"Action": "toys:CreateToy", "Resource": "arn:aws:toys:::toy/Thing"})
    assert _stack(toy, "with-role", allowed)["StackStatus"] == "CREATE_COMPLETE"
    seen = toy.client("codecommit").get_repository(repositoryName="x")["repositoryMetadata"]["repositoryDescription"]
    assert json.loads(seen)["by"]["Thing"].endswith("/AWSCloudFormation")


def test_a_stack_whose_role_lacks_a_permission_fails_with_the_actions_name(toy: CloudServer) -> None:
    made = _stack(toy, "with-too-little", make_role(toy, "cloudformation"))
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    events = toy.client("cloudformation").describe_stack_events(StackName="with-too-little")["StackEvents"]
    assert any("not authorized to perform: toys:CreateToy" in event.get("ResourceStatusReason", "") for event in events)


def test_a_stack_takes_no_role_that_does_not_trust_cloudformation(toy: CloudServer) -> None:
    refusal = _refusal(lambda: _stack(toy, "distrusted", make_role(toy, "codebuild")))
    assert refusal.endswith("is invalid or cannot be assumed")


def test_handing_a_role_to_a_stack_is_a_permission_of_its_own(toy: CloudServer) -> None:
    role = make_role(toy, "cloudformation")
    create = {"Action": "cloudformation:CreateStack", "Resource": "*"}
    elsewhere = {"Action": "iam:PassRole", "Resource": role,
                 "Condition": {"StringEquals": {"iam:PassedToService": "codebuild.amazonaws.com"}}}  # fmt: skip
    client = _as_role(toy, "cloudformation", create, elsewhere)
    assert f"iam:PassRole on resource: {role}" in _refusal(lambda: _stack(toy, "not-passed", role, client))


@pytest.mark.parametrize(
    ("trusted", "action"),
    [("codebuild", "codepipeline:StartPipelineExecution"), ("events", "codepipeline:GetPipeline")],
)
def test_an_event_is_not_delivered_without_a_role_that_may(toy: CloudServer, trusted: str, action: str) -> None:
    events, name = toy.client("events"), f"{trusted}-repository"
    pattern = {"source": ["aws.toy"], "detail": {"name": [name]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    role = make_role(toy, trusted, {"Action": action, "Resource": BOX})
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": BOX, "RoleArn": role}])
    toy.client("codecommit").create_repository(repositoryName=name)
    log = toy.state_dir / "server.log"
    wanted = (
        "events.amazonaws.com is not authorized" if trusted == "codebuild" else "codepipeline:StartPipelineExecution"
    )
    eventually(lambda: [line for line in log.read_text().splitlines() if "not delivered" in line and wanted in line])


def test_the_files_with_keys_are_their_owners_alone(toy: CloudServer) -> None:
    for name in ("credentials", "tls/server.pem"):
        assert stat.S_IMODE((toy.state_dir / name).stat().st_mode) == 0o600


def test_the_server_speaks_tls_alone(toy: CloudServer) -> None:
    host, _, port = toy.endpoint_url.removeprefix("https://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"GET /_ministack/health HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            answer = connection.recv(100)
        except ConnectionResetError:
            answer = b""
    assert not answer.startswith(b"HTTP")


def test_the_developers_key_stays_over_a_restart_and_is_replaced_when_it_is_lost(tmp_path: Path) -> None:
    keys = []
    for run in ("first", "second", "third"):
        server = CloudServer.start(tmp_path, command=TOY)
        try:
            assert server.client("sts").get_caller_identity()["Arn"] == server.caller_arn
            keys.append(server.keys())
            eventually(lambda: (tmp_path / "ministack" / "iam.json").exists())
        finally:
            server.stop()
        if run == "second":
            (tmp_path / "credentials").write_text("[default]\n")
    assert keys[0] == keys[1] != keys[2]


def test_each_distinct_decision_is_recorded_with_the_grant_that_made_it(tmp_path: Path) -> None:
    record = tmp_path / "decisions.jsonl"
    server = CloudServer.start(tmp_path / "cloud", variables={"LOCAL_CLOUD_DECISIONS": str(record)})
    try:
        place = "arn:aws:codecommit:us-east-1:000000000000"
        reading = {"Action": "codecommit:GetRepository", "Resource": [f"{place}:other", f"{place}:code"]}
        role = make_role(server, "account", {"Action": "s3:GetObject", "Resource": "*"}, reading)
        server.client("codecommit").create_repository(repositoryName="code")
        client = server.client("codecommit", **server.role_keys(role))
        for _ in range(2):
            client.get_repository(repositoryName="code")
        _refusal(lambda: client.delete_repository(repositoryName="code"))
    finally:
        server.stop()
    name = role.rpartition("/")[2]
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    who = {"principal": f"arn:aws:sts::000000000000:assumed-role/{name}/test", "role": name}
    origin = {"resource": f"{place}:code", "stack": None, "logical_id": None}
    read = {
        "action": "codecommit:GetRepository",
        "allowed": True,
        "policy": "Permissions",
        "statement": 1,
        "pattern": 1,
    }
    delete = {"action": "codecommit:DeleteRepository", "allowed": False}
    refused = {"policy": None, "statement": None, "pattern": None}
    assert [line for line in lines if line["role"] == name] == [
        {**who, **origin, **read},
        {**who, **origin, **delete, **refused},
    ]


def test_sessions_are_registered_one_at_a_time() -> None:
    running, most = 0, 0

    def register() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.01)
        running -= 1

    locked = one_at_a_time(register)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: locked(), range(8)))
    assert most == 1
