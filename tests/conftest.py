"""The order of the suite."""

import pytest

_LONGEST_FIRST = ("test_delivery_line.py",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that workers side by side end together."""
    items.sort(key=lambda item: item.path.name not in _LONGEST_FIRST)
