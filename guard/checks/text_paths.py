"""What is wrong with paths themselves, before any file is opened."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import Final

import msgspec

LONGEST: Final = 240
"""Characters. Windows refuses paths of 260 (MAX_PATH), and a checkout stands in some folder."""

_RESERVED: Final = re.compile(
    r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[1-9¹²³]) *(?:\..*)?", re.IGNORECASE | re.DOTALL
)
"""Device names, with any suffix (Microsoft, "Naming Files, Paths, and Namespaces")."""
_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\\x00-\x1f]')
_MAPPED: Final = re.compile("[\uf001-\uf0ff]")
"""How Cygwin, MSYS, WSL and Samba write a character that Windows forbids: U+F000 plus its code."""
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_ROOT_WORD: Final = re.compile(r"(?:[A-Za-z][:\uf03a]?)?(?:Users|home|mnt[a-z]|workspaces?|ProgramData)", re.IGNORECASE)
_HOME_FOLDERS: Final = re.compile(r"OneDrive|Desktop|Documents|Downloads|AppData|PycharmProjects|source.?repos")
_LEAST_FOLDERS: Final = 3
_LEAST_CHARACTERS: Final = 16
"""A name that begins with the names of three nested folders of the tree, run together, is no coincidence."""


class PathFault(msgspec.Struct, frozen=True):
    """One path, or a part of it, that is wrong."""

    path: str
    """A file of the tree: the first one below a folder that is wrong."""
    part: str
    """The path up to and with the part that is wrong."""
    kind: str
    reason: str
    other: str = ""
    """The path that it collides with, or the folder whose separators were lost."""
    files: int = 1
    """How many files are below `part`."""


def unportable(paths: Sequence[str], explained: Iterable[PathFault]) -> Iterator[PathFault]:
    """Paths that some system cannot hold; the parts that are `explained`, by `mangled`, left out."""
    told = {fault.part for fault in explained}
    for part, below in _parts(paths, _may_be_wrong).items():
        name = part.rpartition("/")[2]
        if part in told:
            continue
        reason = _refused_by_windows(name)
        if reason:
            yield PathFault(below[0], part, "name", reason, files=len(below))
    for path in paths:
        if len(path) > LONGEST:
            yield PathFault(path, path, "length", f"the path has {len(path)} characters")
    yield from _collisions(paths)


def refused(name: str) -> bool:
    """Whether Windows cannot have a file of this name."""
    return bool(_refused_by_windows(name))


def _refused_by_windows(name: str) -> str:
    if _RESERVED.fullmatch(name):
        return f"{name.partition('.')[0].rstrip().upper()} is the name of a device on Windows"
    forbidden = _FORBIDDEN.search(name)
    if forbidden:
        return f"Windows allows no {_shown(forbidden.group())} in a name"
    if name.endswith((".", " ")):
        return f"Windows drops the {'dot' if name.endswith('.') else 'blank'} at the end of a name"
    return ""


def _shown(character: str) -> str:
    return f"control character U+{ord(character):04X}" if ord(character) < 32 else f"`{character}`"


def _parts(paths: Iterable[str], wrong: Callable[[str], bool]) -> dict[str, list[str]]:
    """Every folder and file whose own name is `wrong`, with the files below it. A name is asked about once."""
    is_wrong = cache(wrong)
    wrong_above: dict[str, tuple[str, ...]] = {"": ()}
    below: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        unseen = []
        while folder not in wrong_above:
            unseen.append(folder)
            folder = folder.rpartition("/")[0]
        found = wrong_above[folder]
        for folder in reversed(unseen):
            if is_wrong(folder.rpartition("/")[2]):
                found = (*found, folder)
            wrong_above[folder] = found
        for part in (*found, path) if is_wrong(name) else found:
            below.setdefault(part, []).append(path)
    return below


def _may_be_wrong(name: str) -> bool:
    return not _HARMLESS.fullmatch(name) or _RESERVED.fullmatch(name) is not None


_HARMLESS: Final = re.compile(r"[-_0-9A-Za-z.]*[-_0-9A-Za-z]")


def _collisions(paths: Sequence[str]) -> Iterator[PathFault]:
    """Files, and folders, that are one on a system that folds case or normalises Unicode."""
    folders: dict[str, dict[str, str]] = {}
    files: dict[str, str] = {}
    seen = {""}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder not in seen:
            seen.add(folder)
            folders.setdefault(_folded(folder), {})[folder] = path
            folder = folder.rpartition("/")[0]
        first = files.setdefault(_folded(path), path)
        if first != path:
            yield PathFault(path, path, "collision", _difference(path, first), other=first)
    for key, path in files.items():
        for folder in folders.get(key, ()):
            yield PathFault(path, path, "collision", f"{_difference(path, folder)} from a folder's name", other=folder)
    for spellings in folders.values():
        (first, _), *others = spellings.items()
        for folder, path in others:
            if folder.rpartition("/")[0] == first.rpartition("/")[0]:
                yield PathFault(path, folder, "folders", _difference(folder, first), other=first)


def _folded(path: str) -> str:
    # Neither NTFS nor APFS folds one letter into two, so this is `lower` and not `casefold`.
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).lower()


def _difference(path: str, other: str) -> str:
    if unicodedata.normalize("NFC", path) == unicodedata.normalize("NFC", other):
        return "it differs only in Unicode normalisation"
    return "it differs only in case"


def mangled(paths: Sequence[str]) -> list[PathFault]:
    """Names that are a whole path from some other system, or one of this tree, with its separators lost."""
    squeezed = _Squeezed(paths)
    faults: dict[str, PathFault] = {}

    def is_mangled(name: str) -> bool:
        fault = _mangled_name(name, squeezed)
        if fault is not None:
            faults[name] = fault
        return fault is not None

    return [
        msgspec.structs.replace(faults[part.rpartition("/")[2]], path=below[0], part=part, files=len(below))
        for part, below in _parts(paths, is_mangled).items()
    ]


def _mangled_name(name: str, squeezed: _Squeezed) -> PathFault | None:
    """What is wrong with a name, the path that has it left out."""
    mapped = _MAPPED.search(name)
    if mapped:
        meant = chr(ord(mapped.group()) - 0xF000)
        reason = f"U+{ord(mapped.group()):04X} stands for a {meant!r} that Windows does not allow in a name"
        return PathFault("", "", "mapped", reason)
    if "\\" in name:
        return PathFault("", "", "backslash", "the backslashes of a Windows path became part of the name")
    if _DRIVE.match(name):
        return PathFault("", "", "drive", "it begins with a drive letter")
    if len(name) < _LEAST_CHARACTERS:
        return None
    folder = squeezed.longest(name)
    if folder:
        reason = f"it is a path below {folder}/ without its separators"
        return PathFault("", "", "separators", reason, other=folder)
    root = _ROOT_WORD.match(name)
    if root and len(name) > root.end():
        rest = name[root.end() :]
        below = next((found for at in range(len(rest)) if (found := squeezed.longest(rest[at:]))), "")
        if below or (root.group()[1:].startswith("Users") and _HOME_FOLDERS.search(rest)):
            reason = "it is a path from someone's machine without its separators"
            return PathFault("", "", "separators", reason, other=below)
    return None


class _Squeezed:
    """The folders of a tree that are at least three deep, by their path without separators."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._folders: dict[str, str] = {}
        seen: set[str] = set()
        for path in paths:
            folder = path.rpartition("/")[0]
            while folder not in seen and folder.count("/") >= _LEAST_FOLDERS - 1:
                seen.add(folder)
                joined = folder.replace("/", "")
                if len(joined) >= _LEAST_CHARACTERS:
                    self._folders[joined] = min(folder, self._folders.get(joined, folder))
                folder = folder.rpartition("/")[0]
        self._heads = frozenset(joined[:_LEAST_CHARACTERS] for joined in self._folders)

    def longest(self, text: str) -> str:
        """The longest folder whose squeezed path `text` begins with; empty for none."""
        if text[:_LEAST_CHARACTERS] not in self._heads:
            return ""
        sizes = range(len(text), _LEAST_CHARACTERS - 1, -1)
        return next((self._folders[text[:size]] for size in sizes if text[:size] in self._folders), "")


