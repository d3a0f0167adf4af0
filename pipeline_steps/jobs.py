"""Start SageMaker jobs or find one's own again, show their logs while they run, and never leave one behind."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_steps import names
from pipeline_steps.aws import Aws, translated
from pipeline_steps.clock import SYSTEM_CLOCK, Clock, poll_interval
from pipeline_steps.errors import (
    AlreadyExistsError,
    AwsError,
    JobError,
    NotFoundError,
    RequestError,
    ThrottlingError,
    WaitTimeoutError,
)
from pipeline_steps.model_artifact import DIGEST_VARIABLE
from pipeline_steps.progress import say

# SageMaker stops a job that runs longer than its limit; waiting for instances and moving data come on top.
PROVISIONING_ALLOWANCE_SECONDS = 1800

_UNFINISHED = ("InProgress", "Stopping")
_WHAT_A_JOB_IS_MADE_FROM = ("TrainingImage", "ImageUri", "S3Uri", "S3OutputPath", DIGEST_VARIABLE)


@dataclass(frozen=True)
class JobKind:
    """One of SageMaker's kinds of jobs, as its API names it."""

    noun: str
    prefix: str
    operation: str
    log_group: str


TRAINING = JobKind("training job", "TrainingJob", "training_job", "/aws/sagemaker/TrainingJobs")
PROCESSING = JobKind("processing job", "ProcessingJob", "processing_job", "/aws/sagemaker/ProcessingJobs")


@dataclass(frozen=True)
class JobRequest:
    """A job to run.

    Attributes:
        name: name of the first attempt.
        description: what is about to happen, for the log.
        body: the request, without the job's name.
        max_runtime_seconds: the limit in the request's stopping condition.
        label: stands before each line of the job's log; empty for none.
    """

    kind: JobKind
    name: str
    description: str
    body: Mapping[str, Any]
    max_runtime_seconds: int
    label: str = ""


@dataclass(frozen=True)
class FinishedJob:
    """A job that has ended, or that SageMaker refused to start.

    Attributes:
        failure: why it did not complete; None when it did.
        answer: what DescribeTrainingJob or DescribeProcessingJob said last.
    """

    kind: JobKind
    name: str
    failure: str | None
    answer: Mapping[str, Any]

    def require_completed(self) -> None:
        """Raise JobError, with the job's own reason in full, unless the job completed."""
        if self.failure is not None:
            raise JobError(f"the {self.kind.noun} {self.name} {self.failure}")


def run_jobs(aws: Aws, requests: Sequence[JobRequest], clock: Clock = SYSTEM_CLOCK) -> list[FinishedJob]:
    """Run jobs side by side until each has ended; log lines appear as the jobs write them.

    A job of the same name that this execution started before is adopted: completed ones are used as they are, running
    ones are waited for, failed and stopped ones are started again under the next name.

    Args:
        aws: the clients.
        requests: what to run.
        clock: time, for tests.

    Returns:
        One finished job for each request, in the same order; failed ones too.

    Raises:
        WaitTimeoutError: a job took longer than its limit and half an hour. As with any other way out of here (a
            signal, an error), all jobs that are still running have been told to stop.
    """
    jobs = [_Job(aws, request, clock) for request in requests]
    try:
        for job in jobs:
            job.start_or_adopt()
        _wait(jobs, clock)
    except BaseException:
        for job in jobs:
            job.stop()
        raise
    return [job.finished() for job in jobs]


def _wait(jobs: Sequence["_Job"], clock: Clock) -> None:
    started = clock.monotonic()
    while True:
        for job in jobs:
            job.look()
        running = [job for job in jobs if job.is_running]
        if not running:
            return
        waited = clock.monotonic() - started
        for job in running:
            job.check_time(waited)
        clock.sleep(poll_interval(waited))


