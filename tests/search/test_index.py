"""Writing: the indexes follow the database, and what was erased leaves the files."""

import shutil
import threading
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from kb import themes
from kb.config import Config
from kb.consent import Audience, Viewer
from kb.db import Database, transaction
from kb.errors import Busy
from kb.search import Query, Search, analysis, copies, doctor, generations, index, merging, outbox, storage
from kb.search.index import Indexes
from kb.search.reading import Snapshot
from tests.search import making
from tests.search.making import AT, LATER, practice, publish, story


def folder(config: Config, audience: Audience = Audience.PUBLIC) -> Path:
    return generations.current(config.index) / audience


def segments(config: Config, audience: Audience = Audience.PUBLIC) -> int:
    return len(list(folder(config, audience).glob("*.seg")))


def everything(root: Path) -> bytes:
    """Return all bytes below a folder, and beside them whatever any of them unpacks to as a zlib stream."""
    raw = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    streams = []
    for data in raw:
        start = data.find(b"\x78")
        while start >= 0:
            with suppress(zlib.error):
                streams.append(zlib.decompressobj().decompress(data[start:]))
            start = data.find(b"\x78", start + 1)
    return b"\n".join([*raw, *streams])


# ---------- following the database ----------


def test_every_change_is_followed(config: Config, db: Database) -> None:
    indexes = Indexes(config)
    ids = [publish(db, story(f"tea {n}"), audience=audience) for n, audience in enumerate([*Audience] * 3)]
    indexes.sync(db, AT)
    assert doctor.compare(config, db, AT) == []
    making.revise(db, ids[0], story("coffee"))
    making.narrow(db, ids[2], "partners")
    making.narrow(db, ids[1], "public")
    making.withdraw(db, ids[4])
    assert len(doctor.compare(config, db, LATER)) == 6
    indexes.sync(db, LATER)
    assert doctor.compare(config, db, LATER) == []
    assert len(list(config.index.glob("g*"))) == 1  # nothing was built anew


def test_syncing_again_changes_no_file(config: Config, db: Database) -> None:
    publish(db, story("tea"))
    index.sync(config, db, AT)
    before = generations.signature(config.index)
    index.sync(config, db, AT)
    index.sync(config, db, AT, thorough=True)
    assert generations.signature(config.index) == before


