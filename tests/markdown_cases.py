"""Cases written as Markdown: files, what must be found in them, and what they become when they are fixed.

A case is a `## ` section. A file is a line with its path in backticks and a colon, then a fenced block:

    `app/main.py`:

    ```python
    from app.gone import X  # <- IMP001
    ```

A comment `# <- CODE` expects a finding at its line (several codes by commas). Where no comment can stand, a block with
the info string `expect` lists `path:line CODE`. A case without expectations must give no finding of its family.
``fixed `app/main.py`:`` is the file's content after `--fix`, and ``untracked `app/main.py`:`` a file that comes into
the work tree after the commit. ``before `app/main.py`:`` is the file in an earlier revision, which the case is then
compared with; a file that is only there is gone, one that is empty there is new. A block `toml guard` is the
configuration. The words "In git." make it a repository with everything committed. Options behind a block's language:
`crlf`, `bom`, `latin-1`, `no-final-newline`, `escapes` (the content is written with Python's escapes, a byte each).
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK = re.compile(
    r"^(?:(?P<role>fixed |untracked |before )?`(?P<path>[^`\n]+)`:\n\n?)?(?P<fence>```+)(?P<info>[^\n`]*)\n"
    r"(?P<body>.*?)^(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_EXPECTED = re.compile(r"<- (?P<codes>[A-Z]{3,4}\d{3}(?:, ?[A-Z]{3,4}\d{3})*)")


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One example: its files, the findings expected as (path, line, code), and what fixing gives."""

    name: str
    files: Mapping[str, bytes]
    expected: frozenset[tuple[str, int, str]]
    fixed: Mapping[str, bytes]
    config: str
    in_git: bool
    untracked: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    before: Mapping[str, bytes] = dataclasses.field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the files below `folder`, and make it a git repository where the case asks for one."""
        _write(folder, {path: text for path, text in {**self.files, **self.before}.items() if text or not self.before})
        if self.config:
            (folder / "guard.toml").write_text(self.config)
        if self.in_git or self.before:
            for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "a case"]):
                subprocess.run(
                    ["git", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false", *command], cwd=folder, check=True
                )
        if self.before:
            for path in self.before.keys() - self.files.keys():
                (folder / path).unlink(missing_ok=True)
            _write(folder, self.files)
            subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
        _write(folder, self.untracked)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def cases_in(text: str) -> Iterator[Case]:
    """The cases of a Markdown document, in order. Raises ValueError for a block that is no file and no expectation."""
    parts = _SECTION.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        yield case_of(name.strip(), body)


def case_of(name: str, body: str) -> Case:
    """One section as a case."""
    files: dict[str, bytes] = {}
    fixed: dict[str, bytes] = {}
    untracked: dict[str, bytes] = {}
    before: dict[str, bytes] = {}
    expected: set[tuple[str, int, str]] = set()
    config = ""
    prose = []
    end = 0
    for block in _BLOCK.finditer(body):
        prose.append(body[end : block.start()])
        end = block.end()
        language, *options = block["info"].split() or [""]
        path, text = block["path"], block["body"]
        if language == "expect":
            for line in text.splitlines():
                place, _, codes = line.rpartition(" ")
                where, _, number = place.rpartition(":")
                expected.update((where, int(number), code) for code in codes.split(","))
        elif language == "toml" and options == ["guard"]:
            config = text
        elif path is None:
            raise ValueError(f"{name}: a block that is neither a file nor an expectation: {text[:60]!r}")
        elif block["role"] == "untracked ":
            untracked[path] = _content(text, options)
        elif block["role"] == "before ":
            before[path] = _content(text, options)
        elif block["role"]:
            fixed[path] = _content(text, options)
        else:
            files[path] = _content(text, options)
            for number, line in enumerate(text.split("\n"), 1):
                for found in _EXPECTED.finditer(line):
                    expected.update((path, number, code.strip()) for code in found["codes"].split(","))
    return Case(name, files, frozenset(expected), fixed, config, "In git." in "".join(prose), untracked, before)


def _content(text: str, options: list[str]) -> bytes:
    if "no-final-newline" in options:
        text = text.removesuffix("\n")
    if "escapes" in options:
        return text.encode("latin-1").decode("unicode_escape").encode("latin-1")
    if "crlf" in options:
        text = text.replace("\n", "\r\n")
    content = text.encode("latin-1" if "latin-1" in options else "utf-8")
    return b"\xef\xbb\xbf" + content if "bom" in options else content
