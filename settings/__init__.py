"""slipway.yaml, the one file that a team edits: what may stand in it, and its reader, who reports every fault at once.

`load(path, overlay)` gives frozen `Settings` or raises one `SettingsError`. `python -m settings schema` prints the JSON
schema that gives editors completion and checks while typing.
"""

from settings.endpoints import AnyEndpoint, Endpoint, Endpoints, Objectives, ServerlessEndpoint
from settings.faults import LOCAL_OVERLAY
from settings.file import SettingsError, load
from settings.release import IMMEDIATE, SHIFTING, STRATEGIES, Release, RollbackOn, Strategy
from settings.rules import Margin
from settings.sections import (
    AcceptedFinding,
    Approval,
    ChampionPolicy,
    Container,
    Data,
    Evaluation,
    HashSplit,
    Limit,
    Network,
    PrimaryMetric,
    Processing,
    Scan,
    Settings,
    SliceColumn,
    Slices,
    Source,
    TimeSplit,
    Training,
    has_local_storage,
)

__all__ = [
    "IMMEDIATE",
    "LOCAL_OVERLAY",
    "SHIFTING",
    "STRATEGIES",
    "AcceptedFinding",
    "AnyEndpoint",
    "Approval",
    "ChampionPolicy",
    "Container",
    "Data",
    "Endpoint",
    "Endpoints",
    "Evaluation",
    "HashSplit",
    "Limit",
    "Margin",
    "Network",
    "Objectives",
    "PrimaryMetric",
    "Processing",
    "Release",
    "RollbackOn",
    "Scan",
    "ServerlessEndpoint",
    "Settings",
    "SettingsError",
    "SliceColumn",
    "Slices",
    "Source",
    "Strategy",
    "TimeSplit",
    "Training",
    "has_local_storage",
    "load",
]
