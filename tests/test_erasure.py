"""Erasing: what was taken back is in no file any more, however it went in, and whatever goes on while it is erased (R22, R34, R35)."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache

from kb import accounts, choices, create_app, drafts, entries, erasure, hands, housekeeping, vault, withdrawal
from kb.config import Config
from kb.consent import Scope
from kb.db import Database, Row, connect, now, transaction, value
from kb.erasure import Erasure
from kb.retention import TABLES, Fate
from kb.search import indexer, outbox
from kb.search.index import Indexes
from kb.sessions import shift
from tests import factories, filled, killing, planted
from tests.forensics import traces
from tests.killing import Step
from tests.pages import Visitor
from tests.planted import SEALED, Planted
from tests.search import making

# Written by the moderators who take something back for somebody.
REASONS = ("Xamorzzubvq", "Xamorzxubvq")
HOURS = 72


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, template_instance: Path) -> Iterator[tuple[Path, Planted]]:
    """Make the planted instance once."""
    yield from planted.planted(tmp_path_factory.mktemp("planted"), template_instance)


@pytest.fixture
def told(original: tuple[Path, Planted]) -> Planted:
    """Return what was planted."""
    return original[1]


@pytest.fixture
def instance(tmp_path: Path, original: tuple[Path, Planted]) -> Path:
    """Return a copy of the planted instance, its write-ahead log included."""
    return Path(shutil.copytree(original[0], tmp_path / "instance"))


@pytest.fixture
def config(instance: Path) -> Config:
    """Return the settings of the copy."""
    return planted.settings(instance)


@pytest.fixture
def app(config: Config, compiled_templates: FileSystemBytecodeCache) -> Flask:
    """Return the site on the copy."""
    made = create_app(**config)
    made.jinja_env.bytecode_cache = compiled_templates
    return made


@pytest.fixture
def idle(config: Config) -> Iterator[None]:
    """Have connections open that do nothing, as on a running site: SQLite tidies its log when the last one is closed."""
    with closing(connect(config.database)), closing(connect(config.vault / vault.FILE)):
        yield


def take_back(config: Config, app: Flask, told: Planted, *, for_good: bool = False) -> None:
    """Take everything back, each in another way: behind the code on the web, by word of mouth, by the function."""
    browser = Visitor(app)
    browser.send(browser.page("/receipt"), "/receipt", code=factories.shown(told.amina.code))
    now_too = {"erase": "now"} if for_good else {}
    page = browser.page("/receipt/withdraw")
    data = browser.filled(page.form("/receipt/withdraw"), {}) | now_too
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert browser.open("/receipt/withdraw", method="POST", data=data, headers=headers).status_code == 303
    with closing(connect(config.database)) as db:
        for made, reason, who in ((told.young, REASONS[0], "marek"), (told.waiting, REASONS[1], "lina")):
            hand = hands.moderator(accounts.by_email(db, factories.CAST[who][0]))
            withdrawal.withdraw_for(db, made.id, hand, reason=f"On paper, {reason} said.", at=now())
            if for_good:
                withdrawal.erase_now(db, made.id, at=now())
        withdrawal.withdraw(db, told.pia.id, at=now(), for_good=for_good)


def later(hours: int = HOURS) -> str:
    """Return the moment so many hours and a minute from now."""
    return shift(now(), hours=hours, minutes=1)


def unfinished(config: Config) -> list[Erasure]:
    with closing(connect(config.database)) as db:
        return erasure.unfinished(db)


def erased(config: Config, *, hours: int = HOURS) -> bool:
    """Let the background do its work once, the indexer too, and the background note it; say whether nothing is left to do."""
    housekeeping.work(config, at=later(hours))
    indexer.once(config)
    return housekeeping.work(config, at=later(hours)) and unfinished(config) == []


def left(config: Config, told: Planted, below: str = "") -> list[str]:
    """Return where something of what was taken back still is; what Pia has not sent yet was not taken back."""
    mine = [word for word in told.markers if word != told.words["pia: begun again"]]
    return traces(config.instance / below, [*mine, *REASONS])


def places(told: Planted, found: list[str], start: str = "") -> set[str]:
    """Return the places whose words were found, in files whose name starts so."""
    return {
        place
        for place, word in told.words.items()
        if any(line.startswith(start) and f": {word}, " in line for line in found)
    }


# ---------- the six situations ----------


def test_r35_the_words_are_there_before(config: Config, told: Planted) -> None:
    """Else a scan that finds nothing would prove nothing."""
    found = left(config, told)

    assert len(told.words) >= 80
    written_over = {"amina: typed first", "amina: typed then"}  # whether the log still has them is chance
    assert set(told.words) - places(told, found) - written_over == {*SEALED, "pia: begun again"}
    assert len(places(told, found, "index/")) >= 30
    for place, box in told.boxes.items():
        assert any(box.hex() in line for line in found), place


def test_r35_erasure_leaves_no_marker(config: Config, app: Flask, told: Planted, idle: None) -> None:
    take_back(config, app, told)
    assert not erased(config, hours=HOURS - 1) or unfinished(config) == []
    assert traces(config.instance, [told.words["amina: body"]])

    assert erased(config)

    assert left(config, told) == []


def test_r35_erasure_leaves_no_marker_with_a_reader_open(config: Config, app: Flask, told: Planted) -> None:
    """Somebody reads on in an old state of both databases: until they let go, the erasing says that it is not finished."""
    with closing(connect(config.database)) as reader, closing(connect(config.vault / vault.FILE)) as vault_reader:
        for db, asked in ((reader, "SELECT count(*) FROM revision"), (vault_reader, "SELECT count(*) FROM identity")):
            db.execute("BEGIN")
            assert value(db, asked) > 0
        take_back(config, app, told)
        assert not erased(config)
        held = unfinished(config)
        assert {e.entry_id for e in held} == set(told.ids)
        assert {(e.vault_done_at, e.log_done_at) for e in held} == {(None, None)}
        assert all(e.index_done_at for e in held)
        found = left(config, told)
        assert places(told, found) >= {"amina: body", "pia: source"}
        assert any(box.hex() in line for box in told.boxes.values() for line in found)
        assert places(told, found, "index/") == set()

        vault_reader.execute("ROLLBACK")
        assert not housekeeping.work(config, at=later())
        assert all(e.vault_done_at and not e.log_done_at for e in unfinished(config))
        reader.execute("ROLLBACK")
        assert housekeeping.work(config, at=later())

    assert unfinished(config) == []
    assert left(config, told) == []


WRITING = (
    Step("kb.search.fields:of_document", nth=2),
    Step("kb.search.storage:Shelf._seal"),
    Step("kb.search.storage:replace", after=True),
)
REWRITING = (
    Step("kb.search.merging:_rewrite"),
    Step("kb.search.merging:SegmentReader", after=True),
    Step("kb.search.storage:Shelf._seal", nth=2),
    Step("kb.search.storage:tidy", nth=2),
    Step("kb.search.indexer:_clear"),
)


@pytest.mark.parametrize("step", WRITING, ids=str)
def test_r35_erasure_leaves_no_marker_of_an_indexer_killed_in_writing(
    config: Config, app: Flask, told: Planted, step: Step
) -> None:
    """What it had begun to write lies in files that no index knows of."""
    with closing(connect(config.database)) as db:
        fresh = [making.publish(db, making.story(f"Xamorzvubvq {n}", title="Xamorzvubvq"), at=now()) for n in range(3)]
    assert killing.killed(step, lambda: indexer.once(config))
    take_back(config, app, told)
    with closing(connect(config.database)) as db:
        for entry_id in fresh:
            withdrawal.withdraw(db, entry_id, at=now())

    assert erased(config)

    assert left(config, told) == []
    assert traces(config.instance, ["Xamorzvubvq"]) == []


@pytest.mark.parametrize("step", REWRITING, ids=str)
def test_r35_erasure_leaves_no_marker_of_an_indexer_killed_in_erasing(
    config: Config, app: Flask, told: Planted, step: Step
) -> None:
    take_back(config, app, told)
    housekeeping.work(config, at=later())
    assert killing.killed(step, lambda: indexer.once(config))
    assert not housekeeping.work(config, at=later())
    assert len(unfinished(config)) == len(told.ids)

    assert erased(config)

    assert left(config, told) == []


def test_r35_erasure_leaves_no_marker_of_a_cancelled_writer(
    config: Config, app: Flask, told: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full in the middle of writing, for one that writes and for one that erases; both go on in the same process."""
    indexes = Indexes(config)

    def sync() -> None:
        with closing(connect(config.database)) as db:
            indexes.sync(db, now())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    sync()
    with closing(connect(config.database)) as db:
        fresh = making.publish(db, making.story("Xamorzvubvq", title="Xamorzvubvq"), at=now())
    for happens in ("in writing", "in erasing"):
        with monkeypatch.context() as patch:
            patch.setattr("kb.search.storage.Shelf._seal", full)
            with pytest.raises(OSError, match="No space"):
                sync()
        if happens == "in writing":
            take_back(config, app, told)
            with closing(connect(config.database)) as db:
                withdrawal.withdraw(db, fresh, at=now())
            housekeeping.work(config, at=later())
    sync()

    assert erased(config)

    assert left(config, told) == []
    assert traces(config.instance, ["Xamorzvubvq"]) == []


