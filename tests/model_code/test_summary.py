from pathlib import Path

import pytest

from tests.model_code.summary import summarize


@pytest.mark.parametrize(
    ("skipped", "rate", "told"),
    [
        (0, "0.9449", "212 tests passed, 94 % of lines covered"),
        (2, "1", "210 tests passed, 2 skipped, 100 % of lines covered"),
    ],
)
def test_tests_and_coverage_become_one_line(tmp_path: Path, skipped: int, rate: str, told: str) -> None:
    junit = f'<testsuites><testsuite tests="212" skipped="{skipped}" failures="0"/></testsuites>'
    (tmp_path / "junit.xml").write_text(junit)
    (tmp_path / "coverage.xml").write_text(f'<coverage line-rate="{rate}" branch-rate="0.5"/>')

    assert summarize(tmp_path) == told
