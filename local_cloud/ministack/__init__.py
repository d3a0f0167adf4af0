"""The only package that touches ministack, whose internals move: every hook that the local cloud hangs on is here.

tests/local_cloud/test_ministack.py and test_alarms.py have a contract test for each of them. ministack is imported
inside functions: it reads its settings from the environment when it is first imported, which `configure` fills.
"""

from local_cloud.ministack.access import AccessControl
from local_cloud.ministack.platform import (
    AsgiApp,
    Platform,
    Receive,
    ResourceHandler,
    Scope,
    Send,
    StartTarget,
    configure,
)

__all__ = [
    "AccessControl",
    "AsgiApp",
    "Platform",
    "Receive",
    "ResourceHandler",
    "Scope",
    "Send",
    "StartTarget",
    "configure",
]
