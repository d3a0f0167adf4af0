"""`slipway report`: the report of a version's evaluation, fetched with the user's own credentials and opened here."""

import webbrowser
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from slipway.errors import RegistryError
from slipway.pipeline import Pipeline
from slipway.project import Project
from slipway.releases import package_arns
from slipway.target import Target

# The report was written by code of the commit that it judges. In front of all that it says of itself, this keeps it
# from running scripts, from loading and from sending anything.
_SEAL = (
    b"<!doctype html><meta charset=utf-8><meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
    b"style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'\">\n"
)


def show_report(
    console: Console,
    target: Target,
    project: Project,
    pipeline: Pipeline,
    version: int | None,
    *,
    markdown: bool,
    opens: bool,
) -> None:
    """Open a version's report in the browser, or print it.

    Args:
        version: None for the one that waits for an approval, else the newest.
        markdown: print report.md instead.
        opens: whether to open the browser.

    Raises:
        RegistryError: there is no such version, or it has no report.
    """
    found, uri = _find(target, project, version if version is not None else _waiting_version(pipeline))
    if markdown:
        text = _read(target, uri.removesuffix(".html") + ".md", found).decode(errors="replace")
        console.print(Markdown(text, hyperlinks=False))
        return
    path = project.report_dir / f"{found}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_SEAL + _read(target, uri, found))
    opened = opens and webbrowser.open(path.as_uri())
    console.print(Text(f"The report of version {found} is {'open: ' if opened else ''}{path}"), soft_wrap=True)


def _waiting_version(pipeline: Pipeline) -> int | None:
    """The version that waits for an approval, or None."""
    execution = pipeline.waiting()
    registered = None if execution is None else execution.model_package_version
    return int(registered) if registered is not None and registered.isdecimal() else None


def _find(target: Target, project: Project, version: int | None) -> tuple[int, str]:
    """A version and where its report is; without a version, of the newest."""
    arns = package_arns(target, project)
    if not arns:
        raise RegistryError("no model is registered yet", f"git push slipway HEAD:{project.branch}")
    found = next(iter(arns)) if version is None else version
    if found not in arns:
        known = ", ".join(map(str, arns))
        raise RegistryError(f"there is no version {found} of {project.name}; there are {known}", "slipway releases")
    package: dict[str, Any] = target.client("sagemaker").describe_model_package(ModelPackageName=arns[found])
    uri: str | None = package.get("CustomerMetadataProperties", {}).get("report_uri")
    if uri is None:
        raise RegistryError(f"version {found} was registered without a report", "slipway releases")
    return found, uri


def _read(target: Target, uri: str, version: int) -> bytes:
    place = urlsplit(uri)
    try:
        answer = target.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket"):
            raise RegistryError(f"the report of version {version} is no longer at {uri}", "slipway releases") from error
        raise
    content: bytes = answer["Body"].read()
    return content
