"""`guard trace`: what took a name away, and what took its place, in real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest
from history_support import History, guard, other, service, traced

MAIN = "from app.net import Client\n\nclient = Client('host', 1)\n"


@pytest.fixture
def history(tmp_path: Path) -> History:
    """`app/net.py` defines `Client`, and `app/main.py` uses it."""
    made = History.make(tmp_path / "repo")
    made.commit({"app/__init__.py": "", "app/net.py": service(), "app/main.py": MAIN}, "begin")
    return made


def test_moved_to_another_module(history: History) -> None:
    commit = history.commit({"app/net.py": None, "app/wire.py": f"import os\n\n{service()}"}, "move the client")
    found = history.trace("app.net:Client")
    assert (found.code, found.verdict, found.commit) == (0, "moved", commit)
    assert found.best == ("certain", "app.wire:Client")
    assert found.reasons[:3] == ["same body", "same name, same kind", "added by the same commit"]
    removed = found.answer["removed"]
    assert (removed["path"], removed["line"], removed["kind"]) == ("app/net.py", 1, "class")
    assert removed["commit"]["subject"] == "move the client"
    assert removed["commit"]["author_date"] == "2025-03-02T10:00:00+01:00"


def test_renamed_in_the_same_file(history: History) -> None:
    history.commit({"app/net.py": service("UnifiedClient")}, "rename")
    found = history.trace("app.net:Client")
    assert found.best == ("certain", "app.net:UnifiedClient")
    assert found.reasons == ["same body", "added by the same commit"]


def test_moved_and_edited(history: History) -> None:
    edited = service().replace("return len(self.waiting_messages)", "return None")
    history.commit({"app/net.py": "x = 1\n", "app/wire.py": edited})
    found = history.trace("app.net:Client")
    assert found.best == ("certain", "app.wire:Client")
    assert found.reasons[0].endswith(" similar body")


def test_moved_and_written_anew_is_not_certain(history: History) -> None:
    history.commit({"app/net.py": "x = 1\n", "app/wire.py": other("Client")})
    found = history.trace("app.net:Client")
    assert found.best == ("likely", "app.wire:Client")


def test_renamed_and_written_anew_is_known_from_the_importers(history: History) -> None:
    history.commit({f"app/use{number}.py": MAIN for number in range(3)})
    after = MAIN.replace("net import Client", "wire import Gateway").replace("Client(", "Gateway(")
    changed = {f"app/use{number}.py": after for number in range(3)}
    history.commit({"app/net.py": None, "app/wire.py": other("Gateway"), **changed})
    found = history.trace("app.net:Client")
    assert found.best == ("likely", "app.wire:Gateway")
    assert "the same commit made 3 files import it under the new name" in found.reasons


def test_importers_that_all_went_to_one_place_make_it_certain(history: History) -> None:
    history.commit({f"app/use{number}.py": MAIN for number in range(3)})
    changed = {f"app/use{number}.py": MAIN.replace("app.net", "app.wire") for number in range(3)}
    history.commit({"app/net.py": None, "app/wire.py": other("Client"), "lib/wire.py": other("Client"), **changed})
    assert history.trace("app.net:Client").best == ("certain", "app.wire:Client")


def test_a_module_that_was_split(history: History) -> None:
    history.commit({"app/both.py": service("First") + other("Second")})
    history.commit({"app/both.py": None, "app/one.py": service("First"), "app/two.py": other("Second")})
    assert history.trace("app.both:First").best == ("certain", "app.one:First")
    assert history.trace("app.both:Second").best == ("certain", "app.two:Second")
    whole = history.trace("app.both")
    assert whole.verdict == "removed"
    assert {one["module"] for one in whole.answer["replacements"]} == {"app.one", "app.two"}


def test_a_file_that_was_moved_whole(history: History) -> None:
    commit = history.commit({"app/net.py": None, "app/core/__init__.py": "", "app/core/wire.py": service()})
    found = history.trace("app.net")
    assert (found.commit, found.best) == (commit, ("certain", "app.core.wire:"))
    assert found.reasons == ["the same content", "added by the same commit"]


def test_deleted_with_no_replacement(history: History) -> None:
    commit = history.commit({"app/net.py": "x = 1\n"}, "drop it")
    found = history.trace("app.net:Client")
    assert (found.code, found.verdict, found.commit) == (1, "removed", commit)
    assert found.answer["replacements"] == []
    text = guard(history.path, "trace", "app.net:Client").stdout
    assert "Nothing took its place" in text
    assert "drop it" in text


@pytest.mark.parametrize("question", ["app.net:Invented", "app.invented:Client", "app.invented"])
def test_never_there(history: History, question: str) -> None:
    history.commit({"app/main.py": "x = 1\n"})
    found = history.trace(question)
    assert found.verdict == "never"
    assert found.answer["removed"] is None
    assert "Never there" in guard(history.path, "trace", question).stdout


def test_what_was_never_there_may_be_somewhere_else(history: History) -> None:
    found = history.trace("app.sockets:Client")
    assert (found.code, found.verdict) == (1, "never")
    assert found.best == ("likely", "app.net:Client")


def test_what_is_there(history: History) -> None:
    found = history.trace("app.net:Client")
    assert (found.code, found.verdict) == (0, "there")
    assert found.answer["places"][0]["path"] == "app/net.py"


def test_a_re_export_that_was_removed(history: History) -> None:
    history.commit({"app/old.py": "from app.net import Client\n"}, "a shim")
    commit = history.commit({"app/old.py": None}, "drop the shim")
    found = history.trace("app.old:Client")
    assert (found.commit, found.best) == (commit, ("certain", "app.net:Client"))
    assert found.reasons == ["it was only imported there, by `from app.net import Client`"]


def test_a_relative_re_export_that_was_removed(history: History) -> None:
    history.commit({"app/__init__.py": "from .net import Client as Connection\n"})
    history.commit({"app/__init__.py": ""})
    assert history.trace("app:Connection").best == ("likely", "app.net:Client")


def test_a_re_export_of_what_has_moved_since(history: History) -> None:
    history.commit({"app/old.py": "from app.net import Client\n"})
    history.commit({"app/old.py": None})
    history.commit({"app/net.py": None, "app/wire.py": service()})
    found = history.trace("app.old:Client")
    assert found.best == ("certain", "app.wire:Client")
    assert found.reasons[:2] == ["it was only imported there, by `from app.net import Client`", "same body"]


def test_a_third_party_name_that_was_re_exported(history: History) -> None:
    history.commit({"app/compat.py": "from fastapi import Depends\n"})
    history.commit({"app/compat.py": "x = 1\n"})
    assert history.trace("app.compat:Depends").best == ("certain", "fastapi:Depends")


def test_an_alias_that_was_removed(history: History) -> None:
    history.commit({"app/net.py": f"{service()}\n\nOldClient = Client\n"})
    history.commit({"app/net.py": service()})
    found = history.trace("app.net:OldClient")
    assert found.best == ("likely", "app.net:Client")
    assert found.reasons == ["it was another name for Client"]


def test_what_came_through_a_star(history: History) -> None:
    history.commit({"app/api.py": "from app.net import *\n"})
    history.commit({"app/api.py": "x = 1\n"})
    found = history.trace("app.api:Client")
    assert found.best == ("certain", "app.net:Client")


def test_moved_twice(history: History) -> None:
    first = history.commit({"app/net.py": None, "app/wire.py": service()})
    history.commit({"app/wire.py": "x = 1\n", "app/cable.py": service("Cable")})
    found = history.trace("app.net:Client")
    assert found.commit == first
    assert found.best == ("certain", "app.cable:Cable")
    assert found.reasons[0] == "Client of app/wire.py came in the same commit, with the same body"


def test_several_removals_and_the_last_one_counts(history: History) -> None:
    history.commit({"app/net.py": None}, "first")
    history.commit({"app/net.py": service()}, "back again")
    history.commit({"app/net.py": "x = 1\n"}, "second")
    last = history.commit({"app/net.py": None}, "the empty file")
    assert history.trace("app.net:Client").answer["removed"]["commit"]["subject"] == "second"
    assert history.trace("app.net").commit == last


def test_a_module_that_became_a_package(history: History) -> None:
    history.commit({"app/net.py": None, "app/net/__init__.py": "", "app/net/client.py": service()})
    assert history.trace("app.net:Client").best == ("certain", "app.net.client:Client")


def test_removed_on_a_branch_that_was_merged(history: History) -> None:
    history.git("checkout", "--quiet", "-b", "side")
    commit = history.commit({"app/net.py": None, "app/wire.py": service()}, "on the side")
    history.git("checkout", "--quiet", "main")
    history.commit({"app/main.py": f"{MAIN}\nx = 1\n"})
    history.merge("side")
    found = history.trace("app.net:Client")
    assert (found.commit, found.best) == (commit, ("certain", "app.wire:Client"))


def test_removed_by_the_merge_itself(history: History) -> None:
    history.git("checkout", "--quiet", "-b", "side")
    history.commit({"app/other.py": "y = 1\n"})
    history.git("checkout", "--quiet", "main")
    history.commit({"app/main.py": f"{MAIN}\nx = 1\n"})
    history.git("merge", "--quiet", "--no-commit", "--no-ff", "side")
    commit = history.commit({"app/net.py": None}, "an evil merge")
    assert history.trace("app.net:Client").commit == commit


def test_not_committed_yet(history: History) -> None:
    history.write({"app/net.py": "x = 1\n", "app/wire.py": service()})
    found = history.trace("app.net:Client")
    assert (found.verdict, found.answer["removed"]["commit"]) == ("moved", None)
    assert found.best == ("certain", "app.wire:Client")
    assert "not committed yet" in guard(history.path, "trace", "app.net:Client").stdout


def test_a_short_body_says_nothing(history: History) -> None:
    history.commit({"app/errors.py": "class Gone(Exception):\n    pass\n"})
    history.commit({"app/errors.py": "class Away(Exception):\n    pass\n"})
    found = history.trace("app.errors:Gone")
    assert all(one["certainty"] == "possible" for one in found.answer["replacements"])


def test_two_copies_are_not_certain(history: History) -> None:
    history.commit({"app/net.py": None, "app/wire.py": service(), "app/cable.py": service()})
    found = history.trace("app.net:Client")
    assert {one["certainty"] for one in found.answer["replacements"]} == {"likely"}


def test_production_code_does_not_move_into_tests(history: History) -> None:
    history.commit({"app/net.py": None, "tests/helpers.py": service()})
    assert history.trace("app.net:Client").best == ("possible", "tests.helpers:Client")


def test_old_code_that_no_parser_reads(history: History) -> None:
    history.commit({"app/old.py": "class Legacy:\n    def f(self):\n        print 'python 2'\n"})
    commit = history.commit({"app/old.py": None})
    assert history.trace("app.old:Legacy").commit == commit


def test_a_name_alone_asks_for_every_import_of_it(history: History) -> None:
    commit = history.commit({"app/net.py": "x = 1\n", "app/wire.py": service()})
    found = history.trace("Client")
    assert (found.commit, found.answer["module"]) == (commit, "app.net")
    assert [place["path"] for place in found.document["places"]] == ["app/wire.py"]


def test_places_are_told_apart(history: History) -> None:
    history.commit(
        {
            "app/again.py": "from app.net import Client\n",
            "app/named.py": "from app.net import Client as Connection\n",
            "app/guarded.py": "try:\n    from far import Connection\nexcept ImportError:\n    class Connection: ...\n",
        }
    )
    places = history.trace("Client").document["places"]
    assert [(one["path"], one["role"]) for one in places] == [
        ("app/net.py", "definition"),
        ("app/again.py", "re-export"),
        ("app/main.py", "re-export"),
    ]
    places = history.trace("Connection").document["places"]
    assert [(one["path"], one["role"], one["defined_in"]) for one in places] == [
        ("app/named.py", "alias", "app/net.py"),
        ("app/guarded.py", "fallback", ""),
    ]


def test_a_name_that_nothing_knows_any_more_is_found_by_the_names_of_files(history: History) -> None:
    history.commit({"app/client.py": other("OldClient")})
    commit = history.commit({"app/client.py": None})
    assert history.trace("OldClient").commit == commit
    nothing = history.trace("NothingOfThatName")
    assert (nothing.code, nothing.document["answers"], nothing.document["places"]) == (1, [], [])


def test_questions_without_a_colon(history: History) -> None:
    history.commit({"app/net.py": "x = 1\n"})
    assert history.trace("app.net").verdict == "there"
    dotted = history.trace("app.net.Client")
    assert (dotted.answer["module"], dotted.answer["name"], dotted.verdict) == ("app.net", "Client", "removed")
    assert history.trace("app/net.py:Client").answer["module"] == "app.net"
    assert history.trace("app/net.py").verdict == "there"


@pytest.mark.parametrize("question", ["", ":", "app..net:x", "1:2", "a b", "app.net:Client.send", "-"])
def test_what_cannot_be_asked(history: History, question: str) -> None:
    run = guard(history.path, "trace", "--", question)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1


def test_a_revision(history: History) -> None:
    history.commit({"app/net.py": None, "app/wire.py": service()})
    assert history.trace("app.net:Client", "--rev", "HEAD^").verdict == "there"
    history.git("clone", "--quiet", "--bare", ".", "../bare.git")
    bare = history.path.parent / "bare.git"
    assert traced(bare, "app.net:Client", "--rev", "main").best == ("certain", "app.wire:Client")
    assert guard(bare, "trace", "app.net:Client").returncode == 3
    assert guard(bare, "trace", "app.net:Client", "--rev", "nowhere").returncode == 2


def test_a_service_below_a_folder(history: History) -> None:
    project = {"pay/pyproject.toml": "[project]\nname='pay'\n", "pay/src/pay/__init__.py": ""}
    history.commit({**project, "pay/src/pay/net.py": other("Account")})
    history.commit({"pay/src/pay/net.py": None, "pay/src/pay/wire.py": other("Account")})
    assert history.trace("pay.net:Account").best == ("certain", "pay.wire:Account")


def test_the_cache_changes_nothing(history: History) -> None:
    history.commit({"app/net.py": None, "app/wire.py": service()})
    runs = [guard(history.path, "trace", "Client", "--output", "json").stdout for _ in range(2)]
    runs.append(guard(history.path, "trace", "Client", "--output", "json", "--no-cache").stdout)
    assert len(set(runs)) == 1
    history.commit({"app/wire.py": service("Wire")})
    assert history.trace("Client").best == ("certain", "app.wire:Wire")


def test_hostile_messages_are_harmless(history: History) -> None:
    history.commit({"app/net.py": None}, "up\x1b[2Jdate \u202e reversed")
    text = guard(history.path, "trace", "app.net:Client").stdout
    assert "\x1b" not in text
    assert "\\x1b[2J" in text
    assert "\u202e" not in text


def test_programs_that_the_repository_names_are_not_run(history: History, tmp_path: Path) -> None:
    history.commit({"app/net.py": None, "app/wire.py": service(), ".gitattributes": "*.py diff=evil\n"})
    marker = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    program.chmod(0o755)
    for key in (
        "gpg.program",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "core.pager",
        "core.fsmonitor",
    ):
        history.git("config", key, str(program))
    history.git("config", "log.showSignature", "true")
    assert history.trace("app.net:Client").verdict == "moved"
    assert not marker.exists()
