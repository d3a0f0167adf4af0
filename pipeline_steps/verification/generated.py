"""Hostile records by chance, always the same ones: good samples with something odd in them."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from pipeline_steps.documents import Samples
from pipeline_steps.verification.description import Description, kind_of
from pipeline_steps.verification.hostile_case import HostileCase
from pipeline_steps.verification.requests import Record, csv_request, json_request

SEED = 20131118
REQUESTS = 100

_MOST_RECORDS = 4
_LONGEST_TEXT = 60
_CHARACTERS = "aZ09 ,;\"'\\/\t\n\r\0{}[]<>%$é\u202e\ufeff\U0001f6eb"
_EDGES: tuple[Any, ...] = (
    None, True, False, 0, -0.0, 1.5, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 10**25, 1.7e308, -1.7e308,
    5e-324, float("nan"), float("inf"), float("-inf"), "", "0", "-1", "1e5", "NaN", "null", "true", "2013-02-30T10:00",
    "2013-03-18T17:45", "0001-01-01", "9999-12-31T23:59:59.999999", [], [1], {}, {"x": None}, [[[]]],
)  # fmt: skip


def generated_cases(
    samples: Samples, description: Description, seed: int = SEED, requests: int = REQUESTS
) -> Iterator[HostileCase]:
    """Requests of one record or a few, of which one is odd; the same seed gives the same ones."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    for number in range(1, requests + 1):
        good = [dict(chance.choice(samples.records)) for _ in range(chance.randint(1, _MOST_RECORDS))]
        change = chance.choice(_CHANGES)
        place = chance.randrange(len(good))
        before = good[place]
        good[place] = odd = change(chance, before, list(description.fields))
        faulty = frozenset(description.faulty_fields(odd))
        what = f"generated request {number} (seed {seed}: record {place + 1} of {len(good)}, {_told(odd, samples)})"
        yield HostileCase(json_request(what, good), names=faulty, may_answer=not faulty)
        if _can_be_csv(before, odd, description):
            as_csv = csv_request(f"{what} as CSV", samples.columns, good)
            yield HostileCase(as_csv, names=faulty, may_answer=not faulty)


def _changed_value(chance: random.Random, record: Record, fields: list[str]) -> dict[str, Any]:
    odd = chance.choice(_EDGES) if chance.random() < 0.7 else _text(chance)
    return {**record, chance.choice(fields): odd}


def _without_a_field(chance: random.Random, record: Record, fields: list[str]) -> dict[str, Any]:
    left_out = chance.choice(fields)
    return {name: value for name, value in record.items() if name != left_out}


def _with_a_field(chance: random.Random, record: Record, fields: list[str]) -> dict[str, Any]:
    return {**record, f"more {chance.randrange(10**6)}": chance.choice(_EDGES)}


def _two_values_swapped(chance: random.Random, record: Record, fields: list[str]) -> dict[str, Any]:
    one, other = chance.choice(fields), chance.choice(fields)
    return {**record, one: record.get(other), other: record.get(one)}


_CHANGES: tuple[Callable[[random.Random, Record, list[str]], dict[str, Any]], ...] = (
    _changed_value, _changed_value, _changed_value, _without_a_field, _with_a_field, _two_values_swapped,
)  # fmt: skip


def _text(chance: random.Random) -> str:
    return "".join(chance.choices(_CHARACTERS, k=chance.randint(1, _LONGEST_TEXT)))


def _can_be_csv(good: Record, odd: Record, description: Description) -> bool:
    """Whether CSV says the same of an odd record as JSON: when nothing but numbers for numbers is odd about it."""
    changed = [name for name, value in odd.items() if value is not good.get(name)]
    return odd.keys() == good.keys() and all(
        kind_of(description.fields[name]) in ("integer", "number") and type(odd[name]) in (int, float)
        for name in changed
    )


def _told(odd: Record, samples: Samples) -> str:
    """What is odd about a record, in few words."""
    missing = [name for name in samples.columns if name not in odd]
    more = [name for name in odd if name not in samples.columns]
    if missing or more:
        return f"without {missing[0]}" if missing else f"with {more[0]!r}"
    return "an odd value"
