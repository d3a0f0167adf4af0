"""What callers of production notice of a release: failed calls, p99 before, during and after, seconds to the way back.

The project's own template on the local cloud, four instances of a tiny model, a steady open-model load; the canary is
one of the four. Beside it what most pipelines do, an update without guardrails, taken back by hand at the first failed
call; and the limit on AWS, whose alarms look at whole periods: what such a canary lets fail until the first is over.
The local cloud looks at its alarms every second, so it is faster than that.

    make benchmark-rollout
"""

import math
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.production_line import ENDPOINT, INSTANCES, ProductionLine, deployed_production
from tests.steady_load import Call, SteadyLoad, failed

PER_SECOND = 25.0
_AROUND_SECONDS = 5.0
_OLD, _NEW, _BAD = 0.1, 0.2, 0.9


@dataclass(frozen=True)
class Release:
    """One release under load.

    Attributes:
        began: seconds of the monotonic clock, as is `ended`.
        outcome: the stack's status in the end.
    """

    name: str
    calls: list[Call]
    began: float
    ended: float
    outcome: str

    def row(self) -> tuple[str, ...]:
        """The release as a line of the table."""
        hit = [call for call in self.calls if call.error is not None or call.answer == str(_BAD)]
        seconds = f"{max(call.at for call in hit) - min(call.at for call in hit):.1f}" if hit else "-"
        before = [call for call in self.calls if call.at < self.began]
        during = [call for call in self.calls if self.began <= call.at < self.ended]
        after = [call for call in self.calls if call.at >= self.ended]
        return (
            self.name,
            self.outcome,
            f"{self.ended - self.began:.1f}",
            f"{len(failed(self.calls))} of {len(self.calls)}",
            *(f"{p99_milliseconds(part):.0f}" for part in (before, during, after)),
            seconds,
        )


def p99_milliseconds(calls: list[Call]) -> float:
    """The nearest-rank percentile of the seconds from when a call was due to its answer."""
    return 1000 * sorted(call.seconds for call in calls)[math.ceil(0.99 * len(calls)) - 1]


def measure(production: ProductionLine, name: str, change: Callable[[list[Call]], str]) -> Release:
    """Hold the load some seconds before, while and after something changes production."""
    steady = SteadyLoad(production.client("sagemaker-runtime"), ENDPOINT, PER_SECOND)
    with steady.running() as calls:
        time.sleep(_AROUND_SECONDS)
        began = time.monotonic()
        outcome = change(calls)
        ended = time.monotonic()
        time.sleep(_AROUND_SECONDS)
    return Release(name, calls, began, ended, outcome)


def releases(production: ProductionLine) -> Iterator[Release]:
    """The good canary, the bad ones, and the way of those who have none."""
    first = production.package(_OLD)
    production.deploy(first)

    def canary(package: str) -> Callable[[list[Call]], str]:
        return lambda _: production.deploy(package, Strategy="canary")

    yield measure(production, "canary, a good model", canary(production.package(_NEW)))
    production.deploy(first, Strategy="immediate")
    yield measure(production, "canary, answers 5xx", canary(production.package(_BAD, status=500)))
    yield measure(production, "canary, 0.8 s slow", canary(production.package(_BAD, seconds=0.8)))
    yield measure(production, "canary, dies at its start", canary(production.package(_BAD, dies=True)))
    bad = production.package(_BAD, status=500)
    yield measure(production, "no guardrails, answers 5xx", lambda calls: _taken_back_by_hand(production, bad, calls))


def _taken_back_by_hand(production: ProductionLine, bad: str, calls: list[Call]) -> str:
    """An operator who notices the first failed call at once, and types one command."""
    production.deploy(bad, Strategy="immediate")
    while not failed(calls):
        time.sleep(0.1)
    version = production.first_package.rpartition("/")[2]
    production.line.slipway("rollback", "--to", version, "--reason", "it fails", "--yes")
    return production.status() or ""


def main() -> None:
    """Print the table."""
    console = Console(width=150, highlight=False)
    table = Table(title=f"Releases under {PER_SECOND:g} calls a second")
    for column in ("release", "the stack in the end", "seconds"):
        table.add_column(column)
    for column in ("failed calls", "p99 before, ms", "during", "after", "seconds to the way back"):
        table.add_column(column, justify="right")
    with (
        tempfile.TemporaryDirectory(prefix="slipway-rollout-") as folder,
        deployed_production(Path(folder)) as production,
    ):
        limits = production.settings.release
        for release in releases(production):
            table.add_row(*release.row())
            console.print(f"measured: {release.name}")
    period = limits.rollback_on.period_seconds
    least = PER_SECOND * period / INSTANCES
    limit = f"limit on AWS: one of {INSTANCES}, for a period"
    table.add_row(limit, "", "", f"{least:.0f}", "", "", "", f"{period}")
    console.print(table)
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"bake time {limits.step_seconds} s, period of the alarms {period} s; {mib:.0f} MiB in this process")


if __name__ == "__main__":
    main()
