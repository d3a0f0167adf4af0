"""What is noted on a version, in words."""

from datetime import timedelta

import pytest

from slipway.production_history import InProduction, in_production
from tests.slipway.recorded import START, at

NOW = START + timedelta(hours=5)


@pytest.mark.parametrize(
    ("history", "serves", "told"),
    [
        (InProduction(), False, []),
        (InProduction(released=at(0)), True, ["is in production since 5 h"]),
        (InProduction(released=at(0)), False, ["went into production 5 h ago"]),
        (
            InProduction(released=at(0), rolled_back=at(3600), reason="slow"),
            False,
            ["was rolled back 4 h ago: slow"],
        ),
        (
            InProduction(released=at(0), restored=at(7200), reason="slow"),
            True,
            ["is back in production since 3 h: slow"],
        ),
        (
            InProduction(released=at(7200), rolled_back=at(3600), reason="slow"),
            False,
            ["went into production 3 h ago"],
        ),
        (InProduction(challenger=at(0)), False, ["was put beside the champion as a challenger 5 h ago"]),
        (InProduction(challenger=at(0), dropped=at(3600), reason="no better"), False,
         ["was dropped as a challenger 4 h ago: no better"]),
        (InProduction(challenger=at(0), released=at(3600)), True, ["is in production since 4 h"]),
        (InProduction(failed=at(3600), failure="x: p99 was 9"), False, ["failed in production 4 h ago: x: p99 was 9"]),
        (InProduction(failed=at(3600), released=at(7200)), True, ["is in production since 3 h"]),
    ],
    ids=["nothing", "serves", "served", "rolled back", "restored", "came again", "challenger", "dropped", "promoted",
         "failed", "failed, then not"],
)  # fmt: skip
def test_a_version_tells_where_it_has_been(history: InProduction, serves: bool, told: list[str]) -> None:
    assert list(history.told(NOW, serves=serves)) == told


def test_what_the_pipeline_and_the_commands_note_is_read() -> None:
    noted = {
        "released_at": "2026-11-21T13:22:00+00:00", "rollout_failed_at": "nonsense", "rollout_failure": "x",
        "verdict": "Accepted", "reason": "slow",
    }  # fmt: skip

    read = in_production(noted)

    assert read.released is not None
    assert (read.released.hour, read.failed, read.failure, read.reason) == (13, None, "x", "slow")
