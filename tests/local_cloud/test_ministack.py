"""One contract test for each hook on ministack, so that a new version of it fails here first."""

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from local_cloud_access import http_request, make_role
from local_cloud_server import CloudServer

TOY = [sys.executable, str(Path(__file__).with_name("toy_cloud.py"))]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    server = CloudServer.start(tmp_path_factory.mktemp("toy"), command=TOY)
    yield server
    server.stop()


def _seen(toy: CloudServer) -> dict:
    metadata = toy.client("codecommit").get_repository(repositoryName="x")["repositoryMetadata"]
    return json.loads(metadata["repositoryDescription"])


def _template(kind: str, note: str = "") -> str:
    return json.dumps({
        "Resources": {"Thing": {"Type": "AWS::Toy::Toy", "Properties": {"Kind": kind, "Note": note}}},
        "Outputs": {"Ref": {"Value": {"Ref": "Thing"}}, "Label": {"Value": {"Fn::GetAtt": ["Thing", "Label"]}}},
    })  # fmt: skip


def _deploy(toy: CloudServer, stack: str, template: str, *, update: bool = False) -> dict:
    client = toy.client("cloudformation")
    (client.update_stack if update else client.create_stack)(StackName=stack, TemplateBody=template)

    def settled() -> dict | None:
        found = client.describe_stacks(StackName=stack)["Stacks"][0]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    return eventually(settled)


def test_an_added_service_answers_boto3(toy: CloudServer) -> None:
    assert toy.client("codecommit").create_repository(repositoryName="a")["repositoryMetadata"] == {
        "repositoryName": "a"
    }


def test_a_resource_of_an_added_type_is_made_changed_replaced_and_deleted(toy: CloudServer) -> None:
    made = _deploy(toy, "life", _template("one"))
    assert {o["OutputKey"]: o["OutputValue"] for o in made["Outputs"]} == {
        "Ref": "Thing-one",
        "Label": "label of Thing-one",
    }
    changed = _deploy(toy, "life", _template("one", "noted"), update=True)
    assert {o["OutputKey"]: o["OutputValue"] for o in changed["Outputs"]}["Label"] == "new label of Thing-one"
    assert _seen(toy)["resources"] == {"Thing-one": {"Kind": "one", "Note": "noted"}}
    replaced = _deploy(toy, "life", _template("two"), update=True)
    assert replaced["StackStatus"] == "UPDATE_COMPLETE"
    eventually(lambda: _seen(toy)["resources"].keys() == {"Thing-two"})
    toy.client("cloudformation").delete_stack(StackName="life")
    eventually(lambda: _seen(toy)["resources"] == {})


def test_a_refusal_becomes_the_reason_of_the_stack_event(toy: CloudServer) -> None:
    assert _deploy(toy, "refused", _template("bad"))["StackStatus"] == "ROLLBACK_COMPLETE"
    events = toy.client("cloudformation").describe_stack_events(StackName="refused")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert any("no more toys (Service: Toy, Code: LimitExceeded)" in reason for reason in reasons)


def test_an_added_route_is_served(toy: CloudServer) -> None:
    assert http_request(toy, "GET", "/toy/path") == (200, b"/toy/path")


def test_an_event_of_an_added_service_reaches_an_added_target(toy: CloudServer) -> None:
    events = toy.client("events")
    events.put_rule(Name="made", EventPattern=json.dumps({"source": ["aws.toy"], "detail": {"name": ["wanted"]}}))
    arn = "arn:aws:codepipeline:us-east-1:000000000000:box"
    role = make_role(toy, "events", {"Action": "codepipeline:StartPipelineExecution", "Resource": arn})
    events.put_targets(Rule="made", Targets=[{"Id": "1", "Arn": arn, "RoleArn": role}])
    for name in ("other", "wanted"):
        toy.client("codecommit").create_repository(repositoryName=name)
    assert eventually(lambda: _seen(toy)["events"]) == [[arn, "aws.toy", {"name": "wanted"}]]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"InputTransformer": {"InputPathsMap": {"made": "$.detail.name"},
                               "InputTemplate": '{"source": "<aws.events.rule-name>", "detail": [<made>]}'}},
         ["transformed", ["of-the-toy"]]),
        ({"Input": '{"source": "a text", "detail": 7}'}, ["a text", 7]),
    ],
    ids=["transformer", "text"],
)  # fmt: skip
def test_an_added_target_is_sent_what_the_rule_makes_of_the_event(
    toy: CloudServer, given: dict[str, Any], sent: list[Any]
) -> None:
    events, arn = toy.client("events"), "arn:aws:codepipeline:us-east-1:000000000000:transformed"
    events.put_rule(Name="transformed", EventPattern=json.dumps({"source": ["aws.toy"]}))
    role = make_role(toy, "events", {"Action": "codepipeline:StartPipelineExecution", "Resource": arn})
    events.put_targets(Rule="transformed", Targets=[{"Id": "1", "Arn": arn, "RoleArn": role, **given}])
    toy.client("codecommit").create_repository(repositoryName="of-the-toy")
    assert eventually(lambda: [one for one in _seen(toy)["events"] if one[0] == arn])[-1] == [arn, *sent]
    events.remove_targets(Rule="transformed", Ids=["1"])


