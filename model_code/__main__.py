"""The entry point: SageMaker starts `python -m model_code` with train or serve, our steps with prepare or evaluate."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from model_code.artifact import DIGEST_VARIABLE
from model_code.errors import ConfigurationError
from model_code.failure import reason_for, write_failure
from model_code.log import say
from model_code.paths import Paths

Environment = Mapping[str, str]

# Each command imports what it needs by itself: preparing data needs no server, serving no splitting.


def _prepare(paths: Paths, environment: Environment) -> None:
    from model_code import prepare
    from model_code.split import read_split

    prepare.run(paths, read_split(environment.get("SLIPWAY_SPLIT", "")))


def _train(paths: Paths, environment: Environment) -> None:
    from model_code import train

    signal.signal(signal.SIGTERM, train.stop)
    try:
        train.run(paths)
    except train.TrainingStopped:
        train.clear_model(paths)
        say("stopped by SIGTERM: the training is not finished, no model is kept")
        sys.exit(128 + signal.SIGTERM)


def _evaluate(paths: Paths, environment: Environment, *options: str) -> None:
    from model_code import evaluate, serving_check
    from model_code.slices import read_slice_columns

    evaluate.run(
        paths,
        environment.get(DIGEST_VARIABLE),
        read_slice_columns(options),
        check_serving=partial(serving_check.measure, environment=environment),
    )


def _serve(paths: Paths, environment: Environment) -> None:
    from model_code import serve

    serve.run(
        paths,
        address=environment.get("SLIPWAY_BIND_ADDRESS", "0.0.0.0"),  # noqa: S104 - in a container, SageMaker calls from outside
        port=_number(environment, "SAGEMAKER_BIND_TO_PORT", 8080),
        workers=_number(environment, "SAGEMAKER_MODEL_SERVER_WORKERS", os.cpu_count() or 1),
        expected_digest=environment.get(DIGEST_VARIABLE),
    )


def _number(environment: Environment, name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ConfigurationError(f"{name} must be a whole number from 1 to 65535, got {text}")
    return int(text)


_COMMANDS: dict[str, Callable[..., None]] = {
    "prepare": _prepare,
    "train": _train,
    "evaluate": _evaluate,
    "serve": _serve,
}


def main(arguments: list[str], environment: Environment) -> int:
    """Run one command; returns the exit code."""
    command, *options = arguments or [""]
    if command not in _COMMANDS or (options and command != "evaluate"):
        got = " ".join(arguments) or "nothing"
        print(f"python -m model_code takes one command: {', '.join(_COMMANDS)}; got {got}", file=sys.stderr)
        return 2
    paths = Paths(Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml")))
    try:
        _COMMANDS[command](paths, environment, *options)
    except Exception as error:
        traceback.print_exc()
        reason = reason_for(error)
        print(f"{command} failed: {reason}", file=sys.stderr, flush=True)
        if command != "serve":
            write_failure(paths.training_failure if command == "train" else paths.processing_message, reason, error)
        return 1
    return 0


if __name__ == "__main__":
    # Threads of OpenMP that wait by spinning take the processor from those that work wherever it is shared: 45 s of
    # training instead of 3 on a busy machine. Read when a library that uses OpenMP is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(main(sys.argv[1:], os.environ))
