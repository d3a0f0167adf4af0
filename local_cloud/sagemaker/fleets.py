"""The instances of one deployment of an endpoint, and which of them a request goes to."""

import itertools
import random
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from local_cloud.cloud import Cloud
from local_cloud.images import ImageNotFound, ImageStore, PullDeniedError
from local_cloud.sagemaker.archives import unpack
from local_cloud.sagemaker.container_logs import ContainerLog
from local_cloud.sagemaker.containers import Command, ContainerFolder, command_of
from local_cloud.sagemaker.deployments import Deployment, VariantPlan
from local_cloud.sagemaker.errors import DeploymentFailedError, TransferError
from local_cloud.sagemaker.instances import Instance, UnhealthyError, new_instance_id
from local_cloud.sagemaker.s3_content import S3Content, S3Location


class Fleet:
    """All instances of a deployment.

    Args:
        folder: where its containers find their model; removed when the fleet is stopped.
    """

    def __init__(
        self, cloud: Cloud, images: ImageStore, endpoint_name: str, deployment: Deployment, folder: Path
    ) -> None:
        self._folder = folder
        self._variants = {
            plan.name: _Variant(cloud, images, endpoint_name, plan, folder / plan.name) for plan in deployment.variants
        }

    def start(self) -> None:
        """Start all instances side by side and wait until they are healthy.

        Raises:
            DeploymentFailedError: one does not come up; nothing is left running.
            CutOffError: the cloud is being stopped.
        """
        try:
            _at_once([variant.start for variant in self._variants.values()])
        except Exception:
            self.stop()
            raise

    def stop(self) -> None:
        _at_once([variant.stop for variant in self._variants.values()])
        shutil.rmtree(self._folder, ignore_errors=True)

    def choose(self, variant_name: str | None) -> tuple[str, Instance | None]:
        """The variant of a request and one of its ready instances; None when none is ready.

        Args:
            variant_name: the variant asked for; None lets the weights decide.

        Raises:
            KeyError: there is no such variant.
        """
        variant = self._variants[variant_name] if variant_name is not None else self._by_weight()
        return variant.name, variant.next_ready()

    def set_weight(self, variant_name: str, weight: float) -> None:
        self._variants[variant_name].weight = weight

    def set_instance_count(self, variant_name: str, count: int) -> None:
        """Start or stop instances until there are `count`.

        Raises:
            DeploymentFailedError: a new one does not come up; the others stay.
        """
        self._variants[variant_name].scale(count)

    def _by_weight(self) -> "_Variant":
        variants = list(self._variants.values())
        weights = [variant.weight for variant in variants]
        return random.choices(variants, weights)[0]  # noqa: S311  # splits traffic, keeps no secret


class _Variant:
    """The instances of one production variant; they share one folder with the model."""

    def __init__(self, cloud: Cloud, images: ImageStore, endpoint_name: str, plan: VariantPlan, folder: Path) -> None:
        self.name = plan.name
        self.weight = plan.weight
        self._cloud = cloud
        self._images = images
        self._endpoint_name = endpoint_name
        self._plan = plan
        self._folder = ContainerFolder(folder)
        self._instances: list[Instance] = []
        self._turn = itertools.count()
        self._lock = threading.Lock()

    def start(self) -> None:
        self._fetch_model()
        self.scale(self._plan.instance_count)

    def stop(self) -> None:
        with self._lock:
            instances, self._instances = self._instances, []
        _at_once([instance.stop for instance in instances])

    def next_ready(self) -> Instance | None:
        instances = self._instances
        first = next(self._turn)
        for offset in range(len(instances)):
            instance = instances[(first + offset) % len(instances)]
            if instance.ready:
                return instance
        return None

    def scale(self, count: int) -> None:
        added = [self._new_instance() for _ in range(count - len(self._instances))]
        try:
            _at_once([instance.start for instance in added])
        except UnhealthyError as error:
            _at_once([instance.stop for instance in added])
            raise DeploymentFailedError(
                f"The primary container for production variant {self.name} did not pass the ping health check. "
                "Please check CloudWatch logs for this endpoint."
            ) from error
        with self._lock:
            instances = self._instances + added
            self._instances, surplus = instances[:count], instances[count:]
        _at_once([instance.stop for instance in surplus])

    def _new_instance(self) -> Instance:
        instance_id = new_instance_id()
        group, stream = f"/aws/sagemaker/Endpoints/{self._endpoint_name}", f"{self.name}/{instance_id}"
        command = self._command(instance_id)
        log = ContainerLog(self._cloud, group, stream, self._plan.role_arn)
        return Instance(
            self._cloud, command, log, f"{self._endpoint_name}/{self.name}/{instance_id}",
            self._plan.health_timeout_seconds,
        )  # fmt: skip

    def _command(self, instance_id: str) -> Callable[[int], Command]:
        uri, role_arn = self._plan.resolved_image, self._plan.role_arn
        try:
            image = self._images.pull(uri, role_arn)
        except ImageNotFound as error:
            raise DeploymentFailedError(f"Requested image {uri} not found. {error}") from error
        except PullDeniedError as error:
            action = error.action.removeprefix("ecr:")
            raise DeploymentFailedError(
                f"The role '{role_arn}' does not have {action} permission for the image: '{uri}'."
            ) from error

        def command(port: int) -> Command:
            return command_of(image, ["serve"], self._folder, self._variables(port, instance_id))

        return command

    def _variables(self, port: int, instance_id: str) -> dict[str, str]:
        plan = self._plan
        place = {} if plan.isolated else self._cloud.role_environment(plan.role_arn, f"SageMaker-{instance_id}")
        return plan.environment | place | {"SAGEMAKER_BIND_TO_PORT": str(port), "SLIPWAY_BIND_ADDRESS": "127.0.0.1"}

    def _fetch_model(self) -> None:
        uri = self._plan.artifact_uri
        model = self._folder.make("/opt/ml/model")
        if uri is None:
            return
        content = S3Content(self._cloud, self._plan.role_arn)
        try:
            if self._plan.artifact_is_prefix:
                content.download_prefix(S3Location.parse(uri), model)
                return
            archive = self._folder.root / "tmp" / "model.tar.gz"
            content.download_object(S3Location.parse(uri), archive)
        except TransferError as error:
            raise DeploymentFailedError(
                f'Failed to download model data for container "container_1" from URL: "{uri}". {error}'
            ) from error
        try:
            unpack(archive, model)
        except ValueError as error:
            raise DeploymentFailedError(
                f'Failed to extract model data archive for container "container_1" from URL "{uri}". '
                f"Please ensure that the object located at the URL is a valid tar.gz archive. ({error})"
            ) from error
        archive.unlink()


def _at_once(works: list[Callable[[], None]]) -> None:
    """Do all of them side by side; the first failure is raised when all are over."""
    if len(works) < 2:
        for work in works:
            work()
        return
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(partial(work)) for work in works]
    for future in futures:
        future.result()
