"""The text of every file: what its bytes say before anything is parsed.

A healthy file leaves no facts, unless it is a script: so these facts cost nothing to keep. Every test here is one
pass of C code over the bytes, and most files need only the cheapest few.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, Final

import msgspec

from guard.checks.text_conflicts import CODE, Conflict, conflicts
from guard.checks.text_hidden import Hidden, hidden, suspicious
from guard.families import Family
from guard.parse import decode

if TYPE_CHECKING:
    from guard.checks.text_truth import TextTruth
    from guard.program import Program

_PRINTABLE_CONTROLS: Final = b"\b\t\x1b\f"
_NONPRINTABLE: Final = bytes(sorted({*range(32), 127} - {*b"\r\n", *_PRINTABLE_CONTROLS}))
_BOMS: Final = (
    # Longest first: UTF-16's little-endian mark begins UTF-32's.
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xef\xbb\xbf", "UTF-8"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_SHEBANG: Final = re.compile(
    rb"#![ \t]*(?:\S*/)?env[ \t]+(?:-\S+[ \t]+)*(?:\w+=\S*[ \t]+)*([^\s/]+)|#![ \t]*(?:\S*/)?([^\s/]+)"
)
_FOR_KERNEL: Final = re.compile(rb"(?:\xef\xbb\xbf)?#![ \t]*/")
"""A shebang with a path to look for. Without one (`#!python`) it is a mark for another program than the kernel."""
_INDENTED_BY_TAB: Final = re.compile(rb"^[ \f]*\t", re.MULTILINE)
_INDENTED_BY_BLANK: Final = re.compile(rb"^[\t\f]* ", re.MULTILINE)
_COOKIE: Final = re.compile(rb"coding[:=]")


class Endings(msgspec.Struct, frozen=True, array_like=True):
    """The line endings of a file with a CR in it."""

    crlf: int
    lf: int
    """Lines that end in LF alone."""
    lone_cr: int
    crlf_line: int
    """The first line that ends in CRLF; 0 for none."""
    lone_cr_line: int
    """The line, counted by LF, of the first CR that no LF follows; 0 for none."""


class Undecodable(msgspec.Struct, frozen=True, array_like=True):
    """Why bytes are not the text that they should be."""

    line: int
    reason: str
    codec_unknown: bool = False
    """A Python file that declares an encoding which this Python does not know."""
    imports: bool = False
    """A Python file that an import lets pass all the same, since the byte stands in a comment. Running it does not."""


class TextFacts(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of one content. The default is a healthy text without a CR."""

    interpreter: str = ""
    """The program that the shebang line names, without its folder: `sh`, `python3`."""
    shebang_cr: bool = False
    """The shebang line ends in CR."""
    endings: Endings | None = None
    binary: bool = False
    """git's verdict on the content, lone CRs aside (which make it binary too)."""
    blank: bool = False
    """Python, and nothing but white space."""
    bom: str = ""
    """`UTF-8`, `UTF-16` or `UTF-32`."""
    undecodable: Undecodable | None = None
    """Python: by its declared encoding; anything else: as UTF-8, whether it promises to be UTF-8 or not."""
    conflicts: tuple[Conflict, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    tab_error: int = 0
    """Python: the line at which Python raises TabError."""

    @property
    def git_binary(self) -> bool:
        """Whether git takes the content for binary (`convert_is_binary` in convert.c)."""
        return self.binary or (self.endings is not None and self.endings.lone_cr > 0)


_HEALTHY: Final = TextFacts()


def see_bytes(content: bytes, kind: str) -> TextFacts | None:
    """The facts of one content; None where there is nothing to remember."""
    bom = next((name for mark, name in _BOMS if content.startswith(mark)), "")
    if b"\0" in content:
        # Binary, for git and for everything else here: only a wide encoding has text in such bytes.
        return TextFacts(binary=True, bom=bom) if bom else None
    python = kind != "text"
    shebang = content.startswith((b"#!", b"\xef\xbb\xbf#!"))
    interpreter = _interpreter(content.removeprefix(b"\xef\xbb\xbf")) if shebang else ""
    has_cr = b"\r" in content
    plain = content.isascii()
    undecodable = None if bom in ("UTF-16", "UTF-32") else _undecodable(content, python, plain)
    facts = TextFacts(
        interpreter=interpreter,
        shebang_cr=bool(has_cr and _FOR_KERNEL.match(content) and content.partition(b"\n")[0].endswith(b"\r")),
        endings=_endings(content) if has_cr else None,
        binary=bool((has_cr or undecodable) and _mostly_binary(content)),
        blank=kind == "python" and (not content or content.isspace()),
        bom=bom,
        undecodable=undecodable,
        conflicts=conflicts(content, kind) if b"<<<<<<<" in content or b">>>>>>>" in content else (),
        hidden=() if plain or undecodable is not None or not suspicious(content) else _hidden(content, kind, python),
        tab_error=_tab_error(content) if python and b"\t" in content else 0,
    )
    return None if facts == _HEALTHY else facts


def _interpreter(content: bytes) -> str:
    match = _SHEBANG.match(content[:256].partition(b"\n")[0])
    return (match[1] or match[2]).decode("utf-8", "replace") if match else ""


def _endings(content: bytes) -> Endings:
    crlf = content.count(b"\r\n")
    lone = content.count(b"\r") - crlf
    first_crlf = content.find(b"\r\n")
    first_lone = re.search(rb"\r(?!\n)", content) if lone else None
    return Endings(
        crlf=crlf,
        lf=content.count(b"\n") - crlf,
        lone_cr=lone,
        crlf_line=content.count(b"\n", 0, first_crlf) + 1 if crlf else 0,
        lone_cr_line=content.count(b"\n", 0, first_lone.start()) + 1 if first_lone else 0,
    )


def _mostly_binary(content: bytes) -> bool:
    """The ratio test of `convert_is_binary`: more than one control character in 128 printable ones."""
    rest = content.translate(None, _NONPRINTABLE)
    nonprintable = len(content) - len(rest) - content.endswith(b"\x1a")
    printable = len(rest) - rest.count(b"\r") - rest.count(b"\n")
    return printable >> 7 < nonprintable


def _undecodable(content: bytes, python: bool, plain: bool) -> Undecodable | None:
    if plain and not (python and _COOKIE.search(content, 0, 400)):
        return None
    try:
        if python:
            decode(content)
        else:
            content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = f"byte 0x{content[error.start]:02x} is not {_called(error.encoding)}"
        return Undecodable(line, reason, imports=python and _syntax_error(content) is None)
    except (SyntaxError, LookupError) as error:
        cookie = _COOKIE.search(content, 0, 400)
        line = content.count(b"\n", 0, cookie.start()) + 1 if cookie else 1
        return Undecodable(line, str(error), codec_unknown=True)
    return None


def _called(encoding: str) -> str:
    return "UTF-8" if encoding in ("utf-8", "utf-8-sig", "utf_8") else encoding


def _hidden(content: bytes, kind: str, python: bool) -> tuple[Hidden, ...]:
    return hidden(decode(content) if python else content.decode("utf-8"), kind)


def _tab_error(content: bytes) -> int:
    """The line at which Python itself finds the indentation ambiguous; asked only where tabs and blanks both indent."""
    if not (_INDENTED_BY_TAB.search(content) and _INDENTED_BY_BLANK.search(content)):
        return 0
    error = _syntax_error(content)
    return error.lineno or 1 if isinstance(error, TabError) else 0


def _syntax_error(content: bytes) -> Exception | None:
    """Why Python does not parse the content, when it is given the bytes as an import gives them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None


def _link(program: Program) -> TextTruth:
    from guard.checks.text_truth import TextTruth  # it reads these facts, so it comes second

    return TextTruth(program, program.facts(FAMILY))


FAMILY: Final[Family[TextFacts, TextTruth]] = Family(
    "text", 3, TextFacts, _link, see_bytes=see_bytes, letters=("EOL", "SYN", "TXT")
)


def conflict_paths(program: Program) -> frozenset[str]:
    """The Python files whose conflict markers stop them from parsing: the marker is reported, not the syntax error."""
    return frozenset(
        path
        for path, facts in program.facts(FAMILY).items()
        if any(conflict.place == CODE for conflict in facts.conflicts)
    )


def unreadable_paths(program: Program) -> frozenset[str]:
    """The Python files whose own text rule (TXT001, TXT002, TXT003, TXT005) says why they do not compile."""
    return conflict_paths(program) | {
        path
        for path, facts in program.facts(FAMILY).items()
        if program.files[path].kind == "python"
        and (facts.tab_error or facts.undecodable is not None or facts.bom in ("UTF-16", "UTF-32"))
    }
