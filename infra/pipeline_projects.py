"""The CodeBuild projects of the pipeline, each with a role for exactly its own work."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import buildspecs, execution_roles, names, permissions
from infra.artifact_store import EVALUATION, SOURCE, TEMPLATES, ArtifactStore
from infra.build_project import BuildProject
from infra.foundation_stack import FoundationStack
from infra.permission import Permission
from settings import Settings

# On top of a job's own limit: the half hour that a step allows for instances to come up, and the step itself.
_AROUND_A_JOB_MINUTES = 45
_BUILD_MINUTES = 60
_SCAN_MINUTES = 35  # the half hour that the step allows for the image's scan, and some to spare


class PipelineProjects(Construct):
    """One project for each build of the pipeline.

    Attributes are named after the actions that run them; `all` holds them in the pipeline's order.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        overlay: str,
        foundation: FoundationStack,
        artifacts: ArtifactStore,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._overlay, self._foundation, self._artifacts = settings, overlay, foundation, artifacts
        self.test = self._test()
        self.synth = self._synth()
        self.build_image = self._build_image()
        self.prepare_data = self._prepare_data()
        self.train_model = self._train_model()
        self.evaluate_model = self._evaluate_model()
        self.register_model = self._register_model()
        self.verify_staging = self._verify(
            "VerifyStaging",
            names.STAGING,
            writes=["staging/verification.json", "report.html", "report.md"],
            requirements=["pipeline_steps/report/requirements.txt"],
        )
        self.record_approval = self._record_approval() if settings.release.promotion == "manual" else None
        self.plan_release = self._plan_release()
        self.verify_production = self._verify(
            "VerifyProduction", names.PRODUCTION, writes=["production/verification.json"]
        )
        self.all: Sequence[codebuild.IProject] = (
            self.test,
            self.synth,
            self.build_image,
            self.prepare_data,
            self.train_model,
            self.evaluate_model,
            self.register_model,
            self.verify_staging,
            *([self.record_approval] if self.record_approval else []),
            self.plan_release,
            self.verify_production,
        )

    def _test(self) -> codebuild.IProject:
        return self._project(
            "Test",
            "test",
            description="Tests the team's model code",
            buildspec=buildspecs.test(),
            statements=[
                permissions.publish_report(f"{self._settings.name}-test-pytest", "codebuild:BatchPutTestCases"),
                permissions.publish_report(f"{self._settings.name}-test-coverage", "codebuild:BatchPutCodeCoverages"),
            ],
            minutes=60,
        )

    def _synth(self) -> codebuild.IProject:
        return self._project(
            "Synth",
            "synth",
            description="Synthesizes the endpoint stacks' templates",
            buildspec=buildspecs.synth(),
            writes=[TEMPLATES],
            minutes=30,
        )

    def _build_image(self) -> codebuild.IProject:
        repository = self._foundation.image_repository
        is_scanned = self._settings.container.scan.fail_on != "none"
        return self._project(
            "BuildImage",
            "build-image",
            description="Builds the model's container, pushes it and judges its scan",
            buildspec=buildspecs.step("build_image", exports=["IMAGE_URI"]),
            variables={"IMAGE_REPOSITORY": repository.repository_name, **self._released_version()},
            statements=[
                permissions.describe_model_packages(self._settings.name),
                permissions.log_in_to_registry(),
                permissions.push_images(repository),
                *(permissions.read_scans(repository) if is_scanned else ()),
            ],
            minutes=_BUILD_MINUTES + (_SCAN_MINUTES if is_scanned else 0),
            privileged=True,  # for the Docker daemon
        )

    def _prepare_data(self) -> codebuild.IProject:
        foundation, settings = self._foundation, self._settings
        role = foundation.execution_roles.processing
        jobs = names.prepare_jobs(settings.name)
        return self._project(
            "PrepareData",
            "prepare-data",
            description="Prepares and splits the data in a processing job",
            buildspec=buildspecs.step("prepare_data", exports=["DATASET_URI", "DATA_VERSION"]),
            variables={**self._job_variables(), "PROCESSING_ROLE_ARN": role.role_arn},
            statements=[
                permissions.describe_model_packages(settings.name),
                *self._run_jobs("ProcessingJob", jobs, execution_role=role),
                permissions.list_objects(foundation.data_bucket, settings.data.prefix),
                permissions.get_objects(foundation.data_bucket, execution_roles.DATASETS),
            ],
            minutes=settings.processing.max_runtime_minutes + _AROUND_A_JOB_MINUTES,
        )

    def _train_model(self) -> codebuild.IProject:
        foundation, settings = self._foundation, self._settings
        role = foundation.execution_roles.training
        jobs = names.train_jobs(settings.name)
        return self._project(
            "TrainModel",
            "train-model",
            description="Trains the model in a training job",
            buildspec=buildspecs.step(
                "train_model",
                exports=["TRAINING_JOB_NAME", "MODEL_DATA_URI", "MODEL_SHA256", "MODEL_ARCHIVE_SHA256"],
            ),
            variables={**self._job_variables(), "TRAINING_ROLE_ARN": role.role_arn},
            statements=[
                permissions.describe_model_packages(settings.name),
                *self._run_jobs("TrainingJob", jobs, execution_role=role),
                permissions.get_objects(foundation.data_bucket, execution_roles.MODELS),
            ],
            minutes=settings.training.max_runtime_minutes + _AROUND_A_JOB_MINUTES,
        )

    def _evaluate_model(self) -> codebuild.IProject:
        foundation, settings = self._foundation, self._settings
        role = foundation.execution_roles.processing
        jobs = names.evaluate_jobs(settings.name)
        return self._project(
            "EvaluateModel",
            "evaluate-model",
            description="Scores challenger and champion in processing jobs",
            buildspec=buildspecs.step(
                "evaluate_model",
                exports=["VERDICT", "SUMMARY", "APPROVAL_TEXT"],
                requirements=["pipeline_steps/report/requirements.txt"],
                documents=True,
            ),
            variables={
                **self._job_variables(),
                "PROCESSING_ROLE_ARN": role.role_arn,
                "PRODUCTION_ENDPOINT": names.endpoint_name(settings.name, names.PRODUCTION),
                "DOCUMENTS_DIR": "evaluation",
            },
            statements=[
                *self._run_jobs("ProcessingJob", jobs, execution_role=role),
                permissions.get_objects(foundation.data_bucket, execution_roles.EVALUATIONS),
                # What the data sets of challenger and champion were like, and how the challenger was trained.
                permissions.get_file(foundation.data_bucket, execution_roles.DATASETS, "manifest.json"),
                permissions.describe_training_jobs(settings.name),
                permissions.put_files(
                    foundation.data_bucket,
                    execution_roles.EVALUATIONS,
                    "report.html",
                    "report.md",
                    "report_facts.json",
                    "model_quality.json",
                    "challenger.json",
                    "champion.json",
                    "comparison.json",
                    "decision.json",
                ),
                *permissions.find_served_model(settings.name, names.PRODUCTION),
                permissions.describe_model_packages(settings.name),
            ],
            writes=[EVALUATION],
            minutes=settings.processing.max_runtime_minutes + _AROUND_A_JOB_MINUTES,
        )

    def _register_model(self) -> codebuild.IProject:
        foundation, name = self._foundation, self._settings.name
        bucket, group = foundation.data_bucket, foundation.model_package_group.model_package_group_name
        referred = "a package refers to it; the local cloud looks at image and model alone"
        return self._project(
            "RegisterModel",
            "register-model",
            description="Registers the model with its evidence",
            buildspec=buildspecs.step(
                "register_model", exports=["MODEL_PACKAGE_ARN", "MODEL_PACKAGE_VERSION"], evidence=True
            ),
            variables={
                "DATA_BUCKET": bucket.bucket_name,
                "MODEL_PACKAGE_GROUP": group,
                **self._released_version(),
            },
            statements=[
                *permissions.register_models(name),
                permissions.describe_training_jobs(name),
                # SageMaker looks at what a package refers to with the permissions of the one who registers it.
                permissions.get_objects(bucket, execution_roles.MODELS),
                permissions.get_file(bucket, execution_roles.EVALUATIONS, "model_quality.json", unused=referred),
                permissions.get_file(bucket, execution_roles.DATASETS, "baseline.json", unused=referred),
                permissions.allow("ecr:BatchGetImage", on=foundation.image_repository.repository_arn),
            ],
            reads=[SOURCE, EVALUATION],
            minutes=30,
        )

    def _record_approval(self) -> codebuild.IProject:
        return self._project(
            "RecordApproval",
            "record-approval",
            description="Notes on the model package who approved it, and why",
            buildspec=buildspecs.record_approval(),
            variables={"PIPELINE_NAME": self._artifacts.pipeline_name, "APPROVAL_NOTE": buildspecs.APPROVAL_NOTE},
            statements=permissions.record_approvals(self._settings.name),
            minutes=15,
        )

    def _verify(
        self, construct_id: str, environment: str, *, writes: Sequence[str], requirements: Sequence[str] = ()
    ) -> codebuild.IProject:
        name, bucket = names.endpoint_name(self._settings.name, environment), self._foundation.data_bucket
        return self._project(
            construct_id,
            f"verify-{environment}",
            description=f"Calls the {environment} endpoint as its clients will",
            buildspec=buildspecs.step(
                "verify_endpoint",
                exports=["SUMMARY"],
                requirements=["pipeline_steps/verification/requirements.txt", *requirements],
                evidence=True,
            ),
            variables={"ENDPOINT_NAME": name, "ENVIRONMENT": environment, "DATA_BUCKET": bucket.bucket_name},
            statements=[
                permissions.allow("sagemaker:InvokeEndpoint", on=names.sagemaker_arn("endpoint", name)),
                *permissions.find_served_model(self._settings.name, environment),
                permissions.put_files(bucket, execution_roles.EVALUATIONS, *writes),
                permissions.encrypt(self._foundation.key),
            ],
            reads=[SOURCE, EVALUATION],
            minutes=60,
        )

    def _plan_release(self) -> codebuild.IProject:
        name = self._settings.name
        return self._project(
            "PlanRelease",
            "plan-release",
            description="Decides what production is to serve, and how it gets there",
            buildspec=buildspecs.step(
                "plan_release",
                exports=["MODEL_PACKAGE_ARN", "CHALLENGER_MODEL_PACKAGE_ARN", "STRATEGY", "SUMMARY"],
            ),
            variables={"ENDPOINT_NAME": names.endpoint_name(name, names.PRODUCTION)},
            statements=permissions.find_served_model(name, names.PRODUCTION),
            minutes=15,
        )

    def _released_version(self) -> dict[str, str]:
        """Where a step finds the version that is released again, when one is."""
        return {"MODEL_PACKAGE_ARN_PREFIX": names.sagemaker_arn("model-package", f"{self._settings.name}/")}

    def _run_jobs(self, kind: str, jobs: str, *, execution_role: iam.IRole) -> list[Permission]:
        vpc_config = self._foundation.vpc_config
        return permissions.run_jobs(kind, jobs, execution_role=execution_role, vpc_config=vpc_config)

    def _job_variables(self) -> dict[str, str]:
        foundation = self._foundation
        return {
            "DATA_BUCKET": foundation.data_bucket.bucket_name,
            "KEY_ARN": foundation.key.key_arn,
            **self._released_version(),
            **(foundation.vpc_config.variables if foundation.vpc_config else {}),
        }

    def _project(
        self,
        construct_id: str,
        name: str,
        *,
        description: str,
        buildspec: Mapping[str, Any],
        variables: Mapping[str, str] | None = None,
        statements: Sequence[Permission] = (),
        reads: Sequence[str] = (SOURCE,),
        writes: Sequence[str] = (),
        minutes: int,
        privileged: bool = False,
    ) -> codebuild.IProject:
        return BuildProject(
            self,
            construct_id,
            name=f"{self._settings.name}-{name}",
            description=description,
            buildspec=buildspec,
            variables={"SLIPWAY_OVERLAY": self._overlay, **(variables or {})},
            artifacts=self._artifacts,
            reads=reads,
            writes=writes,
            statements=statements,
            timeout=Duration.minutes(minutes),
            privileged=privileged,
        ).project
