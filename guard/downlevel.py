"""Newer syntax in older words, so that a Python that cannot parse a file can still follow it.

Called for the few files that the running Python refuses and a newer one reads. The result binds, imports, calls and
reads the same names on the same lines; it is made to be looked at, never to be run:

- `type X[T] = Y` becomes `X = Y`; the type parameters of functions and classes go (3.12, 3.13)
- `except A, B:` becomes `except (A, B):` (3.14)
- `lazy import x` becomes `import x` (3.15)
- an f-string that older versions refuse, and every t-string, becomes the tuple of the expressions in it (3.12, 3.14)

The edits are made on the text, token by token: ruff has said that some Python parses the file, so its tokens are enough
to know what stands where, line breaks are kept by construction, and there is no second syntax tree to pay for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from guard.lexer import Field, Kind, Token, TooDeep, tokens

_BREAK: Final = re.compile(r"\r\n|\r|\n")
_STRINGS: Final = (Kind.STRING, Kind.FSTRING)
_LAYOUT: Final = (Kind.NEWLINE, Kind.COMMENT)
_TEMPLATE: Final = re.compile(r"[rR]?[tT]")


def to_older_syntax(text: str) -> str | None:
    """The text of a module in syntax that Python 3.11 parses, line for line; None where nothing had to be rewritten.

    Raises nothing: text that is nested too deeply to be followed gives None too.
    """
    try:
        older = _rewrite(text, list(tokens(text)), 0, len(text))
    except (TooDeep, RecursionError):
        return None
    return older if older != text else None


def _rewrite(text: str, found: Sequence[Token], start: int, end: int) -> str:
    """`text[start:end]`, whose tokens are `found`, in older syntax."""
    edits = [*_statement_edits(text, found), *_string_edits(text, found)]
    parts: list[str] = []
    for edit_start, edit_end, replacement in sorted(edits):
        if edit_start >= start:
            parts += (text[start:edit_start], replacement)
            start = edit_end
    parts.append(text[start:end])
    return "".join(parts)


_Edit = tuple[int, int, str]


# Statements


def _statement_edits(text: str, found: Sequence[Token]) -> list[_Edit]:
    edits: list[_Edit] = []
    code = [token for token in found if token.kind is not Kind.COMMENT]
    words = [text[token.start : token.end] for token in code]
    depth, starts = 0, True
    for index, word in enumerate(words):
        if starts and code[index].kind is Kind.NAME:
            edits += _edits_at(code, words, index)
        if word in ("(", "[", "{"):
            depth += 1
        elif word in (")", "]", "}"):
            depth -= 1
        # Behind a colon stands a one-line suite, or the value of an annotation, which none of these words begin.
        starts = depth == 0 and (code[index].kind is Kind.NEWLINE or word in (";", ":"))
    return edits


def _edits_at(code: Sequence[Token], words: Sequence[str], index: int) -> list[_Edit]:
    """What to change in the statement that begins at token `index`."""
    word, *rest = words[index : index + 3]
    if word == "async" and rest[:1] == ["def"]:
        return _without_parameters(code, words, index + 3)
    if word in ("def", "class"):
        return _without_parameters(code, words, index + 2)
    if word == "type" and len(rest) == 2 and rest[1] in ("=", "[") and code[index + 1].kind is Kind.NAME:
        return [(code[index].start, code[index + 1].start, ""), *_without_parameters(code, words, index + 2)]
    if word == "lazy" and rest[:1] in (["import"], ["from"]):
        return [(code[index].start, code[index + 1].start, "")]
    if word == "except":
        return _except_in_parentheses(code, words, index + 1)
    return []


def _without_parameters(code: Sequence[Token], words: Sequence[str], index: int) -> list[_Edit]:
    """Take out the type parameters whose bracket is token `index`, if it is one."""
    if words[index : index + 1] != ["["]:
        return []
    depth = breaks = 0
    for position in range(index, len(words)):
        breaks += code[position].kind is Kind.NEWLINE
        depth += (words[position] in ("[", "(", "{")) - (words[position] in ("]", ")", "}"))
        if depth == 0:
            return [(code[index].start, code[position].end, "\\\n" * breaks)]
    return []


def _except_in_parentheses(code: Sequence[Token], words: Sequence[str], index: int) -> list[_Edit]:
    if words[index : index + 1] == ["*"]:
        index += 1
    depth, several = 0, False
    for position in range(index, len(words)):
        word = words[position]
        if depth == 0 and (word in (":", "as") or code[position].kind is Kind.NEWLINE):
            if not several:
                return []
            start, end = code[index].start, code[position - 1].end
            return [(start, start, "("), (end, end, ")")]
        several = several or (depth == 0 and word == ",")
        depth += (word in ("[", "(", "{")) - (word in ("]", ")", "}"))
    return []


# Strings


def _string_edits(text: str, found: Sequence[Token]) -> list[_Edit]:
    edits: list[_Edit] = []
    run: list[Token] = []
    depth = 0
    for token in found:
        if token.kind in _STRINGS:
            run.append(token)
            continue
        if token.kind in _LAYOUT and depth > 0:
            continue  # strings that stand one below the other inside brackets are still one
        if run:
            edits += _run_edits(text, run)
            run = []
        if token.kind is Kind.OPERATOR:
            word = text[token.start : token.end]
            depth += (word in ("[", "(", "{")) - (word in ("]", ")", "}"))
    return [*edits, *_run_edits(text, run)]


def _run_edits(text: str, run: Sequence[Token]) -> list[_Edit]:
    """One string, or several that Python puts together into one."""
    if not any(token.kind is Kind.FSTRING and _is_newer(text, token) for token in run):
        return []
    start, end = run[0].start, run[-1].end
    fields = [field for token in run for field in _flat(token.fields)]
    parts, position = ["(" if fields else "('',"], start
    for field in fields:
        expression = _rewrite(text, field.tokens, field.start, field.end)
        parts += (_breaks(text, position, field.start), "(", expression.strip(" \t\f"), "),")
        position = field.end
    parts += (_breaks(text, position, end), ")")
    return [(start, end, "".join(parts))]


def _flat(fields: Sequence[Field]) -> list[Field]:
    """The fields in the order of the text, those of format specs included."""
    found: list[Field] = []
    for field in fields:
        found += (field, *_flat(field.nested))
    return found


def _breaks(text: str, start: int, end: int) -> str:
    """As many line breaks as stand between two offsets."""
    return "\n" * len(_BREAK.findall(text, start, end))


def _is_newer(text: str, token: Token) -> bool:
    """Whether an f-string needs Python 3.12, or is a t-string."""
    if len(token.quote) == 1 and _BREAK.search(text, token.start, token.end):
        return True  # where it is no backslash that continues the line, it stands in a field
    return bool(_TEMPLATE.match(text, token.start)) or _is_too_new(text, token.fields, token.quote, 0)


def _is_too_new(text: str, fields: Sequence[Field], quote: str, depth: int) -> bool:
    if fields and depth > 1:
        return True  # the format spec of a field inside a format spec has no fields in older versions
    for field in fields:
        written = text[field.start : field.end]
        if "\\" in written or quote in written or (len(quote) == 1 and _BREAK.search(written)):
            return True
        if any(
            token.kind is Kind.COMMENT or (token.kind is Kind.NEWLINE and len(quote) == 1) for token in field.tokens
        ):
            return True
        if any(token.kind is Kind.FSTRING and _is_newer(text, token) for token in field.tokens):
            return True
        if _is_too_new(text, field.nested, quote, depth + 1):
            return True
    return False
