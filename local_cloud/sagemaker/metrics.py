"""Metrics of a training job, found in its log lines by the MetricDefinitions of its algorithm."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from local_cloud.sagemaker.errors import invalid


class LogMetrics:
    """The last value of each metric that the lines seen so far have shown.

    Args:
        definitions: Name and Regex of each; the first group of the expression is the value.

    Raises:
        ServiceError: an expression is not one.
    """

    def __init__(self, definitions: Iterable[Mapping[str, str]]) -> None:
        self._patterns = [(item["Name"], _compile(item)) for item in definitions]
        self._values: dict[str, dict[str, Any]] = {}

    def see(self, line: str) -> None:
        for name, pattern in self._patterns:
            for match in pattern.finditer(line):
                try:
                    value = float(match[1])
                except (IndexError, TypeError, ValueError):
                    continue
                self._values[name] = {"MetricName": name, "Value": value, "Timestamp": datetime.now(UTC)}

    def final(self) -> list[dict[str, Any]]:
        """FinalMetricDataList, in the order of the definitions."""
        return [self._values[name] for name, _ in self._patterns if name in self._values]


def _compile(definition: Mapping[str, str]) -> re.Pattern[str]:
    try:
        return re.compile(definition["Regex"])
    except re.error as error:
        raise invalid(
            f"Invalid regular expression {definition['Regex']!r} of metric {definition['Name']!r}: {error}"
        ) from error
