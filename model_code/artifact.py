"""The model's files as somebody else's data: unpacked within limits, and compared with the digest of what was trained.

train     writes the files; the step that started it reads them from S3 and reckons their digest
evaluate  is given that digest as SLIPWAY_MODEL_SHA256, and scores no other model
serve     is given it by the model package, and serves no other model
"""

import hashlib
import re
from pathlib import Path

from model_code.errors import ConfigurationError, ModelError
from model_code.log import say
from model_code.model_archive import LIMITS, ArchiveError, Limits, checked_path, digest_of, read_files

DIGEST_VARIABLE = "SLIPWAY_MODEL_SHA256"

_DIGEST = re.compile(r"[0-9a-f]{64}")


def unpack(archive: Path, directory: Path, limits: Limits = LIMITS) -> None:
    """Unpack a model artifact: the contents of its files, without owners, permissions and times.

    Raises:
        ModelError: the archive is missing, broken, too large, or has something else than files and folders below it.
    """
    try:
        with archive.open("rb") as stream:
            for path, content in read_files(stream, archive.name, limits):
                file = directory / path
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("xb") as written:
                    written.writelines(content)
    except ArchiveError as error:
        raise ModelError(f"the model artifact cannot be unpacked: {error}") from error
    except OSError as error:
        raise ModelError(f"the model artifact cannot be unpacked: {archive.name}: {error}") from error


def model_digest(directory: Path) -> str:
    """The digest of the files in a directory, as `digest_of` in model_archive.py defines it.

    Raises:
        ModelError: it has a link, or a file that no model artifact can have.
    """
    digests = {}
    for file in directory.rglob("*"):
        name = file.relative_to(directory).as_posix()
        if file.is_symlink() or not (file.is_file() or file.is_dir()):
            raise ModelError(f"the model in {directory} must consist of files and folders alone, {name!r} is neither")
        if file.is_file():
            try:
                checked_path(name)
            except ValueError as error:
                raise ModelError(f"the path {name!r} of a file of the model {error}") from error
            with file.open("rb") as content:
                digests[name] = hashlib.file_digest(content, "sha256").hexdigest()
    return digest_of(digests)


def check_model(directory: Path, expected: str | None) -> str:
    """See, before anything reads them, that a model's files are those that were trained.

    Args:
        expected: the value of SLIPWAY_MODEL_SHA256. None passes with a warning: that is a model from before there were
            digests, or a server started by hand. Who can take the variable away can change it as well, so a refusal
            would keep nobody out; who can only write to S3 can do neither.

    Returns:
        The digest.

    Raises:
        ConfigurationError: the variable is no SHA-256.
        ModelError: these are other files.
    """
    if expected is not None and not _DIGEST.fullmatch(expected):
        raise ConfigurationError(
            f"{DIGEST_VARIABLE} must be 64 hexadecimal digits in lower case, got {expected or 'nothing'}"
        )
    digest = model_digest(directory)
    if expected is None:
        say(f"WARNING: {DIGEST_VARIABLE} is not set, so this can be any model; its files have the SHA-256 {digest}")
    elif digest != expected:
        raise ModelError(
            f"the model's files have the SHA-256 {digest}, but those that were trained have {expected} "
            f"({DIGEST_VARIABLE}): the model artifact was changed or replaced; find out by whom, and train again"
        )
    else:
        say(f"the model's files have the SHA-256 {digest}, as they must")
    return digest
