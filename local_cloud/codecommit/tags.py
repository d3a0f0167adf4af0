"""The limits on a repository's tags."""

from collections.abc import Iterable, Mapping

from local_cloud.wire import ServiceError

_MOST_TAGS = 50


def check_keys(keys: Iterable[str]) -> None:
    """
    Raises:
        ServiceError: InvalidSystemTagUsageException.
    """
    reserved = [key for key in keys if key.lower().startswith("aws:")]
    if reserved:
        raise ServiceError("InvalidSystemTagUsageException", f"Tag keys may not begin with aws: {', '.join(reserved)}")


def check_tags(tags: Mapping[str, str]) -> None:
    """
    Raises:
        ServiceError: InvalidSystemTagUsageException, TooManyTagsException.
    """
    check_keys(tags)
    if len(tags) > _MOST_TAGS:
        raise ServiceError("TooManyTagsException", f"A repository has at most {_MOST_TAGS} tags, got {len(tags)}")
