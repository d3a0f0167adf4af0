"""Pages of the Describe operations."""

from collections.abc import Mapping, Sequence
from typing import Any

from local_cloud.paging import page

_DEFAULT_SIZE = 50


def page_of(
    member: str, items: Sequence[Mapping[str, Any]], request: Mapping[str, Any], identity: str
) -> dict[str, Any]:
    """The page that a request asks for, with the token of the next one when there is more.

    Args:
        member: the answer's member that holds it.
        identity: the member that names an item.

    Raises:
        ServiceError: the token is not of this list.
    """
    asked = {name[0].lower() + name[1:]: request[name] for name in ("MaxResults", "NextToken") if name in request}
    chosen, token = page(items, asked, lambda item: str(item[identity]), _DEFAULT_SIZE)
    return {member: chosen} | ({} if token is None else {"NextToken": token})
