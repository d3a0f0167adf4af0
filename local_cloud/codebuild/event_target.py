"""Starts a build for an EventBridge rule that has a project as target."""

import json
from typing import Any

from local_cloud.authorization import Rules, authorize
from local_cloud.codebuild.builds import BuildOperations
from local_cloud.wire import JsonService


class EventTarget:
    """Takes what a rule sends to a project: members of StartBuild's request (API reference, StartBuild).

    Others are passed over: without an input of the target's own, it is the event.
    """

    def __init__(self, service: JsonService, builds: BuildOperations, rules: Rules) -> None:
        self._service = service
        self._builds = builds
        self._rules = rules

    def start(self, target_arn: str, payload: dict[str, Any], rule_arn: str) -> None:
        """Start a build; the caller is the target's role.

        Raises:
            ServiceError: the payload is no such request, or the role may not start the build.
        """
        body = json.dumps(payload | {"projectName": target_arn.rpartition("/")[2]}).encode()
        request = self._service.read("StartBuild", body)
        authorize(self._rules["StartBuild"](request))
        # AWS names the rule as the initiator, as those say who have seen it; it is not in the documentation.
        self._builds.start_build_for(f"rule/{rule_arn.rpartition('/')[2]}", request)