class _Job:
    """One job on its way from request to end."""

    def __init__(self, aws: Aws, request: JobRequest, clock: Clock) -> None:
        self._aws, self._request, self._clock = aws, request, clock
        self._kind = request.kind
        self._name = request.name
        self._answer: Mapping[str, Any] = {}
        self._refusal: str | None = None
        self._phase = ""
        self._log = _LogTail(aws, request)
        self.is_running = False

    def start_or_adopt(self) -> None:
        """Find this execution's own job, or start one under the first name that is free."""
        for attempt in itertools.count(1):
            self._name = names.attempt_name(self._request.name, attempt)
            answer = self._describe_if_there()
            if answer is None and self._create():
                return
            if self._adopt(answer if answer is not None else self._describe()):  # another run of the step was quicker
                return

    def look(self) -> None:
        """Learn the job's status and show what it has logged since the last look."""
        if not self.is_running:
            return
        try:
            self._answer = self._describe()
        except ThrottlingError:
            return  # the job goes on all the same: look again later
        self.is_running = self._status in _UNFINISHED
        self._log.show(self._name)
        self._say_phase()

    def check_time(self, waited_seconds: float) -> None:
        allowed = self._request.max_runtime_seconds + PROVISIONING_ALLOWANCE_SECONDS
        if waited_seconds > allowed:
            raise WaitTimeoutError(
                f"the {self._kind.noun} {self._name} was still {self._phase} after {waited_seconds / 60:.0f} minutes; "
                f"it had {allowed / 60:.0f} to start and to run"
            )

    def stop(self) -> None:
        """Tell the job to stop, if it may be running. Says so when it cannot: another error is on its way already."""
        if not self.is_running:
            return
        try:
            with translated(f"stop the {self._kind.noun} {self._name}"):
                self._call("stop")
        except NotFoundError:
            return  # it was never made
        except AwsError as error:
            say(f"{error}; if it still runs, stop it in the SageMaker console")
        else:
            say(f"told the {self._kind.noun} {self._name} to stop")

    def finished(self) -> FinishedJob:
        return FinishedJob(self._kind, self._name, self._failure(), self._answer)

    def _adopt(self, answer: Mapping[str, Any]) -> bool:
        """Take the job of this name if it is this execution's and of use; one that is stopping is seen to its end."""
        if not _is_made_from_the_same(self._request.body, answer):
            say(f"the {self._kind.noun} {self._name} was made from something else: leaving it alone")
            return False
        self._answer = answer
        since = self._clock.monotonic()
        while self._status == "Stopping":
            self._clock.sleep(poll_interval(self._clock.monotonic() - since))
            self._answer = self._describe()
        if self._status not in ("InProgress", "Completed"):
            return False
        self.is_running = self._status == "InProgress"
        say(f"found this execution's own {self._kind.noun} {self._name}, {self._status}: using it")
        return True

    def _create(self) -> bool:
        say(f"starting the {self._kind.noun} {self._name}: {self._request.description}")
        self.is_running = True  # from here on it may exist, even when the answer never arrives
        try:
            with translated(f"start the {self._kind.noun} {self._name}"):
                self._call("create", **self._request.body)
        except AlreadyExistsError:
            self.is_running = False
            return False
        except (RequestError, NotFoundError) as error:
            self.is_running, self._refusal = False, str(error)
        return True

    def _describe_if_there(self) -> Mapping[str, Any] | None:
        try:
            return self._describe()
        except NotFoundError:
            return None

    def _describe(self) -> Mapping[str, Any]:
        with translated(f"look at the {self._kind.noun} {self._name}"):
            answer: Mapping[str, Any] = self._call("describe")
        return answer

    def _call(self, verb: str, **parameters: Any) -> Any:
        operation = getattr(self._aws.sagemaker, f"{verb}_{self._kind.operation}")
        return operation(**{f"{self._kind.prefix}Name": self._name}, **parameters)

    @property
    def _status(self) -> str:
        status: str = self._answer[f"{self._kind.prefix}Status"]
        return status

    def _say_phase(self) -> None:
        phase = self._answer.get("SecondaryStatus", self._status)
        if phase != self._phase:
            say(f"the {self._kind.noun} {self._name} is {phase}")
        self._phase = phase

    def _failure(self) -> str | None:
        if self._refusal is not None:
            return f"was refused: {self._refusal}"
        if self._status == "Completed":
            return None
        # A processing container's own words are in ExitMessage, a training container's in FailureReason.
        reasons = [self._answer[key] for key in ("ExitMessage", "FailureReason") if self._answer.get(key)]
        secondary = self._answer.get("SecondaryStatus", self._status)
        ended = self._status if secondary == self._status else f"{self._status} ({secondary})"
        return f"{ended}: {'; '.join(reasons) or 'SageMaker gives no reason'}"


class _LogTail:
    """Shows a job's log as it grows. Not seeing it is no reason to end a job."""

    def __init__(self, aws: Aws, request: JobRequest) -> None:
        self._aws, self._group, self._label = aws, request.kind.log_group, request.label
        self._tokens: dict[str, str] = {}  # by stream: where to read on
        self._complained = False

    def show(self, job_name: str) -> None:
        """Show the lines that came since the last time."""
        try:
            with translated(f"read the log of {job_name}"):
                for stream in self._streams(job_name):
                    for message in self._new_messages(stream):
                        say(message, label=self._label)
        except (NotFoundError, ThrottlingError):
            return  # no log yet; or later
        except AwsError as error:
            if not self._complained:
                say(f"{error}; the job goes on without its log")
            self._complained = True

    def _streams(self, job_name: str) -> list[str]:
        pages = self._aws.logs.get_paginator("describe_log_streams").paginate(
            logGroupName=self._group, logStreamNamePrefix=f"{job_name}/"
        )
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    def _new_messages(self, stream: str) -> Iterator[str]:
        while True:
            token = {"nextToken": self._tokens[stream]} if stream in self._tokens else {}
            answer = self._aws.logs.get_log_events(
                logGroupName=self._group, logStreamName=stream, startFromHead=True, **token
            )
            yield from (event["message"] for event in answer["events"])
            if answer["nextForwardToken"] == self._tokens.get(stream):
                return  # CloudWatch Logs gives back the token it got when there is nothing after it
            self._tokens[stream] = answer["nextForwardToken"]


def _is_made_from_the_same(request: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Whether a job has the request's image, inputs, model and output.

    Its name tells too little: it holds eight characters of the execution's id, and the champion may have changed since.
    """
    return set(_made_from(request)) <= set(_made_from(answer))


def _made_from(document: Any) -> Iterator[tuple[str, str]]:
    if isinstance(document, Mapping):
        for key, value in document.items():
            if key in _WHAT_A_JOB_IS_MADE_FROM:
                yield key, value
            else:
                yield from _made_from(value)
    elif isinstance(document, list | tuple):
        for item in document:
            yield from _made_from(item)
