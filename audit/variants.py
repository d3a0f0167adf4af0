"""The settings whose templates are audited: on AWS and with the local overlay, in each kind of network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import settings as settings_file
from settings import LOCAL_OVERLAY, Settings

NETWORKS: Mapping[str, Mapping[str, Any]] = {
    "isolated": {"mode": "isolated"},
    "vpc": {"mode": "vpc"},
    "given vpc": {
        "mode": "vpc",
        "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "security_group_ids": ["sg-0123456789abcdef0"],
    },
}


@dataclass(frozen=True)
class Variant:
    """One way to synthesize the project.

    Attributes:
        overlay: of the settings.
        network: which of the kinds above.
    """

    overlay: str
    network: str

    def __str__(self) -> str:
        return f"{self.overlay or 'aws'} {self.network}"

    @property
    def recorded(self) -> bool:
        """Whether the local cloud runs these templates, so that a recording says what of them is used."""
        return self.overlay == LOCAL_OVERLAY

    def settings(self, path: Path) -> Settings:
        """The project's settings in this variant."""
        document = settings_file.load(path, self.overlay).model_dump(mode="json")
        return Settings.model_validate({**document, "network": NETWORKS[self.network]})


VARIANTS = tuple(Variant(overlay, network) for overlay in ("", LOCAL_OVERLAY) for network in NETWORKS)