def test_an_image_that_a_repository_does_not_have_is_refused_as_ecr_does(toy: CloudServer) -> None:
    ecr = toy.client("ecr")
    ecr.create_repository(repositoryName="empty")
    with pytest.raises(ecr.exceptions.ImageNotFoundException, match=r"imageTag:'abc'.*'empty'"):
        ecr.describe_images(repositoryName="empty", imageIds=[{"imageTag": "abc"}])
    assert ecr.describe_images(repositoryName="empty")["imageDetails"] == []


def test_what_was_stored_survives_a_killed_server(tmp_path: Path) -> None:
    first = CloudServer.start(tmp_path, command=TOY)
    first.client("s3").create_bucket(Bucket="kept-bucket")
    first.client("s3").put_object(Bucket="kept-bucket", Key="a/b", Body=b"kept")
    first.client("ssm").put_parameter(Name="/kept", Value="yes", Type="String")
    eventually(lambda: "/kept" in _saved(tmp_path, "ssm"))
    first.stop(signal.SIGKILL)
    second = CloudServer.start(tmp_path, command=TOY)
    try:
        assert second.client("s3").get_object(Bucket="kept-bucket", Key="a/b")["Body"].read() == b"kept"
        assert second.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "yes"
    finally:
        second.stop()


def test_the_state_of_a_service_is_written_when_it_has_changed(tmp_path: Path) -> None:
    server = CloudServer.start(tmp_path, command=TOY)
    try:
        for name in ("/one", "/two"):
            files = {file: file.stat().st_mtime_ns for file in (tmp_path / "ministack").glob("*.json")}
            server.client("ssm").put_parameter(Name=name, Value="yes", Type="String")
            eventually(lambda name=name: name in _saved(tmp_path, "ssm"))
    finally:
        server.stop(signal.SIGKILL)
    assert len(files) > 10
    assert [file.stem for file, before in files.items() if file.stat().st_mtime_ns != before] == ["ssm"]


def test_a_stack_that_a_kill_interrupted_can_be_deleted_and_made_again(tmp_path: Path) -> None:
    first = CloudServer.start(tmp_path, command=TOY)
    first.client("cloudformation").create_stack(StackName="cut", TemplateBody=_template("slow"))
    eventually(lambda: "CREATE_IN_PROGRESS" in _saved(tmp_path, "cloudformation"))
    first.stop(signal.SIGKILL)
    second = CloudServer.start(tmp_path, command=TOY)
    try:
        stack = second.client("cloudformation").describe_stacks(StackName="cut")["Stacks"][0]
        assert stack["StackStatus"] == "ROLLBACK_FAILED"
        assert stack["StackStatusReason"] == "The local cloud was stopped while the stack was CREATE_IN_PROGRESS."
        cloudformation = second.client("cloudformation")
        cloudformation.delete_stack(StackName="cut")
        eventually(lambda: cloudformation.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"])
        assert _deploy(second, "cut", _template("one"))["StackStatus"] == "CREATE_COMPLETE"
    finally:
        second.stop()


def _saved(state_dir: Path, service: str) -> str:
    file = state_dir / "ministack" / f"{service}.json"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_alarms_are_kept_over_a_kill_and_metrics_over_an_orderly_end(tmp_path: Path, number: signal.Signals) -> None:
    first = CloudServer.start(tmp_path, command=TOY)
    cloudwatch = first.client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="Kept", MetricData=[{"MetricName": "Size", "Value": 1.0}])
    cloudwatch.put_metric_alarm(
        AlarmName="kept", Namespace="Kept", MetricName="Size", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=9, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    eventually(lambda: "kept" in _saved(tmp_path, "cloudwatch"))
    first.stop(number)
    second = CloudServer.start(tmp_path, command=TOY)
    try:
        cloudwatch = second.client("cloudwatch")
        assert [alarm["AlarmName"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]] == ["kept"]
        assert bool(cloudwatch.list_metrics(Namespace="Kept")["Metrics"]) == (number == signal.SIGTERM)
    finally:
        second.stop()


def test_the_server_listens_on_loopback_alone(toy: CloudServer) -> None:
    port = int(toy.endpoint_url.rpartition(":")[2])
    tables = [Path(f"/proc/{toy.process.pid}/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table]
    listening = [fields[1] for fields in sockets if fields[3] == "0A" and fields[1].endswith(f":{port:04X}")]
    assert listening == [f"0100007F:{port:04X}"]
