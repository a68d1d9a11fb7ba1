"""What a session is to do. The types stand with those of the other settings; this is where the loop takes them from."""

from __future__ import annotations

from guard.configuration.loop import Command, Deploy, Phase, Plan, Probe, Publish, Target

__all__ = ["Command", "Deploy", "Phase", "Plan", "Probe", "Publish", "Target"]
