"""Which instance of an endpoint a call goes to.

A variant's calls take turns on its instances. While an endpoint is updated, instances of both fleets take calls, each
as many as any other: the share of the new fleet is that of its instances.

    before     blue  1 2 3     green  - - -
    canary     blue  1 2 -     green  1 - -       a third of the calls
    after      blue  - - -     green  1 2 3
"""

import itertools
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from local_cloud.sagemaker.fleets import Fleet, ServerlessVariant
from local_cloud.sagemaker.instances import Instance
from local_cloud.sagemaker.serverless import Environment


@dataclass(frozen=True)
class Share:
    """What of a fleet takes calls.

    Attributes:
        active: how many instances of each variant; those left out with all of theirs.
    """

    fleet: Fleet
    active: Mapping[str, int]

    def instances(self, variant_name: str) -> list[tuple[Fleet, Instance]]:
        """The active ones with their fleet."""
        variant = self.fleet.variants.get(variant_name)
        if variant is None:
            return []
        count = self.active.get(variant_name, len(variant.instances))
        return [(self.fleet, instance) for instance in variant.instances[:count]]


class Lease:
    """An instance, taken for one call; it is not ended before the call is over.

    Attributes:
        endpoint_name: as it was written when the endpoint was created.
        variant: the variant's name.
        instances: how many of the variant take calls.
        fleet: of the instance.
        instance: None when no instance of the variant is ready; of a serverless variant, an environment.
    """

    def __init__(
        self, endpoint_name: str, variant: str, instances: int, fleet: Fleet | None = None,
        instance: Instance | Environment | None = None,
    ) -> None:  # fmt: skip
        self.endpoint_name = endpoint_name
        self.variant = variant
        self.instances = instances
        self.fleet = fleet
        self.instance = instance

    @property
    def config_name(self) -> str:
        """The endpoint config that the instance was made of."""
        return "" if self.fleet is None else self.fleet.config_name

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.instance is not None:
            self.instance.give_back()


class Traffic:
    """Sends the calls of one endpoint to its fleet, or to two while it is updated."""

    def __init__(self, endpoint_name: str, fleet: Fleet) -> None:
        self.endpoint_name = endpoint_name
        self._called: set[str] = set()
        self._shares: tuple[Share, ...] = (Share(fleet, {}),)
        self._turn, self._shadow_turn = itertools.count(), itertools.count()
        self._lock = threading.Lock()

    @property
    def fleet(self) -> Fleet:
        """The fleet that serves the endpoint; while it is updated, the old one."""
        return self._shares[0].fleet

    def take(self, variant_name: str | None) -> Lease:
        """Choose an instance and take it for one call.

        Args:
            variant_name: the variant asked for; None lets the weights decide.

        Raises:
            KeyError: there is no such variant.
            ThrottledError: the variant is serverless, and as many calls are under way as it takes.
        """
        with self._lock:
            name = self._by_weight() if variant_name is None else variant_name
            variant = self.fleet.variants.get(name)
            if isinstance(variant, ServerlessVariant):  # which has all calls or none: its updates have one step
                return Lease(self.endpoint_name, name, 0, self.fleet, variant.environments.take())
            active = [one for share in self._shares for one in share.instances(name)]
            if not active and all(name not in share.fleet.variants for share in self._shares):
                raise KeyError(name)
            self._called.add(name)
            first = next(self._turn)
            for offset in range(len(active)):
                fleet, instance = active[(first + offset) % len(active)]
                if instance.take():
                    return Lease(self.endpoint_name, name, len(active), fleet, instance)
            return Lease(self.endpoint_name, name, len(active))

    def take_shadow(self, lease: Lease) -> Lease | None:
        """Take an instance of the shadow variant for a copy of a call; None when this call is not copied.

        The copied share of the calls is the shadow's weight in proportion to the production variant's.

        Args:
            lease: of the call itself: its fleet has the shadow.
        """
        if lease.fleet is None or not lease.fleet.shadows:
            return None
        (shadow,) = lease.fleet.shadows.values()
        if random.random() * lease.fleet.variants[lease.variant].weight >= shadow.weight:  # noqa: S311  # no secret
            return None
        with self._lock:
            self._called.add(shadow.name)
            first = next(self._shadow_turn)
            for offset in range(len(shadow.instances)):
                instance = shadow.instances[(first + offset) % len(shadow.instances)]
                if instance.take():
                    return Lease(self.endpoint_name, shadow.name, len(shadow.instances), lease.fleet, instance)
            return Lease(self.endpoint_name, shadow.name, len(shadow.instances), lease.fleet)

    def shift(self, *shares: Share) -> None:
        """Let these take the calls from now on; the instances of others get none any more."""
        with self.changing():
            self._shares = shares

    def idle_variants(self) -> list[str]:
        """Those that got no call since this was asked the last time; a serverless one has nothing to tell of it."""
        if self.fleet.serverless:
            return []
        with self._lock:
            called, self._called = self._called, set()
        return [name for name in (*self.fleet.variants, *self.fleet.shadows) if name not in called]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """No call is given to an instance meanwhile."""
        with self._lock:
            yield

    def _by_weight(self) -> str:
        variants = list(self.fleet.variants.values())
        weights = [variant.weight for variant in variants]
        return random.choices(variants, weights)[0].name  # noqa: S311  # splits traffic, keeps no secret
