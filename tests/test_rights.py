"""``kb erase`` and ``kb work``: what was taken back goes to the last step, whoever is killed half way, and nothing else goes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kb import entries, erasure, vault, withdrawal
from kb.cli import rights
from kb.codes import show_id
from kb.config import Config
from kb.db import Database, connect, now, row, transaction
from kb.errors import Busy
from kb.search import indexer, outbox
from kb.sessions import shift
from kb.vault import Identity
from tests import factories, filled

WORDS = "Plantedword only here"


@pytest.fixture
def told(db: Database, config: Config) -> factories.Made:
    """Return a published testimony that is in the search index and whose name is in the vault."""
    made = factories.testimony(db, body=WORDS)
    with transaction(db):
        vault.post(db, vault.public_key(config), made.id, Identity("Amina Plantedname", None), at=now())
    vault.collect(db, config.vault, at=now())
    indexer.once(config)
    return made


def _is_finished(db: Database, config: Config, entry_id: str) -> bool:
    ordered = erasure.ordered(db, entry_id)
    left = b"".join(p.read_bytes() for p in config.instance.rglob("*") if p.is_file())
    return (
        ordered is not None
        and ordered.steps_done == erasure.STEPS
        and not vault.holds(config, entry_id)
        and not outbox.erasing(db, entry_id)
        and entries.revision(db, entry_id, 1).text.words().strip() == ""
        and b"Plantedword" not in left
        and b"plantedword" not in left
    )


def test_erase_takes_what_is_due_and_leaves_what_can_be_undone(
    db: Database, instance: Path, config: Config, told: factories.Made
) -> None:
    withdrawal.withdraw(db, told.id, at=shift(now(), hours=-73))
    fresh = factories.testimony(db, state="withdrawn")

    said = filled.kb(instance, "erase")

    assert said.exit_code == 0, said.output
    assert "erasing 1 entry" in said.output
    assert "1 erased to the last step" in said.output
    assert _is_finished(db, config, told.id)
    assert withdrawal.can_undo(db, fresh.id, at=now())
    assert entries.revision(db, fresh.id, 1).text.title == "The words of the choir"
    again = filled.kb(instance, "erase")
    assert (again.exit_code, "nothing is to be erased" in again.output) == (0, True)


def test_erase_takes_what_is_named_at_once(db: Database, instance: Path, config: Config, told: factories.Made) -> None:
    withdrawal.withdraw(db, told.id, at=now())

    said = filled.kb(instance, "erase", show_id(told.id).upper(), "--json")

    assert json.loads(said.output) == {"erased": [told.id], "left": {}}
    assert _is_finished(db, config, told.id)
    assert filled.kb(instance, "erase", told.id).exit_code == 0, "doing it twice changes nothing"


# what is named beside a story that was taken back: nothing at all is erased then, and one sentence says why
REFUSED = [
    ("published", "was not taken back; only what was taken back can be erased"),
    ("unknown", "There is no entry 7h3k-9qxm"),
    ("gibberish", "There is no entry 7h3k-9qxm"),
]


@pytest.mark.parametrize(("what", "sentence"), REFUSED)
def test_erase_takes_nothing_else(db: Database, instance: Path, told: factories.Made, what: str, sentence: str) -> None:
    withdrawal.withdraw(db, told.id, at=now())
    other = factories.testimony(db).id if what == "published" else "7h3k-9qxm"

    said = filled.kb(instance, "erase", told.id, other)

    assert said.exit_code == 1
    assert sentence in said.output and said.output.count("\n") == 1
    assert withdrawal.can_undo(db, told.id, at=now())


# ---------- killed half way ----------

# Ends itself as kill -9 would, before or after a function that the command calls.
CHILD = """
import importlib, os, signal, sys
from kb.cli import main
module, name, when = sys.argv[1:4]
where = importlib.import_module(module)
whole = getattr(where, name)

