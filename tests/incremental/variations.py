"""Small changes of small trees: what each of the cases in tests/cases may have looked like one commit earlier."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.incremental.trees import Pair
from tests.markdown_cases import Case


def pairs_of(code: str, case: Case) -> Iterator[Pair]:
    """Pairs of trees that differ in one file, one of them the case."""
    files = {**case.files, **case.untracked}
    if case.config:
        files["guard.toml"] = case.config.encode()
    for path, content in files.items():
        if path == "guard.toml" or any(f'baseline = "{path}"'.encode() in one for one in files.values()):
            continue
        name = f"{code} {case.name}: {path}"
        others = {one: other for one, other in files.items() if one != path}
        yield Pair(f"{name} comes", others, files)
        yield Pair(f"{name} goes", files, others)
        if path.endswith(".py"):
            for what, changed in _changed(content):
                yield Pair(f"{name} with {what}", files, {**others, path: changed})
                yield Pair(f"{name} without {what}", {**others, path: changed}, files)
        else:
            yield Pair(f"{name} longer", files, {**others, path: content + b"\n"})


def _changed(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield "a comment", b"# one line more\n" + content
    try:
        body = ast.parse(content).body
    except (SyntaxError, ValueError):
        return
    lines = content.splitlines(keepends=True)
    for statement in body:
        end = statement.end_lineno or statement.lineno
        start = min([statement.lineno, *(found.lineno for found in getattr(statement, "decorator_list", ()))])
        kept = [*lines[: start - 1], *lines[end:]]
        yield f"a statement less, at {start}", b"".join(kept)
        inner = getattr(statement, "body", None)
        if isinstance(inner, list) and len(inner) > 1:
            for one in inner:
                last = one.end_lineno or one.lineno
                first = min([one.lineno, *(found.lineno for found in getattr(one, "decorator_list", ()))])
                if first > statement.lineno:
                    yield f"a line less, at {first}", b"".join([*lines[: first - 1], *lines[last:]])
