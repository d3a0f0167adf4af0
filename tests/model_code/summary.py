"""Says in one line what the tests came to: `python -m tests.model_code.summary DIRECTORY`, run by the Test stage."""

import sys
from pathlib import Path
from xml.etree import ElementTree


def summarize(directory: Path) -> str:
    """Read pytest's junit.xml and coverage.xml; of tests that have all passed or were skipped."""
    suites = list(ElementTree.parse(directory / "junit.xml").iter("testsuite"))  # noqa: S314 - this build wrote it
    tests, skipped = (sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "skipped"))
    covered = float(ElementTree.parse(directory / "coverage.xml").getroot().get("line-rate", 0))  # noqa: S314
    told = f"{tests - skipped} tests passed" + (f", {skipped} skipped" if skipped else "")
    return f"{told}, {100 * covered:.0f} % of lines covered"


if __name__ == "__main__":
    print(summarize(Path(sys.argv[1])))
