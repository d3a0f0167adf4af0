"""`slipway up`: the local cloud, the CDK bootstrap, the stacks, the example's data and the git remote.

Each part looks at what is there first, so the whole can be interrupted anywhere and run again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from slipway import data_bucket
from slipway.cdk import Cdk
from slipway.errors import GitError, UserError
from slipway.git_repository import REMOTE, GitRepository
from slipway.local_server import LocalServer
from slipway.phases import Phases
from slipway.project import Project
from slipway.stacks import Stacks
from slipway.target import GIT_HELPER_VARIABLES, NOT_LOCAL, Target, local_target


def start_local_cloud(phases: Phases, server: LocalServer, port: int, environment: Mapping[str, str]) -> Target:
    """The local cloud, started when it does not run."""
    with phases.phase("Local cloud") as phase:
        record = server.running()
        if record is not None:
            phase.note = f"runs already at {record.endpoint_url} (process {record.pid})"
        else:
            record = server.start(port, environment)
            phase.note = f"started at {record.endpoint_url} (process {record.pid})"
    return local_target(record, environment)


@dataclass(frozen=True)
class Deployment:
    """What `up` puts into an AWS.

    Args:
        phases: where its parts are shown and timed.
    """

    phases: Phases
    target: Target
    project: Project

    def all(self, *, example_data: bool, profile: str | None) -> None:
        """Everything but the start of the local cloud.

        Args:
            example_data: put the example's data into the data bucket when nothing is there.
            profile: the AWS profile that git's credential helper shall use; None for the default.
        """
        self.bootstrap()
        outputs = self.deploy()
        if example_data:
            self.put_example_data(outputs["DataBucketName"])
        self.set_remote(outputs["RepositoryCloneUrlHttp"], profile)

    def bootstrap(self) -> None:
        with self.phases.phase("CDK bootstrap") as phase:
            if Stacks(self.target).bootstrapped():
                phase.note = "is there already"
                return
            self._cdk().bootstrap(self.target.account_id, self.target.region, phase.progress)

    def deploy(self) -> dict[str, str]:
        """Deploy foundation and pipeline; returns the foundation's outputs."""
        stacks = Stacks(self.target)
        with self.phases.phase("CDK deploy") as phase:
            for name in self.project.stacks:
                stacks.wait_until_settled(name)
            self._cdk().deploy(phase.progress)
            phase.note = f"{self.project.foundation_stack}, {self.project.name}-pipeline"
            return stacks.outputs(self.project.foundation_stack)

    def put_example_data(self, bucket: str) -> None:
        prefix = self.project.data_prefix
        with self.phases.phase("Example data") as phase:
            if not data_bucket.is_empty(self.target, bucket, prefix):
                phase.note = f"s3://{bucket}/{prefix} has data already"
                return
            count = data_bucket.put_example(self.target, bucket, prefix)
            phase.note = f"{count} files in s3://{bucket}/{prefix}"

    def set_remote(self, url: str, profile: str | None) -> None:
        """Let the git remote `slipway` point to the deployed repository."""
        repository = GitRepository(self.project.root, self.target.environment)
        with self.phases.phase("Git remote") as phase:
            try:
                repository.require()
            except GitError as error:
                phase.note = f"left out: {error.message}"
                return
            repository.set_remote(url)
            if self.target.kind == "local":
                self._use_local_credentials(repository, url)
            elif _is_codecommit(url):
                repository.use_codecommit_credentials(url, profile)
            phase.note = f"{REMOTE} -> {url}"

    def _use_local_credentials(self, repository: GitRepository, url: str) -> None:
        variables = {name: value for name, value in self.target.environment.items() if name in GIT_HELPER_VARIABLES}
        assert self.target.ca_folder is not None
        repository.use_local_credentials(url, ca_folder=self.target.ca_folder, variables=variables, unset=NOT_LOCAL)

    def _cdk(self) -> Cdk:
        return Cdk(self.project.root, self.project.log_dir, self.target.environment, self.target.overlay)


def refuse_folder(root: Path) -> None:
    """Raise UserError when a folder cannot hold the local state."""
    try:
        (root / ".slipway").mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write into {root}: {error.strerror}", "use a folder that you may write to") from error


def _is_codecommit(url: str) -> bool:
    return urlsplit(url).netloc.startswith("git-codecommit.")
