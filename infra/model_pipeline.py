"""The pipeline: the way of a commit from a push to production."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import artifact_store, names, permissions
from infra.artifact_store import ArtifactStore
from infra.foundation_stack import FoundationStack
from infra.pipeline_projects import PipelineProjects
from settings import Settings

_MODEL_PACKAGE_ARN = "#{RegisterModel.MODEL_PACKAGE_ARN}"
# The steps up to the registration pass on the record of a version that is released again.
_RELEASED = {"RELEASED_VERSION": "#{variables.ModelPackageVersion}"}

# A value of an action's configuration has 1,000 characters at most. CodePipeline's quotas say it of the value as it is
# declared, and 100 KB of an action's values once its variables are resolved. With the longest values it stays below
# 1,000 all the same: the evaluation's line takes 400 at most, staging's 300, the ARN and the commit some 150.
_APPROVAL_TEXT = f"""\
#{{EvaluateModel.APPROVAL_TEXT}}
Staging: #{{VerifyStaging.SUMMARY}}
Model package: {_MODEL_PACKAGE_ARN}
Commit: #{{Source.CommitId}}"""


class ModelPipeline(Construct):
    """One CodePipeline. Small values travel as its variables, documents as its artifacts."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        foundation: FoundationStack,
        artifacts: ArtifactStore,
        projects: PipelineProjects,
        role: iam.IRole,
        deployment_roles: Mapping[str, iam.IRole],
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._foundation, self._projects = settings, foundation, projects
        self._deployment_roles = deployment_roles
        self._source = codepipeline.Artifact(artifact_store.SOURCE)
        self._templates = codepipeline.Artifact(artifact_store.TEMPLATES)
        self._evaluation = codepipeline.Artifact(artifact_store.EVALUATION)
        self._pipeline = codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name=artifacts.pipeline_name,
            pipeline_type=codepipeline.PipelineType.V2,
            # Each commit has its turn: two at once would both be judged against the same champion.
            execution_mode=codepipeline.ExecutionMode.QUEUED,
            variables=[
                codepipeline.Variable(
                    variable_name="ModelPackageVersion",
                    default_value="new",
                    description="The version to release again; new: the commit is built, trained and registered",
                ),
                codepipeline.Variable(
                    variable_name="Strategy",
                    default_value="settings",
                    description="How production comes to it; settings: as release.strategy of slipway.yaml says",
                ),
            ],
            artifact_bucket=artifacts.bucket,
            role=role,
            use_pipeline_role_for_actions=True,
            restart_execution_on_update=False,
        )
        self._add_source_stage()
        self._add_test_stage()
        self._add_build_stage()
        self._add_train_stage()
        self._add_staging_stage()
        if settings.release.promotion == "manual":
            self._add_approve_stage()
        self._add_production_stage()
        self._start_on_push()

    def _add_source_stage(self) -> None:
        source = actions.CodeCommitSourceAction(
            action_name="Source",
            variables_namespace="Source",
            repository=self._foundation.repository,
            branch=self._settings.source.branch,
            trigger=actions.CodeCommitTrigger.NONE,  # but see _start_on_push
            output=self._source,
        )
        self._pipeline.add_stage(stage_name="Source", actions=[source])

    def _add_test_stage(self) -> None:
        test = actions.CodeBuildAction(
            action_name="Test",
            variables_namespace="Test",
            type=actions.CodeBuildActionType.TEST,
            project=self._projects.test,
            input=self._source,
            environment_variables=_as_build_variables(_RELEASED),
        )
        self._pipeline.add_stage(stage_name="Test", actions=[test])

    def _add_build_stage(self) -> None:
        synth = actions.CodeBuildAction(
            action_name="Synth", project=self._projects.synth, input=self._source, outputs=[self._templates]
        )
        build_image = self._step("BuildImage", self._projects.build_image, _RELEASED)
        self._pipeline.add_stage(stage_name="Build", actions=[build_image, synth])

    def _add_train_stage(self) -> None:
        image = {**_RELEASED, "IMAGE_URI": "#{BuildImage.IMAGE_URI}"}
        dataset = {"DATASET_URI": "#{PrepareData.DATASET_URI}"}
        model = {
            "MODEL_DATA_URI": "#{TrainModel.MODEL_DATA_URI}",
            "MODEL_SHA256": "#{TrainModel.MODEL_SHA256}",
        }
        lineage = {
            "DATA_VERSION": "#{PrepareData.DATA_VERSION}",
            "TRAINING_JOB_NAME": "#{TrainModel.TRAINING_JOB_NAME}",
        }
        archive = {"MODEL_ARCHIVE_SHA256": "#{TrainModel.MODEL_ARCHIVE_SHA256}"}
        projects, evidence = self._projects, [self._evaluation]
        train = [
            self._step("PrepareData", projects.prepare_data, image, run_order=1),
            self._step("TrainModel", projects.train_model, image | dataset, run_order=2),
            self._step(
                "EvaluateModel",
                projects.evaluate_model,
                image | dataset | model | lineage,
                outputs=evidence,
                run_order=3,
            ),
            self._step(
                "RegisterModel",
                projects.register_model,
                image | dataset | model | lineage | archive,
                extra_inputs=evidence,
                run_order=4,
            ),
        ]
        self._pipeline.add_stage(stage_name="Train", actions=train)

    def _add_staging_stage(self) -> None:
        deploy = self._deploy(names.STAGING, {"ModelPackageArn": _MODEL_PACKAGE_ARN}, run_order=1)
        verify = self._verify(
            "VerifyStaging", self._projects.verify_staging, {"MODEL_PACKAGE_ARN": _MODEL_PACKAGE_ARN}, run_order=2
        )
        self._pipeline.add_stage(stage_name="Staging", actions=[deploy, verify])

    def _add_production_stage(self) -> None:
        package, plan = {"MODEL_PACKAGE_ARN": _MODEL_PACKAGE_ARN}, "#{{PlanRelease.{}}}".format
        record, strategy = self._projects.record_approval, {"STRATEGY": "#{variables.Strategy}"}
        before = [self._step("RecordApproval", record, package)] if record else []
        served = {
            "ModelPackageArn": plan("MODEL_PACKAGE_ARN"),
            "ChallengerModelPackageArn": plan("CHALLENGER_MODEL_PACKAGE_ARN"),
            "Strategy": plan("STRATEGY"),
        }
        verified = {name: plan(name) for name in ("MODEL_PACKAGE_ARN", "CHALLENGER_MODEL_PACKAGE_ARN", "STRATEGY")}
        planned = len(before) + 1
        self._pipeline.add_stage(
            stage_name="Production",
            actions=[
                *before,
                self._step("PlanRelease", self._projects.plan_release, package | strategy, run_order=planned),
                self._deploy(names.PRODUCTION, served, run_order=planned + 1),
                self._verify("VerifyProduction", self._projects.verify_production, verified, run_order=planned + 2),
            ],
        )

    def _deploy(
        self, environment: str, parameters: Mapping[str, str], *, run_order: int
    ) -> actions.CloudFormationCreateUpdateStackAction:
        return actions.CloudFormationCreateUpdateStackAction(
            action_name="Deploy",
            run_order=run_order,
            stack_name=names.endpoint_name(self._settings.name, environment),
            template_path=self._templates.at_path(f"{environment}.template.json"),
            parameter_overrides=dict(parameters),
            admin_permissions=False,
            deployment_role=self._deployment_roles[environment],
            # A stack that could not be created (a model that does not start) stands in the way of the next commit. In
            # staging it is replaced; production is never deleted by the pipeline.
            replace_on_failure=environment == names.STAGING,
        )

    def _verify(
        self, namespace: str, project: codebuild.IProject, variables: Mapping[str, str], *, run_order: int
    ) -> actions.CodeBuildAction:
        return self._step(
            "Verify",
            project,
            variables,
            namespace=namespace,
            extra_inputs=[self._evaluation],
            run_order=run_order,
        )

    def _add_approve_stage(self) -> None:
        report = "evaluations/#{codepipeline.PipelineExecutionId}/report.html"
        bucket = self._foundation.data_bucket.bucket_name
        approve = actions.ManualApprovalAction(
            action_name="Approve",
            timeout=Duration.hours(self._settings.release.approval_expires_hours),
            notification_topic=self._foundation.approval_topic,
            additional_information=_APPROVAL_TEXT,
            # The console's page of the object, which opens it for whoever may read the bucket.
            external_entity_link=(
                f"https://{Aws.REGION}.console.aws.amazon.com/s3/object/{bucket}?region={Aws.REGION}&prefix={report}"
            ),
        )
        self._pipeline.add_stage(stage_name="Approve", actions=[approve])

    def _start_on_push(self) -> None:
        """The rule is written out, not left to the source action, to have a name: its role trusts this one rule."""
        rule_name = f"{self._settings.name}-push"
        rule_arn = f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule/{rule_name}"
        start = permissions.allow("codepipeline:StartPipelineExecution", on=self._pipeline.pipeline_arn)
        role = permissions.role(
            self,
            "PushRole",
            assumed_by=permissions.service("events.amazonaws.com", source_arn=rule_arn),
            statements=[start],
        )
        self._foundation.repository.on_commit(
            "Push",
            rule_name=rule_name,
            description=f"A push to {self._settings.source.branch} starts the pipeline",
            branches=[self._settings.source.branch],
            target=targets.CodePipeline(self._pipeline, event_role=role.without_policy_updates()),
            cross_stack_scope=self,
        )

    def _step(
        self,
        action_name: str,
        project: codebuild.IProject,
        variables: Mapping[str, str],
        *,
        namespace: str | None = None,
        extra_inputs: Sequence[codepipeline.Artifact] = (),
        outputs: Sequence[codepipeline.Artifact] = (),
        run_order: int = 1,
    ) -> actions.CodeBuildAction:
        execution = {"EXECUTION_ID": "#{codepipeline.PipelineExecutionId}", "COMMIT_ID": "#{Source.CommitId}"}
        return actions.CodeBuildAction(
            action_name=action_name,
            variables_namespace=namespace or action_name,
            run_order=run_order,
            project=project,
            input=self._source,
            extra_inputs=list(extra_inputs),
            outputs=list(outputs),
            environment_variables=_as_build_variables(execution | dict(variables)),
        )


def _as_build_variables(variables: Mapping[str, str]) -> dict[str, codebuild.BuildEnvironmentVariable]:
    return {name: codebuild.BuildEnvironmentVariable(value=value) for name, value in variables.items()}