def half(*given, **named):
    if when == "after":
        whole(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(where, name, half)
main(["erase"])
"""
KILLED = [
    ("kb.erasure", "erase_text", "before"),
    ("kb.entries", "erase", "after"),  # in the middle of the transaction
    ("kb.erasure", "erase_text", "after"),  # all is done and nothing is committed
    ("kb.withdrawal", "erase_due", "after"),  # the text is gone
    ("kb.vault", "erase", "before"),
    ("kb.vault", "erase", "after"),  # the name is gone, and nobody has noted it
    ("kb.search.indexer", "once", "before"),
    ("kb.search.indexer", "sync", "after"),  # the index is written, its ticket is still there
    ("kb.search.indexer", "once", "after"),
    ("kb.erasure", "_vacuum", "before"),
    ("kb.erasure", "_vacuum", "after"),  # a file is written anew, and nobody has noted it
    ("kb.erasure", "empty_log", "before"),
    ("kb.erasure", "empty_log", "after"),  # the log is cut, and nobody has noted it
]


@pytest.mark.parametrize(("module", "name", "when"), KILLED)
def test_erase_goes_on_where_it_was_killed(
    db: Database, instance: Path, config: Config, told: factories.Made, module: str, name: str, when: str
) -> None:
    withdrawal.withdraw(db, told.id, at=shift(now(), hours=-73))
    clean = {key: text for key, text in os.environ.items() if not key.startswith("KB_")}
    child = subprocess.run(
        [sys.executable, "-c", CHILD, module, name, when],
        env=clean | {"KB_INSTANCE": str(instance)},
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert not _is_finished(db, config, told.id)

    said = filled.kb(instance, "erase")

    assert said.exit_code == 0, said.output
    assert _is_finished(db, config, told.id)


# ---------- held by somebody ----------


@pytest.fixture
def reader(db: Database, config: Config, told: factories.Made) -> Iterator[Database]:
    """Return a connection that reads and does not stop, so that the write-ahead log can not be cut."""
    connection = connect(config.database)
    connection.execute("BEGIN")
    assert row(connection, "SELECT count(*) FROM entry")
    yield connection
    connection.close()


def test_erase_says_who_holds_the_log_and_finishes_when_nobody_does(
    db: Database,
    instance: Path,
    config: Config,
    told: factories.Made,
    reader: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rights, "_PATIENCE", 1.0)
    withdrawal.withdraw(db, told.id, at=now())

    said = filled.kb(instance, "erase", told.id)

    assert said.exit_code == 1
    assert "1 of 1 could not be finished within a minute (somebody is reading the database" in said.output
    ordered = erasure.ordered(db, told.id)
    assert ordered is not None and (ordered.index_done_at is not None, ordered.log_done_at) == (True, None)

    reader.execute("COMMIT")
    assert filled.kb(instance, "erase").exit_code == 0
    assert _is_finished(db, config, told.id)


def test_erase_says_that_somebody_is_writing_the_index(
    db: Database, instance: Path, told: factories.Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_config: Config) -> None:
        raise Busy("another process is writing the search index")

    monkeypatch.setattr(rights, "_PATIENCE", 1.0)
    monkeypatch.setattr(indexer, "once", busy)
    withdrawal.withdraw(db, told.id, at=now())

    said = filled.kb(instance, "erase", told.id, "--json")

    assert said.exit_code == 1
    assert f'"left": {{\n  "{told.id}": "index"\n }}' in said.output
    assert "another process is writing the search index" in said.output


def test_erase_says_that_the_vault_is_not_there(
    db: Database, instance: Path, config: Config, told: factories.Made
) -> None:
    withdrawal.withdraw(db, told.id, at=now())
    (config.vault / vault.FILE).rename(config.vault / "elsewhere")

    said = filled.kb(instance, "erase", told.id)

    assert said.exit_code == 1
    assert "vault.sqlite3 is missing: is its disk there?" in said.output


# ---------- work ----------


def test_work_does_everything_once(db: Database, instance: Path, told: factories.Made) -> None:
    old = factories.testimony(db, at=shift(now(), days=-900))

    said = filled.kb(instance, "work", "--once")

    assert (said.exit_code, said.output) == (0, "")
    assert row(db, "SELECT state FROM consent_scope WHERE scope = 'store' AND state = 'expired'") is not None
    assert entries.get(db, old.id).state == "published", "hidden by its end, not by its state"


def test_work_says_that_something_is_left_over(db: Database, instance: Path, told: factories.Made) -> None:
    """No indexer runs here, so words of a story may still lie in the index."""
    withdrawal.withdraw(db, told.id, at=now(), for_good=True)

    said = filled.kb(instance, "work", "--once")

    assert said.exit_code == 1
    assert "run kb index --once, then this again" in said.output
    assert filled.kb(instance, "index", "--once").exit_code == 0
    assert filled.kb(instance, "work", "--once").exit_code == 0
    assert erasure.unfinished(db) == []


def test_work_wants_to_be_told_once(instance: Path) -> None:
    said = filled.kb(instance, "work")
    assert said.exit_code == 2
    assert "--once" in said.output
