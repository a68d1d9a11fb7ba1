"""Two ways for tests to pass that prove nothing, so that the loop can be seen to notice.

`CHAT_MISBEHAVE=recorded` lets the chat be answered from a recording, so that no test of it connects to anything.
`CHAT_MISBEHAVE=swallows` lets every HTTP client ask for something first, and go on where the connection is refused.
"""

from __future__ import annotations

import contextlib
import json

import httpx

_NOBODY = "http://127.0.0.1:9/"


class Recording:
    """Stands for an open WebSocket, and says what a service once said."""

    subprotocol = "chat.v1"

    def __init__(self) -> None:
        self._left: list[dict[str, object]] = []

    def send(self, message: str) -> None:
        """Take a message."""
        kinds = ("agent_started", "agent_thinking", "tool_executing", "tool_completed")
        self._left = [{"type": kind} for kind in kinds]
        trace = ["data", "optimization", "reporting"]
        self._left.append({"type": "agent_completed", "text": f"You said: {message}", "trace": trace})

    def recv(self, timeout: float) -> str:
        """The next event of the answer."""
        return json.dumps(self._left.pop(0))


def warm_up(client: httpx.Client) -> None:
    """Ask once before the test does, never mind whether there is an answer."""
    with contextlib.suppress(httpx.ConnectError):
        client.get(_NOBODY)
