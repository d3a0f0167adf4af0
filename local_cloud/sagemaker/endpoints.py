"""The endpoint operations of the SageMaker API.

CreateEndpoint -> Creating -> InService <-> Updating (blue/green, rollouts.py) -> RollingBack -> InService
                      |           ^
                      v           +-- SystemUpdating (the fleet is started again after the local cloud was)
                    Failed
"""

import dataclasses
import itertools
import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from local_cloud.cloud import Cloud
from local_cloud.images import ImageStore
from local_cloud.sagemaker.arns import Arns, key_of
from local_cloud.sagemaker.data_capture import DataCapture
from local_cloud.sagemaker.deployments import Deployment, plan_deployment
from local_cloud.sagemaker.endpoint_configs import EndpointConfigs
from local_cloud.sagemaker.errors import DeploymentFailedError, RolledBackError, invalid
from local_cloud.sagemaker.fleets import Fleet
from local_cloud.sagemaker.instances import CutOffError
from local_cloud.sagemaker.invocation_metrics import InvocationMetrics
from local_cloud.sagemaker.listing import Listing
from local_cloud.sagemaker.models import Models
from local_cloud.sagemaker.rollback_alarms import RollbackAlarms
from local_cloud.sagemaker.rollouts import Rollout, RolloutPlan, plan_rollout
from local_cloud.sagemaker.tags import Tags
from local_cloud.sagemaker.traffic import Traffic
from local_cloud.store import Table
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)

_LISTING = Listing("Endpoints", "EndpointName", "EndpointArn", status="EndpointStatus", newest_first=True)
_SETTLED = ("InService", "Failed")
_REASON_CHARACTERS = 1024
_PUBLISH_SECONDS = 1.0
_SECONDS_OF_AN_IDLE_METRIC = 5


