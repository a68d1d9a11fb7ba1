"""Who is let in, and what is remembered of whom."""

from __future__ import annotations

import os
from collections.abc import Callable

import httpx


def test_a_session_is_kept(client: httpx.Client) -> None:
    first = client.get("/me").raise_for_status().json()["asked"]
    assert client.get("/me").raise_for_status().json()["asked"] == first + 1


def test_history_is_there(client: httpx.Client, record_property: Callable[[str, object], None]) -> None:
    answer = client.get("/history").raise_for_status()
    record_property("revision", answer.headers["x-revision"])
    assert "messages" in answer.json()


def test_strangers_are_not_let_in() -> None:
    assert httpx.get(f"{os.environ['GUARD_TARGET_URL']}/me", timeout=3).status_code == 401


def test_other_sites_are_told_nothing(client: httpx.Client) -> None:
    answer = client.get("/health", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers
