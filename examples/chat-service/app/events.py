"""What a client is told while the agents work."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class AgentEvent:
    """One event on the way to an answer."""

    type: str
    agent: str = ""
    text: str = ""
    trace: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """As it goes over the WebSocket."""
        return {"type": self.type, "agent": self.agent, "text": self.text, "trace": self.trace}