def test_applying_tickets_twice_is_harmless(config: Config, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first = publish(db, story("tea"))
    index.sync(config, db, AT)
    with transaction(db):
        for _ in range(3):
            outbox.add(db, first, at=AT)
            outbox.add(db, "unknown1", at=AT)
            outbox.add(db, "unknown1", "erase", at=AT)
    index.sync(config, db, AT)
    assert doctor.compare(config, db, AT) == []


def test_many_tickets_are_applied_in_batches(config: Config, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_TICKETS", 3)
    index.sync(config, db, AT)
    for n in range(10):
        publish(db, story(f"tea {n}"), audience="public" if n % 2 else "moderators")
    index.sync(config, db, AT)
    assert doctor.compare(config, db, AT) == []


def test_what_changes_without_a_ticket_is_found_by_a_thorough_look(config: Config, db: Database) -> None:
    publish(db, story("short"), months=1)
    publish(db, story("long"), months=24)
    index.sync(config, db, AT)
    publish(db, story("quiet"), ticket=False)
    then = "2022-12-30T00:00:00Z"
    index.sync(config, db, then)
    assert len(doctor.compare(config, db, then)) == 2
    index.sync(config, db, then, thorough=True)
    assert doctor.compare(config, db, then) == []


def test_a_changed_label_is_searched_without_new_documents(config: Config, db: Database, search: Search) -> None:
    wanted = publish(db, story("Nichts.", lang="de"), themes=("football",))
    indexes = Indexes(config)
    indexes.sync(db, AT)
    with transaction(db):
        db.conn.execute(
            "INSERT INTO theme_label (theme_id, lang, kind, label) VALUES ('football', 'de', 'alt', 'Zqxplatz')"
        )
    before = segments(config)
    indexes.sync(db, AT, thorough=True)
    answer = search.find(db, Query("zqxplatz"), Viewer.PUBLIC, AT)
    assert [hit.entry_id for hit in answer.hits] == [wanted]
    assert segments(config) == before + 1  # the names; the entry was not read again
    assert "football" in themes.tree(db)


def test_an_audience_is_not_written_for_the_sake_of_another(config: Config, db: Database) -> None:
    """How often the public index changes must not tell what moderators read (requirement R16)."""
    indexes = Indexes(config)
    publish(db, story("tea"))
    indexes.sync(db, AT)
    before = storage.signature(folder(config))
    for n in range(5):
        hidden = publish(db, story(f"secret {n}"), audience="moderators")
        indexes.sync(db, AT)
        making.withdraw(db, hidden)
        indexes.sync(db, LATER)
    assert storage.signature(folder(config)) == before
    index.sync(config, db, LATER)  # another process looks at those tickets again
    assert storage.signature(folder(config)) == before
    assert doctor.compare(config, db, LATER) == []


def test_another_version_of_the_analysis_builds_anew(
    config: Config, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(db, story("tea"))
    index.sync(config, db, AT)
    first = generations.current(config.index)
    monkeypatch.setattr(analysis, "VERSION", analysis.VERSION + 1)
    index.sync(config, db, AT)
    assert generations.current(config.index) != first
    assert not first.exists()


def test_an_older_database_builds_anew(config: Config, db: Database) -> None:
    """After a backup was restored the index knows tickets that the database never had."""
    publish(db, story("tea"))
    publish(db, story("coffee"))
    index.sync(config, db, AT)
    first = generations.current(config.index)
    with transaction(db):
        db.conn.execute("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'outbox'")
        db.conn.execute("DELETE FROM outbox")
    assert "public: the checkpoint is ahead of the outbox" in doctor.compare(config, db, AT)
    index.sync(config, db, AT)
    assert generations.current(config.index) != first
    assert doctor.compare(config, db, AT) == []


# ---------- building anew ----------


def test_rebuild_swaps_and_cleans_up(config: Config, db: Database, search: Search) -> None:
    for n in range(5):
        publish(db, story(f"tea {n}"))
    index.sync(config, db, AT)
    assert search.find(db, Query("tea"), Viewer.PUBLIC, AT).total == 5
    (config.index / "g000099.part").mkdir()
    steps: list[tuple[int, int]] = []
    index.rebuild(config, db, AT, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (5, 5)
    assert sorted(path.name for path in config.index.iterdir()) == ["CURRENT", "building", "g000002", "lock"]
    assert search.find(db, Query("tea"), Viewer.PUBLIC, AT).total == 5
    assert doctor.compare(config, db, AT) == []


def test_what_happens_while_building_is_not_missed(config: Config, db: Database) -> None:
    first = publish(db, story("tea 0"))
    for n in range(1, 4):
        publish(db, story(f"tea {n}"))
    done: list[int] = []

    def meanwhile(_done: int, _all: int) -> None:
        if not done:
            making.withdraw(db, first)
            publish(db, story("late tea"))
        done.append(1)

    index.rebuild(config, db, LATER, meanwhile)
    assert doctor.compare(config, db, LATER) == []


def test_a_build_that_disagrees_with_the_gate_is_not_used(
    config: Config, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(db, story("tea"))
    index.sync(config, db, AT)
    first = generations.current(config.index)
    monkeypatch.setattr(doctor, "differences", lambda *_: ["something"])
    with pytest.raises(Busy):
        index.rebuild(config, db, AT)
    assert generations.current(config.index) == first


def test_a_build_that_fails_leaves_nothing_behind(
    config: Config, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(db, story("tea"))
    index.sync(config, db, AT)

    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(copies.Copy, "finish", full)
    with pytest.raises(OSError, match="no space"):
        index.rebuild(config, db, AT)
    assert [path.name for path in config.index.glob("g*")] == ["g000001"]


def test_the_index_in_use_is_kept_true_beside_a_build(config: Config, db: Database, search: Search) -> None:
    gone = publish(db, story("zqxgone"))
    publish(db, story("tea"))
    index.sync(config, db, AT)
    seen: list[tuple[int, int]] = []

    def meanwhile(_done: int, _all: int) -> None:
        if not seen:
            making.withdraw(db, gone)
            publish(db, story("late tea"))
            index.sync(config, db, LATER, thorough=True)
            held = everything(generations.current(config.index))
            seen.append((search.find(db, Query("tea"), Viewer.PUBLIC, LATER).total, held.count(b"zqx")))

    index.rebuild(config, db, LATER, meanwhile)
    assert seen == [(2, 0)]
    assert generations.current(config.index).name == "g000002"
    assert b"zqx" not in everything(config.index)
    assert doctor.compare(config, db, LATER) == []


def test_two_builds_do_not_meet(config: Config, db: Database) -> None:
    index.sync(config, db, AT)
    with generations.locked(config.index, generations.BUILDING), pytest.raises(Busy):
        index.rebuild(config, db, AT, wait=0)


def test_who_waited_for_a_build_does_not_build_again(config: Config, db: Database) -> None:
    publish(db, story("tea"))
    index.sync(config, db, AT)
    pointer = config.index / generations.POINTER
    pointer.rename(config.index / "kept")
    held = generations.locked(config.index, generations.BUILDING)
    held.__enter__()

    def built() -> None:
        (config.index / "kept").rename(pointer)
        held.__exit__(None, None, None)

    threading.Timer(0.3, built).start()
    index.sync(config, db, AT, wait=10)
    assert generations.current(config.index).name == "g000001"


def test_a_long_index_has_few_segments(config: Config, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "FULL", 8)
    monkeypatch.setattr(merging, "QUICK", 4)
    luck = making.chance(1)
    indexes = Indexes(config)
    for n in range(60):
        making.some(db, 1, luck)
        indexes.sync(db, AT, thorough=n % 5 == 4)
        assert segments(config) <= 32
    assert doctor.compare(config, db, AT) == []
    index.rebuild(config, db, AT)
    assert segments(config) <= merging.MOST_FULL + 2


# ---------- one writer ----------


def test_a_second_writer_is_told_to_wait(config: Config, db: Database) -> None:
    with generations.locked(config.index), pytest.raises(Busy):
        index.sync(config, db, AT)
    index.sync(config, db, AT)


def test_a_second_writer_can_wait(config: Config, db: Database) -> None:
    held = generations.locked(config.index)
    held.__enter__()
    threading.Timer(0.3, lambda: held.__exit__(None, None, None)).start()
    index.sync(config, db, AT, wait=10)
    assert doctor.compare(config, db, AT) == []


def test_the_folder_is_for_its_owner_only(config: Config, db: Database) -> None:
    config.index.mkdir(mode=0o755)
    index.sync(config, db, AT)
    for path in (config.index, generations.current(config.index), folder(config)):
        assert path.stat().st_mode & 0o777 == 0o700, path


# ---------- what was erased ----------


def test_erased_words_leave_the_files(config: Config, db: Database) -> None:
    gone = publish(db, story("zqxanchor zqxbasket", title="zqxtitle", lang="de"))
    twice = publish(
        db,
        practice(lang="pl", summary="zqxfirst", steps=["zqxstep"]),
        others=(practice(lang="xx", summary="zqxother"),),
    )
    for n in range(5):
        publish(db, story(f"kept{n}"))
    indexes = Indexes(config)
    indexes.sync(db, AT)
    making.revise(db, twice, practice(lang="pl", summary="zqxsecond"))
    indexes.sync(db, LATER)
    held = everything(config.index)
    assert all(word in held for word in (b"zqxanchor", b"zqxtitl", b"zqxfirst", b"zqxother", b"zqxsecond", b"kept3"))
    making.withdraw(db, gone)
    making.withdraw(db, twice)
    # What a killed writer leaves behind goes too.
    (folder(config) / "MAIN_leftover.trm").write_bytes(b"zqxleftover")
    (folder(config) / "MAIN.tmp").mkdir()
    (folder(config) / "MAIN.tmp" / "x.run").write_bytes(b"zqxrun")
    indexes.sync(db, LATER)
    held = everything(config.index)
    assert b"zqx" not in held
    assert b"kept3" in held
    assert doctor.compare(config, db, LATER) == []


def test_erasing_rewrites_only_the_segments_that_hold_the_entry(config: Config, db: Database) -> None:
    indexes = Indexes(config)
    ids = []
    for n in range(4):
        ids.append(publish(db, story(f"zqx{n}")))
        indexes.sync(db, AT)
    before = {path.name for path in folder(config).glob("*.seg")}
    making.withdraw(db, ids[1])
    indexes.sync(db, LATER)
    after = {path.name for path in folder(config).glob("*.seg")}
    assert len(before - after) == 1
    assert b"zqx1" not in everything(config.index)


def test_erasing_is_finished_after_a_crash_in_between(
    config: Config, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = publish(db, story("zqxanchor"))
    publish(db, story("kept"))
    index.sync(config, db, AT)
    making.withdraw(db, gone)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(merging, "purging", crash)
        with pytest.raises(KeyboardInterrupt):
            index.sync(config, db, LATER)
    assert b"zqxanchor" in everything(config.index)
    index.sync(config, db, LATER)
    assert b"zqxanchor" not in everything(config.index)
    assert doctor.compare(config, db, LATER) == []


def test_erased_words_leave_a_generation_that_an_interrupted_build_left(
    config: Config, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = publish(db, story("zqxanchor"))
    indexes = Indexes(config)
    indexes.sync(db, AT)

    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(generations, "tidy", full)
        with pytest.raises(OSError, match="no space"):
            index.rebuild(config, db, AT)
    assert generations.current(config.index).name == "g000002"
    assert doctor.compare(config, db, AT) == ["g000001 is left over"]
    making.withdraw(db, gone)
    indexes.sync(db, LATER)
    assert b"zqx" not in everything(config.index)
    assert doctor.compare(config, db, LATER) == []


@pytest.mark.parametrize("name", ["g000001.part", "g000007", "g000002.part", "away"])
def test_leftovers_are_named_and_removed_with_the_next_look(config: Config, db: Database, name: str) -> None:
    publish(db, story("zqxanchor"))
    index.sync(config, db, AT)
    shutil.copytree(generations.current(config.index), config.index / name)
    assert doctor.compare(config, db, AT) == [f"{name} is left over"]
    index.sync(config, db, AT, thorough=True)
    assert not (config.index / name).exists()
    assert doctor.compare(config, db, AT) == []


def test_what_is_being_built_is_no_leftover(config: Config, db: Database) -> None:
    index.sync(config, db, AT)
    with generations.locked(config.index, generations.BUILDING):
        part = generations.begin(config.index)
        index.sync(config, db, AT, thorough=True)
        assert part.is_dir()
        assert doctor.compare(config, db, AT) == []
    index.sync(config, db, AT)
    assert not part.exists()


def test_r16_restricted_words_are_not_in_the_public_files(config: Config, db: Database) -> None:
    publish(db, story("harbour"))
    publish(db, story("zqxpartner", title="zqxtitle"), audience="partners")
    publish(db, practice(summary="zqxmoderator"), audience="moderators")
    index.sync(config, db, AT)
    assert b"zqx" not in everything(folder(config))
    assert b"zqxmoder" not in everything(folder(config, Audience.PARTNERS))
    assert b"zqxpartner" in everything(folder(config, Audience.PARTNERS))
    assert b"zqxmoder" in everything(folder(config, Audience.MODERATORS))


def test_a_snapshot_says_when_something_newer_is_there(config: Config, db: Database) -> None:
    publish(db, story("tea"))
    index.sync(config, db, AT)
    snapshot = Snapshot(folder(config))
    assert snapshot.is_newest()
    publish(db, story("more tea"))
    index.sync(config, db, AT)
    assert not snapshot.is_newest()
    snapshot.close()
