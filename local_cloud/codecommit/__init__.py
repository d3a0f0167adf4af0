"""CodeCommit: repositories that `git push` reaches over HTTP, pull requests, events, the CloudFormation type."""

from local_cloud.cloud import Cloud
from local_cloud.codecommit.authorization import rules
from local_cloud.codecommit.cloudformation import RepositoryHandler
from local_cloud.codecommit.comments import Comments
from local_cloud.codecommit.events import ReferenceEvents
from local_cloud.codecommit.http import ArchiveApp, GitHttpApp
from local_cloud.codecommit.operations import Operations
from local_cloud.codecommit.owners import Owners
from local_cloud.codecommit.pull_requests import PullRequests
from local_cloud.codecommit.repositories import Repositories
from local_cloud.codecommit.service import CodeCommitService
from local_cloud.ministack import Platform


def register(cloud: Cloud, platform: Platform) -> None:
    """Serve CodeCommit on this platform."""
    repositories, comments = Repositories(cloud), Comments(cloud)
    pull_requests = PullRequests(cloud, repositories)
    events = ReferenceEvents(cloud, repositories, pull_requests)
    operations = Operations(cloud, repositories, events, pull_requests, comments)
    service = CodeCommitService(operations, rules(cloud.region, cloud.account_id, Owners(pull_requests, comments)))
    platform.add_service(service)
    platform.add_route("/v1/repos/", GitHttpApp(cloud, repositories, events))
    platform.add_signed_route("/v1/archives/", ArchiveApp(cloud, repositories), "codecommit")
    platform.add_resource("AWS::CodeCommit::Repository", RepositoryHandler(service, repositories))


def resume(cloud: Cloud) -> None:
    """Publish the events of pushes that a killed server took in and did not tell of."""
    repositories = Repositories(cloud)
    events = ReferenceEvents(cloud, repositories, PullRequests(cloud, repositories))
    for name in repositories.names():
        events.publish_changes(name, f"arn:aws:iam::{cloud.account_id}:root")  # who pushed is not known any more
