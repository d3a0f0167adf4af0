"""A version of the registry that is released again: the steps make nothing new, they pass on what its record says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_steps import names
from pipeline_steps.aws import LARGEST_TEXT_BYTES, Aws, translated
from pipeline_steps.documents import ApiDescription, Comparison, Document, EvaluationReport, PromotionDecision, Samples
from pipeline_steps.errors import NotFoundError, ReleaseError
from pipeline_steps.evaluation_summary import LONGEST_SUMMARY, summary
from pipeline_steps.inputs import NEW_VERSION, StepInputs
from pipeline_steps.model_artifact import DIGEST_VARIABLE
from pipeline_steps.progress import one_line, say

DOCUMENTS: Mapping[str, type[Document]] = {
    "challenger": EvaluationReport,
    "champion": EvaluationReport,
    "comparison": Comparison,
    "decision": PromotionDecision,
}
"""What an evaluation keeps in S3 for later releases of its model, each as NAME.json."""

_OF_CHALLENGER: Mapping[str, type[Document]] = {"samples": Samples, "openapi": ApiDescription}
_REPORTS = {
    "report_facts.json": "application/json",
    "report.html": "text/html; charset=utf-8",
    "report.md": "text/markdown; charset=utf-8",
    "model_quality.json": "application/json",
}
_OPTIONAL = {"champion.json", *_REPORTS}
_NEEDED_METADATA = (
    "execution",
    "commit",
    "dataset_uri",
    "data_version",
    "training_job",
    "model_archive_sha256",
    "evaluation_uri",
)
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, kw_only=True)
class ReleasedVersion:
    """A version that the gate accepted, with all that a new one would get from the steps.

    Attributes:
        metadata: as register_model noted it; has all of `_NEEDED_METADATA`.
    """

    number: int
    arn: str
    image_uri: str
    model_data_uri: str
    model_sha256: str
    metadata: Mapping[str, str]


def released_version(aws: Aws, inputs: StepInputs) -> ReleasedVersion | None:
    """The version that this execution releases; None when it makes a new one.

    Raises:
        ReleaseError: there is no such version, the gate refused it, or too little is known of it.
    """
    if inputs.released_version == NEW_VERSION:
        return None
    number = inputs.released_version
    if _VERSION.fullmatch(number) is None:
        raise ReleaseError(
            f"the pipeline's variable ModelPackageVersion must be {NEW_VERSION} or the number of a version, "
            f"got {number!r}"
        )
    arn = f"{inputs.model_package_arn_prefix}{number}"
    try:
        with translated(f"look at version {number}"):
            package = aws.sagemaker.describe_model_package(ModelPackageName=arn)
    except NotFoundError as error:
        raise ReleaseError(f"there is no version {number} to release: {error}; see slipway releases") from error
    version = _read(package)
    say(f"releasing version {number} of commit {version.metadata['commit']}: nothing is made anew")
    return version


def pass_on_evaluation(aws: Aws, version: ReleasedVersion, inputs: StepInputs, bucket: str, folder: Path) -> None:
    """Give the documents of a version's evaluation to the later actions, and its report to the approver.

    Raises:
        ReleaseError: a document is missing.
        DocumentError: one cannot be read.
    """
    execution = version.metadata["execution"]
    of_challenger = version.metadata["evaluation_uri"].rpartition("/")[0]
    sources = {f"{name}.json": f"{of_challenger}/{name}.json" for name in _OF_CHALLENGER}
    for name in (*(f"{document}.json" for document in DOCUMENTS), *_REPORTS):
        sources[name] = names.report_uri(bucket, execution, name)
    contents = {name: _content(aws, uri, version) for name, uri in sources.items()}
    found = {name: content for name, content in contents.items() if content is not None}
    _check(found, sources)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "champion.json").unlink(missing_ok=True)  # of an earlier run
    for name, content in found.items():
        (folder / name).write_bytes(content)
        if name in _REPORTS or name.removesuffix(".json") in DOCUMENTS:
            uri = names.report_uri(bucket, inputs.execution_id, name)
            aws.write_bytes(uri, content, _REPORTS.get(name, "application/json"))
    say(f"the evaluation of execution {execution} is passed on: {', '.join(found)}")


def store_documents(aws: Aws, bucket: str, execution_id: str, folder: Path) -> None:
    """Keep an evaluation's documents for later releases of its model."""
    for name in DOCUMENTS:
        path = folder / f"{name}.json"
        if path.exists():
            uri = names.report_uri(bucket, execution_id, path.name)
            aws.write_bytes(uri, path.read_bytes(), "application/json")


