"""`guard check`: its options, its outputs and its exit codes."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path

import jsonschema
import pytest

from tests.engine.support import git, inside, repository, write

FILES = {
    ".gitattributes": b"*.py text eol=lf\n*.sh text eol=lf\nDockerfile text eol=lf\n",
    "Dockerfile": b"FROM python:3.11\nCMD uvicorn app.main:app\n",
    "app/__init__.py": b"",
    "app/main.py": b"from app.gone import x\n\napp = x\n",
    "app/broken.py": b"def f(:\n",
    "tests/test_main.py": b"from app.main import lost\n",
    "docs/page.md": b"# page\n",
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", FILES)


def lines(repo: Path, *arguments: str, code: int = 1, cwd: Path | None = None) -> list[str]:
    """Code and path of every finding."""
    run = inside("check", "--output", "json", *arguments, cwd=cwd or repo)
    assert (run.code, run.err) == (code, "")
    return [f"{finding['code']} {finding['path']}" for finding in json.loads(run.out)["findings"]]


EVERYTHING = ["IMP001 app/main.py", "SYN001 app/broken.py", "IMP002 tests/test_main.py"]


# Selecting


# Without the rules that say why a file is no Python, it is a problem, and that outranks findings: 3.
@pytest.mark.parametrize(
    ("arguments", "found", "code"),
    [
        ([], EVERYTHING, 1),
        (["--select", "IMP001"], EVERYTHING[:1], 3),
        (["--select", "IMP"], [EVERYTHING[0], EVERYTHING[2]], 3),
        (["--select", "missing-module,SYN"], EVERYTHING[:2], 1),
        (["--select", "IMP", "--select", "SYN001"], EVERYTHING, 1),
        (["--select", "IMP", "--ignore", "IMP002"], EVERYTHING[:1], 3),
        (["--ignore", "syntax-error,missing-name"], EVERYTHING[:1], 3),
        (["--config", "select=['SYN']"], EVERYTHING[1:2], 1),
        (["--config", "ignore = ['IMP']"], EVERYTHING[1:2], 1),
        (["--config", "exclude=['tests/', 'Dockerfile', 'app/main.py']"], EVERYTHING[1:2], 1),
        (["app"], EVERYTHING[:2], 1),
        (["app/broken.py", "tests"], EVERYTHING[1:], 1),
        (["./app/../app/main.py"], EVERYTHING[:1], 1),
        (["."], EVERYTHING, 1),
        (["--jobs", "2"], EVERYTHING, 1),
        (["--no-cache"], EVERYTHING, 1),
        (["--staged"], EVERYTHING, 1),
        (["--rev", "HEAD"], EVERYTHING, 1),
        (["--rev", "main", "app"], EVERYTHING[:2], 1),
    ],
)
def test_what_is_reported(repo: Path, arguments: list[str], found: list[str], code: int) -> None:
    assert lines(repo, *arguments, code=code) == found


def test_rules_that_are_off_do_not_hide_what_is_no_python(repo: Path) -> None:
    run = inside("check", "--select", "IMP", "app/broken.py", "--output", "concise", cwd=repo)
    assert (run.code, run.err) == (3, "")
    assert run.out == "app/broken.py: problem unparsable: not valid Python, and the rules that would say why are off\n"


def test_a_part_without_findings_is_clean(repo: Path) -> None:
    assert lines(repo, "docs", code=0) == []
    assert lines(repo, "page.md", code=0, cwd=repo / "docs") == []
    run = inside("check", "docs", cwd=repo)
    assert run.out.startswith("Clean: ")


def test_a_configuration_file_of_the_command_line(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("select = ['SYN']\n")
    assert lines(repo, "--config", str(tmp_path / "other.toml")) == EVERYTHING[1:2]
    assert lines(repo, "--config", "../other.toml", "--config", "select=['IMP001']", code=3) == EVERYTHING[:1]


def test_staged_and_revisions_are_apart_from_the_files(repo: Path, tmp_path: Path) -> None:
    git(repo, "rm", "-q", "--cached", "app/main.py")
    write(repo, {"app/broken.py": b"x = 1\n", "app/more.py": b"from app.gone import y\n"})
    missing, untracked = ["IMP001 app/main.py", "IMP001 app/more.py"], "IMP008 tests/test_main.py"
    assert lines(repo) == [*missing, untracked, "IMP002 tests/test_main.py"]
    assert "SYN001 app/broken.py" in lines(repo, "--staged")
    assert "IMP001 app/main.py" not in lines(repo, "--staged")
    assert lines(repo, "--rev", "HEAD") == EVERYTHING
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(repo), str(bare))
    assert lines(bare, "--rev", "main") == EVERYTHING
    assert lines(bare, "--rev", "HEAD", "app/broken.py") == EVERYTHING[1:2]
    run = inside("check", cwd=bare)
    assert (run.code, run.out, run.err) == (3, "", "guard: no files here: this is a git directory; use --rev\n")


# Mistakes


def test_what_a_later_version_checks_is_not_clean_in_this_one(tmp_path: Path) -> None:
    folder = repository(tmp_path / "clean", {"a.py": b"a = 1\n"})
    assert inside("check", "--select", "IMP", cwd=folder).code == 0
    run = inside("check", "--select", "IMP,TST", "--output", "concise", cwd=folder)
    assert (run.code, run.out) == (
        3,
        "problem not-checked: this version of guard has no TST rules, which are selected\n",
    )
    # A configuration for a later version is no mistake, whatever it says of the rules that come with it.
    settings = 'select = ["ALL", "TST"]\nignore = ["ENV"]\n[severity]\nNET = "warning"\n'
    (folder / "guard.toml").write_text(f'{settings}[per-file-ignores]\n"a.py" = ["REF"]\n')
    (folder / ".gitattributes").write_text("*.py text eol=lf\n*.toml text eol=lf\n")
    run = inside("check", "--output", "concise", cwd=folder)
    assert (run.code, run.out, run.err) == (
        3,
        "problem not-checked: this version of guard has no TST rules, which are selected\n",
        "",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--nothing"], 2, "No such option"),
        (["--output", "jsn"], 2, "--output jsn: no such format; there are text, concise, json"),
        (["--output", "json:"], 2, "--output json:: names no file"),
        (["--output", "json", "--output", "sarif"], 2, "two --output on standard output"),
        (["--output", "json:-", "--output", "text"], 2, "two --output on standard output"),
        (["--output", "json:x", "--output", "sarif:x"], 2, "two --output to x"),
        (["--output", "json:no/such/folder/x"], 4, "guard: no/such/folder/x: cannot be written: No such file"),
        (["--output", "json:app"], 4, "guard: app: cannot be written: Is a directory"),
        (["--select", "IMP0001"], 2, 'guard: --select: no rule is called "IMP0001", did you mean "IMP001"?'),
        (["--select", "TST"], 2, "guard: no rule is left to run"),
        (["--ignore", "missing-modul"], 2, 'did you mean "missing-module"?'),
        (["--select", "\x1b[31m"], 2, "guard: --select: no rule is called"),
        (["--config", "selct=['IMP']"], 2, 'selct: unknown key, did you mean "select"?'),
        (["--config", "select=1"], 2, "guard: --config: select: expected"),
        (["--config", "=1"], 2, "is not KEY=VALUE"),
        (["--config", "missing.toml"], 2, "guard: missing.toml: no such file"),
        (["--rev", "nope"], 2, "guard: no such commit: nope"),
        (["--rev", "--output=x"], 2, "guard: no such commit: --output=x"),
        (["--staged", "--rev", "HEAD"], 2, "--staged and --rev exclude one another"),
        (["--fix", "--staged"], 2, "--fix and --diff work on files on disk"),
        (["--diff", "--rev", "HEAD"], 2, "--fix and --diff work on files on disk"),
        (["--unsafe-fixes"], 2, "--unsafe-fixes goes with --fix or --diff"),
        (["--jobs", "0"], 2, "Invalid value for '--jobs'"),
        (["--jobs", "many"], 2, "Invalid value for '--jobs'"),
        (["nowhere"], 2, "guard: no such path: nowhere"),
        (["app", "nowhere.py"], 2, "guard: no such path: nowhere.py"),
        (["\x1b[31mx\ny"], 2, "guard: no such path: \\x1b[31mx"),
        ([""], 2, "guard: no such path: "),
    ],
    ids=lambda value: " ".join(value).encode("unicode_escape").decode() if isinstance(value, list) else None,
)
def test_mistakes(repo: Path, arguments: list[str], code: int, said: str) -> None:
    run = inside("check", *arguments, cwd=repo)
    assert (run.code, run.out) == (code, "")
    assert said in run.err
    assert "Traceback" not in run.err
    assert "\x1b" not in run.err
    if run.err.startswith("guard: "):
        assert all(line.startswith("guard: ") for line in run.err.splitlines())


def test_every_error_of_a_configuration_at_once(repo: Path) -> None:
    (repo / "guard.toml").write_text("selct = []\nignore = ['NOPE']\nexclude = 1\n")
    run = inside("check", cwd=repo)
    assert run.code == 2
    assert len(run.err.splitlines()) == 3


def test_an_ignored_path_is_not_passed_over_in_silence(repo: Path) -> None:
    write(repo, {".gitignore": b"build/\nnote.py\n", "build/a.py": b"def f(:\n", "note.py": b"def f(:\n"})
    assert lines(repo, "build") == ["SYN001 a.py"]
    run = inside("check", "note.py", cwd=repo)
    assert (run.code, run.out) == (3, "")
    assert run.err == "guard: note.py is not in the worktree: git ignores it\n"


# Outputs


def test_several_outputs_at_once(repo: Path, tmp_path: Path) -> None:
    names = ("text", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown")
    arguments = [part for name in names for part in ("--output", f"{name}:{tmp_path / name}")]
    run = inside("check", *arguments, "--output", "concise", cwd=repo)
    assert (run.code, run.err) == (1, "")
    assert len(run.out.splitlines()) == 3
    for name in names:
        alone = inside("check", "--output", name, cwd=repo)
        assert alone.code == 1
        assert untimed((tmp_path / name).read_text()) == untimed(alone.out)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~umask()


def untimed(text: str) -> str:
    return re.sub(r"\b\d+\.\d+( s\b|(?=[,}\n\"]))", "0", text)


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_machine_formats_are_alone_on_standard_output(repo: Path) -> None:
    (repo / "app" / "marked.py").write_bytes(b"\xef\xbb\xbfx = 1\n")
    schema = json.loads((Path(__file__).parents[2] / "guard/schemas/report.schema.json").read_text())
    for arguments in ([], ["--fix"], ["--statistics"]):
        run = inside("check", "--output", "json", *arguments, cwd=repo)
        jsonschema.validate(json.loads(run.out), schema)
    assert run.err == ""
    write(repo, {"app/marked.py": b"\xef\xbb\xbfx = 1\n"})
    run = inside("check", "--fix", "--output", "jsonl", cwd=repo)
    assert run.err == "guard: mended 1 finding in 1 file\n"
    assert all(json.loads(line) for line in run.out.splitlines())


def test_files_are_replaced_and_devices_are_written_to(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    assert inside("check", "--output", f"concise:{tmp_path / 'link'}", cwd=repo).code == 1
    assert (tmp_path / "link").is_symlink()
    assert len((tmp_path / "real").read_text().splitlines()) == 3
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    assert inside("check", "--output", f"concise:{tmp_path / 'pipe'}", cwd=repo).code == 1
    reader.join(timeout=10)
    assert (tmp_path / "pipe").is_fifo()
    assert len(read[0].splitlines()) == 3


def test_statistics(repo: Path) -> None:
    run = inside("check", "--statistics", cwd=repo)
    assert re.search(r"^ +1 +IMP001 +missing-module", run.out, re.MULTILINE)
    assert "IMP001  missing-module" not in inside("check", cwd=repo).out.partition("count")[2]


def test_exit_zero(repo: Path) -> None:
    assert inside("check", "--exit-zero", cwd=repo).code == 0
    assert json.loads(inside("check", "--exit-zero", "--output", "json", cwd=repo).out)["exit_code"] == 1
    assert inside("check", "--exit-zero", "nowhere", cwd=repo).code == 2


def test_infos_are_no_findings_that_fail(repo: Path) -> None:
    arguments = ["--config", 'severity={"IMP"="info", "SYN"="info"}']
    run = inside("check", *arguments, cwd=repo)
    assert (run.code, run.err) == (0, "")


def test_colour(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in inside("check", cwd=repo).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = inside("check", cwd=repo).out
    assert "\x1b[" in coloured
    assert untimed(re.sub(r"\x1b\[[\d;]*m", "", coloured)) == untimed(plain(repo, monkeypatch))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in inside("check", cwd=repo).out
    monkeypatch.setenv("NO_COLOR", "")  # no-color.org: only when it is not empty
    assert "\x1b[" in inside("check", cwd=repo).out
    for name in ("json", "concise", "sarif", "markdown"):
        assert "\x1b" not in inside("check", "--output", name, cwd=repo).out


def plain(repo: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as patch:
        patch.delenv("FORCE_COLOR")
        return inside("check", cwd=repo).out


def test_colour_never_goes_into_a_file(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    inside("check", "--output", f"text:{tmp_path / 'out'}", cwd=repo)
    assert "\x1b" not in (tmp_path / "out").read_text()
