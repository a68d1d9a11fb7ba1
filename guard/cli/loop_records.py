"""Where the sessions of a repository are kept, for the commands that only read them.

Apart from `guard.cli.loop_session`, since that imports the loop and the analysis, which takes longer than a page does.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import Final

from guard.configuration.discover import find_layers
from guard.files import replace_file
from guard.model import CannotCheck, ConfigError
from guard.report.session import render
from guard.report.session.terminal import terminal
from guard.runner.record import Session
from guard.runner.store import FILE, Store, folder_of
from guard.sources.locate import open_tree

_PAGES: Final = {"markdown": "md", "html": "html"}


def root_here() -> Path:
    """The folder of the closest configuration to the current folder, which the sessions belong to; what else it says is
    not looked at. Raises ConfigError for a file that is no TOML, and GuardError where there are no files."""
    tree, within = open_tree((os.curdir,))
    if tree.root is None:
        raise CannotCheck("the loop needs files on disk, and there are none here")
    errors: list[str] = []
    layers = find_layers(tree, within.prefixes[0] if within.prefixes else "", errors)
    if errors:
        raise ConfigError(errors)
    return Path(tree.root, posixpath.dirname(layers[0].label) if layers else "")


def store_of(root: Path) -> Store:
    """The file of sessions of the repository, which is made where it is not there."""
    return Store(folder_of(root) / FILE)


def session_of(store: Store, text: str) -> Session:
    """The session that a command line names by the beginning of its id; the last one unless it names one."""
    return store.load(store.find(text))


def write_pages(store: Store, session: Session) -> tuple[str, ...]:
    """Write the session's pages beside the file of sessions; gives their paths. Raises OSError."""
    folder = store.path.parent / "sessions"
    folder.mkdir(exist_ok=True)
    earlier = store.earlier(session)
    written = []
    for form, ending in _PAGES.items():
        path = folder / f"{session.id}.{ending}"
        replace_file(path, render(form, session, earlier).encode())
        written.append(str(path.relative_to(store.path.parent.parent)))
    return tuple(written)


def page_of(store: Store, session: Session, form: str) -> str:
    """A session in one of the formats; `text` is its Markdown, made plain."""
    page = render("markdown" if form == "text" else form, session, store.earlier(session))
    return terminal(page) if form == "text" else page
