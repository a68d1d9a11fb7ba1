"""An answer comes while the user still looks."""

from __future__ import annotations

import time
from collections.abc import Callable

from conftest import Chat


def test_answers_come_quickly(chat: Chat, record_property: Callable[[str, object], None]) -> None:
    for turn in range(10):
        begun = time.perf_counter()
        chat(f"turn {turn}")
        record_property("response_ms", 1000 * (time.perf_counter() - begun))
