"""`slipway rollback`, `promote` and `drop`: what they will do in words, and then the deed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slipway.errors import EndpointError, RegistryError
from slipway.executions import now
from slipway.production import Production, ProductionState, version_of
from slipway.releases import Release
from slipway.rendering import age

_NO_REASON = "no reason was given"


@dataclass(frozen=True)
class Change:
    """What production shall serve from now on.

    Attributes:
        target_arn: alone, for all calls.
        told: what will be done, a sentence each.
        notes: under which key the time of it is noted, by model package.
    """

    target_arn: str
    told: tuple[str, ...]
    notes: dict[str, str]


def plan_rollback(state: ProductionState, releases: Sequence[Release], to: int | None) -> Change:
    """The way back from what production serves, or from what is on its way there.

    Args:
        releases: all versions.
        to: a version; None for the one that production served before.

    Raises:
        RegistryError: there is no such version, or it may not serve.
        EndpointError: there is nothing to go back from or to.
    """
    known = {release.arn: release for release in releases}
    serving, incoming = state.served.package_arn, state.incoming_arn
    assert serving is not None, "Production.read has seen to it"
    if to is None and state.is_going_back:
        raise EndpointError(
            f"production is on its way back to version {version_of(serving)} already",
            "slipway status, or slipway rollback --to VERSION for another one",
        )
    target = _chosen(releases, to) if to is not None else serving if incoming else _earlier(known, serving)
    is_alone = state.challenger_arn is None and state.served.challenger is None
    if target == serving and incoming is None and is_alone and not state.is_stuck:
        raise EndpointError(f"production serves version {version_of(target)} already", "slipway releases")
    told = [f"Production serves version {version_of(serving)}{_since(known.get(serving))}."]
    if incoming is not None:
        told.append(f"Version {version_of(incoming)} is on its way there: that is broken off.")
    elif not is_alone:
        told.append("A challenger is tested beside it: that ends. (slipway drop would end the test alone.)")
    stays = " again, for all calls" if target == serving else ""
    told.append(f"Version {version_of(target)} will serve{stays}, at once; the pipeline has no part in it.")
    bad = incoming or (state.challenger_arn if target == serving else None) or serving
    never_left = target == serving
    return Change(target, tuple(told), {bad: "rolled_back_at", **({} if never_left else {target: "restored_at"})})


def plan_promotion(state: ProductionState) -> Change:
    """The end of a test, with the challenger as the new champion.

    Raises:
        EndpointError: there is no test, or it is not set up yet.
    """
    challenger = _tested(state)
    if state.incoming_arn is not None:
        raise EndpointError(f"version {version_of(challenger)} is still on its way to production", "slipway watch")
    champion = version_of(state.package_arn)
    told = (
        f"Version {version_of(challenger)} is tested in production beside version {champion}.",
        f"Version {version_of(challenger)} will serve all calls, at once; version {champion} ends.",
    )
    return Change(challenger, told, {challenger: "released_at"})


def plan_drop(state: ProductionState) -> Change:
    """The end of a test, with the champion as it was.

    Raises:
        EndpointError: there is no test.
    """
    challenger, champion = _tested(state), state.package_arn
    told = (
        f"Version {version_of(challenger)} is tested in production beside version {version_of(champion)}.",
        f"Version {version_of(champion)} will serve all calls again; version {version_of(challenger)} ends.",
    )
    return Change(champion, told, {challenger: "dropped_at"})


def carry_out(production: Production, change: Change, reason: str | None, say: Callable[[str], None]) -> None:
    """Do it, see that production answers, and note it."""
    started = time.monotonic()
    production.serve_alone(change.target_arn)
    production.check_answers(change.target_arn)
    say(f"Production serves version {version_of(change.target_arn)} after {time.monotonic() - started:.1f} s.")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    for package_arn, key in change.notes.items():
        production.note(package_arn, reason=reason or _NO_REASON, **{key: at})


def _chosen(releases: Sequence[Release], version: int) -> str:
    release = next((one for one in releases if one.version == version), None)
    if release is None:
        known = ", ".join(str(one.version) for one in releases)
        raise RegistryError(f"there is no version {version}; there are {known}", "slipway releases")
    if release.status != "Approved":
        raise RegistryError(
            f"version {version} is {release.status}: only an Approved version may serve", "slipway releases"
        )
    return release.arn


def _earlier(known: dict[str, Release], serving: str) -> str:
    """The version that production served before, as far as it was not taken back itself."""
    current = known[serving].production.released if serving in known else None
    before = {
        release.production.released: arn
        for arn, release in known.items()
        if arn != serving
        and release.status == "Approved"
        and release.production.released is not None
        and not release.production.is_withdrawn
        and (current is None or release.production.released < current)
    }
    if not before:
        raise EndpointError(
            f"no version is noted as verified in production before version {version_of(serving)}, to go back to",
            "slipway releases, then slipway rollback --to VERSION",
        )
    return before[max(time for time in before if time is not None)]


def _since(release: Release | None) -> str:
    released = None if release is None else release.production.released
    return "" if released is None else f", which went into production {age(now() - released)} ago"


def _tested(state: ProductionState) -> str:
    if state.challenger_arn is None:
        raise EndpointError(
            "no challenger is tested in production", "slipway release VERSION --strategy ab_test (or shadow)"
        )
    return state.challenger_arn
