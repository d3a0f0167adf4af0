"""What happens on a pull request: a build that tests its code and, on request, trains on a sample.

The code has not been reviewed, and it runs as the build's role. So that role may read what the setting needs, pull the
repository, and publish test reports; the one thing it may write for people is the comment, by a role of its own.
"""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import buildspecs, execution_roles, names, permissions
from infra.build_project import build_environment, build_log, build_role, common_options
from infra.build_target import build_target
from infra.foundation_stack import FoundationStack
from infra.permission import Permission
from settings import Settings

# An updated comment must come from the author of the first one. The session of a build is named after the build, so a
# role with one and the same session name speaks for all of them.
_COMMENT_SESSION = "slipway"


class PullRequestBuilds(Construct):
    """A project, the rule that starts it for pull requests to the branch of the pipeline, and three roles."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, overlay: str, foundation: FoundationStack
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._foundation = settings, foundation
        self._name = f"{settings.name}-pull-request"
        self._log = build_log(self, self._name, foundation.key)
        role = self._role()
        comment_role = self._comment_role(role)
        self._project = self._make_project(role, {"SLIPWAY_OVERLAY": overlay, **self._variables(comment_role)})
        self._start_on_pull_requests()

    def _role(self) -> iam.Role:
        """The build's own role."""
        statements = [
            permissions.allow("codecommit:GitPull", on=self._foundation.repository.repository_arn),
            permissions.publish_report(f"{self._name}-pytest", "codebuild:BatchPutTestCases"),
            permissions.publish_report(f"{self._name}-coverage", "codebuild:BatchPutCodeCoverages"),
            *(self._read_what_a_sample_needs() if self._settings.pull_requests == "sample" else ()),
        ]
        return build_role(self, self._name, self._log, statements)

    def _read_what_a_sample_needs(self) -> list[Permission]:
        """The champion, the prepared data that it was trained on, and what it answered to the holdout."""
        bucket, name = self._foundation.data_bucket, self._settings.name
        return [
            permissions.get_objects(bucket, execution_roles.DATASETS, execution_roles.EVALUATIONS),
            permissions.decrypt(self._foundation.key),
            *permissions.find_served_model(name, names.PRODUCTION),
            permissions.describe_model_packages(name),
            permissions.list_model_packages(name),
        ]

    def _comment_role(self, role: iam.Role) -> iam.Role:
        """The author of the comments, which the build's role becomes."""
        trusted = iam.ArnPrincipal(role.role_arn).with_conditions(
            {"StringEquals": {"sts:RoleSessionName": _COMMENT_SESSION}}
        )
        comment = permissions.allow(
            "codecommit:GetCommentsForPullRequest",
            "codecommit:PostCommentForPullRequest",
            "codecommit:UpdateComment",
            on=self._foundation.repository.repository_arn,
        )
        author = permissions.role(self, "CommentRole", assumed_by=trusted, statements=[comment])
        # Each of the two roles names the other, so this cannot stand inside the first.
        become = permissions.allow("sts:AssumeRole", on=author.role_arn)
        iam.Policy(self, "BecomeAuthor", roles=[role], statements=[become.statement()])
        return author

    def _variables(self, comment_role: iam.Role) -> Mapping[str, str]:
        foundation, name = self._foundation, self._settings.name
        return {
            "COMMENT_ROLE_ARN": comment_role.role_arn,
            "COMMENT_SESSION": _COMMENT_SESSION,
            "DATA_BUCKET": foundation.data_bucket.bucket_name,
            "MODEL_PACKAGE_GROUP": foundation.model_package_group.model_package_group_name,
            "PULL_REQUESTS": self._settings.pull_requests,
            "PRODUCTION_ENDPOINT": names.endpoint_name(name, names.PRODUCTION),
            "REPOSITORY": foundation.repository.repository_name,
        }

    def _make_project(self, role: iam.Role, variables: Mapping[str, str]) -> codebuild.Project:
        key, log = self._foundation.key, self._log
        return codebuild.Project(
            self,
            "Project",
            description="Tests the code of a pull request and, if the settings say so, trains on a sample",
            source=codebuild.Source.code_commit(repository=self._foundation.repository),
            environment=build_environment(variables),
            timeout=Duration.hours(2),
            **common_options(name=self._name, role=role, buildspec=buildspecs.pull_request(), key=key, log=log),
        )

    def _start_on_pull_requests(self) -> None:
        """The build is told ids alone: EventBridge escapes no title, description or name of a branch."""
        told = {"PULL_REQUEST_ID": "pullRequestId", "COMMIT_ID": "sourceCommit", "BASE_COMMIT_ID": "destinationCommit"}
        self._foundation.repository.on_pull_request_state_change(
            "PullRequest",
            rule_name=self._name,
            description=f"A pull request to {self._settings.source.branch} and each push to it start a build",
            event_pattern=events.EventPattern(
                detail={
                    "event": ["pullRequestCreated", "pullRequestSourceBranchUpdated"],
                    "destinationReference": [f"refs/heads/{self._settings.source.branch}"],
                }
            ),
            target=build_target(self, self._project, self._name, told, source_version="sourceCommit"),
            cross_stack_scope=self,
        )
