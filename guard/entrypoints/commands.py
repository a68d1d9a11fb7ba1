"""Command lines: which Python a shell would start.

A command line is read as a shell reads it, as far as that can be known without one: words, quotes, variables with a
known value, several commands in a row. The first program that guard knows decides; what stands before it (`exec`,
`uv run`, `dumb-init --`, `gosu app`) only starts it.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec


class Start(msgspec.Struct, frozen=True):
    """What a command starts. Exactly one of `module` and `script` is set."""

    module: str = ""
    """Dotted, without the attribute."""
    script: str = ""
    """A path as the command line has it: Python or shell."""
    attribute: str = ""
    """What of the module is served, dotted, where the command line says so."""
    executed: bool = False
    """Whether the module is run as `python -m` does it: of a package, its `__main__`."""


Variables = Mapping[str, str]

_LIMIT: Final = 64 * 1024
"""Characters. No command that a person wrote is longer."""
_DEPTH: Final = 4
"""How often a command may hand a command to a shell that hands one to a shell."""

_PYTHON: Final = re.compile(r"(?:python|pypy)(?:[23](?:\.\d+)?)?")
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_MODULE: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_TARGET: Final = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_][\w.]*)(?:\(.*\))?")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?::?[-=]([^{}]*))?\}|(\w+))")
_KEYWORDS: Final = frozenset(
    {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "time", "fi", "done"}
)
_STARTS_NOTHING: Final = frozenset(
    {
        *("echo", "printf", "pip", "pip3", "apt-get", "apt", "apk", "yum", "which", "type", "command", "grep", "pgrep"),
        *(
            "kill",
            "pkill",
            "cat",
            "test",
            "[",
            "[[",
            "cp",
            "mv",
            "rm",
            "mkdir",
            "chmod",
            "chown",
            "touch",
            "for",
            "case",
        ),
        *("pytest", "mypy", "ruff", "black", "flake8", "curl", "wget", "ls", "cd", "set", "trap", "alias", "readonly"),
    }
)
_TAKES_VALUE: Final = frozenset(
    {
        *("-k", "--worker-class", "-b", "--bind", "-c", "--config", "--logger-class", "--env-file", "--log-config"),
        *("--host", "--port", "-p", "-w", "--workers", "-t", "--timeout", "--name", "-n", "--interface", "--root-path"),
        *("--app-dir", "--chdir", "-e", "--env", "--log-level", "--access-logfile", "--error-logfile", "--certfile"),
    }
)
_DEBUGGERS: Final = frozenset({"debugpy", "coverage", "pdb", "cProfile", "memray", "viztracer"})


def is_shell(path: str) -> bool:
    """Whether a path is a shell script by its name."""
    return path.endswith((".sh", ".bash"))


def assignments(words: Sequence[str]) -> dict[str, str]:
    """The variables that `A=b C=d`, with or without `export`, sets for what comes behind it; empty for a command."""
    words = words[1:] if words and words[0] in ("export", "declare", "local") else words
    found = [_ASSIGNMENT.fullmatch(word) for word in words]
    return {match[1]: match[2] for match in found if match} if all(found) else {}


def starts_in(line: str, variables: Variables | None = None, depth: int = 0) -> Iterator[Start]:
    """What a shell would start for `line`, which may be several commands and several lines."""
    known = dict(variables or {})
    for words in split(line):
        expanded = [piece for word in words for piece in _expanded(word, known)]
        known.update(assignments(expanded))
        yield from starts_of(expanded, known, depth)


def split(line: str) -> list[list[str]]:
    """The simple commands of a shell's input, as words, without redirections. What is malformed is left out."""
    text = line[:_LIMIT].replace("\\\r\n", " ").replace("\\\n", " ")
    try:
        return list(_simple_commands(text))
    except ValueError:
        pass  # a quote that is never closed: perhaps only an apostrophe in a comment
    found: list[list[str]] = []
    for single in text.splitlines():
        try:
            found += _simple_commands(single)
        except ValueError:
            continue
    return found


