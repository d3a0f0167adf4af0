"""The raw data of reports: JUnit XML test results and Cobertura XML coverage, as the API shows them."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

_STATUSES = ("SUCCEEDED", "FAILED", "ERROR", "SKIPPED", "UNKNOWN")
_OUTCOMES = {"failure": "FAILED", "error": "ERROR", "skipped": "SKIPPED"}
_BRANCHES = re.compile(r"\((\d+)/(\d+)\)")


class ReportError(Exception):
    """The raw data of a report cannot be read."""


def _root(content: bytes, path: str) -> Element:
    try:
        root: Element = fromstring(content)
    except (ParseError, DefusedXmlException) as error:
        raise ReportError(f"error parsing {path}: {error}") from error
    return root


def test_cases(content: bytes, path: str) -> list[dict[str, Any]]:
    """The test cases (TestCase) of a JUnit XML file.

    Raises:
        ReportError: the file is not JUnit XML.
    """
    root = _root(content, path)
    if root.tag not in ("testsuites", "testsuite"):
        raise ReportError(f"error parsing {path}: its root is {root.tag}, not testsuites or testsuite")
    suites = [root] if root.tag == "testsuite" else list(root.iter("testsuite"))
    return [_test_case(case, suite, path) for suite in suites for case in suite.findall("testcase")]


def _test_case(case: Element, suite: Element, path: str) -> dict[str, Any]:
    bad = next((child for child in case if child.tag in _OUTCOMES), None)
    found = {
        "testRawDataPath": path,
        "prefix": case.get("classname", ""),
        "name": case.get("name", ""),
        "status": "SUCCEEDED" if bad is None else _OUTCOMES[bad.tag],
        "durationInNanoSeconds": _nanoseconds(case.get("time", "0")),
        "testSuiteName": suite.get("name", ""),
    }
    if bad is not None:
        found["message"] = "\n".join(text for text in (bad.get("message"), bad.text) if text).strip()
    return found


def _nanoseconds(seconds: str) -> int:
    try:
        return int(float(seconds.replace(",", "")) * 1e9)
    except ValueError:
        return 0


def test_summary(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """TestReportSummary."""
    counts = Counter(case["status"] for case in cases)
    return {
        "total": len(cases),
        "statusCounts": {status: counts[status] for status in _STATUSES},
        "durationInNanoSeconds": sum(case["durationInNanoSeconds"] for case in cases),
    }


def code_coverages(content: bytes, path: str) -> list[dict[str, Any]]:
    """The coverage of each file (CodeCoverage) in a Cobertura XML file.

    Raises:
        ReportError: the file is not Cobertura XML.
    """
    root = _root(content, path)
    if root.tag != "coverage":
        raise ReportError(f"error parsing {path}: its root is {root.tag}, not coverage")
    lines: dict[str, list[Element]] = {}
    for one in root.iter("class"):
        lines.setdefault(one.get("filename", ""), []).extend(one.iterfind("lines/line"))
    try:
        return [{"filePath": name, **coverage_summary([_counts(found)])} for name, found in lines.items()]
    except ValueError as error:
        raise ReportError(f"error parsing {path}: {error}") from error


def _counts(lines: Iterable[Element]) -> dict[str, int]:
    counts = Counter(linesCovered=0, linesMissed=0, branchesCovered=0, branchesMissed=0)
    for line in lines:
        counts["linesCovered" if int(line.get("hits", "0")) else "linesMissed"] += 1
        if branches := _BRANCHES.search(line.get("condition-coverage", "")):
            counts["branchesCovered"] += int(branches[1])
            counts["branchesMissed"] += int(branches[2]) - int(branches[1])
    return dict(counts)


def coverage_summary(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """CodeCoverageReportSummary of several parts; percentages of nothing are 0."""
    names = ("linesCovered", "linesMissed", "branchesCovered", "branchesMissed")
    counts = dict.fromkeys(names, 0)
    for part in parts:
        for name in names:
            counts[name] += part[name]
    return {
        **counts,
        "lineCoveragePercentage": _percentage(counts["linesCovered"], counts["linesMissed"]),
        "branchCoveragePercentage": _percentage(counts["branchesCovered"], counts["branchesMissed"]),
    }


def _percentage(covered: int, missed: int) -> float:
    return round(100 * covered / (covered + missed), 2) if covered + missed else 0.0
