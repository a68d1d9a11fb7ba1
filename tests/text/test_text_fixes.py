"""Fixes: what they change, what they leave, and that they end."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from guard.attributes import Attributes
from guard.checks.text import TextFacts, see_bytes
from guard.fixes import Refused
from guard.fixes.eol import FIXES as EOL
from guard.fixes.txt import FIXES as TXT
from guard.model import WHOLE_FILE, Finding, Impact, Severity

CONTENTS = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\xe9"]), max_size=20).map(b"".join)


def finding(code: str, data: Mapping[str, object] | None = None) -> Finding:
    return Finding(
        code=code,
        slug="slug",
        severity=Severity.ERROR,
        impact=Impact.RUNTIME,
        path="f",
        span=WHOLE_FILE,
        message="",
        symbol="",
        fingerprint="",
        data=data or {},
    )


def pins(after: int, *lines: str) -> Finding:
    return finding("EOL002", {"after": after, "lines": list(lines)})


@given(CONTENTS)
def test_endings_are_mended_and_nothing_else(content: bytes) -> None:
    for code, left in (("EOL001", b"\r\n"), ("EOL003", b"\r\n"), ("EOL006", b"\r\n"), ("EOL004", b"\r")):
        fixed = EOL[code](content, [finding(code)])
        assert fixed is not None
        assert left not in fixed or (left == b"\r\n" and b"\r\r\n" in content)
        assert fixed.translate(None, b"\r\n") == content.translate(None, b"\r\n")
    again = EOL["EOL004"](fixed, [finding("EOL004")])
    assert again == fixed
    facts = see_bytes(fixed, "text") or TextFacts()
    assert facts.endings is None


def test_pins_go_behind_their_line() -> None:
    content = b"# one\n* text=auto\n\n# two\n*.ini -text"
    fixed = EOL["EOL002"](
        content, [pins(2, "*.toml text eol=lf"), pins(2, "*.cfg text eol=lf"), pins(-1, "run text eol=lf")]
    )
    comment = b"# What runs or configures a deploy has the same line endings on every machine.\n"
    assert fixed == (
        b"# one\n* text=auto\n" + comment + b"*.cfg text eol=lf\n*.toml text eol=lf\n\n# two\n*.ini -text\n\n" + comment
        + b"run text eol=lf\n"
    )  # fmt: skip
    assert Attributes({".gitattributes": fixed}).of("a.toml")["eol"].value == "lf"


def test_the_attribute_file_keeps_its_own_endings_and_its_mark() -> None:
    fixed = EOL["EOL002"](b"\xef\xbb\xbf* text=auto\r\n", [pins(0, "*.py text eol=lf")])
    assert fixed is not None
    assert fixed.startswith(b"\xef\xbb\xbf#")
    assert fixed.count(b"\r\n") == fixed.count(b"\n") == 3


def test_a_missing_attribute_file_is_made() -> None:
    fixed = EOL["EOL002"](b"", [pins(-1, "*.py text eol=lf")])
    assert fixed is not None
    assert fixed.endswith(b"\n*.py text eol=lf\n")
    assert not fixed.startswith(b"\n")


def test_only_the_mark_of_utf_8_is_removed() -> None:
    assert TXT["TXT002"](b"\xef\xbb\xbfa\r\n", [finding("TXT002")]) == b"a\r\n"
    assert isinstance(TXT["TXT002"](b"\xff\xfea\x00", [finding("TXT002")]), Refused)
