"""The documented steps of a Docker build, and what the rules say of an image, in real builds.

buildah needs no daemon, and no base image from a network.

The base image is made of the Python that runs the tests, with guard and what it needs installed there.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from packaging.requirements import Requirement

from guard.registry import all_rules
from tests.markdown_cases import case_of

ROOT = Path(__file__).parents[2]
PYTHON = Path(sys.executable).resolve()
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
STEPS: Final = re.findall(r"```dockerfile\n(.*?)```", PAGE[PAGE.index("## In a Docker build") :], re.DOTALL)
"""The Dockerfiles of the documentation: by a mount, by a stage, with guard in the image."""
GUARD_STAGE: Final = "FROM python:3.12-slim AS guard\nRUN python -m venv /opt/guard && /opt/guard/bin/pip install "
VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
BASE: Final = f"python:{VERSION}-slim"
MENDED: Final = {
    "requirements.txt": "itsdangerous\n",
    "app/__init__.py": "",
    "app/main.py": "from itsdangerous.signer import Signer\n\nfrom app.orders import Order\n\nprint(Signer, Order)\n",
    "app/orders.py": "class Order: ...\n",
}
BROKEN: Final = {
    **MENDED,
    "app/orders.py": "class Invoice: ...\n",
    "app/views.py": "from itsdangerous.signer import Gone\n\nprint(Gone)\n",
}
_LEFT_OUT: Final = (
    *("site-packages", "dist-packages", "test", "tests", "config-*", "idlelib", "tkinter", "turtledemo"),
    *("lib2to3", "ensurepip", "distutils", "pydoc_data", "*.opt-?.pyc"),
)
"""Half of a standard library, which nobody misses here."""


class Builder(NamedTuple):
    """buildah with a storage of its own, that has the base image, a Python, and `tool`, guard in /opt/guard."""

    command: tuple[str, ...]
    packages: str
    """Where this Python has its packages."""

    def build(self, context: Path, name: str) -> subprocess.CompletedProcess[str]:
        """Build the image `name` from a folder with a Dockerfile; gives how that went."""
        return subprocess.run(
            [*self.command, "bud", "--isolation", "chroot", "--tag", name, os.fspath(context)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def forget(self) -> None:
        """Remove the containers that failed builds have left, and the image of the service."""
        for command in (("rm", "--all"), ("rmi", "--force", "service")):
            subprocess.run([*self.command, *command], capture_output=True, check=False)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    if sys.platform != "linux":
        pytest.skip("only on Linux, where images are built without a virtual machine")
    if os.environ.get("GUARD_TESTS_AGAIN"):
        pytest.skip("only on the first Python of several")
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed")
    stdlib, packages = subprocess.run(
        [PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'), sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    # Each layer is a copy of thousands of files: in memory, where there is enough, that takes a third of the time.
    is_roomy = os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 4_000_000_000
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if is_roomy else tmp_path_factory.mktemp("images")))
    storage = ("--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs")
    found = Builder(("buildah", *storage), packages)
    try:
        lay_tool(folder / "tool/root/opt/guard")
        lay_base(folder / "base/root", stdlib, packages, folder / "tool/root")
        (folder / "tool/Dockerfile").write_text("FROM scratch\nCOPY root /\n")
        (folder / "base/Dockerfile").write_text("FROM scratch\nCOPY root /\nENV PATH=/bin\nRUN true\n")
        for name, tag in (("tool", "tool"), ("base", f"docker.io/library/{BASE}")):
            made = found.build(folder / name, tag)
            if made.returncode and "RUN true" in made.stdout:
                pytest.skip(f"only on a machine where buildah may run: {made.stdout.strip().splitlines()[-1]}")
            assert made.returncode == 0, made.stdout
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lay_tool(root: Path) -> None:
    """Lay out a virtual environment with guard and what guard needs."""
    packages = root / f"lib/python{VERSION}/site-packages"
    shutil.copytree(ROOT / "guard", packages / "guard")
    for name in ("deploy-guard", *needed("deploy-guard")):
        install(name, packages)
    (root / "bin").mkdir()
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    assert ruff is not None
    shutil.copy(ruff, root / "bin/ruff")
    (root / "pyvenv.cfg").write_text(f"home = {PYTHON.parent}\ninclude-system-site-packages = false\n")
    (root / "bin/python").symlink_to(PYTHON)
    write_script(root / "bin/guard", "/opt/guard/bin/python")


def lay_base(root: Path, stdlib: str, packages: str, tool: Path) -> None:
    """Lay out a root file system with a shell, this Python at its place, and one package for the service.

    `tool` is what runs in it too: its libraries have to be there.
    """
    for folder in ("bin", "tmp", "etc", "proc", "sys", "dev"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    put(root, str(PYTHON))
    shutil.copytree(stdlib, below(root, stdlib), ignore=shutil.ignore_patterns(*_LEFT_OUT))
    # Where the documented base image has its packages, and where this Python has them.
    for folder in {f"/usr/local/lib/python{VERSION}/site-packages", packages}:
        install("itsdangerous", below(root, folder))
    for command in ("sh", "true", "touch"):
        found = shutil.which(command)
        assert found is not None
        shutil.copy(Path(found).resolve(), root / "bin" / command)
    write_script(root / "bin/guard", str(PYTHON))
    binaries = [
        PYTHON,
        *(root / "bin").iterdir(),
        tool / "opt/guard/bin/ruff",
        *root.rglob("*.so"),
        *tool.rglob("*.so"),
    ]
    listed = subprocess.run(["ldd", *binaries], check=False, capture_output=True, text=True).stdout
    for library in sorted(set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", listed, re.MULTILINE))):
        put(root, library)


def install(name: str, packages: Path) -> None:
    """Copy an installed distribution."""
    for file in importlib.metadata.distribution(name).files or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and "tests" not in file.parts and file.suffix != ".pth" and source.is_file():
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, packages / file)


def write_script(path: Path, python: str) -> None:
    """Write the command `guard`, as an installer does."""
    path.write_text(f"#!{python}\nimport sys\n\nfrom guard.cli.main import main\n\nsys.exit(main())\n")
    path.chmod(0o755)


def below(root: Path, path: str) -> Path:
    """Where an absolute path is in a root file system."""
    return root / path.lstrip("/")


def put(root: Path, path: str) -> None:
    """Copy a file of this machine to its place in a root file system, by the name that it is asked for with."""
    below(root, path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, below(root, path))


def needed(name: str) -> set[str]:
    """The distributions that one needs, and those that these need."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for line in importlib.metadata.requires(waiting.pop()) or ():
            requirement = Requirement(line)
            if requirement.name not in found and (not requirement.marker or requirement.marker.evaluate({"extra": ""})):
                found.add(requirement.name)
                waiting.append(requirement.name)
    return found


