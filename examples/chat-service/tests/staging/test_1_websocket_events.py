"""Users see that something is happening: five events for each message."""

from __future__ import annotations

from conftest import Chat
from websockets.sync.client import ClientConnection


def test_it_speaks_the_protocol(socket: ClientConnection) -> None:
    assert socket.subprotocol == "chat.v1"


def test_a_message_is_answered(chat: Chat) -> None:
    assert chat("hello")[-1]["text"] == "You said: hello"
