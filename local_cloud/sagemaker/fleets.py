"""The instances of one deployment of an endpoint."""

import shutil
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
from local_cloud.sagemaker.serverless import Environments


class Fleet:
    """All instances of a deployment.

    Args:
        folder: where its containers find their model; removed when the fleet is stopped.

    Attributes:
        capture: the DataCaptureConfig of its calls; None for none.
        serverless: its variant has no instances.
        variants: the production variants by name.
        shadows: the shadow variants by name.
    """

    def __init__(
        self, cloud: Cloud, images: ImageStore, endpoint_name: str, deployment: Deployment, folder: Path
    ) -> None:
        self.config_name = deployment.config_name
        self.capture = deployment.capture
        self.serverless = deployment.serverless
        self.variants, self.shadows = (
            {plan.name: _variant(cloud, images, endpoint_name, plan, folder / plan.name) for plan in plans}
            for plans in (deployment.variants, deployment.shadows)
        )
        self._folder = folder

    def start(self) -> None:
        """Start all instances side by side and wait until they are healthy.

        Raises:
            DeploymentFailedError: one does not come up; nothing is left running.
            CutOffError: the cloud is being stopped.
        """
        try:
            _at_once([variant.start for variant in self._all().values()])
        except Exception:
            self.stop()
            raise

    def drain(self) -> None:
        """Wait for the answers to all calls under way; the fleet may get no new ones. Nobody waits for a shadow's."""
        for variant in self.variants.values():
            variant.drain()

    def stop(self) -> None:
        _at_once([variant.stop for variant in self._all().values()])
        shutil.rmtree(self._folder, ignore_errors=True)

    def named(self, variant_name: str) -> "Variant":
        """A production or shadow variant; their names differ."""
        return self._all()[variant_name]

    def _all(self) -> "dict[str, Variant]":
        return self.variants | self.shadows


class Variant:
    """The instances of one production or shadow variant; they share one folder with the model.

    Attributes:
        weight: its share of the endpoint's calls, in proportion to the other variants' weights; a shadow's in
            proportion to the production variant's.
        role_arn: the execution role of its model.
        instances: those that were healthy once and are not ended; a new list whenever there are others.
    """

    def __init__(self, cloud: Cloud, images: ImageStore, endpoint_name: str, plan: VariantPlan, folder: Path) -> None:
        self.name = plan.name
        self.weight = plan.weight
        self.role_arn = plan.role_arn
        self.instances: list[Instance] = []
        self._cloud = cloud
        self._images = images
        self._endpoint_name = endpoint_name
        self._plan = plan
        self._folder = ContainerFolder(folder)

    def start(self) -> None:
        self._fetch_model()
        self.add(self._plan.instance_count)

    def drain(self) -> None:
        """Wait for the answers to all calls under way; there may be no new ones."""
        for instance in self.instances:
            instance.drain()

    def stop(self) -> None:
        _at_once([instance.stop for instance in self.instances])

    def add(self, count: int) -> None:
        """Start instances.

        Raises:
            DeploymentFailedError: one does not come up; the others stay as they were.
        """
        added = [self._new_instance() for _ in range(count)]
        try:
            _at_once([instance.start for instance in added])
        except UnhealthyError as error:
            _at_once([instance.stop for instance in added])
            raise DeploymentFailedError(
                f"The primary container for production variant {self.name} did not pass the ping health check. "
                "Please check CloudWatch logs for this endpoint."
            ) from error
        self.instances = self.instances + added

    def remove(self, count: int) -> list[Instance]:
        """Let go of instances beyond `count`; they still run, for whoever ends them."""
        self.instances, surplus = self.instances[:count], self.instances[count:]
        return surplus

    def _new_instance(self) -> Instance:
        instance_id = new_instance_id()
        group, stream = f"/aws/sagemaker/Endpoints/{self._endpoint_name}", f"{self.name}/{instance_id}"
        command = self._command(instance_id)
        log = ContainerLog(self._cloud, group, stream, self._plan.role_arn)
        return Instance(
            self._cloud, command, log, f"{self._endpoint_name}/{self.name}/{instance_id}",
            self._plan.health_timeout_seconds, kept_running=self._plan.serverless is None,
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


class ServerlessVariant(Variant):
    """A variant that has containers while there are calls for them.

    Attributes:
        environments: of these containers.
    """

    def __init__(self, cloud: Cloud, images: ImageStore, endpoint_name: str, plan: VariantPlan, folder: Path) -> None:
        super().__init__(cloud, images, endpoint_name, plan, folder)
        assert plan.serverless is not None
        maximum = plan.serverless["MaxConcurrency"]
        self.environments = Environments(self.name, self._new_instance, maximum, cloud.background)

    def start(self) -> None:
        """Run a container once, to see that it becomes healthy."""
        super().start()
        self.add(1)
        for instance in self.remove(0):
            instance.stop()
        self._cloud.background(self.environments.end_idle_until_closed, f"environments of {self.name}")

    def drain(self) -> None:
        self.environments.drain()

    def stop(self) -> None:
        _at_once([environment.stop for environment in self.environments.close()])


def _variant(cloud: Cloud, images: ImageStore, endpoint_name: str, plan: VariantPlan, folder: Path) -> Variant:
    kind = Variant if plan.serverless is None else ServerlessVariant
    return kind(cloud, images, endpoint_name, plan, folder)


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
