"""Users see that something is happening: five events for each message."""

from __future__ import annotations

from conftest import Chat, Socket


def test_it_speaks_the_protocol(socket: Socket) -> None:
    assert socket.subprotocol == "chat.v1"


def test_a_message_is_answered(chat: Chat) -> None:
    assert chat("hello")[-1]["text"] == "You said: hello"
