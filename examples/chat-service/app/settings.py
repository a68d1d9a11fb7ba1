"""What the service is told by its environment."""

from __future__ import annotations

import os


def revision() -> str:
    """Which revision this is; the deploy says."""
    return os.environ.get("GUARD_REVISION", "unknown")


def token() -> str:
    """What a client has to send as its bearer token."""
    return os.environ.get("CHAT_TOKEN", "")


def misbehaves(how: str) -> bool:
    """Whether the service is to misbehave in this way, so that the loop can be seen to notice: `CHAT_MISBEHAVE` is one
    of `does-not-start`, `unready`, `old-revision`, `ws-1011`, `ws-early-close`, `ws-403`, `hang`, `disorder`,
    `missing-event`, `slow` and `first-fails`. Two more are for the tests, in `tests/staging/proves_nothing.py`."""
    return os.environ.get("CHAT_MISBEHAVE") == how
