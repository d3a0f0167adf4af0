"""Report groups and the reports that builds make in them."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local_cloud.authorization import Check, authorize
from local_cloud.cloud import Cloud
from local_cloud.codebuild import reports
from local_cloud.codebuild.buildspec import Report
from local_cloud.codebuild.container_log import ContainerLog
from local_cloud.codebuild.files import NoBaseDirectoryError, select
from local_cloud.codebuild.listing import found_and_missing, paged, paged_documents
from local_cloud.codebuild.reports import ReportError
from local_cloud.wire import ServiceError

_KEPT = timedelta(days=30)

Document = dict[str, Any]


class ReportGroups:
    """Report groups by ARN, reports by ARN, and what each report holds."""

    def __init__(self, cloud: Cloud) -> None:
        self._place = f"arn:aws:codebuild:{cloud.region}:{cloud.account_id}"
        self.groups = cloud.store.table("codebuild.report-groups")
        self.reports = cloud.store.table("codebuild.reports")
        self.contents = cloud.store.table("codebuild.report-contents")

    def create(self, name: str, kind: str, export_config: Document, tags: list[dict[str, str]]) -> Document:
        """Make a report group (ReportGroup).

        Raises:
            ServiceError: ResourceAlreadyExistsException.
        """
        arn = f"{self._place}:report-group/{name}"
        if self.groups.get(arn) is not None:
            raise ServiceError("ResourceAlreadyExistsException", f"Report group already exists: {arn}")
        now = datetime.now(UTC)
        group = {"arn": arn, "name": name, "type": kind, "exportConfig": export_config, "tags": tags,
                 "created": now, "lastModified": now, "status": "ACTIVE"}  # fmt: skip
        self.groups.put(arn, group)
        return group

    def get(self, arn: str) -> Document:
        """Raises:
        ServiceError: ResourceNotFoundException.
        """
        group = self.groups.get(arn)
        if group is None:
            raise ServiceError("ResourceNotFoundException", f"Report group cannot be found: {arn}")
        return group

    def reports_of(self, group_arn: str) -> list[Document]:
        """The reports of a group, oldest first."""
        return [report for _, report in self.reports.items() if report["reportGroupArn"] == group_arn]

    def delete_report(self, arn: str) -> None:
        self.contents.delete(arn)
        self.reports.delete(arn)

    def add_report(
        self, build: Mapping[str, Any], name_or_arn: str, section: Report, source: Path, log: ContainerLog
    ) -> str:
        """Read a build's raw data and keep it as a report; a group that is named and missing is made.

        The acting principal is asked for what a build asks of its service role (CodeBuild user guide, "Test report
        permissions").

        Returns:
            The report's ARN.

        Raises:
            ReportError: there is no raw data, or it cannot be read.
            ServiceError: the role may not.
        """
        files = _raw_data(section, source)
        reader = reports.test_cases if section.file_format == "JUNITXML" else reports.code_coverages
        entries = [entry for path, file in files.items() for entry in reader(file.read_bytes(), path)]
        kind = "TEST" if section.file_format == "JUNITXML" else "CODE_COVERAGE"
        group = self._group(build["projectName"], name_or_arn, kind)
        put = "codebuild:BatchPutTestCases" if kind == "TEST" else "codebuild:BatchPutCodeCoverages"
        authorize(Check(action, group["arn"]) for action in ("codebuild:CreateReport", put, "codebuild:UpdateReport"))
        arn = f"{self._place}:report/{group['name']}:{uuid.uuid4()}"
        log.say(f"Preparing to copy {kind} report {arn}")
        now = datetime.now(UTC)
        self.contents.put(arn, {"entries": entries})
        self.reports.put(arn, {
            "arn": arn, "type": kind, "name": f"{build['projectName']}:{build['buildNumber']}",
            "reportGroupArn": group["arn"], "executionId": build["arn"], "created": now, "expired": now + _KEPT,
            "exportConfig": group["exportConfig"], "truncated": False, **_summaries(kind, entries),
        })  # fmt: skip
        return arn

    def _group(self, project: str, name_or_arn: str, kind: str) -> Document:
        is_arn = name_or_arn.startswith("arn:")
        name = name_or_arn.rpartition("/")[2] if is_arn else f"{project}-{name_or_arn}"
        group = self.groups.get(name_or_arn if is_arn else f"{self._place}:report-group/{name}")
        if group is None and is_arn:
            raise ReportError(f"the report group {name_or_arn} does not exist")
        if group is not None and group["type"] != kind:
            raise ReportError(f"the report group {group['arn']} holds {group['type']} reports, not {kind}")
        if group is None:
            authorize([Check("codebuild:CreateReportGroup", f"{self._place}:report-group/{name}")])
            group = self.create(name, kind, {"exportConfigType": "NO_EXPORT"}, [])
        return group


def _raw_data(section: Report, source: Path) -> dict[str, Path]:
    try:
        files = select(section, source)
    except NoBaseDirectoryError as error:
        raise ReportError(f"base directory {error} not found in build") from error
    if not files:
        raise ReportError("report files not found in build")
    return files


def _summaries(kind: str, entries: list[Document]) -> Document:
    if kind == "CODE_COVERAGE":
        return {"status": "SUCCEEDED", "codeCoverageSummary": reports.coverage_summary(entries)}
    bad = any(entry["status"] in ("FAILED", "ERROR") for entry in entries)
    return {"status": "FAILED" if bad else "SUCCEEDED", "testSummary": reports.test_summary(entries)}


class ReportOperations:
    """The part of CodeBuild's API that is about reports."""

    def __init__(self, report_groups: ReportGroups) -> None:
        self._report_groups = report_groups

    def create_report_group(self, request: Document) -> Document:
        group = self._report_groups.create(
            request["name"], request["type"], request["exportConfig"], request.get("tags", [])
        )
        return {"reportGroup": group}

    def update_report_group(self, request: Document) -> Document:
        self._report_groups.get(request["arn"])
        with self._report_groups.groups.change(request["arn"]) as group:
            group.update({key: request[key] for key in ("exportConfig", "tags") if key in request})
            group["lastModified"] = datetime.now(UTC)
        return {"reportGroup": self._report_groups.get(request["arn"])}

    def batch_get_report_groups(self, request: Document) -> Document:
        return found_and_missing(
            self._report_groups.groups.get, request["reportGroupArns"], "reportGroups", "reportGroupsNotFound"
        )

    def list_report_groups(self, request: Document) -> Document:
        keys: dict[str, Callable[[Document], Any]] = {
            "NAME": lambda group: group["name"],
            "CREATED_TIME": lambda group: group["created"],
            "LAST_MODIFIED_TIME": lambda group: group["lastModified"],
        }
        groups = [group for _, group in self._report_groups.groups.items()]
        groups.sort(key=keys[request.get("sortBy", "NAME")], reverse=request.get("sortOrder") == "DESCENDING")
        return paged("reportGroups", [group["arn"] for group in groups], request)

    def delete_report_group(self, request: Document) -> Document:
        contained = self._report_groups.reports_of(request["arn"])
        if contained and not request.get("deleteReports"):
            raise ServiceError(
                "InvalidInputException",
                f"The report group {request['arn']} has reports; delete them with deleteReports",
            )
        for report in contained:
            self._report_groups.delete_report(report["arn"])
        self._report_groups.groups.delete(request["arn"])
        return {}

    def batch_get_reports(self, request: Document) -> Document:
        return found_and_missing(self._report_groups.reports.get, request["reportArns"], "reports", "reportsNotFound")

    def list_reports(self, request: Document) -> Document:
        return paged("reports", _newest_first([r for _, r in self._report_groups.reports.items()], request), request)

    def list_reports_for_report_group(self, request: Document) -> Document:
        self._report_groups.get(request["reportGroupArn"])
        found = self._report_groups.reports_of(request["reportGroupArn"])
        return paged("reports", _newest_first(found, request), request)

    def delete_report(self, request: Document) -> Document:
        self._report_groups.delete_report(request["arn"])
        return {}

    def describe_test_cases(self, request: Document) -> Document:
        status = request.get("filter", {}).get("status")
        keyword = request.get("filter", {}).get("keyword", "").lower()
        entries, report = self._contents(request["reportArn"], "TEST", "ResourceNotFoundException")
        cases = [
            entry | {"reportArn": report["arn"], "expired": report["expired"]}
            for entry in entries
            if status in (None, entry["status"]) and keyword in f"{entry['prefix']} {entry['name']}".lower()
        ]
        return paged_documents("testCases", cases, request)

    def describe_code_coverages(self, request: Document) -> Document:
        # DescribeCodeCoverages has no ResourceNotFoundException in its model, unlike DescribeTestCases
        entries, report = self._contents(request["reportArn"], "CODE_COVERAGE", "InvalidInputException")
        low, high = request.get("minLineCoveragePercentage", 0), request.get("maxLineCoveragePercentage", 100)
        member = "lineCoveragePercentage" if request.get("sortBy") == "LINE_COVERAGE_PERCENTAGE" else "filePath"
        coverages = [
            entry
            | {"id": f"{report['arn']}/{entry['filePath']}", "reportARN": report["arn"], "expired": report["expired"]}
            for entry in sorted(entries, key=lambda e: e[member], reverse=request.get("sortOrder") == "DESCENDING")
            if low <= entry["lineCoveragePercentage"] <= high
        ]
        return paged_documents("codeCoverages", coverages, request)

    def _contents(self, report_arn: str, kind: str, missing_code: str) -> tuple[list[Document], Document]:
        report = self._report_groups.reports.get(report_arn)
        contents = self._report_groups.contents.get(report_arn)
        if report is None or contents is None:
            raise ServiceError(missing_code, f"Report cannot be found: {report_arn}")
        if report["type"] != kind:
            raise ServiceError("InvalidInputException", f"Report {report_arn} is of type {report['type']}, not {kind}")
        return contents["entries"], report


def _newest_first(found: list[Document], request: Document) -> list[str]:
    status = request.get("filter", {}).get("status")
    arns = [report["arn"] for report in found if status in (None, report["status"])]
    return arns if request.get("sortOrder") == "ASCENDING" else arns[::-1]
