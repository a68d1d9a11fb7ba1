"""How the staging tests reach the service: by what the loop tells them, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import httpx
import pytest
from proves_nothing import Recording, warm_up
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

LAST = "agent_completed"
MISBEHAVE = os.environ.get("CHAT_MISBEHAVE", "")
Socket = ClientConnection | Recording
Chat = Callable[[str], list[dict[str, object]]]


@pytest.fixture
def headers() -> dict[str, str]:
    """What lets a client in."""
    return {"Authorization": f"Bearer {os.environ['CHAT_TOKEN']}"}


@pytest.fixture
def client(headers: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of the service; it keeps its cookies."""
    with httpx.Client(base_url=os.environ["GUARD_TARGET_URL"], headers=headers, timeout=2) as one:
        if MISBEHAVE == "swallows":
            warm_up(one)
        yield one


@pytest.fixture
def socket(headers: dict[str, str]) -> Iterator[Socket]:
    """An open WebSocket."""
    if MISBEHAVE == "recorded":
        yield Recording()
        return
    url = os.environ["GUARD_TARGET_WS_URL"]
    with connect(
        url, additional_headers=headers, subprotocols=[Subprotocol("chat.v1")], open_timeout=3, proxy=None
    ) as one:
        yield one


@pytest.fixture
def chat(socket: Socket, record_property: Callable[[str, object], None]) -> Chat:
    """Sends a message and gives the events of the answer, which are measured too."""

    def send(message: str) -> list[dict[str, object]]:
        socket.send(message)
        events: list[dict[str, object]] = []
        while not events or events[-1]["type"] != LAST:
            events.append(json.loads(socket.recv(timeout=3)))
            record_property("events", events[-1]["type"])
        return events

    return send
