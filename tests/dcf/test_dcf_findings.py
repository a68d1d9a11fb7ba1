"""What a DCF finding says, and that facts are the same however a file comes to be read."""

from __future__ import annotations

from pathlib import Path

import msgspec
from dcf_support import found, program_of

from guard.checks.classes import FAMILY
from guard.checks.classes_facts import ClassesFacts
from guard.model import Related, Span, Violation
from guard.parse import parse
from guard.walk import walk

CONTEXT = """\
from dataclasses import dataclass


@dataclass
class UserContext:
    user_id: str
    websocket_client_id: str = ""
    startup_timeout: int = 0
"""


def only(folder: Path, files: dict[str, str], code: str) -> Violation:
    """The one violation of `code` that `files` give."""
    for path, content in files.items():
        (folder / path).write_text(content)
    violations = [violation for found_code, violation in found(folder) if found_code == code]
    assert len(violations) == 1
    return violations[0]


def test_unknown_argument(tmp_path: Path) -> None:
    use = "from context import UserContext\n\n\ndef connect():\n    return UserContext(user_id='', websocket_id=1)\n"
    violation = only(tmp_path, {"context.py": CONTEXT, "use.py": use}, "DCF002")
    assert violation.message == (
        "UserContext() got an unexpected keyword argument 'websocket_id'; did you mean websocket_client_id?"
    )
    assert violation.span == Span(5, 12, 5, 23)
    assert violation.symbol == "connect"
    assert violation.lazy
    assert violation.anchor == "UserContext(websocket_id)"
    assert violation.related == (Related("context.py", 5, "UserContext is defined here"),)
    assert violation.data == {
        "class": "UserContext",
        "class_path": "context.py",
        "arguments": ["websocket_id"],
        "surplus": 0,
        "suggestions": {"websocket_id": "websocket_client_id"},
    }
    assert violation.cause == "The call is a TypeError: connect raises it whenever this line is reached."


def test_missing_argument_at_module_level(tmp_path: Path) -> None:
    use = "from context import UserContext\n\nCONTEXT = UserContext()\n"
    violation = only(tmp_path, {"context.py": CONTEXT, "use.py": use}, "DCF003")
    assert violation.message == "UserContext() is called without its required argument user_id"
    assert not violation.lazy
    assert violation.symbol == ""
    assert violation.cause == "The call is a TypeError: importing use.py raises it."
    assert violation.data["arguments"] == ["user_id"]


def test_under_main_nothing_is_raised_by_an_import(tmp_path: Path) -> None:
    use = "from context import UserContext\n\nif __name__ == '__main__':\n    UserContext()\n"
    violation = only(tmp_path, {"context.py": CONTEXT, "use.py": use}, "DCF003")
    assert violation.lazy
    assert violation.cause == "The call is a TypeError: use.py raises it whenever this line is reached."


def test_unknown_field_in_the_middle_of_a_chain(tmp_path: Path) -> None:
    use = "from context import UserContext\n\n\ndef read(one: UserContext):\n    print(one.timeout.real.imag)\n"
    violation = only(tmp_path, {"context.py": CONTEXT, "use.py": use}, "DCF001")
    assert violation.message == "UserContext has no field timeout; did you mean startup_timeout?"
    assert violation.span == Span(5, 11, 5, 22)
    assert violation.data["field"] == "timeout"
    assert violation.data["suggestion"] == "startup_timeout"


def test_no_suggestion_where_nothing_is_near(tmp_path: Path) -> None:
    use = "from context import UserContext\n\n\ndef read(one: UserContext):\n    print(one.emergency)\n"
    violation = only(tmp_path, {"context.py": CONTEXT, "use.py": use}, "DCF001")
    assert violation.message == "UserContext has no field emergency"
    assert violation.help == "Add emergency to UserContext, or take what is needed from a field that it has."


def test_positions_are_counted_as_python_says_it(tmp_path: Path) -> None:
    plain = "class Empty:\n    pass\n\n\nclass One:\n    def __init__(self, a): ...\n"
    use = "from plain import Empty, One\n\n\ndef make():\n    Empty(1)\n    One(1, 2)\n"
    for path, content in {"plain.py": plain, "use.py": use}.items():
        (tmp_path / path).write_text(content)
    assert [violation.message for _, violation in found(tmp_path)] == [
        "Empty() takes no arguments",
        "One() takes 1 positional argument, but 2 are given",
    ]


def test_a_moved_finding_keeps_its_anchor(tmp_path: Path) -> None:
    use = "from context import UserContext\n\n\ndef read(one: UserContext):\n    print(one.timeout)\n"
    before = only(tmp_path, {"context.py": CONTEXT, "use.py": use}, "DCF001")
    after = only(tmp_path, {"use.py": use.replace("def read", "# moved\n\n\ndef read")}, "DCF001")
    assert (after.anchor, after.symbol) == (before.anchor, before.symbol)
    assert after.span.line == before.span.line + 3


def test_facts_survive_storage(tmp_path: Path) -> None:
    (tmp_path / "context.py").write_text(CONTEXT)
    (tmp_path / "use.py").write_text("from context import UserContext\n\nx = UserContext('')\nx.other = x.user_id\n")
    stored = program_of(tmp_path).facts(FAMILY)
    for path, facts in stored.items():
        parsed = parse((tmp_path / path).read_bytes(), "python")
        assert FAMILY.see_python is not None
        assert parsed.tree is not None
        collector = FAMILY.see_python(parsed)
        fresh = collector.finish(walk(parsed.tree, [collector]))
        assert msgspec.msgpack.encode(fresh) == msgspec.msgpack.encode(facts)
    assert sorted(stored) == ["context.py", "use.py"]
    assert isinstance(stored["use.py"], ClassesFacts)


def test_a_stub_says_nothing_of_what_runs(tmp_path: Path) -> None:
    (tmp_path / "context.py").write_text(CONTEXT)
    (tmp_path / "use.pyi").write_text("from context import UserContext\n\nx = UserContext()\n")
    assert found(tmp_path) == []
