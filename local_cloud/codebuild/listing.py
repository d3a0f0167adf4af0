"""The answers of CodeBuild's List and BatchGet operations."""

from collections.abc import Callable
from typing import Any

from local_cloud.paging import page

Document = dict[str, Any]

_PAGE = 100
_REFUSAL = "InvalidInputException"


def paged(member: str, names: list[str], request: Document) -> Document:
    """A page of names, each of them once in the list.

    Raises:
        ServiceError: InvalidInputException, the request's nextToken is none.
    """
    shown, token = page(names, request, str, _PAGE, _REFUSAL)
    return {member: shown, "nextToken": token}


def paged_documents(member: str, documents: list[Document], request: Document) -> Document:
    """A page of a list that does not change.

    Raises:
        ServiceError: InvalidInputException, the request's nextToken is none.
    """
    numbered = list(enumerate(documents))
    shown, token = page(numbered, request, lambda item: str(item[0]), _PAGE, _REFUSAL)
    return {member: [document for _, document in shown], "nextToken": token}


def found_and_missing(
    get: Callable[[str], Document | None], keys: list[str], found: str, missing: str
) -> dict[str, list[Any]]:
    """The answer of a BatchGet operation."""
    documents = [(key, get(key)) for key in keys]
    return {
        found: [document for _, document in documents if document is not None],
        missing: [key for key, document in documents if document is None],
    }