def _simple_commands(text: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(re.sub(r"(?m)(?:^|(?<=[ \t]))#.*$", "", text), posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    redirected = False
    for token in lexer:
        if token and set(token) <= set("();|&\n"):
            if words:
                yield words
            words, redirected = [], False
        elif token and set(token) <= set("<>&"):
            redirected = True
        elif redirected:
            redirected = False
        else:
            words.append(token)
    if words:
        yield words


def _expanded(word: str, variables: Variables) -> list[str]:
    """A word with the variables that are known put in; several words where it was nothing but a variable."""
    if "$" not in word:
        return [word]

    def value(match: re.Match[str]) -> str:
        found = variables.get(match[1] or match[3])
        return found if found is not None else match[2] if match[2] is not None else match[0]

    new = _VARIABLE.sub(value, word)
    return new.split() if _VARIABLE.fullmatch(word) else [new]


def starts_of(words: Sequence[str], variables: Variables | None = None, depth: int = 0) -> Iterator[Start]:
    """What one command starts, given as its words."""
    known = dict(variables or {})
    rest = [piece for word in words for piece in _expanded(word, known)]
    while rest and (rest[0] in _KEYWORDS or _ASSIGNMENT.fullmatch(rest[0])):
        known.update(assignments(rest[:1]))
        del rest[0]
    if not rest or rest[0] in _STARTS_NOTHING:
        return
    if rest[0] in (".", "source"):
        del rest[0]
    if rest and _is_script(rest[0]):
        # Its arguments may be the command that it execs in the end, as those of many an entrypoint.sh are.
        yield Start(script=rest[0])
    for index, word in enumerate(rest):
        known.update(assignments([word]))
        program = posixpath.basename(word)
        arguments = rest[index + 1 :]
        if program in _SHELLS:
            yield from _shell(arguments, known, depth)
            return
        if _PYTHON.fullmatch(program):
            yield from _python(arguments, known)
            return
        starter = _STARTERS.get(program)
        if starter is not None:
            yield from starter(arguments, known)
            return


def _is_script(word: str) -> bool:
    return is_shell(word) or word.endswith(".py")


def _shell(arguments: list[str], variables: Variables, depth: int) -> Iterator[Start]:
    for index, argument in enumerate(arguments):
        if re.fullmatch(r"-[a-z]*c[a-z]*", argument):
            if depth < _DEPTH:
                yield from starts_in(" ".join(arguments[index + 1 : index + 2]), variables, depth + 1)
            return
        if not argument.startswith(("-", "+")):
            yield from starts_of(arguments[index:], variables, depth + 1) if depth < _DEPTH else ()
            return


def _python(arguments: list[str], variables: Variables, *, debugged: bool = False) -> Iterator[Start]:
    for index, argument in enumerate(arguments):
        if re.fullmatch(r"-[A-Za-z]*m", argument) and index + 1 < len(arguments):
            module, rest = arguments[index + 1], arguments[index + 2 :]
            starter = _STARTERS.get(module)
            if starter is not None:
                yield from starter(rest, variables)
            elif module in _DEBUGGERS:
                yield from _python(rest, variables, debugged=True)
            elif _MODULE.fullmatch(module):
                yield Start(module, executed=True)
            return
        if argument.endswith(".py"):
            yield Start(script=argument)
            return
        if argument == "-c" or not (debugged or argument.startswith("-") or arguments[index - 1] in ("-W", "-X")):
            return


def _server(arguments: list[str], _variables: Variables) -> Iterator[Start]:
    """uvicorn and its like: the first `module:attribute` that is not an option's value."""
    for argument in _positional(arguments):
        match = _TARGET.fullmatch(argument)
        if match:
            yield Start(match[1], attribute=match[2])
            return


def _gunicorn(arguments: list[str], _variables: Variables) -> Iterator[Start]:
    """gunicorn's application may leave out the attribute; its configuration and its workers are Python too."""
    for flag, value in _options(arguments):
        if flag in ("-c", "--config") and value.removeprefix("file:").endswith(".py"):
            yield Start(script=value.removeprefix("file:"))
        elif flag in ("-c", "--config") and value.startswith("python:"):
            yield Start(value.removeprefix("python:"))
        elif flag in ("-k", "--worker-class") and _MODULE.fullmatch(value) and "." in value:
            yield Start(value.rpartition(".")[0])
    positional = list(_positional(arguments))
    named = next((match for argument in positional if (match := _TARGET.fullmatch(argument))), None)
    if named is not None:
        yield Start(named[1], attribute=named[2])
    elif positional and _MODULE.fullmatch(positional[-1]):
        yield Start(positional[-1])


def _celery(arguments: list[str], _variables: Variables) -> Iterator[Start]:
    for flag, value in _options(arguments):
        if flag in ("-A", "--app") and _MODULE.fullmatch(value.partition(":")[0]):
            yield _start(value)
        elif flag.startswith("-A") and flag != "-A":
            yield _start(flag[2:])


def _start(target: str) -> Start:
    """`module:attribute`, or a module alone."""
    match = _TARGET.fullmatch(target)
    return Start(match[1], attribute=match[2]) if match else Start(target.partition(":")[0])


def _flask(arguments: list[str], variables: Variables) -> Iterator[Start]:
    named = [value for flag, value in _options(arguments) if flag in ("--app", "-A")]
    for value in named or [variables.get("FLASK_APP", "")]:
        yield from _module_or_file(value.partition(":")[0])


def _fastapi(arguments: list[str], _variables: Variables) -> Iterator[Start]:
    if arguments[:1] in (["run"], ["dev"]):
        named = (match for _, value in _options(arguments) if (match := _TARGET.fullmatch(value)))
        yield from (Start(match[1], attribute=match[2]) for match in named)
        later = (argument for argument in _positional(arguments[2:]) if argument.endswith(".py"))
        for argument in [*arguments[1:2], *later][:2]:
            yield from _module_or_file(argument)


def _module_or_file(value: str) -> Iterator[Start]:
    """Flask and FastAPI import what a path names, as the module that it is."""
    name = posixpath.normpath(value).lstrip("/").removesuffix(".py").replace("/", ".") if value else ""
    if _MODULE.fullmatch(name):
        yield Start(name)


def _uwsgi(arguments: list[str], _variables: Variables) -> Iterator[Start]:
    for flag, value in _options(arguments):
        if flag in ("--module", "-w", "--wsgi") and _MODULE.fullmatch(value.partition(":")[0]):
            yield _start(value)
        elif flag in ("--wsgi-file", "--file") and value.endswith(".py"):
            yield Start(script=value)


def _worker(arguments: list[str], _variables: Variables) -> Iterator[Start]:
    """dramatiq, taskiq, arq: modules, with or without an attribute behind a colon or, for arq, a dot."""
    for argument in _positional(arguments):
        name = argument.partition(":")[0]
        if "." in name and _MODULE.fullmatch(name):
            yield Start(name if ":" in argument or name.islower() else name.rpartition(".")[0])
            return


def _streamlit(arguments: list[str], _variables: Variables) -> Iterator[Start]:
    yield from (Start(script=argument) for argument in arguments[1:2] if argument.endswith(".py"))


def _options(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Each option with its value, or with the word behind it, which is perhaps its value."""
    for argument, following in pairwise([*arguments, ""]):
        if argument.startswith("-"):
            flag, equals, value = argument.partition("=")
            yield flag, value if equals else following


def _positional(arguments: list[str]) -> Iterator[str]:
    """The words that are no options, and not the values of options that are known to take one."""
    skip = False
    for argument in arguments:
        if not skip and not argument.startswith("-"):
            yield argument
        skip = not skip and argument in _TAKES_VALUE


_Starter = Callable[[list[str], Variables], Iterator[Start]]
_STARTERS: Final[Mapping[str, _Starter]] = {
    **dict.fromkeys(("uvicorn", "hypercorn", "daphne", "granian", "waitress-serve"), _server),
    **dict.fromkeys(("dramatiq", "taskiq", "arq"), _worker),
    "celery": _celery,
    "fastapi": _fastapi,
    "flask": _flask,
    "gunicorn": _gunicorn,
    "streamlit": _streamlit,
    "uwsgi": _uwsgi,
}
PROGRAMS: Final = frozenset(_STARTERS)
"""Programs that are given a module of ours to start."""