BUILDING = (
    Step("kb.search.copies:Copy.finish"),
    Step("kb.search.doctor:differences", after=True),
)


@pytest.mark.parametrize("ends", ["in peace", "killed"])
@pytest.mark.parametrize("step", BUILDING, ids=str)
def test_r35_erasure_leaves_no_marker_of_a_rebuild(
    config: Config, app: Flask, told: Planted, step: Step, ends: str
) -> None:
    """`kb reindex` has read the texts already when the erasing is ordered."""

    def reindex() -> None:
        assert filled.kb(config.instance, "reindex", KB_SECRET_KEY=factories.SECRET).exit_code == 0

    with killing.halted(step, reindex) as building:
        take_back(config, app, told)
        assert not erased(config)
        assert {e.index_done_at for e in unfinished(config)} == {None}
        assert len(places(told, left(config, told, "index/g000002.part"))) >= 30
        building.go_on() if ends == "in peace" else building.kill()

    assert erased(config)

    assert left(config, told) == []


def test_r35_a_builder_that_dies_at_the_last_moment_leaves_nothing_when_it_counts_as_done(
    config: Config, app: Flask, told: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was at work while the indexes were brought up to date, and is gone when the tickets are forgotten."""

    def reindex() -> None:
        filled.kb(config.instance, "reindex", KB_SECRET_KEY=factories.SECRET)

    original = outbox.pending

    with killing.halted(Step("kb.search.copies:Copy.finish"), reindex) as building:
        take_back(config, app, told)
        housekeeping.work(config, at=later())

        def pending(db: Database, after: int, limit: int) -> Any:
            if limit == 1:
                building.kill()
            return original(db, after, limit)

        monkeypatch.setattr(outbox, "pending", pending)
        indexer.once(config)
        assert not building.alive
    housekeeping.work(config, at=later())

    assert unfinished(config) == []
    assert left(config, told) == []


def test_r35_erased_at_once_leaves_no_marker(config: Config, app: Flask, told: Planted, idle: None) -> None:
    """In the request itself the texts leave the database; the background does the rest without waiting for three days."""
    take_back(config, app, told, for_good=True)
    assert places(told, [line for line in left(config, told) if ", in the table " in line]) == {"amina: begun again"}

    assert erased(config, hours=0)
    assert places(told, left(config, told)) == {"amina: begun again"}
    assert housekeeping.work(config, at=later(25))
    assert left(config, told) == []
    unsent = told.words["pia: begun again"]
    assert traces(config.instance, [unsent])
    assert housekeeping.work(config, at=later(31 * 24))
    assert traces(config.instance, [unsent]) == []


# ---------- what lies beside ----------


def test_r35_what_a_killed_backup_left_in_the_instance_is_swept(
    config: Config, app: Flask, told: Planted, tmp_path: Path
) -> None:
    def backup() -> None:
        filled.kb(config.instance, "backup", str(tmp_path / "safe"), KB_SECRET_KEY=factories.SECRET)

    assert killing.killed(Step("kb.backup.manifest:describe"), backup)
    assert places(told, left(config, told, "safekeeping"))
    take_back(config, app, told)

    assert erased(config)

    assert left(config, told) == []


def _typed_and_thrown_away(config: Config, tried: int) -> list[str]:
    """Have three hundred forms typed and every second one thrown away; return the words of those. The others are kept for a month."""
    luck, words = making.chance(tried), [f"Xamor{tried:02}x{number:03}ubvq" for number in range(300)]
    with closing(connect(config.database)) as db:
        for number in luck.choices(range(300), k=1500):
            with transaction(db):
                typed = {"body": f"{words[number]} " * luck.randint(1, 60)}
                drafts.save(db, f"account:{tried}-{number}", "testimony", typed, at=now())
        for number in luck.sample(range(0, 300, 2), 150):
            with transaction(db):
                drafts.drop(db, f"account:{tried}-{number}")
        assert erasure.empty_log(db)
    return words[::2]


def test_r35_sqlite_leaves_copies_of_what_it_moved_and_they_go_too(config: Config) -> None:
    """Forms grow while people type: SQLite moves them between pages, and overwrites only the last place when they are deleted."""
    gone: list[str] = []
    for tried in range(20):
        gone += _typed_and_thrown_away(config, tried)
        raw = config.database.read_bytes()
        if any(name.encode() in raw for name in gone):
            break
    else:
        pytest.fail("this SQLite leaves nothing behind: is the step still needed?")

    assert housekeeping.work(config, at=later(25))

    assert traces(config.instance, gone) == []


def test_a_vault_that_is_held_stops_nothing_else(config: Config, app: Flask, told: Planted) -> None:
    """The disk with the vault is not there: the rest is erased all the same, and it is said that something is left."""
    take_back(config, app, told)
    (config.vault / vault.FILE).rename(config.instance.parent / "away")
    (config.vault / f"{vault.FILE}-wal").unlink(missing_ok=True)
    assert not erased(config)
    assert {(e.vault_done_at, e.log_done_at) for e in unfinished(config)} == {(None, None)}
    assert left(config, told, "index") == []
    assert [line for line in left(config, told) if line.startswith("kb.sqlite3")] == []

    (config.instance.parent / "away").rename(config.vault / vault.FILE)
    assert erased(config)

    assert left(config, told) == []


# ---------- R34: what is declared ----------


def mine(config: Config, told: Planted) -> dict[str, list[Row]]:
    """Return the rows of every declared table that belong to what was planted, in all three databases."""
    found: dict[str, list[Row]] = {}
    keys = set(told.ids)
    for path in (config.database, config.vault / vault.FILE, config.vault / vault.READINGS):
        with closing(connect(path)) as db:
            held = [row for name in TABLES if name in db.table_names() and name == "consent" for row in db[name].rows]
            for r in held:
                keys |= {r["id"], r["subject_id"]} if r["entry_id"] in told.ids else set()
            for name in TABLES.keys() & set(db.table_names()):
                columns = [c for c in ("entry_id", "consent_id") if c in TABLES[name].fates()] or ["id"]
                found[name] = [r for r in db[name].rows if any(r[c] in keys for c in columns if c in r)]
    return found


def test_r34_everything_declared_erased_held_something_and_holds_nothing_afterwards(
    config: Config, app: Flask, told: Planted
) -> None:
    """The declaration is read column by column: nobody can declare a column and forget to empty it, or to try it here."""
    before = mine(config, told)
    never_filled = [
        f"{name}.{column}"
        for name, table in TABLES.items()
        for column, fate in table.fates().items()
        if fate is Fate.ERASE and not table.rows and not any(r[column] for r in before[name])
    ]
    assert never_filled == []
    assert [name for name, table in TABLES.items() if table.rows and not before[name]] == []
    take_back(config, app, told)

    assert erased(config)

    after = mine(config, told)
    assert [name for name, table in TABLES.items() if table.rows and after[name]] == []
    assert [
        f"{name}.{column}"
        for name, table in TABLES.items()
        for column, fate in table.fates().items()
        if fate is Fate.ERASE and any(r[column] not in (None, "", "{}") for r in after[name])
    ] == []


def test_r34_everything_declared_kept_is_there_afterwards(config: Config, app: Flask, told: Planted) -> None:
    """Proof without content stays: who agreed to what, when, and that it was taken back."""
    take_back(config, app, told)
    before = mine(config, told)

    assert erased(config)

    after = mine(config, told)
    proof = (
        "consent",
        "consent_scope",
        "consent_event",
        "subject",
        "guardian",
        "review_log",
        "receipt",
        "tombstone",
        "reading",
    )
    for name in proof:
        kept = [c for c, fate in TABLES[name].fates().items() if fate is Fate.KEEP]
        assert before[name], name
        assert [[r[c] for c in kept] for r in after[name]][: len(before[name])] == [
            [r[c] for c in kept] for r in before[name]
        ], name


# ---------- R22: a name that is taken back alone ----------

OUTPUTS = ("", "/versions", "/cite", ".bib", ".ris", ".csl.json", ".txt")


def test_r22_a_name_taken_back_is_nowhere_but_in_the_vault(
    config: Config, app: Flask, told: Planted, idle: None
) -> None:
    """The text stays public; the name that stood above it is in no page and in no file."""
    names = [told.words["pia: credit"], told.words["amina: second credit"], told.words["amina: credit"]]
    browser = Visitor(app)
    for made, name in ((told.pia, names[0]), (told.amina, names[1])):
        assert name in browser.page(f"/entries/{made.id}").html
        with closing(connect(config.database)) as db:
            choices.narrow(db, made.id, {Scope.ATTRIBUTION: "anonymous"}, at=now())
    indexer.once(config)
    assert housekeeping.work(config, at=now())

    assert traces(config.instance, names) == []
    for made in (told.pia, told.amina):
        for end in OUTPUTS:
            answer = browser.open(f"/entries/{made.id}{end}", follow_redirects=True)
            assert answer.status_code == 200, (made, end)
            assert not [name for name in names if name in answer.get_data(as_text=True)]
    for address in ("/", "/search?q=", "/search.atom?q=", "/search.json?q=", "/search.csv?q=", "/feed.atom"):
        body = browser.open(address).get_data(as_text=True)
        assert not [name for name in names if name in body], address
    assert told.words["pia: title"] in browser.page(f"/entries/{told.pia.id}").html
    with closing(connect(config.database)) as db:
        assert entries.get(db, told.amina.id).state == "published"


def test_r22_a_real_name_in_the_vault_stays_readable_there_and_nowhere_else(config: Config, told: Planted) -> None:
    with closing(connect(config.database)) as db:
        choices.narrow(db, told.young.id, {Scope.ATTRIBUTION: "anonymous"}, at=now())
    indexer.once(config)
    assert housekeeping.work(config, at=now())

    name = told.words["young: real name"]
    assert vault.read_by_system(config, told.young.id, vault.Why.PERSON_ASKED, at=now()).real_name == name
    assert traces(config.instance, [name, told.words["young: pseudonym"], told.words["young: contact"]]) == []
