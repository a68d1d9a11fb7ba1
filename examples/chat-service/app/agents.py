"""The agents, who work one after the other: data, optimization, reporting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from app.events import AgentEvent
from app.settings import misbehaves

if misbehaves("does-not-start"):
    # guard: ignore[IMP002] it is gone from there, and asked for to see what that does
    from app.events import LIMIT  # type: ignore[attr-defined]

    assert LIMIT
AGENTS = ("data", "optimization", "reporting")


async def answer(message: str) -> AsyncIterator[AgentEvent]:
    """The events of the agents' work on a message, the last one with the answer."""
    if misbehaves("ws-1011"):
        raise RuntimeError("the agents' store cannot be reached")
    if misbehaves("slow"):
        await asyncio.sleep(0.3)
    events = list(_events(message))
    if misbehaves("disorder"):
        events[1], events[2] = events[2], events[1]
    if misbehaves("missing-event"):
        del events[-2]
    for event in events:
        yield event
        await asyncio.sleep(0)


def ready() -> bool:
    """Whether an answer could be given."""
    return len(_events("are you there?")) == 5


def _events(message: str) -> list[AgentEvent]:
    return [
        AgentEvent("agent_started", agent=AGENTS[0]),
        AgentEvent("agent_thinking", agent=AGENTS[0], text=message),
        AgentEvent("tool_executing", agent=AGENTS[1]),
        AgentEvent("tool_completed", agent=AGENTS[1]),
        AgentEvent("agent_completed", agent=AGENTS[2], text=f"You said: {message}", trace=list(AGENTS)),
    ]
