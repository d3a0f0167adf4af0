"""Tags of SageMaker resources: AddTags, ListTags, DeleteTags, and the Tags of every Create request."""

from collections.abc import Mapping
from typing import Any

from local_cloud.sagemaker.arns import key_of
from local_cloud.sagemaker.errors import invalid
from local_cloud.store import Table

_MAXIMUM = 50

Tag = dict[str, str]


class Tags:
    """Tags by ARN.

    Args:
        table: where they are kept.
        resources: the tables of the kinds of resources that can be tagged, by the kind's name in ARNs.
    """

    def __init__(self, table: Table, resources: Mapping[str, Table]) -> None:
        self._table = table
        self._resources = resources

    def set(self, arn: str, tags: list[Tag]) -> None:
        """Give a new resource its tags."""
        self._table.put(arn, _checked({tag["Key"]: tag["Value"] for tag in tags}))

    def forget(self, arn: str) -> None:
        self._table.delete(arn)

    def add_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        arn = self._existing(request["ResourceArn"])
        tags = (self._table.get(arn) or {}) | {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        self._table.put(arn, _checked(tags))
        return {"Tags": _as_list(tags)}

    def list_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        arn = self._existing(request["ResourceArn"])
        if "NextToken" in request:  # at most 50 tags, which is the smallest page: no token was given out
            raise invalid("Invalid NextToken")
        return {"Tags": _as_list(self._table.get(arn) or {})}

    def delete_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        arn = self._existing(request["ResourceArn"])
        tags = self._table.get(arn) or {}
        self._table.put(arn, {key: value for key, value in tags.items() if key not in request["TagKeys"]})
        return {}

    def _existing(self, arn: str) -> str:
        kind = arn.partition("/")[0].rpartition(":")[2]
        table = self._resources.get(kind)
        if table is None or table.get(key_of(arn)) is None:
            raise invalid(f'Could not find resource "{arn}".')
        return arn.lower()


def _checked(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _MAXIMUM:
        raise invalid(f"A resource can have at most {_MAXIMUM} tags, got {len(tags)}.")
    return tags


def _as_list(tags: Mapping[str, str]) -> list[Tag]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
