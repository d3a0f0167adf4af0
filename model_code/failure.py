"""Says why a job failed, where SageMaker looks for it: the reason first, because only the beginning is kept."""

import traceback
from pathlib import Path

from model_code.errors import ContainerError

LONGEST_REASON = 1000
"""SageMaker keeps 1,024 characters of a training job's failure file, 1 KB of a processing job's message."""

_OUR_CODE = Path(__file__).parent


def reason_for(error: Exception) -> str:
    """Why a job failed, in one line; for an unforeseen error with the place in the container's code."""
    text = " ".join(str(error).split())
    if not isinstance(error, ContainerError):
        text = f"{type(error).__name__}: {text}{_place(error)}"
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 3]}..."


def write_failure(file: Path, reason: str, error: Exception) -> None:
    """Write the failure file, unless something was written there already: the first reason is the cause."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        details = "".join(traceback.format_exception(error))
        file.write_text(f"{reason}\n\n{details}", encoding="utf-8", errors="backslashreplace")


def _place(error: Exception) -> str:
    """Where in the container's own code an error came from."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(_OUR_CODE)
    ]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
