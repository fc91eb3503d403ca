"""The traps of Whoosh that were found by measuring, one test each: what it does wrong, and that we do not step in."""

import ast
import threading
from pathlib import Path
from typing import Any

import pytest
from whoosh import fields as whoosh_fields
from whoosh.filedb.filestore import RamStorage
from whoosh.index import FileIndex
from whoosh.query import And, Not, Term

from kb.config import Config
from kb.consent import Audience, Viewer
from kb.db import Database, connect
from kb.search import Query, Search, copies, documents, fields, generations, index, storage
from kb.search.index import Indexes
from kb.search.reading import Snapshot
from tests.search import making
from tests.search.making import AT, LATER, publish, story

SEARCH = Path(storage.__file__).parent


def calls() -> list[tuple[str, ast.Call]]:
    """Return every call in ``kb/search`` with the name that is called."""
    found = []
    for path in sorted(SEARCH.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                found.append((name, node))
    return found


def imported() -> set[str]:
    return {
        f"{node.module}.{alias.name}"
        for path in SEARCH.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


@pytest.mark.parametrize(
    "name",
    [
        "refresh",  # finds deleted entries again
        "update_document",  # twice for one key in one writer leaves two
        "DisjunctionMax",  # wrong scores
        "Not",  # wrong counts with a limit, wrong scores in And and Or
        "AndNot",
        "Wildcard",  # bombs
        "Regex",
        "FuzzyTerm",
        "TermRange",
        "QueryParser",  # quadratic, raises on what people type
        "MultifieldParser",
        "TimeLimitCollector",  # raises in threads
        "AsyncWriter",  # loses writes
        "BufferedWriter",
        "highlights",  # a slow second truth about the text
        "suggest",  # tells words across audiences
        "correct_query",
        "TEXT",  # English analyser
        "KEYWORD",
        "StemmingAnalyzer",
        "open_dir",  # opens without the manifest
        "exists_in",
        "create_in",
    ],
)
def test_it_is_not_used(name: str) -> None:
    assert not [called for called, _ in calls() if called == name]
    assert not [full for full in imported() if full.endswith(f".{name}")]


def test_searches_have_no_limit_and_no_grouping() -> None:
    """Counts of limited searches are wrong; with ``groupedby`` the limit is ignored."""
    searches = [node for name, node in calls() if name == "search" and any(k.arg == "limit" for k in node.keywords)]
    assert len(searches) == 1
    for node in searches:
        given = {k.arg: k.value for k in node.keywords}
        assert set(given) == {"limit"}
        assert isinstance(given["limit"], ast.Constant)
        assert given["limit"].value is None


def test_results_are_never_counted_by_whoosh() -> None:
    source = "\n".join(path.read_text("utf-8") for path in SEARCH.glob("*.py"))
    for name in ("estimated_length", "scored_length", "has_exact_length", "len(results"):
        assert name not in source


def two_segments() -> Any:
    made = FileIndex.create(RamStorage(), whoosh_fields.Schema(id=whoosh_fields.ID(stored=True, unique=True)), "MAIN")
    for name in ("one", "two"):
        with made.writer() as writer:
            writer.add_document(id=name)
            writer.merge = False
    return made


def test_why_refresh_is_forbidden() -> None:
    made = two_segments()
    searcher = made.searcher()
    with made.writer() as writer:
        writer.delete_by_term("id", "one")
        writer.merge = False
    again = searcher.refresh()
    fresh = made.searcher()
    stale = [hit["id"] for hit in again.search(Term("id", "one"))]
    assert [hit["id"] for hit in fresh.search(Term("id", "one"))] == []
    # When this fails, a distribution without the fault is installed; the rule stays, it costs nothing.
    assert stale == ["one"]


def test_why_the_same_key_is_written_once() -> None:
    made = two_segments()
    with made.writer() as writer:
        writer.update_document(id="three")
        writer.update_document(id="three")
    assert made.doc_count() == 4


def test_unlimited_searches_count_right_over_segments() -> None:
    schema = whoosh_fields.Schema(n=whoosh_fields.ID(stored=True), word=whoosh_fields.KEYWORD)
    made = FileIndex.create(RamStorage(), schema, "MAIN")
    for part in range(4):
        with made.writer() as writer:
            for n in range(40):
                writer.add_document(n=f"{part}-{n}", word="a b" if n % 3 else "a")
            writer.merge = False
    wanted = 4 * 14
    with made.searcher() as searcher:
        asked = And([Term("word", "a"), Not(Term("word", "b"))])
        assert len(list(searcher.search(asked, limit=None).items())) == wanted


def test_a_deleted_entry_is_never_found_by_a_fresh_reader_while_an_old_one_is_open(
    config: Config, db: Database
) -> None:
    ids = [publish(db, story(f"tea {n}")) for n in range(8)]
    indexes = Indexes(config)
    indexes.sync(db, AT)
    folder = generations.current(config.index) / Audience.PUBLIC
    known: dict[str, Any] = {}
    old = [Snapshot(folder, known)]
    for entry_id in ids:
        making.withdraw(db, entry_id)
        indexes.sync(db, LATER)
        fresh = Snapshot(folder, known)
        assert entry_id not in {row.id for row in fresh.living()}
        assert not list(fresh.reader.postings("id", entry_id).all_ids()) if ("id", entry_id) in fresh.reader else True
        assert not old[-1].is_newest()
        old.append(fresh)
    assert len(list(old[0].living())) == 8  # what is open does not change
    for snapshot in old:
        snapshot.close()


def test_the_same_entry_many_times_in_one_batch_is_one_document(config: Config, db: Database) -> None:
    entry_id = publish(db, story("tea 0"))
    for n in range(1, 5):
        making.revise(db, entry_id, story(f"tea {n}"))
    index.sync(config, db, LATER)
    for n in range(5, 9):
        making.revise(db, entry_id, story(f"tea {n}"))
    index.sync(config, db, LATER)
    snapshot = Snapshot(generations.current(config.index) / Audience.PUBLIC)
    assert [row.id for row in snapshot.living()] == [entry_id]
    snapshot.close()


@pytest.mark.parametrize("fault", ["document", "commit", "cancel", "constructor"])
def test_the_lock_is_free_after_a_writer_that_failed(
    config: Config, db: Database, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    publish(db, story("tea"))
    indexes = Indexes(config)
    indexes.sync(db, AT)
    publish(db, story("coffee"))

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        if fault == "document":
            patched.setattr(fields, "of_document", lambda _: {"no such field": "x"})
        if fault in ("commit", "cancel"):
            patched.setattr(storage.Shelf, "_seal", fail)
        if fault == "cancel":
            patched.setattr("whoosh.writing.SegmentWriter.cancel", fail)
        if fault == "constructor":
            patched.setattr(storage.Shelf, "temp_storage", fail)
        with pytest.raises(Exception, match=r"field|space"):
            indexes.sync(db, AT)
    indexes.sync(db, AT)
    snapshot = Snapshot(generations.current(config.index) / Audience.PUBLIC)
    assert len(list(snapshot.living())) == 2
    snapshot.close()


def test_a_writer_that_is_left_without_commit_is_cancelled(config: Config, db: Database) -> None:
    index.sync(config, db, AT)
    made = storage.open_index(generations.current(config.index) / Audience.PUBLIC)
    with copies.writing(made) as writer:
        writer.add_document(id="7h3k9qx0")
    assert writer.is_closed
    with copies.writing(made) as writer:
        writer.cancel()


def test_the_english_analyser_is_not_used(config: Config, db: Database, search: Search) -> None:
    wanted = publish(db, story("W Łodzi i w Łebie: a b c. Straße, größer, THE WHO, to be or not to be.", lang="pl"))
    index.sync(config, db, AT)
    for text in (
        "łodzi",
        "lodzi",
        "ŁODZI",
        "b",
        "c",
        "strasse",
        "STRAẞE",
        "grosser",
        '"the who"',
        '"to be or not to be"',
    ):
        assert [hit.entry_id for hit in search.find(db, Query(text), Viewer.PUBLIC, AT).hits] == [wanted], text


def test_searching_in_many_threads_gives_the_answers_of_one(config: Config, db: Database, search: Search) -> None:
    """Whoosh's readers move one shared file position; two threads in one of them read each other's postings."""
    luck = making.chance(9)
    indexes = Indexes(config)
    for _ in range(4):
        making.some(db, 15, luck)
        indexes.sync(db, AT)
    asked = [Query(" ".join(luck.sample(making.WORDS, 2)), per_page=100) for _ in range(30)]
    alone = [search.find(db, query, Viewer.MODERATOR, AT).hits for query in asked]
    wrong: list[int] = []

    def work(seed: int) -> None:
        own = connect(config.database)
        for _ in range(25):
            n = making.chance(seed).randrange(len(asked))
            viewer = (Viewer.MODERATOR, Viewer.PUBLIC)[seed % 2]
            if search.find(own, asked[n], viewer, AT).hits != alone[n]:
                wrong.append(n)
            seed += 2
        own.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_is_built_from_unseen_eyes() -> None:
    """One index per audience, each read with the eyes of the least who may see it."""
    assert documents.EYES == {
        Audience.PUBLIC: Viewer.PUBLIC,
        Audience.PARTNERS: Viewer.PARTNER,
        Audience.MODERATORS: Viewer.MODERATOR,
    }