class Surroundings:
    """What `unportable` and `mangled` may say with some paths and would not say without them, or the other way round.
    It is told without looking at every part of every path, so now and then more is taken to be concerned than is."""

    def __init__(self, paths: Collection[str], others: Sequence[str]) -> None:
        """`paths` are those of a tree, `others` the ones that are in it and not in another one that it is compared
        with, or only in that one."""
        self._others = others
        apart = frozenset(others)
        common = [path for path in paths if path not in apart]
        self._paths = [*common, *others]
        self._common = _listed(common)
        self._all = self._common + _listed(others)
        self._deep = _listed(path.replace("/", "") for path in self._paths if path.count("/") >= _LEAST_FOLDERS)

    def may_be_unportable(self) -> bool:
        """Whether `unportable` may be concerned."""
        folded = self._folded()
        return self.may_be_mangled() or any(
            len(path) > LONGEST or any(self._is_wrong(part, folded) for part in _with_folders(path))
            for path in self._others
        )

    def _folded(self) -> str:
        plain = _listed(path for path in self._paths if path.isascii())
        return plain.lower() + _listed(_folded(path) for path in self._paths if not path.isascii())

    def _is_wrong(self, part: str, folded: str) -> bool:
        if _may_be_wrong(part.rpartition("/")[2]):
            return True
        key = _folded(part)
        return any(self._all.count(f"\0{part}{end}") != folded.count(f"\0{key}{end}") for end in "/\0")

    def may_be_mangled(self) -> bool:
        """Whether `mangled` may be concerned."""
        return any(map(self._may_be_mangled, self._names)) or any(map(self._may_be_lost, self._new_folders))

    @property
    def _names(self) -> set[str]:
        return {name for path in self._others for name in path.split("/")}

    @property
    def _new_folders(self) -> set[str]:
        """The folders that are only in one of the trees."""
        folders = {folder for path in self._others for folder in _with_folders(path.rpartition("/")[0])}
        return {folder for folder in folders if f"\0{folder}/" not in self._common}

    def _may_be_mangled(self, name: str) -> bool:
        """Whether a name may be mangled, by itself or because of a folder."""
        if _MAPPED.search(name) or "\\" in name or _DRIVE.match(name):
            return True
        if len(name) < _LEAST_CHARACTERS:
            return False
        return _ROOT_WORD.match(name) is not None or f"\0{name[:_LEAST_CHARACTERS]}" in self._deep

    def _may_be_lost(self, folder: str) -> bool:
        """Whether the separators of a folder's path may be missing in a name."""
        joined = folder.replace("/", "")
        return (
            folder.count("/") >= _LEAST_FOLDERS - 1
            and len(joined) >= _LEAST_CHARACTERS
            and joined[:_LEAST_CHARACTERS] in self._all
        )


def _listed(paths: Iterable[str]) -> str:
    """One text in which each path stands between two characters that no path has."""
    return "".join([f"\0{path}\0" for path in paths])


def _with_folders(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]
