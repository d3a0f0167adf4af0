"""The roles as which SageMaker runs the project's containers."""

from collections.abc import Sequence

from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra import names, permissions
from infra.permission import Permission
from infra.vpc_config import VpcConfig
from settings import Settings

DATASETS = "datasets/"
MODELS = "models/"
EVALUATIONS = "evaluations/"


class ExecutionRoles(Construct):
    """One execution role each for processing jobs, training jobs and endpoints.

    Attributes:
        processing: prepares the data, evaluates models.
        training: trains.
        endpoint: serves.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        data_bucket: s3.IBucket,
        image_repository: ecr.IRepository,
        key: kms.IKey,
        vpc_config: VpcConfig | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._bucket, self._repository, self._key, self._vpc_config = data_bucket, image_repository, key, vpc_config
        self.processing = self._role(
            "Processing",
            reads=[settings.data.prefix, DATASETS, MODELS],
            writes=[DATASETS, EVALUATIONS],
            logs=permissions.write_job_logs(
                names.PROCESSING_LOG_GROUP, names.prepare_jobs(settings.name), names.evaluate_jobs(settings.name)
            ),
        )
        self.training = self._role(
            "Training",
            reads=[DATASETS],
            writes=[MODELS],
            logs=permissions.write_job_logs(names.TRAINING_LOG_GROUP, names.train_jobs(settings.name)),
        )
        self.endpoint = self._role(
            "Endpoint",
            reads=[MODELS],
            writes=[],
            logs=permissions.write_endpoint_logs(settings.name, *names.ENVIRONMENTS),
            serves=[self._watch_rollouts(settings.name), *self._capture(settings)],
            # The developer guide asks for it beside what jobs need.
            in_a_vpc=[permissions.describe_network("ec2:DescribeVpcEndpoints")],
        )

    def _role(
        self,
        role_id: str,
        *,
        reads: Sequence[str],
        writes: Sequence[str],
        logs: Sequence[Permission],
        serves: Sequence[Permission] = (),
        in_a_vpc: Sequence[Permission] = (),
    ) -> iam.Role:
        statements = [
            permissions.get_objects(self._bucket, *reads),
            *(self._run_job(reads, writes) if writes else [permissions.decrypt(self._key)]),
            *permissions.pull_images(self._repository),
            *logs,
            permissions.publish_metrics(),
            *serves,
            *([*permissions.connect_instances(self._vpc_config), *in_a_vpc] if self._vpc_config else []),
        ]
        trusted = permissions.service("sagemaker.amazonaws.com")
        return permissions.role(self, role_id, assumed_by=trusted, statements=statements)

    def _run_job(self, reads: Sequence[str], writes: Sequence[str]) -> list[Permission]:
        """What a job needs beyond an endpoint.

        An endpoint reads one object, its model; its volumes are CloudFormation's to encrypt, who makes it.
        """
        return [
            permissions.list_objects(self._bucket, *reads),
            permissions.write_objects(self._bucket, *writes),
            permissions.encrypt_job_output(self._key),
            permissions.encrypt_volumes(self._key),
        ]

    @staticmethod
    def _watch_rollouts(project: str) -> Permission:
        """SageMaker looks at the alarms of a rollout as the role of the model; none watches staging's."""
        return permissions.allow("cloudwatch:DescribeAlarms", on=names.alarm_arns(project, names.PRODUCTION))

    def _capture(self, settings: Settings) -> list[Permission]:
        if not any(endpoint.capture_percent for endpoint in settings.endpoints.of_environments().values()):
            return []
        unused = "only where capture_percent is more than 0, which it is not in the recorded run"
        return permissions.record_calls(self._bucket, self._key, unused=unused)
