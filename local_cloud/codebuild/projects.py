"""Build projects: stored definitions, and the part of the API that is about them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.codebuild import git_source
from local_cloud.codebuild.listing import found_and_missing, paged
from local_cloud.wire import ServiceError

Document = dict[str, Any]

_DEFAULT_TIMEOUT_MINUTES = 60
_DEFAULT_QUEUED_TIMEOUT_MINUTES = 480


class Projects:
    """Projects (Project) by name."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.table = cloud.store.table("codebuild.projects")

    def arn(self, name: str) -> str:
        return f"arn:aws:codebuild:{self._cloud.region}:{self._cloud.account_id}:project/{name}"

    def get(self, name: str) -> Document:
        """Raises:
        ServiceError: ResourceNotFoundException.
        """
        project = self.table.get(name)
        if project is None:
            raise ServiceError("ResourceNotFoundException", f"Project cannot be found: {self.arn(name)}")
        return project

    def define(self, request: Document) -> Document:
        """Store a new project, or a whole new definition of one, from a CreateProject request."""
        name = request["name"]
        now = datetime.now(UTC)
        known = self.table.get(name) or {"created": now, "lastBuildNumber": 0}
        defaults = {
            "timeoutInMinutes": _DEFAULT_TIMEOUT_MINUTES,
            "queuedTimeoutInMinutes": _DEFAULT_QUEUED_TIMEOUT_MINUTES,
            "encryptionKey": f"arn:aws:kms:{self._cloud.region}:{self._cloud.account_id}:alias/aws/s3",
            "cache": {"type": "NO_CACHE"},
            "projectVisibility": "PRIVATE",
        }
        project = {
            **defaults,
            **{key: value for key, value in request.items() if key != "badgeEnabled"},
            "badge": {"badgeEnabled": False},
            "arn": self.arn(name), "lastModified": now,
            "created": known["created"], "lastBuildNumber": known["lastBuildNumber"],
        }  # fmt: skip
        self.table.put(name, project)
        return project

    def next_build_number(self, name: str) -> int:
        with self.table.change(name) as project:
            project["lastBuildNumber"] += 1
            number: int = project["lastBuildNumber"]
        return number


class ProjectOperations:
    """CreateProject and its kin."""

    def __init__(self, projects: Projects, announce: Callable[[], None]) -> None:
        """`announce` is called when a project is made: builds will follow."""
        self._projects = projects
        self._announce = announce

    def create_project(self, request: Document) -> Document:
        if self._projects.table.get(request["name"]) is not None:
            arn = self._projects.arn(request["name"])
            raise ServiceError("ResourceAlreadyExistsException", f"Project already exists: {arn}")
        _check(request)
        self._announce()
        return {"project": self._projects.define(request)}

    def update_project(self, request: Document) -> Document:
        """What the request leaves out stays as it is."""
        project = self._projects.get(request["name"])
        _check(project | request)
        return {"project": self._projects.define(project | request)}

    def delete_project(self, request: Document) -> Document:
        self._projects.table.delete(request["name"])
        return {}

    def batch_get_projects(self, request: Document) -> Document:
        names = [name.rpartition("/")[2] for name in request["names"]]  # an ARN is allowed as well
        return found_and_missing(self._projects.table.get, names, "projects", "projectsNotFound")

    def list_projects(self, request: Document) -> Document:
        keys: dict[str, Callable[[Document], Any]] = {
            "NAME": lambda project: project["name"],
            "CREATED_TIME": lambda project: project["created"],
            "LAST_MODIFIED_TIME": lambda project: project["lastModified"],
        }
        projects = [project for _, project in self._projects.table.items()]
        projects.sort(key=keys[request.get("sortBy", "NAME")], reverse=request.get("sortOrder") == "DESCENDING")
        return paged("projects", [project["name"] for project in projects], request)


def _check(project: Document) -> None:
    """Refuse what AWS refuses: S3 places without a bucket, repositories without a URL."""
    for what in ("source", "artifacts"):
        kind = project[what]["type"]
        if kind in ("S3", git_source.TYPE) and not project[what].get("location"):
            raise ServiceError("InvalidInputException", f"Invalid project {what}: location is required for type {kind}")
