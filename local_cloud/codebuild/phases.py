"""Which phase follows which, as CodeBuild's build phase transitions say.

https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html
"""

from local_cloud.codebuild.buildspec import OnFailure

COMMAND_PHASES = ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD")

_AFTER = dict(zip(("DOWNLOAD_SOURCE", *COMMAND_PHASES), (*COMMAND_PHASES, "UPLOAD_ARTIFACTS"), strict=True))
_AFTER_FAILURE = {"BUILD": "POST_BUILD", "POST_BUILD": "UPLOAD_ARTIFACTS"}


def next_phase(phase: str, *, succeeded: bool, on_failure: OnFailure | None = None) -> str:
    """The phase after this one.

    A failed BUILD is followed by POST_BUILD and UPLOAD_ARTIFACTS all the same; after another failed phase the build is
    wrapped up (FINALIZING). `on-failure: CONTINUE` goes on as after a success (the build has failed nonetheless, and
    CODEBUILD_BUILD_SUCCEEDING says so), `ABORT` wraps up at once: the documentation names the two without saying this
    much, so both are an assumption.
    """
    if succeeded or on_failure == "CONTINUE":
        return _AFTER[phase]
    if on_failure == "ABORT":
        return "FINALIZING"
    return _AFTER_FAILURE.get(phase, "FINALIZING")
