"""The threat model names what holds each control, and that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`((?:\w+/)*test_\w+\.py)`", PAGE)

    assert len(named) > 10
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []


def test_every_decision_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"decision (\d+)", PAGE)

    assert named
    assert [number for number in named if not list((ROOT / "docs/decisions").glob(f"{int(number):04}-*.md"))] == []
