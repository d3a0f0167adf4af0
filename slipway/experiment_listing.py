"""`slipway experiments`: the team's experiments side by side."""

import json

from rich.console import Console

from settings import load
from slipway.executions import now
from slipway.experiment_record import ExperimentRecord, read_records
from slipway.experiment_view import best_first, listing_view
from slipway.project import SETTINGS_FILE, Project
from slipway.stacks import Stacks
from slipway.target import Target


def show_experiments(console: Console, target: Target, project: Project) -> None:
    """Print them for people."""
    records = _read(target, project)
    if not records:
        console.print("There are no experiments yet.\nNext:  slipway experiment --set NAME=VALUE")
        return
    primary = load(project.root / SETTINGS_FILE, target.overlay).evaluation.primary
    console.print(listing_view(best_first(records, primary), primary, now()))


def as_json_text(target: Target, project: Project) -> str:
    """All that is known of them, the best first."""
    primary = load(project.root / SETTINGS_FILE, target.overlay).evaluation.primary
    records = best_first(_read(target, project), primary)
    return json.dumps([record.model_dump(mode="json") for record in records], indent=2)


def _read(target: Target, project: Project) -> list[ExperimentRecord]:
    bucket = Stacks(target).outputs(project.foundation_stack)["DataBucketName"]
    return read_records(target, bucket)