def told(version: ReleasedVersion, folder: Path) -> dict[str, str]:
    """What the pipeline and the approver are told of a version's evaluation."""
    decision = PromotionDecision.read(folder, "decision")
    comparison = Comparison.read(folder, "comparison")
    decisive = tuple(metric for metric in comparison.metrics if metric.primary)  # the reasons tell of the others
    verdict = summary(decision, comparison.model_copy(update={"metrics": decisive}))
    origin = f"Release of version {version.number}, made of commit {version.metadata['commit'][:12]}"
    more = " ".join([*decision.notes, *decision.reasons])
    text = f"{origin}. The gate's verdict of that time, on the data of that time: {verdict}. {more}"
    return {
        "VERDICT": decision.verdict,
        "SUMMARY": one_line(f"Release of version {version.number}, at its time {verdict}", LONGEST_SUMMARY),
        "APPROVAL_TEXT": one_line(text, LONGEST_SUMMARY),
    }


def _read(package: Mapping[str, Any]) -> ReleasedVersion:
    number, status = package["ModelPackageVersion"], package["ModelApprovalStatus"]
    if status != "Approved":
        said = package.get("ModelPackageDescription", "no reason is noted")
        raise ReleaseError(f"version {number} is {status}; only a version that is Approved can be released. {said}")
    metadata = package.get("CustomerMetadataProperties", {})
    container = package.get("InferenceSpecification", {}).get("Containers", [{}])[0]
    sha256 = container.get("Environment", {}).get(DIGEST_VARIABLE)
    known = {**metadata, "Image": container.get("Image"), "ModelDataUrl": container.get("ModelDataUrl")}
    missing = [name for name in (*_NEEDED_METADATA, "Image", "ModelDataUrl") if not known.get(name)]
    missing += [] if sha256 else [DIGEST_VARIABLE]
    if missing:
        raise ReleaseError(
            f"version {number} cannot be released, for its record in the model registry lacks {', '.join(missing)}: "
            "the pipeline has not registered it. Commit its code to have it made anew"
        )
    return ReleasedVersion(
        number=number,
        arn=package["ModelPackageArn"],
        image_uri=container["Image"],
        model_data_uri=container["ModelDataUrl"],
        model_sha256=sha256,
        metadata=metadata,
    )


def _content(aws: Aws, uri: str, version: ReleasedVersion) -> bytes | None:
    """A file of a version's evaluation; None for one that is absent and may be."""
    try:
        return aws.read_bytes(uri, LARGEST_TEXT_BYTES)
    except NotFoundError as error:
        if uri.rpartition("/")[2] in _OPTIONAL:
            return None
        raise ReleaseError(
            f"version {version.number} cannot be released, for a document of its evaluation is gone: {error}. "
            "Commit its code to have it made anew"
        ) from error


def _check(found: Mapping[str, bytes], sources: Mapping[str, str]) -> None:
    kinds: dict[str, type[Document]] = {**DOCUMENTS, **_OF_CHALLENGER}
    for name, kind in kinds.items():
        content = found.get(f"{name}.json")
        if content is not None:
            kind.parse(content.decode("utf-8", errors="replace"), sources[f"{name}.json"])
