"""Lists in pages: the token of a page names the last item of the one before, so it outlives additions to the list."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from local_cloud.wire import ServiceError

Item = TypeVar("Item")


def page(
    items: Sequence[Item], request: Mapping[str, Any], identity: Callable[[Item], str], default_size: int,
    refusal: str = "InvalidNextTokenException",
) -> tuple[list[Item], str | None]:  # fmt: skip
    """The page of a list that a request asks for by maxResults and nextToken.

    Args:
        items: the whole list.
        request: the request.
        identity: what names an item.
        default_size: items on a page when the request has no maxResults.
        refusal: the service's code for a token that this list has not given out.

    Returns:
        The page, and the token of the next one (None on the last).

    Raises:
        ServiceError: `refusal`.
    """
    start = 0
    token = request.get("nextToken")
    if token is not None:
        start = next((number + 1 for number, item in enumerate(items) if identity(item) == token), 0)
        if start == 0:
            raise ServiceError(refusal, f"The nextToken '{token[:100]}' was not given out by this list")
    size = request.get("maxResults", default_size)
    chosen = list(items[start : start + size])
    return chosen, identity(chosen[-1]) if start + size < len(items) else None
