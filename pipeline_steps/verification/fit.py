"""Whether the model's container fits into the instances that were asked for: its memory, and the time it starts in.

Memory and processors of an instance follow from family and size; what the evaluation's container measured is the
model's side. AWS has no call that tells either, so families are judged that are known here, and no others.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_steps.documents import FitFindings
from pipeline_steps.verification.limits import limits_of

USABLE_SHARE = 0.9
"""Of an instance's memory; the rest is its system's and SageMaker's agents'."""

# GiB of memory for each vCPU (Amazon EC2 instance types). What has another measure, such as c5n, is not in here.
_GIB_FOR_A_VCPU = {
    2: ("c5", "c5d", "c6g", "c6gd", "c6gn", "c6i", "c6id", "c6in", "c7g", "c7gd", "c7i", "c8g"),
    4: (
        "m4", "m5", "m5d", "m5n", "m5dn", "m6g", "m6gd", "m6i", "m6id", "m6idn", "m6in", "m7g", "m7gd", "m7i", "m8g",
        "g4dn", "g5", "g6",
    ),
    8: ("r5", "r5d", "r5n", "r5dn", "r6g", "r6gd", "r6i", "r6id", "r6idn", "r6in", "r7g", "r7gd", "r7i", "r8g", "g6e"),
}  # fmt: skip
_FAMILIES = {family: gib for gib, families in _GIB_FOR_A_VCPU.items() for family in families}
_BURSTABLE_GIB = {"medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}  # t2 and t3
_BURSTABLE_VCPUS = {"medium": 2, "large": 2, "xlarge": 4, "2xlarge": 8}
_VCPUS = {"medium": 1, "large": 2, "xlarge": 4}
_TYPE = re.compile(r"ml\.([a-z0-9]+)\.(medium|large|(\d{0,2})xlarge)")


@dataclass(frozen=True)
class Instance:
    """What an instance has."""

    vcpus: int
    memory_mib: int


def instance(instance_type: str) -> Instance | None:
    """What an instance of a type has; None for a type that is not known here."""
    parts = _TYPE.fullmatch(instance_type)
    if parts is None:
        return None
    family, size, times = parts.groups()
    if family in ("t2", "t3"):
        return Instance(_BURSTABLE_VCPUS[size], _BURSTABLE_GIB[size] * 1024) if size in _BURSTABLE_GIB else None
    if family not in _FAMILIES:
        return None
    vcpus = 4 * int(times) if times else _VCPUS[size]
    return Instance(vcpus, _FAMILIES[family] * vcpus * 1024)


def judge_fit(variant: Mapping[str, Any], metrics: Mapping[str, float | None]) -> FitFindings:
    """Judge a variant of an endpoint config by what the evaluation measured.

    Args:
        variant: as DescribeEndpointConfig tells of it.
        metrics: of evaluation.json.
    """
    name, place = _place(variant)
    needed = _needed_mib(metrics, place)
    start, recovery = metrics.get("serving_start_seconds"), metrics.get("serving_recovery_seconds")
    memory = None if place is None else place.memory_mib
    reasons = []
    if needed is not None and memory is not None and needed > memory * USABLE_SHARE:
        reasons.append(f"its container takes {needed:,.0f} MiB under load, {name} has {memory:,} MiB")
    longest = limits_of(variant).start_seconds
    if start is not None and start > longest:
        reasons.append(f"its server takes {start:.0f} s to start, SageMaker waits {longest} s")
    unknown = _unknown(name, memory, needed, start)
    found = FitFindings(
        instance_type=name,
        memory_mib=memory,
        needed_mib=needed,
        start_seconds=start,
        recovery_seconds=recovery,
        verdict="does not fit" if reasons else "not judged" if unknown else "fits",
        reason="; ".join(reasons) or unknown or "",
    )
    return found if found.reason else found.model_copy(update={"reason": _good_reason(found)})


def _place(variant: Mapping[str, Any]) -> tuple[str, Instance | None]:
    serverless = variant.get("ServerlessConfig")
    if serverless is not None:
        # vCPUs in proportion to the memory, which AWS does not tell: as many processes as were measured.
        return "serverless", Instance(0, serverless["MemorySizeInMB"])
    instance_type: str = variant["InstanceType"]
    return instance_type, instance(instance_type)


def _needed_mib(metrics: Mapping[str, float | None], place: Instance | None) -> float | None:
    """What the container takes there: it has a process for each vCPU, and each takes its share of what was measured."""
    measured, processes = metrics.get("serving_memory_mib"), metrics.get("serving_processes")
    if measured is None or not processes:
        return None
    return measured * max(1.0, place.vcpus / processes) if place is not None else measured


def _unknown(name: str, memory: int | None, needed: float | None, start: float | None) -> str | None:
    if memory is None:
        return f"the memory of {name} is not known here"
    return "the evaluation of this model did not measure its server" if needed is None or start is None else None


def _good_reason(found: FitFindings) -> str:
    return (
        f"its container takes {found.needed_mib:,.0f} MiB under load of the {found.memory_mib:,} MiB of "
        f"{found.instance_type}, and starts in {found.start_seconds:.1f} s"
    )
