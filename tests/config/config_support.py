"""A tree that stands in memory, and rules that have names and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from guard.model import ALL_GATES, Gate, Problem, Severity
from guard.registry import Rule
from guard.sources.tree import REGULAR, SYMLINK, Reader, SourceFile, Tree, Unreadable, blob_id


class MemoryReader(Reader):
    def __init__(self, contents: Mapping[str, bytes | None]) -> None:
        self.contents = contents

    def read(self, file: SourceFile, limit: int | None = None) -> bytes:
        content = self.contents[file.path]
        if content is None:
            raise Unreadable(Problem(file.path, "unreadable", "permission denied"))
        if limit is not None and len(content) > limit:
            raise Unreadable(Problem(file.path, "too-large", f"larger than {limit} bytes"))
        return content


class MemoryTree(Tree):
    """`contents` by path: text, bytes, None for what cannot be read. `links` by path: where they point."""

    kind = "directory"
    label = "memory"
    submodules = ()
    problems = ()

    def __init__(self, contents: Mapping[str, str | bytes | None], links: Mapping[str, str] | None = None) -> None:
        links = links or {}
        self.contents: dict[str, bytes | None] = {
            path: content.encode() if isinstance(content, str) else content
            for path, content in {**contents, **links}.items()
        }
        self.files = {
            path: SourceFile(path, SYMLINK if path in links else REGULAR, blob_id(content or b""))
            for path, content in sorted(self.contents.items())
        }

    def reader(self) -> Reader:
        return MemoryReader(self.contents)


def make_rule(code: str, slug: str, gates: tuple[Gate, ...] = ALL_GATES) -> Rule:
    return Rule(
        code=code,
        slug=slug,
        severity=Severity.ERROR,
        gates=gates,
        since="0.1.0",
        fixable="",
        impact_aware=True,
        check=lambda program: iter(()),
        doc="",
    )


RULES = {
    rule.code: rule
    for rule in (
        make_rule("EOL001", "crlf-committed"),
        make_rule("IMP001", "missing-module"),
        make_rule("IMP002", "missing-name"),
        make_rule("MID001", "wrong-order", gates=(Gate.PRE_BUILD, Gate.CI)),
        make_rule("MID005", "reads-before-provider", gates=(Gate.PRE_BUILD, Gate.CI)),
        make_rule("SUP001", "unused-suppression", gates=(Gate.PRE_COMMIT, Gate.CI)),
    )
}