def offline(step: str, packages: str) -> str:
    """A documented Dockerfile with what a registry and a package index would give taken from the images here."""
    site = f"/opt/guard/lib/python{VERSION}/site-packages"
    plain = f"COPY --from=tool {site}/ {packages}/\nCOPY --from=tool /opt/guard/bin/ruff /bin/\n"
    text = re.sub(re.escape(GUARD_STAGE) + ".*\n", "FROM tool AS guard\n", step)
    text = text.replace("python:3.12-slim", BASE)
    text = text.replace("RUN pip install --no-cache-dir deploy-guard\n", plain)
    text = text.replace("RUN pip install --no-cache-dir -r requirements.txt\n", "")
    assert "pip" not in text
    return text


def test_builds_stop_where_the_documentation_and_the_rules_say(builder: Builder, tmp_path: Path) -> None:
    """One test for all, since what they need would be made again in each process that runs one.

    The documented steps stop a broken tree, and let the mended one through.
    """
    assert len(STEPS) == 3
    for number, step in enumerate(STEPS):
        assert "USER 1000" in step
        broken = built(builder, tmp_path / f"broken-{number}", BROKEN, step)
        assert broken.returncode != 0, broken.stdout
        assert "error IMP002 missing-name  app/main.py:3:24" in broken.stdout
        assert "app.orders does not define Order" in broken.stdout
        assert "error IMP004 missing-in-dependency  app/views.py:1:33" in broken.stdout
        assert "Found 2 errors." in broken.stdout
        assert "Noted" not in broken.stdout
        mended = built(builder, tmp_path / f"mended-{number}", MENDED, step)
        assert mended.returncode == 0, mended.stdout
        assert re.search(r"Clean: \d+ files analysed", mended.stdout), mended.stdout
        builder.forget()
    check_what_the_rules_say_of_images(builder, tmp_path)


def check_what_the_rules_say_of_images(builder: Builder, tmp_path: Path) -> None:
    """Build the bad and the good example of every rule on images, and start what the image would start."""
    for code, start, said in (
        ("IMG001", f"{PYTHON} -c 'import app.main'", "No module named 'app.models'"),
        ("IMG002", "sh ./start.sh", "No such file"),
        ("IMG003", "true", "no such file"),
    ):
        for heading in ("Bad", "Good"):
            case = case_of(heading, all_rules()[code].section(heading))
            context = tmp_path / f"{code}-{heading}"
            case.write(context)
            text = (context / "Dockerfile").read_text().replace("python:3.12-slim", BASE)
            (context / "Dockerfile").write_text(re.sub(r"RUN pip .*\n", "", text) + f"RUN {start}\n")
            if (context / "start.sh").exists():
                (context / "start.sh").write_text("true\n")
            made = builder.build(context, "service")
            assert (made.returncode == 0) is (heading == "Good"), made.stdout
            assert heading == "Good" or said in made.stdout, made.stdout
            builder.forget()


def built(builder: Builder, context: Path, files: Mapping[str, str], step: str) -> subprocess.CompletedProcess[str]:
    """Build an image of `files` by a documented Dockerfile."""
    for path, content in files.items():
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text(content)
    (context / "Dockerfile").write_text(offline(step, builder.packages))
    return builder.build(context, "service")
