"""Names, links and special files made to break a reader, met by the whole command in a process of its own."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from tests.engine.support import Run, git, inside, outside, repository, without_privilege, write

SECRET = b"AWS_SECRET_ACCESS_KEY = 'wJalrXUtnFEMI'\n"


def problems(run: Run) -> dict[str, str]:
    """Path and kind of every problem of a JSON report."""
    return {problem["path"]: problem["kind"] for problem in json.loads(run.out)["problems"]}


@pytest.fixture(params=["git", "directory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with one clean module, with and without git."""
    files = {"ok.py": b"x = 1\n", ".gitattributes": b"*.py text eol=lf\n"}
    make = repository if request.param == "git" else write
    return make(tmp_path / "checked", files)


ODD_NAMES = [
    b"new\nline.py",
    b"tab\there.py",
    b"esc\x1b[31mred.py",
    b"not\xffutf8.py",
    b"bell\x07.py",
    "bidi\u202eyp.py".encode(),
    b"quote\"'`.py",
    b"-rf.py",
    b" .py",
    b"%s{0}.py",
    b"a" * 252 + b".py",
]


def test_odd_names(folder: Path) -> None:
    for name in ODD_NAMES:
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(b"def f(:\n")
    for name in ("text", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown"):
        run = inside("check", "--output", name, cwd=folder)
        assert (run.code, run.err) == (1, ""), name
        assert not {char for char in run.out if char != "\n" and ord(char) < 32}, name
        assert "\u202e" not in run.out or name in ("json", "jsonl", "sarif", "gitlab"), name
    found = json.loads(inside("check", "--output", "json", cwd=folder).out)["findings"]
    assert sum(finding["code"] == "SYN001" for finding in found) == len(ODD_NAMES)
    assert {"new\nline.py", "not\\xffutf8.py"} <= {finding["path"] for finding in found}
    named = outside("check", "--output", "concise", b"not\xffutf8.py", b"new\nline.py", b"./-rf.py", cwd=folder)
    assert named.code == 1
    assert sum("SYN001" in line for line in named.out.splitlines()) == 3


def test_links(folder: Path) -> None:
    secret = folder.parent / "secret.py"
    secret.write_bytes(SECRET)
    hidden = write(folder.parent / "hidden", {"inner.py": SECRET, "pyproject.toml": b"[tool.guard]\n" + SECRET})
    links = {
        "out.py": secret,
        "out.toml": hidden / "pyproject.toml",
        "guard.toml": hidden / "pyproject.toml",
        "far": hidden,
        "Dockerfile": secret,
        ".editorconfig": secret,
        "loop": Path("loop"),
        "first": Path("second"),
        "second": Path("first"),
        "self": Path(),
        "nowhere.py": Path("missing.py"),
        "inside.py": Path("ok.py"),
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    run = outside("check", "--output", "json", cwd=folder)
    everything = run.out + run.err
    assert "wJalrXUtnFEMI" not in everything
    assert "AWS_SECRET" not in everything
    if run.code == 2:
        # A configuration that is a link out of the tree is refused, with its name.
        assert "guard.toml" in run.err
        assert "Traceback" not in run.err
        (folder / "guard.toml").unlink()
        run = outside("check", "--output", "json", cwd=folder)
    assert run.code == 0, run.out
    outside_tree = {path for path, kind in problems(run).items() if kind == "outside-tree"}
    assert outside_tree == {"out.py", "out.toml", "far", "Dockerfile", ".editorconfig"}


def test_special_files(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    os.mkfifo(folder / "pyproject.toml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s.py"))
        run = outside("check", "--output", "json", cwd=folder, timeout=20)
    assert run.err == ""
    # git does not list what is no file, so in a repository nothing speaks of them.
    assert set(problems(run).values()) <= {"special-file"}
    assert run.code == 0


def test_closed_folder_and_file(folder: Path) -> None:
    write(folder, {"closed/a.py": b"x = 1\n", "b.py": b"x = 1\n", "c.py": b"def f(:\n"})
    if (folder / ".git").exists():
        git(folder, "add", "-A")
    (folder / "closed").chmod(0)
    (folder / "b.py").chmod(0)
    run = outside("check", "--output", "json", cwd=folder, preexec_fn=without_privilege)
    (folder / "closed").chmod(0o700)
    assert run.err == ""
    assert run.code == 3  # it outranks the finding
    found = problems(run)
    assert found == {"closed": "unreadable", "b.py": "unreadable"}
    assert {finding["path"] for finding in json.loads(run.out)["findings"]} == {"c.py"}


def test_deep_folders(folder: Path, request: pytest.FixtureRequest) -> None:
    if (folder / ".git").exists():
        reason = "git leaves out untracked files below a path that is longer than the system takes, and does not say so"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    inner = folder
    here = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(400):
            os.mkdir("d" * 20, dir_fd=here)
            below = os.open("d" * 20, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        with open(os.open("a.py", os.O_CREAT | os.O_WRONLY, dir_fd=here), "w") as file:
            file.write("def f(:\n")
    finally:
        os.close(here)
    run = outside("check", "--output", "concise", "--no-cache", cwd=inner)
    assert "Traceback" not in run.err
    assert run.code in (1, 3, 4)  # the path is longer than the system takes
    assert "dddd" in run.out + run.err


def test_nothing_to_analyse(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (empty, repository(tmp_path / "repo", {})):
        run = inside("check", cwd=folder)
        assert (run.code, run.err) == (3, "")
        assert run.out.startswith("Nothing was analysed: ")
        assert "clean" not in run.out.lower()
        assert json.loads(inside("check", "--output", "json", cwd=folder).out)["exit_code"] == 3
        assert inside("check", "--exit-zero", cwd=folder).code == 0


def test_what_cannot_be_read_is_not_missing(folder: Path) -> None:
    imports = b"import mod\nfrom mod import b\nfrom pkg.m import a\nimport shut.inner.x\n"
    modules = ("mod", "pkg/__init__", "pkg/m", "shut/__init__", "shut/inner/__init__", "shut/inner/x")
    write(folder, {"main.py": imports, **{f"{module}.py": b"a = b = 1\n" for module in modules}})
    if (folder / ".git").exists():
        git(folder, "add", "-A")
    assert inside("check", cwd=folder).code == 0
    for closed in ("mod.py", "pkg/__init__.py", "pkg/m.py", "shut"):
        (folder / closed).chmod(0)
    run = outside("check", "--output", "json", cwd=folder, preexec_fn=without_privilege)
    (folder / "shut").chmod(0o700)
    assert run.code == 3
    assert set(problems(run)) == {"mod.py", "pkg/__init__.py", "pkg/m.py", "shut"}
    assert json.loads(run.out)["findings"] == []


def test_attributes_that_cannot_be_read(folder: Path) -> None:
    write(folder, {"sub/.gitattributes": b"*.py text eol=crlf\n", "sub/c.py": b"x = 2\r\n", "b.py": b"x = 1\r\n"})
    for closed, silent in ((".gitattributes", {"b.py", "sub/c.py"}), ("sub/.gitattributes", {"sub/c.py"})):
        (folder / closed).chmod(0)
        run = outside("check", "--select", "EOL", "--output", "json", cwd=folder, preexec_fn=without_privilege)
        (folder / closed).chmod(0o600)
        assert run.code == 3
        assert problems(run) == {closed: "unreadable"}
        if (folder / ".git").exists():
            found = {finding["path"] for finding in json.loads(run.out)["findings"]}
            assert not found & {".gitattributes", *silent}, closed


def test_a_module_that_is_too_large_is_there_to_be_imported(tmp_path: Path) -> None:
    """What it binds is unknown, so nothing is missing from it."""
    write(
        tmp_path, {"app/__init__.py": b"", "app/big.py": b"X = 1\n" * 400, "app/main.py": b"from app.big import X, Y\n"}
    )
    run = inside("check", ".", "--config", "max-file-size=1KB", "--no-cache", "--output", "json", cwd=tmp_path)
    report = json.loads(run.out)
    assert run.code == 3
    assert [problem["kind"] for problem in report["problems"]] == ["too-large"]
    assert [finding for finding in report["findings"] if finding["code"].startswith("IMP")] == []
