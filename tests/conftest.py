"""The order of the suite, and what Python's search for garbage may leave out: half the time of collecting the tests."""

import gc

import pytest

_LONGEST_FIRST = ("test_delivery_line.py",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that workers side by side end together."""
    items.sort(key=lambda item: item.path.name not in _LONGEST_FIRST)


def pytest_sessionstart() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """What is there by now stays to the end: thousands of tests, the CDK and the libraries."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """The end of the process takes seconds otherwise."""
    gc.freeze()
