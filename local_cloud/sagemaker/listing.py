"""Pages of the SageMaker API's List operations: filters, order, and tokens that survive additions between pages."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local_cloud.sagemaker.errors import invalid

_DEFAULT_PAGE = 10

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Listing:
    """How one kind of resource is listed.

    Attributes:
        answer: the answer's member that holds the page.
        name: the document's member that NameContains and SortBy=Name look at.
        arn: the document's member that tells two documents apart.
        status: the document's member that StatusEquals and SortBy=Status look at; None when there is none.
        newest_first: the order when the request names none.
    """

    answer: str
    name: str
    arn: str
    status: str | None = None
    newest_first: bool = False

    def page(self, documents: Iterable[Document], request: Mapping[str, Any]) -> dict[str, Any]:
        """The page that a List request asks for, with the token of the next one when there is more.

        Raises:
            ServiceError: the request's NextToken is not one of ours.
        """
        descending = request.get("SortOrder", "Descending" if self.newest_first else "Ascending") == "Descending"
        keyed = sorted(
            (
                (self._sort_key(document, request), document)
                for document in documents
                if self._wanted(document, request)
            ),
            key=lambda pair: pair[0],
            reverse=descending,
        )
        if "NextToken" in request:
            last = _decode(request["NextToken"])
            keyed = [pair for pair in keyed if (pair[0] < last if descending else pair[0] > last)]
        size = request.get("MaxResults", _DEFAULT_PAGE)
        answer: dict[str, Any] = {self.answer: [document for _, document in keyed[:size]]}
        if len(keyed) > size:
            answer["NextToken"] = _encode(keyed[size - 1][0])
        return answer

    def _sort_key(self, document: Document, request: Mapping[str, Any]) -> tuple[str, str]:
        by = request.get("SortBy", "CreationTime")
        if by == "CreationTime":
            return f"{document['CreationTime'].timestamp():020.6f}", document[self.arn]
        if by == "Status" and self.status is not None:
            return document[self.status], document[self.arn]
        return document[self.name], document[self.arn]

    def _wanted(self, document: Document, request: Mapping[str, Any]) -> bool:
        if request.get("NameContains", "").lower() not in document[self.name].lower():
            return False
        if "StatusEquals" in request and self.status and document[self.status] != request["StatusEquals"]:
            return False
        return _within(document, request, "CreationTime") and _within(document, request, "LastModifiedTime")


def _within(document: Document, request: Mapping[str, Any], member: str) -> bool:
    time: datetime | None = document.get(member)
    after, before = request.get(f"{member}After"), request.get(f"{member}Before")
    if time is None:
        return after is None and before is None
    return (after is None or time > after) and (before is None or time < before)


def _encode(key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _decode(token: str) -> tuple[str, str]:
    try:
        value, arn = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError, TypeError) as error:
        raise invalid("Invalid NextToken") from error
    if not isinstance(value, str) or not isinstance(arn, str):
        raise invalid("Invalid NextToken")
    return value, arn
