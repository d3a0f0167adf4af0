"""The containers of a serverless variant: started by calls, ended when no more come.

    call -> a container that is idle                          -> answer -> idle -> minutes without a call -> ended
         -> a new one, while fewer than the maximum are busy
         -> throttled

SageMaker's guide calls where such a container runs an execution environment; it answers one call at a time.
"""

import threading
import time
from collections.abc import Callable, Mapping

from botocore.exceptions import BotoCoreError

from local_cloud.sagemaker.errors import DeploymentFailedError
from local_cloud.sagemaker.instances import (
    ACCEPT_SECONDS,
    ANSWER_SECONDS,
    ContainerAnswer,
    ContainerGoneError,
    ContainerTimeoutError,
    CutOffError,
    Instance,
    PingTimeoutError,
    UnhealthyError,
)
from local_cloud.wire import ServiceError

START_SECONDS = 180.0
MAXIMUM_PAYLOAD_BYTES = 4_194_304
"""SageMaker's limits: answer /ping, and the size of a request and of an answer."""

IDLE_SECONDS = 300.0
"""How long an environment is kept for its next call; how long AWS keeps one is not documented."""

_LOOKS_BEFORE_THE_END = 10


class ThrottledError(Exception):
    """As many calls of a variant are under way as may be.

    Attributes:
        variant: its name.
    """

    def __init__(self, variant: str, maximum: int) -> None:
        super().__init__(f"Variant {variant} answers at most {maximum} calls at once, its MaxConcurrency.")
        self.variant = variant


class ColdStartError(Exception):
    """There is no container to be started: the image or the role is gone, or the cloud is."""


class AnswerTooLargeError(Exception):
    """The container answered more than SageMaker passes on."""


class Environment:
    """A container that answers one call at a time; the first of them waits for its start.

    Args:
        make: the container, not started; it is not started again when it ends.
        give_back: told when the call is over.

    Attributes:
        utilization: the part of the variant's maximum that was busy when the call began, this environment included.
        idle_since: when its last call was over, by the clock of its variant's environments.
    """

    def __init__(self, make: Callable[[], Instance], give_back: Callable[["Environment"], None]) -> None:
        self.utilization = 0.0
        self.idle_since = 0.0
        self._make = make
        self._give_back = give_back
        self._lock = threading.Lock()
        self._instance: Instance | None = None
        self._over = False

    @property
    def cold(self) -> bool:
        """It has no container yet."""
        return self._instance is None

    @property
    def ready(self) -> bool:
        """It can take another call."""
        return self._instance is not None and self._instance.ready and not self._over

    def start(self) -> None:
        """
        Raises:
            ContainerGoneError, ContainerTimeoutError: the container does not become healthy.
            ColdStartError: there is none.
        """
        try:
            instance = self._make()
            with self._lock:
                self._instance = instance
                over = self._over
            if over:
                instance.stop()  # it cannot be started any more
            instance.start()
        except PingTimeoutError as error:
            raise ContainerTimeoutError(str(error)) from error
        except UnhealthyError as error:
            raise ContainerGoneError(str(error)) from error
        except (DeploymentFailedError, ServiceError, BotoCoreError, CutOffError) as error:
            raise ColdStartError(str(error)) from error

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> ContainerAnswer:
        """POST /invocations. A container that leaves a call without an answer gets no other one.

        Raises:
            ContainerGoneError, ContainerTimeoutError: there is no answer.
            AnswerTooLargeError: it is too large.
        """
        assert self._instance is not None
        try:
            answer = self._instance.invoke(body, headers)
        except (ContainerGoneError, ContainerTimeoutError):
            self._over = True
            raise
        if len(answer.body) > MAXIMUM_PAYLOAD_BYTES:
            size = f"{len(answer.body)} bytes is over {MAXIMUM_PAYLOAD_BYTES}"
            raise AnswerTooLargeError(f"The response of {size}, the limit of serverless endpoints.")
        return answer

    def give_back(self) -> None:
        self._give_back(self)

    def stop(self) -> None:
        """End the container, also while it is being started; may be called more than once."""
        with self._lock:
            self._over = True
            instance = self._instance
        if instance is not None:
            instance.stop()


class Environments:
    """The environments of one variant.

    Args:
        variant: its name.
        make: a container, not started; it is not started again when it ends.
        maximum: how many calls may be under way at once.
        background: runs work, with a name, that nobody waits for.
        now: the time in seconds.
    """

    def __init__(
        self, variant: str, make: Callable[[], Instance], maximum: int,
        background: Callable[[Callable[[], None], str], None], now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._variant = variant
        self._make = make
        self._maximum = maximum
        self._background = background
        self._now = now
        self._changed = threading.Condition()
        self._idle: list[Environment] = []  # the one that was used last is the last
        self._busy: set[Environment] = set()
        self._closed = threading.Event()

    def take(self) -> Environment | None:
        """Take one for a call, after which it is given back; None when they are closed.

        Raises:
            ThrottledError: as many calls are under way as may be.
        """
        with self._changed:
            if self._closed.is_set():
                return None
            environment = self._warm()
            if environment is None:
                if len(self._busy) >= self._maximum:
                    raise ThrottledError(self._variant, self._maximum)
                environment = Environment(self._make, self._take_back)
            self._busy.add(environment)
            environment.utilization = len(self._busy) / self._maximum
            return environment

    def end_idle(self) -> None:
        """End those that have had no call for IDLE_SECONDS."""
        with self._changed:
            latest = self._now() - IDLE_SECONDS
            ended = [one for one in self._idle if one.idle_since <= latest or not one.ready]
            self._idle = [one for one in self._idle if one not in ended]
        for one in ended:
            self._end(one)

    def end_idle_until_closed(self) -> None:
        while not self._closed.wait(IDLE_SECONDS / _LOOKS_BEFORE_THE_END):
            self.end_idle()

    def drain(self) -> None:
        """Wait for the answers to all calls under way; there may be no new ones."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, START_SECONDS + ACCEPT_SECONDS + ANSWER_SECONDS)

    def close(self) -> list[Environment]:
        """Give none away any more.

        Returns:
            Those that are left, for whoever stops them.
        """
        with self._changed:
            self._closed.set()
            left = [*self._idle, *self._busy]
            self._idle.clear()
        return left

    def _warm(self) -> Environment | None:
        """The idle one that was used last, so that those beyond the need end; one that has died is none."""
        while self._idle:
            environment = self._idle.pop()
            if environment.ready:
                return environment
            self._end(environment)
        return None

    def _take_back(self, environment: Environment) -> None:
        with self._changed:
            self._busy.discard(environment)
            if environment.ready and not self._closed.is_set():
                environment.idle_since = self._now()
                self._idle.append(environment)
            else:
                self._end(environment)
            self._changed.notify_all()

    def _end(self, environment: Environment) -> None:
        self._background(environment.stop, f"end of an environment of {self._variant}")
