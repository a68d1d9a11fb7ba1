"""What a file is for, by its name: which types must have LF, which promise UTF-8, which are only documents."""

from __future__ import annotations

import re
from typing import Final

SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
SHELL_SUFFIXES: Final = (".sh", ".bash", ".ksh", ".zsh")

_DEPLOY_SUFFIXES: Final = (
    *(".py", *SHELL_SUFFIXES),
    *(".toml", ".ini", ".cfg", ".conf", ".properties", ".yml", ".yaml", ".env"),
    *(".tf", ".tfvars", ".hcl", ".sql", ".mako", ".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".service"),
    *(".mk", ".dockerfile", ".containerfile"),
)
_DEPLOY_NAMES: Final = (
    # Name, and the pattern for the attribute file.
    (re.compile(r"Dockerfile.*"), "Dockerfile*"),
    (re.compile(r"Containerfile.*"), "Containerfile*"),
    (re.compile(r"\.env(?:\..*)?"), ".env*"),
    (re.compile(r"requirements.*\.txt"), "requirements*.txt"),
    (re.compile(r"constraints.*\.txt"), "constraints*.txt"),
    (re.compile(r"(?:GNUm|[Mm])akefile"), None),
    (re.compile(r"Procfile|Pipfile|Jenkinsfile|crontab|\.dockerignore|\.gcloudignore|gunicorn\.conf"), None),
)
_ANY_DEPLOY_NAME: Final = re.compile("|".join(expression.pattern for expression, _ in _DEPLOY_NAMES))
_SCRIPT_SUFFIX: Final = r"\.(?!bak|old|orig|tmp|save)[a-z0-9]{1,4}"
"""What a language's suffix looks like; a longer one behind a script's name is somebody's note on a copy."""
_WINDOWS_SUFFIXES: Final = (".bat", ".cmd")
_CRLF_BY_NATURE: Final = (
    # cmd.exe misreads labels in a batch file with LF; the others have CRLF in their standard or their tools.
    *(".bat", ".cmd", ".btm", ".reg", ".vbs", ".inf", ".rc", ".sln", ".vcxproj", ".csproj", ".vbproj", ".props"),
    *(".csv", ".tsv", ".eml", ".mbox", ".ics", ".vcf", ".http", ".warc", ".rtf", ".diff", ".patch"),
)
_SOURCE: Final = (
    *(".py", ".pyi", ".pyx", ".pxd", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".go", ".rs", ".java", ".kt"),
    *(".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".rb", ".php", ".swift", ".scala", ".pl", ".lua", ".tf", ".sql"),
    *SHELL_SUFFIXES,
)
_JSON: Final = (".json", ".jsonl", ".ndjson", ".geojson", ".ipynb", ".webmanifest", ".har", ".avsc")
_UTF8_PROMISED: Final = (*_JSON, ".toml", ".yaml", ".yml", ".tf", ".tfvars", ".hcl", ".go", ".rs", ".proto", ".graphql")
_BOM_BREAKS: Final = (*_JSON, ".toml", ".ini", ".cfg", ".conf", ".properties", ".env", *SHELL_SUFFIXES)
_BOM_DISTURBS: Final = (".py", ".pyi", ".yaml", ".yml", ".tf", ".tfvars", ".sql", ".mk")
_PROSE: Final = (
    *(".md", ".markdown", ".mdx", ".qmd", ".rmd", ".rst"),
    *(".txt", ".adoc", ".asciidoc", ".asc", ".org", ".textile"),
)
_TEST_FOLDERS: Final = frozenset(
    {
        *("test", "tests", "testing", "testdata", "test_data", "test-data", "testsuite", "fixtures", "fixture"),
        *("e2e", "integration_tests", "snapshots", "__snapshots__", "cassettes"),
    }
)
_VENDORED: Final = frozenset({"vendor", "vendored", "_vendor", "third_party", "thirdparty", "node_modules", "extern"})


def deploy_pattern(path: str, interpreter: str) -> str | None:
    """The attribute pattern that pins a file that runs or configures a deploy; None for any other file.

    `interpreter` is what the file's shebang names, empty for none.
    """
    name = path.rpartition("/")[2]
    if _ANY_DEPLOY_NAME.fullmatch(name):
        return next(pattern or name for expression, pattern in _DEPLOY_NAMES if expression.fullmatch(name))
    suffix = suffix_of(name)
    if suffix in _DEPLOY_SUFFIXES:
        return f"*{name[-len(suffix) :]}"
    if interpreter and not suffix:
        return path_pattern(path)
    if interpreter and re.fullmatch(_SCRIPT_SUFFIX, suffix) and suffix not in _CRLF_BY_NATURE and not is_prose(path):
        return f"*{name[-len(suffix) :]}"
    return None


def windows_pattern(path: str) -> str | None:
    """The attribute pattern that gives a batch file its CRLF; None for any other file."""
    suffix = suffix_of(path)
    return f"*{path[-len(suffix) :]}" if suffix in _WINDOWS_SUFFIXES else None


def path_pattern(path: str) -> str:
    """An attribute pattern that matches this path alone, in quotes where it needs them."""
    escaped = "/" + re.sub(r"([*?\[\\])", r"\\\1", path)
    if re.fullmatch(r"[!-~]+", escaped):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def suffix_of(path: str) -> str:
    """The last suffix in lower case, dot included; empty for none, also for `.bashrc`."""
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def wants_crlf(path: str) -> bool:
    """Whether CRLF is at home in files of this type."""
    return suffix_of(path) in _CRLF_BY_NATURE


def is_source(path: str) -> bool:
    """Whether the type is a programming language's."""
    return suffix_of(path) in _SOURCE


def is_json(path: str) -> bool:
    """Whether the type is JSON or made of it: a line in it cannot begin with a conflict marker."""
    return suffix_of(path) in _JSON


def is_prose(path: str) -> bool:
    """Whether the type is for readers: it may quote anything."""
    return suffix_of(path) in _PROSE


def promises_utf8(path: str) -> bool:
    """Whether the type's standard, or the only program that reads it, allows no encoding but UTF-8."""
    return suffix_of(path) in _UTF8_PROMISED or path.rpartition("/")[2].startswith(".env")


def bom_breaks(path: str) -> bool:
    """Whether the programs that read the type take a byte order mark for content, or fail."""
    name = path.rpartition("/")[2]
    return suffix_of(name) in _BOM_BREAKS or name == ".env" or name.startswith(".env.")


def bom_disturbs(path: str) -> bool:
    """Whether some programs that read the type stumble over a byte order mark."""
    name = path.rpartition("/")[2]
    return suffix_of(name) in _BOM_DISTURBS or name.startswith(("Dockerfile", "Containerfile"))


def is_test_data(path: str) -> bool:
    """Whether the file is something that tests read: below a test folder, and no Python."""
    return not path.endswith((".py", ".pyi")) and in_tests(path)


def in_tests(path: str) -> bool:
    """Whether the file lies below a test folder."""
    return not _TEST_FOLDERS.isdisjoint(path.split("/")[:-1])


def is_test(path: str) -> bool:
    """Whether the file is one of tests, by its name or its place."""
    name = path.rpartition("/")[2]
    return in_tests(path) or name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"


def is_vendored(path: str) -> bool:
    """Whether the file lies below a folder of other people's code."""
    return not _VENDORED.isdisjoint(path.split("/")[:-1])
