"""Jobs are started once, watched to their end, and never left behind."""

import time as clock
from typing import Any

import pytest

from pipeline_steps.aws import Aws
from pipeline_steps.clock import poll_interval
from pipeline_steps.errors import AwsError, JobError, StepStopped, WaitTimeoutError
from pipeline_steps.jobs import PROCESSING, TRAINING, JobRequest, run_jobs
from tests.pipeline_steps.doubles import IMAGE_URI, ROLE_ARN, ManualTime, record, refuse, script

NAME = "flight-delays-train-0f9e8d7c"
RUNNING = {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"}
COMPLETED = {"TrainingJobStatus": "Completed", "SecondaryStatus": "Completed"}


def training(name: str = NAME, *, label: str = "", output: str = "s3://data/models/0f9e8d7c/") -> JobRequest:
    body = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE_URI, "TrainingInputMode": "File"},
        "RoleArn": ROLE_ARN,
        "OutputDataConfig": {"S3OutputPath": output},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 20},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return JobRequest(TRAINING, name, "image sha256:a1 on 1 x ml.m5.large", body, 3600, label)


def processing(name: str) -> JobRequest:
    body = {
        "AppSpecification": {"ImageUri": IMAGE_URI, "ContainerArguments": ["prepare"]},
        "RoleArn": ROLE_ARN,
        "ProcessingInputs": [],
        "ProcessingOutputConfig": {"Outputs": []},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return JobRequest(PROCESSING, name, "image sha256:a1 on one ml.m5.large", body, 3600)


def job_names(aws: Aws) -> set[str]:
    return {job["TrainingJobName"] for job in aws.sagemaker.list_training_jobs()["TrainingJobSummaries"]}


def log(aws: Aws, stream: str, lines: list[str], group: str = TRAINING.log_group) -> None:
    if not aws.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        aws.logs.create_log_group(logGroupName=group)
    if not aws.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]:
        aws.logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(clock.time() * 1000)  # events of another day are refused
    events = [{"timestamp": now, "message": line} for line in lines]
    aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_a_job_is_started_and_its_result_given_back(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    (job,) = run_jobs(aws, [training()])

    assert (job.name, job.failure) == (NAME, None)
    assert job.answer["ModelArtifacts"]["S3ModelArtifacts"].startswith("s3://data/models/0f9e8d7c/")
    assert job_names(aws) == {NAME}
    assert f"starting the training job {NAME}: image sha256:a1 on 1 x ml.m5.large" in capsys.readouterr().out


def test_log_lines_appear_once_each_while_the_job_runs(
    aws: Aws, time: ManualTime, capsys: pytest.CaptureFixture[str]
) -> None:
    script(aws.sagemaker, "DescribeTrainingJob", [RUNNING, RUNNING, RUNNING, COMPLETED])
    seen_while_waiting = []

    def meanwhile() -> None:
        log(aws, f"{NAME}/algo-1-1790000000", [f"round {len(time.sleeps)}", "same line"])
        seen_while_waiting.append(capsys.readouterr().out)

    time.meanwhile = meanwhile
    run_jobs(aws, [training(label="challenger")], time.clock)

    assert "challenger | round 1\nchallenger | same line\n" in seen_while_waiting[1]
    assert "challenger | round 2\nchallenger | same line\n" in seen_while_waiting[2]
    assert "round 1" not in seen_while_waiting[2]
    assert "challenger | round 3\n" in capsys.readouterr().out  # what came with the end is not lost


def test_the_logs_of_all_instances_are_shown_and_no_other_jobs(
    aws: Aws, time: ManualTime, capsys: pytest.CaptureFixture[str]
) -> None:
    log(aws, f"{NAME}/algo-1-1790000000", ["from host one"])
    log(aws, f"{NAME}/algo-2-1790000000", ["from host two"])
    log(aws, f"{NAME}-2/algo-1-1790000000", ["from another job"])

    run_jobs(aws, [training()], time.clock)

    output = capsys.readouterr().out
    assert "from host one" in output
    assert "from host two" in output
    assert "from another job" not in output


def test_a_job_goes_on_without_its_log_when_it_cannot_be_read(
    aws: Aws, time: ManualTime, capsys: pytest.CaptureFixture[str]
) -> None:
    script(aws.sagemaker, "DescribeTrainingJob", [RUNNING, RUNNING, COMPLETED])
    refuse(aws.logs, "DescribeLogStreams", "AccessDeniedException", "not for you")

    (job,) = run_jobs(aws, [training()], time.clock)

    assert job.failure is None
    assert capsys.readouterr().out.count("AccessDeniedException: not for you; the job goes on without its log") == 1


def test_a_completed_job_of_this_execution_is_used_as_it_is(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    run_jobs(aws, [training()])
    created = record(aws.sagemaker, "CreateTrainingJob")

    (job,) = run_jobs(aws, [training()])

    assert (job.name, job.failure, created) == (NAME, None, [])
    assert f"found this execution's own training job {NAME}, Completed: using it" in capsys.readouterr().out


def test_a_running_job_of_this_execution_is_waited_for(aws: Aws, time: ManualTime) -> None:
    run_jobs(aws, [training()])
    script(aws.sagemaker, "DescribeTrainingJob", [RUNNING, RUNNING, RUNNING, COMPLETED])

    (job,) = run_jobs(aws, [training()], time.clock)

    assert (job.name, job.failure) == (NAME, None)
    assert len(time.sleeps) == 2
    assert job_names(aws) == {NAME}


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_job_that_did_not_complete_is_started_again_under_the_next_name(aws: Aws, status: str) -> None:
    run_jobs(aws, [training()])
    run_jobs(aws, [training(f"{NAME}-2")])
    script(
        aws.sagemaker,
        "DescribeTrainingJob",
        [{"TrainingJobStatus": status}, {"TrainingJobStatus": status}, {"TrainingJobStatus": "Completed"}],
    )

    (job,) = run_jobs(aws, [training()])

    assert (job.name, job.failure) == (f"{NAME}-3", None)


def test_a_stopping_job_is_seen_to_its_end_before_it_is_started_again(aws: Aws, time: ManualTime) -> None:
    run_jobs(aws, [training()])
    stopping = {"TrainingJobStatus": "Stopping"}
    script(aws.sagemaker, "DescribeTrainingJob", [stopping, stopping, {"TrainingJobStatus": "Stopped"}, COMPLETED])

    (job,) = run_jobs(aws, [training()], time.clock)

    assert job.name == f"{NAME}-2"
    assert len(time.sleeps) == 2


def test_a_job_of_the_same_name_made_from_something_else_is_left_alone(aws: Aws, time: ManualTime) -> None:
    run_jobs(aws, [training(output="s3://data/models/another-execution/")])
    script(aws.sagemaker, "DescribeTrainingJob", [RUNNING, COMPLETED])
    stopped = record(aws.sagemaker, "StopTrainingJob")

    (job,) = run_jobs(aws, [training()], time.clock)

    assert (job.name, stopped) == (f"{NAME}-2", [])


def test_a_job_that_another_run_of_the_step_starts_at_the_same_moment_is_adopted(aws: Aws) -> None:
    run_jobs(aws, [training()])
    refuse(aws.sagemaker, "DescribeTrainingJob", "ValidationException", "Requested resource not found.", times=1)
    refuse(aws.sagemaker, "CreateTrainingJob", "ResourceInUse", "Training job names must be unique")

    (job,) = run_jobs(aws, [training()])

    assert (job.name, job.failure) == (NAME, None)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        pytest.param(
            {
                "TrainingJobStatus": "Failed",
                "SecondaryStatus": "Failed",
                "FailureReason": "AlgorithmError: no column x\n1",
            },
            f"the training job {NAME} Failed: AlgorithmError: no column x\n1",
            id="failed, with the reason in full",
        ),
        pytest.param(
            {"TrainingJobStatus": "Failed", "SecondaryStatus": "Failed"},
            f"the training job {NAME} Failed: SageMaker gives no reason",
            id="failed without a reason",
        ),
        pytest.param(
            {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"},
            f"the training job {NAME} Stopped (MaxRuntimeExceeded): SageMaker gives no reason",
            id="ran too long",
        ),
    ],
)
def test_a_job_that_does_not_complete_says_why(aws: Aws, answer: dict[str, Any], text: str) -> None:
    script(aws.sagemaker, "DescribeTrainingJob", [answer])

    (job,) = run_jobs(aws, [training()])

    with pytest.raises(JobError) as failure:
        job.require_completed()
    assert str(failure.value) == text


def test_a_processing_containers_own_words_come_first(aws: Aws) -> None:
    answer = {
        "ProcessingJobStatus": "Failed",
        "ExitMessage": "column x is missing",
        "FailureReason": "AlgorithmError: 1",
    }
    script(aws.sagemaker, "DescribeProcessingJob", [answer])

    (job,) = run_jobs(aws, [processing("flight-delays-prepare-0f9e8d7c")])

    assert job.failure == "Failed: column x is missing; AlgorithmError: 1"


@pytest.mark.parametrize("message", ["1 validation error detected", "Cannot find image"])
def test_a_request_that_sagemaker_refuses_is_a_failed_job(aws: Aws, message: str) -> None:
    refuse(aws.sagemaker, "CreateTrainingJob", "ValidationException", message)

    (job,) = run_jobs(aws, [training()])

    assert job.failure is not None
    assert job.failure.startswith("was refused: ")
    assert job.failure.endswith(f"ValidationException: {message}")


def test_throttled_calls_while_waiting_do_not_fail_the_job(aws: Aws, time: ManualTime) -> None:
    script(aws.sagemaker, "DescribeTrainingJob", [RUNNING, COMPLETED])

    def throttle() -> None:
        time.meanwhile = lambda: None
        refuse(aws.sagemaker, "DescribeTrainingJob", "ThrottlingException", "Rate exceeded", times=2)

    time.meanwhile = throttle
    (job,) = run_jobs(aws, [training()], time.clock)

    assert job.failure is None
    assert len(time.sleeps) == 3


@pytest.mark.parametrize("stop", [StepStopped("SIGTERM"), RuntimeError("a bug")], ids=["signal", "error"])
def test_running_jobs_are_stopped_when_the_step_is(aws: Aws, time: ManualTime, stop: BaseException) -> None:
    script(aws.sagemaker, "DescribeTrainingJob", [RUNNING])
    stopped = record(aws.sagemaker, "StopTrainingJob")  # moto has no StopTrainingJob

    def interrupt() -> None:
        raise stop

    time.meanwhile = interrupt
    with pytest.raises(type(stop)):
        run_jobs(aws, [training("first-job"), training("second-job")], time.clock)

    assert stopped == [{"TrainingJobName": "first-job"}, {"TrainingJobName": "second-job"}]


def test_only_jobs_that_still_run_are_stopped(aws: Aws, time: ManualTime) -> None:
    script(aws.sagemaker, "DescribeTrainingJob", [COMPLETED, RUNNING])
    stopped = record(aws.sagemaker, "StopTrainingJob")

    def interrupt() -> None:
        raise StepStopped

    time.meanwhile = interrupt
    with pytest.raises(StepStopped):
        run_jobs(aws, [training("first-job"), training("second-job")], time.clock)

    assert stopped == [{"TrainingJobName": "second-job"}]


def test_a_job_that_may_have_been_made_when_the_step_was_stopped_is_stopped(aws: Aws) -> None:
    stopped = record(aws.sagemaker, "StopTrainingJob")

    def interrupt(**_: object) -> None:
        raise StepStopped

    aws.sagemaker.meta.events.register("after-call.sagemaker.CreateTrainingJob", interrupt)
    with pytest.raises(StepStopped):
        run_jobs(aws, [training()])

    assert stopped == [{"TrainingJobName": NAME}]


def test_a_job_that_cannot_be_stopped_is_named(aws: Aws, time: ManualTime, capsys: pytest.CaptureFixture[str]) -> None:
    script(aws.sagemaker, "DescribeTrainingJob", [RUNNING])
    refuse(aws.sagemaker, "StopTrainingJob", "AccessDeniedException", "not for you")

    def interrupt() -> None:
        raise StepStopped

    time.meanwhile = interrupt
    with pytest.raises(StepStopped):
        run_jobs(aws, [training()], time.clock)

    assert f"could not stop the training job {NAME}: AccessDeniedException: not for you" in capsys.readouterr().out


@pytest.mark.parametrize(("minutes", "in_time"), [(90, True), (91, False)])
def test_a_job_that_takes_too_long_is_stopped(aws: Aws, time: ManualTime, minutes: int, in_time: bool) -> None:
    script(aws.sagemaker, "DescribeTrainingJob", [RUNNING, RUNNING, COMPLETED])
    stopped = record(aws.sagemaker, "StopTrainingJob")

    def much_later() -> None:
        time.now = minutes * 60

    time.meanwhile = much_later
    if in_time:
        run_jobs(aws, [training()], time.clock)
        assert stopped == []
    else:
        with pytest.raises(WaitTimeoutError, match="still Training after 91 minutes; it had 90 to start and to run"):
            run_jobs(aws, [training()], time.clock)
        assert stopped == [{"TrainingJobName": NAME}]


def test_a_refused_quota_ends_the_step_with_sagemakers_words(aws: Aws) -> None:
    refuse(
        aws.sagemaker, "CreateTrainingJob", "ResourceLimitExceeded", "The account-level service limit is 0 Instances"
    )
    refuse(aws.sagemaker, "StopTrainingJob", "ValidationException", "Requested resource not found.")

    with pytest.raises(AwsError, match=f"could not start the training job {NAME}: ResourceLimitExceeded: The account"):
        run_jobs(aws, [training()])


@pytest.mark.parametrize(
    ("waited", "interval"),
    [(0.0, 0.5), (10.0, 0.5), (20.0, 1.0), (60.0, 3.0), (300.0, 15.0), (301.0, 15.0), (86_400.0, 15.0)],
)
def test_looks_are_frequent_at_first_and_then_rarer(waited: float, interval: float) -> None:
    assert poll_interval(waited) == interval
