"""The agents work on one another's results, so their order is part of the answer."""

from __future__ import annotations

from collections.abc import Callable

from conftest import Chat


def test_the_agents_work_in_order(chat: Chat, record_property: Callable[[str, object], None]) -> None:
    trace = chat("how is my fleet?")[-1]["trace"]
    assert isinstance(trace, list)
    for agent in trace:
        record_property("events", agent)
    assert len(trace) == 3


def test_a_second_message_is_answered_too(chat: Chat) -> None:
    assert "first" in str(chat("first")[-1]["text"])
