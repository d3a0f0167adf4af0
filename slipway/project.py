"""Where the project is and how its parts are called, read from slipway.yaml."""

from dataclasses import dataclass
from pathlib import Path

import settings
from slipway.errors import UserError

SETTINGS_FILE = "slipway.yaml"
ENVIRONMENTS = ("staging", "production")


@dataclass(frozen=True)
class Project:
    """The names of a project's resources in AWS.

    Attributes:
        root: the folder of slipway.yaml.
        name: the pipeline, the repositories and the model package group are called so; the prefix of all else.
        branch: a push to it starts the pipeline.
        data_prefix: where the team's data lies in the data bucket; ends with a slash.
    """

    root: Path
    name: str
    branch: str
    data_prefix: str

    @property
    def state_dir(self) -> Path:
        """Everything that the command and the local cloud keep on this machine."""
        return self.root / ".slipway"

    @property
    def log_dir(self) -> Path:
        """The full output of the tools that the command runs."""
        return self.state_dir / "logs"

    @property
    def report_dir(self) -> Path:
        """The reports of evaluations that were looked at."""
        return self.state_dir / "reports"

    @property
    def foundation_stack(self) -> str:
        return f"{self.name}-foundation"

    @property
    def stacks(self) -> tuple[str, ...]:
        """All stacks, in the order of their deletion."""
        return (f"{self.name}-production", f"{self.name}-staging", f"{self.name}-pipeline", self.foundation_stack)

    def endpoint(self, environment: str) -> str:
        """The endpoint of `staging` or `production`."""
        return f"{self.name}-{environment}"


def load(start: Path, overlay: str | None) -> Project:
    """Find slipway.yaml in `start` or above it, and read it.

    Args:
        start: usually the current folder.
        overlay: the settings overlay of the target; None on AWS.

    Raises:
        UserError: no slipway.yaml, or a faulty one (with all its faults).
    """
    root = next((folder for folder in (start, *start.parents) if (folder / SETTINGS_FILE).is_file()), None)
    if root is None:
        raise UserError(f"no {SETTINGS_FILE} in {start} or above it", "change to the folder of a Slipway project")
    try:
        read = settings.load(root / SETTINGS_FILE, overlay)
    except settings.SettingsError as error:
        raise UserError(str(error), f"correct {SETTINGS_FILE}") from error
    return Project(root=root, name=read.name, branch=read.source.branch, data_prefix=read.data.prefix)