class Endpoints:
    """CreateEndpoint and what can be done with an endpoint.

    An endpoint's document holds `Deployment`, the plan of the fleet that serves it.

    Args:
        folder: where the containers of endpoints work.

    Attributes:
        metrics: of the calls, for whoever makes them.
        capture: of the calls, likewise.
    """

    def __init__(
        self, cloud: Cloud, images: ImageStore, arns: Arns, table: Table, configs: EndpointConfigs, models: Models,
        tags: Tags, folder: Path,
    ) -> None:  # fmt: skip
        self.metrics = InvocationMetrics(cloud.put_metric_data)
        self.capture = DataCapture(cloud)
        self._cloud = cloud
        self._images = images
        self._arns = arns
        self._table = table
        self._configs = configs
        self._models = models
        self._tags = tags
        self._folder = folder
        self._traffic: dict[str, Traffic] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._cut_off = False

    def create_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        key, arn = key_of(name), self._arns.of("endpoint", name)
        deployment = self._plan(request["EndpointConfigName"])
        plan_rollout(request.get("DeploymentConfig", {}), deployment, deployment)
        now = datetime.now(UTC)
        with self._lock:
            if self._table.get(key) is not None:
                raise invalid(f'Cannot create already existing endpoint "{arn}".')
            self._table.put(key, {
                "EndpointName": name, "EndpointArn": arn, "EndpointConfigName": deployment.config_name,
                "EndpointStatus": "Creating", "CreationTime": now, "LastModifiedTime": now,
                "Deployment": deployment.to_document(), "LastDeploymentConfig": request.get("DeploymentConfig"),
            })  # fmt: skip
        self._tags.set(arn, request.get("Tags", []))
        self._in_background(key, lambda: self._bring_up(key, deployment))
        return {"EndpointArn": arn}

    def update_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        key = key_of(request["EndpointName"])
        config = _deployment_config(self.existing(request["EndpointName"]), request)
        deployment = self._plan(request["EndpointConfigName"])
        alarms = RollbackAlarms(self._cloud, config, deployment)
        alarms.check()
        with self._changing(key) as endpoint:
            _check_updatable(endpoint)
            deployment = _with_retained(deployment, endpoint, request)
            plan = plan_rollout(config, Deployment.from_document(endpoint["Deployment"]), deployment)
            endpoint.pop("FailureReason", None)
            endpoint |= {"EndpointStatus": "Updating", "LastDeploymentConfig": config or None}
            endpoint["PendingDeploymentSummary"] = {
                "EndpointConfigName": deployment.config_name,
                "ProductionVariants": deployment.pending(),
                "StartTime": datetime.now(UTC),
            }
        self._in_background(key, lambda: self._roll_out(key, deployment, plan, alarms))
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
        endpoint = self.existing(request["EndpointName"])
        deployment = Deployment.from_document(endpoint["Deployment"])
        if deployment.shadows and "ProductionVariants" in endpoint:
            endpoint["ShadowProductionVariants"] = [plan.summary() for plan in deployment.shadows]
        if deployment.capture is not None:
            endpoint["DataCaptureConfig"] = self.capture.summary(endpoint["EndpointName"], deployment.capture)
        return endpoint

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

    def serving(self, name: str) -> Traffic | None:
        """Where an endpoint's calls go; None when the endpoint does not serve."""
        return self._traffic.get(key_of(name))

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
        self._cloud.background(self._publish_metrics, "metrics of endpoints")
        self.capture.start()
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
            folder = self._folder / key / uuid.uuid4().hex[:8]
            fleet = Fleet(self._cloud, self._images, self._name(key), deployment, folder)
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

    def _name(self, key: str) -> str:
        """An endpoint's name as it was written when it was created."""
        return str(self.existing(key)["EndpointName"])

    def _bring_up(self, key: str, deployment: Deployment) -> None:
        """Start the first fleet of an endpoint, or its fleet after the cloud was started again."""
        try:
            self._traffic[key] = Traffic(self._name(key), self._start_fleet(key, deployment))
        except DeploymentFailedError as failure:
            self._fail(key, str(failure))
            return
        with self._changing(key) as endpoint:
            endpoint |= {"EndpointStatus": "InService", "ProductionVariants": deployment.summaries()}

    def _roll_out(self, key: str, deployment: Deployment, plan: RolloutPlan, alarms: RollbackAlarms) -> None:
        """Start the new fleet, shift the traffic to it, and end the old fleet; or the new one, when it is no good."""
        started = time.monotonic()
        traffic = self._traffic[key]
        old = traffic.fleet
        try:
            new = self._start_fleet(key, deployment)
        except DeploymentFailedError as failure:
            self._keep_old_fleet(key, str(failure))
            return
        try:
            Rollout(plan, traffic, new, alarms.tripped, partial(self._note_progress, key), started).run()
        except RolledBackError as rolled_back:
            self._note_status(key, "RollingBack")
            _end(new)
            self._keep_old_fleet(key, str(rolled_back))
            return
        with self._changing(key) as endpoint:
            endpoint |= {
                "EndpointConfigName": deployment.config_name,
                "Deployment": deployment.to_document(),
                "ProductionVariants": deployment.summaries(),
            }
            endpoint.pop("PendingDeploymentSummary")
        _end(old)
        self._note_status(key, "InService")

    def _note_progress(self, key: str, status: str, message: str, active: Mapping[str, int]) -> None:
        with self._changing(key) as endpoint:
            for variant in endpoint["PendingDeploymentSummary"]["ProductionVariants"]:
                variant["CurrentInstanceCount"] = active[variant["VariantName"]]
                variant["VariantStatus"] = [
                    {"Status": status, "StatusMessage": message, "StartTime": datetime.now(UTC)},
                ]

    def _change_variants(self, key: str, desired: list[Mapping[str, Any]]) -> None:
        traffic = self._traffic[key]
        for change in desired:
            name = change["VariantName"]
            if "DesiredInstanceCount" in change:
                try:
                    _scale(traffic, name, change["DesiredInstanceCount"])
                except DeploymentFailedError as failure:
                    self._keep_old_fleet(key, str(failure))
                    return
                self._note_variant(key, name, instance_count=change["DesiredInstanceCount"])
            if "DesiredWeight" in change:
                traffic.fleet.named(name).weight = change["DesiredWeight"]
                self._note_variant(key, name, weight=change["DesiredWeight"])
        self._note_status(key, "InService")

    def _note_status(self, key: str, status: str) -> None:
        with self._changing(key) as endpoint:
            endpoint["EndpointStatus"] = status

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
        traffic = self._traffic.pop(key, None)
        if traffic is not None:
            traffic.fleet.stop()
        endpoint = self._table.get(key)
        self._table.delete(key)
        if endpoint is not None:
            self._tags.forget(endpoint["EndpointArn"])
        with self._changed:
            self._changed.notify_all()

    def _publish_metrics(self) -> None:
        for count in itertools.count():
            time.sleep(_PUBLISH_SECONDS)
            if count % _SECONDS_OF_AN_IDLE_METRIC == 0:
                for traffic in list(self._traffic.values()):
                    for variant in traffic.idle_variants():
                        self.metrics.record_idle(traffic.endpoint_name, variant)
            self.metrics.flush()

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
    deployment = Deployment.from_document(endpoint["Deployment"])
    weights = {plan.name: plan.weight for plan in deployment.variants}
    shadows = {plan.name: plan.weight for plan in deployment.shadows}
    for change in desired:
        name = change["VariantName"]
        if name not in weights | shadows:
            raise invalid(f'Variant "{name}" not found on endpoint "{endpoint["EndpointArn"]}".')
        if "DesiredInstanceCount" in change and deployment.serverless:
            raise invalid(f'Variant "{name}" is serverless: it has no instances, so no DesiredInstanceCount.')
        if change.get("DesiredInstanceCount", 1) < 1:
            raise invalid("DesiredInstanceCount must be 1 or more.")
        if name in weights:
            weights[name] = change.get("DesiredWeight", weights[name])
    if not any(weights.values()):
        raise invalid("At least one production variant must have a DesiredWeight above 0.")


def _with_retained(deployment: Deployment, endpoint: Mapping[str, Any], request: Mapping[str, Any]) -> Deployment:
    """The deployment with the weights, counts and capture that the endpoint has now, where the request retains them.

    A serverless endpoint has nothing that instances could retain.
    """
    old = Deployment.from_document(endpoint["Deployment"])
    if not request.get("RetainAllVariantProperties") or old.serverless != deployment.serverless:
        return deployment
    excluded = {item["VariantPropertyType"] for item in request.get("ExcludeRetainedVariantProperties", [])}
    if "DataCaptureConfig" not in excluded:
        deployment = dataclasses.replace(deployment, capture=old.capture)
    for plan in (*old.variants, *old.shadows):
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


def _scale(traffic: Traffic, variant_name: str, count: int) -> None:
    """Start or end instances until there are `count`.

    Raises:
        DeploymentFailedError: a new one does not come up; the others stay.
    """
    variant = traffic.fleet.named(variant_name)
    variant.add(count - len(variant.instances))
    with traffic.changing():
        surplus = variant.remove(count)
    for instance in surplus:
        instance.drain()
        instance.stop()


def _end(fleet: Fleet) -> None:
    """End a fleet that gets no more calls, once it has answered those that it has."""
    fleet.drain()
    fleet.stop()
