"""Looking for an attribute by its name finds what regular expressions over the whole text find."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from guard.checks.class_texts import may_set, sets_on_self

_PIECES = ["name", "self", ".", "=", "==", ":", " ", "\t", "\n", '"', "'", "+=", "x", "_", "vars(", "exec(", "(", "1"]
_TEXTS = st.lists(st.sampled_from(_PIECES), max_size=14).map("".join)


@given(_TEXTS)
def test_what_may_set_an_attribute(text: str) -> None:
    slow = r"""["']name["']|(?<!\bself)\.name\s*(=[^=]|:[^=]|[-+*/|&]=)|\b(locals|vars|exec)\("""
    assert may_set(text, "name") is (re.search(slow, text) is not None)


@given(_TEXTS)
def test_what_sets_it_on_self(text: str) -> None:
    slow = r"\bself\.name\s*(:|=[^=])|^[ \t]+name\s*:"
    assert sets_on_self(text, "name") is (re.search(slow, text, re.MULTILINE) is not None)
