"""The endpoint operations of the SageMaker API.

CreateEndpoint -> Creating -> InService <-> Updating (blue/green: the new fleet is healthy before the old one goes)
                      |           ^
                      v           +-- SystemUpdating (the fleet is started again after the local cloud was)
                    Failed
"""

import logging
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from local_cloud.cloud import Cloud
from local_cloud.images import ImageStore
from local_cloud.sagemaker.arns import Arns, key_of
from local_cloud.sagemaker.deployments import Deployment, plan_deployment
from local_cloud.sagemaker.endpoint_configs import EndpointConfigs
from local_cloud.sagemaker.errors import DeploymentFailedError, invalid, not_served
from local_cloud.sagemaker.fleets import Fleet
from local_cloud.sagemaker.instances import CutOffError
from local_cloud.sagemaker.listing import Listing
from local_cloud.sagemaker.models import Models
from local_cloud.sagemaker.tags import Tags
from local_cloud.store import Table
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)

_LISTING = Listing("Endpoints", "EndpointName", "EndpointArn", status="EndpointStatus", newest_first=True)
_SETTLED = ("InService", "Failed")
_REASON_CHARACTERS = 1024


class Endpoints:
    """CreateEndpoint and what can be done with an endpoint.

    An endpoint's document holds `Deployment`, the plan of the fleet that serves it.

    Args:
        folder: where the containers of endpoints work.
    """

    def __init__(
        self, cloud: Cloud, images: ImageStore, arns: Arns, table: Table, configs: EndpointConfigs, models: Models,
        tags: Tags, folder: Path,
    ) -> None:  # fmt: skip
        self._cloud = cloud
        self._images = images
        self._arns = arns
        self._table = table
        self._configs = configs
        self._models = models
        self._tags = tags
        self._folder = folder
        self._fleets: dict[str, Fleet] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._cut_off = False

    def create_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        key, arn = key_of(name), self._arns.of("endpoint", name)
        _termination_wait_seconds(request.get("DeploymentConfig", {}))
        deployment = self._plan(request["EndpointConfigName"])
        now = datetime.now(UTC)
        with self._lock:
            if self._table.get(key) is not None:
                raise invalid(f'Cannot create already existing endpoint "{arn}".')
            self._table.put(key, {
                "EndpointName": name, "EndpointArn": arn, "EndpointConfigName": deployment.config_name,
                "EndpointStatus": "Creating", "CreationTime": now, "LastModifiedTime": now,
                "Deployment": deployment.to_document(),
            })  # fmt: skip
        self._tags.set(arn, request.get("Tags", []))
        self._in_background(key, lambda: self._bring_up(key, deployment))
        return {"EndpointArn": arn}

    def update_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        key = key_of(request["EndpointName"])
        deployment_config = _deployment_config(self.existing(request["EndpointName"]), request)
        wait_seconds = _termination_wait_seconds(deployment_config)
        deployment = self._plan(request["EndpointConfigName"])
        with self._changing(key) as endpoint:
            _check_updatable(endpoint)
            deployment = _with_retained(deployment, endpoint, request)
            endpoint.pop("FailureReason", None)
            endpoint |= {"EndpointStatus": "Updating", "PendingDeploymentSummary": {
                "EndpointConfigName": deployment.config_name, "ProductionVariants": deployment.summaries(),
                "StartTime": datetime.now(UTC),
            }}  # fmt: skip
            endpoint["LastDeploymentConfig"] = deployment_config or None
        self._in_background(key, lambda: self._replace_fleet(key, deployment, wait_seconds))
        return {"EndpointArn": endpoint["EndpointArn"]}

    def update_endpoint_weights_and_capacities(self, request: dict[str, Any]) -> dict[str, Any]:
        key = key_of(request["EndpointName"])
        self.existing(request["EndpointName"])
        desired = request["DesiredWeightsAndCapacities"]
        with self._changing(key) as endpoint:
            _check_updatable(endpoint)
            _check_changes(desired, endpoint)
            endpoint["EndpointStatus"] = "Updating"
            endpoint.pop("FailureReason", None)
        self._in_background(key, lambda: self._change_variants(key, desired))
        return {"EndpointArn": endpoint["EndpointArn"]}

    def describe_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.existing(request["EndpointName"])

    def list_endpoints(self, request: dict[str, Any]) -> dict[str, Any]:
        return _LISTING.page((endpoint for _, endpoint in self._table.items()), request)

    def delete_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        key = key_of(request["EndpointName"])
        self.existing(request["EndpointName"])
        with self._changing(key) as endpoint:
            if endpoint["EndpointStatus"] not in _SETTLED:
                raise _in_progress(endpoint)
            endpoint["EndpointStatus"] = "Deleting"
        self._in_background(key, lambda: self._take_down(key))
        return {}

    def existing(self, name: str) -> dict[str, Any]:
        """
        Raises:
            ServiceError: there is no such endpoint.
        """
        endpoint = self._table.get(key_of(name))
        if endpoint is None:
            raise invalid(f'Could not find endpoint "{self._arns.of("endpoint", name)}".')
        return endpoint

    def serving(self, name: str) -> Fleet | None:
        """The fleet that answers an endpoint's requests; None when the endpoint does not serve."""
        return self._fleets.get(key_of(name))

    def status(self, name: str) -> str | None:
        endpoint = self._table.get(key_of(name))
        return None if endpoint is None else str(endpoint["EndpointStatus"])

    def wait_until_settled(self, name: str) -> dict[str, Any] | None:
        """Wait while an endpoint is being created, updated or deleted.

        Returns:
            Its document; None when it is deleted.

        Raises:
            ServiceError: the cloud is being stopped.
        """
        with self._changed:
            while True:
                endpoint = self._table.get(key_of(name))
                if endpoint is None or endpoint["EndpointStatus"] in _SETTLED:
                    return endpoint
                if self._cut_off:
                    raise invalid("The local cloud is being stopped.")
                self._changed.wait()

    def resume(self) -> None:
        """Start the endpoints again that the last server served or was about to."""
        shutil.rmtree(self._folder, ignore_errors=True)
        for key, endpoint in self._table.items():
            if endpoint["EndpointStatus"] == "Deleting":
                self._take_down(key)
            elif endpoint["EndpointStatus"] != "Failed":
                self._restart(key)

    def _restart(self, key: str) -> None:
        with self._changing(key) as endpoint:
            if endpoint.pop("PendingDeploymentSummary", None):
                endpoint["FailureReason"] = (
                    "InternalServerError: The local cloud was stopped during the update; "
                    "the endpoint serves what it served before."
                )
            if endpoint["EndpointStatus"] != "Creating":
                endpoint["EndpointStatus"] = "SystemUpdating"
        deployment = Deployment.from_document(endpoint["Deployment"])
        self._in_background(key, lambda: self._bring_up(key, deployment))

    def _plan(self, config_name: str) -> Deployment:
        return plan_deployment(self._configs.existing(config_name), self._models, self._images)

    def _in_background(self, key: str, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except CutOffError:
                with self._changed:
                    self._cut_off = True
                    self._changed.notify_all()
            except Exception as error:
                logger.exception("endpoint %s failed inside the local cloud", key)
                self._fail(key, f"InternalServerError: {error!r}; the local cloud's log has the details.")

        self._cloud.background(run, f"endpoint {key}")

    def _start_fleet(self, key: str, deployment: Deployment) -> Fleet:
        """
        Raises:
            DeploymentFailedError: it does not come into service.
            CutOffError: the cloud is being stopped.
        """
        try:
            name = self.existing(key)["EndpointName"]
            fleet = Fleet(self._cloud, self._images, name, deployment, self._folder / key / uuid.uuid4().hex[:8])
            fleet.start()
        except (DeploymentFailedError, CutOffError):
            raise
        except ServiceError as error:  # a role cannot be assumed any more
            raise DeploymentFailedError(error.message) from error
        except BotoCoreError as error:  # the cloud itself does not answer
            raise CutOffError from error
        except Exception as error:
            logger.exception("a fleet of endpoint %s failed inside the local cloud", key)
            reason = f"InternalServerError: {error!r}; the local cloud's log has the details."
            raise DeploymentFailedError(reason) from error
        return fleet

    def _bring_up(self, key: str, deployment: Deployment) -> None:
        """Start the first fleet of an endpoint, or its fleet after the cloud was started again."""
        try:
            self._fleets[key] = self._start_fleet(key, deployment)
        except DeploymentFailedError as failure:
            self._fail(key, str(failure))
            return
        with self._changing(key) as endpoint:
            endpoint |= {"EndpointStatus": "InService", "ProductionVariants": deployment.summaries()}

    def _replace_fleet(self, key: str, deployment: Deployment, wait_seconds: float) -> None:
        """Blue/green, all at once: start the new fleet, send it all requests, then end the old one."""
        try:
            fleet = self._start_fleet(key, deployment)
        except DeploymentFailedError as failure:
            self._keep_old_fleet(key, str(failure))
            return
        old, self._fleets[key] = self._fleets[key], fleet
        with self._changing(key) as endpoint:
            endpoint |= {
                "EndpointConfigName": deployment.config_name,
                "Deployment": deployment.to_document(),
                "ProductionVariants": deployment.summaries(),
            }
            endpoint.pop("PendingDeploymentSummary")
        threading.Event().wait(wait_seconds)
        old.stop()
        with self._changing(key) as endpoint:
            endpoint["EndpointStatus"] = "InService"

    def _change_variants(self, key: str, desired: list[Mapping[str, Any]]) -> None:
        fleet = self._fleets[key]
        for change in desired:
            name = change["VariantName"]
            if "DesiredInstanceCount" in change:
                try:
                    fleet.set_instance_count(name, change["DesiredInstanceCount"])
                except DeploymentFailedError as failure:
                    self._keep_old_fleet(key, str(failure))
                    return
                self._note_variant(key, name, instance_count=change["DesiredInstanceCount"])
            if "DesiredWeight" in change:
                fleet.set_weight(name, change["DesiredWeight"])
                self._note_variant(key, name, weight=change["DesiredWeight"])
        with self._changing(key) as endpoint:
            endpoint["EndpointStatus"] = "InService"

    def _note_variant(self, key: str, name: str, **changes: Any) -> None:
        with self._changing(key) as endpoint:
            deployment = Deployment.from_document(endpoint["Deployment"]).with_variant(name, **changes)
            endpoint |= {"Deployment": deployment.to_document(), "ProductionVariants": deployment.summaries()}

    def _keep_old_fleet(self, key: str, reason: str) -> None:
        with self._changing(key) as endpoint:
            endpoint.pop("PendingDeploymentSummary", None)
            endpoint |= {"EndpointStatus": "InService", "FailureReason": reason[:_REASON_CHARACTERS]}

    def _fail(self, key: str, reason: str) -> None:
        with self._changing(key) as endpoint:
            endpoint |= {"EndpointStatus": "Failed", "FailureReason": reason[:_REASON_CHARACTERS]}

    def _take_down(self, key: str) -> None:
        fleet = self._fleets.pop(key, None)
        if fleet is not None:
            fleet.stop()
        endpoint = self._table.get(key)
        self._table.delete(key)
        if endpoint is not None:
            self._tags.forget(endpoint["EndpointArn"])
        with self._changed:
            self._changed.notify_all()

    @contextmanager
    def _changing(self, key: str) -> Iterator[dict[str, Any]]:
        """Change an endpoint's document and wake those who wait for it."""
        with self._table.change(key) as endpoint:
            yield endpoint
            endpoint["LastModifiedTime"] = datetime.now(UTC)
        with self._changed:
            self._changed.notify_all()


def _in_progress(endpoint: Mapping[str, Any]) -> Exception:
    return invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')


def _check_updatable(endpoint: Mapping[str, Any]) -> None:
    if endpoint["EndpointStatus"] == "Failed":
        raise invalid(
            f'Cannot update endpoint "{endpoint["EndpointArn"]}" in status Failed; delete it and create it again.'
        )
    if endpoint["EndpointStatus"] != "InService":
        raise _in_progress(endpoint)


def _check_changes(desired: list[Mapping[str, Any]], endpoint: Mapping[str, Any]) -> None:
    weights = {plan.name: plan.weight for plan in Deployment.from_document(endpoint["Deployment"]).variants}
    for change in desired:
        name = change["VariantName"]
        if name not in weights:
            raise invalid(f'Variant "{name}" not found on endpoint "{endpoint["EndpointArn"]}".')
        if change.get("DesiredInstanceCount", 1) < 1:
            raise invalid("DesiredInstanceCount must be 1 or more.")
        weights[name] = change.get("DesiredWeight", weights[name])
    if not any(weights.values()):
        raise invalid("At least one production variant must have a DesiredWeight above 0.")


def _with_retained(deployment: Deployment, endpoint: Mapping[str, Any], request: Mapping[str, Any]) -> Deployment:
    """The deployment with the weights and counts that the endpoint has now, where the request retains them."""
    if not request.get("RetainAllVariantProperties"):
        return deployment
    excluded = {item["VariantPropertyType"] for item in request.get("ExcludeRetainedVariantProperties", [])}
    for plan in Deployment.from_document(endpoint["Deployment"]).variants:
        if "DesiredWeight" not in excluded:
            deployment = deployment.with_variant(plan.name, weight=plan.weight)
        if "DesiredInstanceCount" not in excluded:
            deployment = deployment.with_variant(plan.name, instance_count=plan.instance_count)
    return deployment


def _deployment_config(endpoint: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """The DeploymentConfig of an update: the request's, or, when it is retained, that of the last update."""
    last = endpoint.get("LastDeploymentConfig") if request.get("RetainDeploymentConfig") else None
    config: dict[str, Any] = request.get("DeploymentConfig") or last or {}
    return config


def _termination_wait_seconds(deployment_config: Mapping[str, Any]) -> float:
    """How long the old fleet stays up after the switch.

    Raises:
        ServiceError: the config asks for another rollout than all at once.
    """
    policy = deployment_config.get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", {}).get("Type", "ALL_AT_ONCE")
    if (
        "RollingUpdatePolicy" in deployment_config
        or "AutoRollbackConfiguration" in deployment_config
        or routing != "ALL_AT_ONCE"
    ):
        raise not_served("rollouts other than blue/green ALL_AT_ONCE without auto-rollback alarms")
    return float(policy.get("TerminationWaitInSeconds", 0))
