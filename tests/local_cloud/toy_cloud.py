"""A local cloud with toy services on every hook of local_cloud.ministack; run by test_ministack.py."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from local_cloud import authorization, server
from local_cloud.authorization import Check
from local_cloud.wire import JsonService, ServiceError

RESOURCES: dict[str, dict[str, Any]] = {}
EVENTS: list[list[Any]] = []
BY: dict[str, str] = {}


def _reading(name: str) -> Check:
    return Check("codecommit:GetRepository", f"arn:aws:codecommit:::{name}")


RULES = {
    "GetRepository": lambda request: [_reading(request["repositoryName"])],
    "CreateRepository": lambda request: [],
}  # fmt: skip
CLOUD: Any = None


class Notes:
    """codecommit's GetRepository, as a window on what the toy has seen."""

    def get_repository(self, request: dict[str, Any]) -> dict[str, Any]:
        seen = {"resources": RESOURCES, "events": EVENTS, "by": BY}
        return {
            "repositoryMetadata": {
                "repositoryName": request["repositoryName"],
                "repositoryDescription": json.dumps(seen),
            }
        }

    def create_repository(self, request: dict[str, Any]) -> dict[str, Any]:
        CLOUD.publish("aws.toy", "Toy Made", {"name": request["repositoryName"]}, ["arn:aws:toy:::x"])
        return {"repositoryMetadata": {"repositoryName": request["repositoryName"]}}


class Toy:
    """A resource type whose handler blocks on a call to the cloud itself, as ours do."""

    replace_on = frozenset({"Kind"})

    def create(self, logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        CLOUD.client("sts").get_caller_identity()
        authorization.authorize([Check("toys:CreateToy", f"arn:aws:toys:::toy/{logical_id}")])
        BY[logical_id] = authorization.caller_arn()
        if properties.get("Kind") == "slow":
            time.sleep(60)
        if properties.get("Kind") == "bad":
            raise ServiceError("LimitExceeded", "no more toys")
        name = f"{logical_id}-{properties.get('Kind')}"
        RESOURCES[name] = properties
        return name, {"Label": f"label of {name}"}

    def update(self, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        RESOURCES[physical_id] = new
        return {"Label": f"new label of {physical_id}"}

    def delete(self, physical_id: str, properties: dict[str, Any]) -> None:
        RESOURCES.pop(physical_id, None)


async def route(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def signed_route(scope: Any, receive: Any, send: Any) -> None:
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{authorization.caller_arn()} sent {body.decode()}".encode()})


def register(cloud: Any, platform: Any) -> None:
    global CLOUD
    CLOUD = cloud
    platform.add_service(JsonService("codecommit", Notes(), RULES))
    platform.add_resource("AWS::Toy::Toy", Toy())
    platform.add_route("/toy/", route)
    platform.add_signed_route("/signed/", signed_route, "sagemaker")
    platform.add_event_target(
        "codepipeline",
        lambda arn, event, rule_arn: EVENTS.append([arn, event["source"], event["detail"]]),
        "codepipeline:StartPipelineExecution",
    )


def resume(cloud: Any) -> None:
    """Nothing was running."""


if __name__ == "__main__":
    sys.modules["local_cloud.toy"] = sys.modules["__main__"]
    server.SERVICES = ("toy",)
    with server.sole_use(Path(sys.argv[2])):
        server.run(server.bind(int(sys.argv[1])), Path(sys.argv[2]))
