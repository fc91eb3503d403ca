"""Whatever happens to the files is noticed, never believed, and healed."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kb.config import Config
from kb.consent import Audience, Viewer
from kb.db import Database, connect
from kb.errors import Busy
from kb.search import Query, Search, doctor, generations, index, indexer
from kb.search.index import Indexes
from tests.search import making
from tests.search.making import AT, publish, story

Harm = Callable[[Path], None]


def delete(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link_away(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere")


HARMS = [delete, empty, halve, zero, flip, lengthen, replace_by_folder, link_away]
FILES = ["CURRENT", "public/*.toc", "public/*.sha256", "public/*.seg", "partners/*.seg", "moderators/*.toc"]


def pick(root: Path, pattern: str) -> Path:
    if pattern == "CURRENT":
        return root / pattern
    return max(generations.current(root).glob(pattern), key=lambda path: path.stat().st_size)


@pytest.fixture
def filled(config: Config, db: Database) -> Indexes:
    """Return indexes with a few entries for each audience, in a few segments."""
    indexes = Indexes(config)
    for n in range(3):
        for audience in Audience:
            publish(db, story(f"tea {n} harbour", title=f"{audience} {n}"), audience=audience)
        indexes.sync(db, AT)
    return indexes


@pytest.mark.parametrize("pattern", FILES)
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_damage_is_noticed_and_healed(
    config: Config, db: Database, filled: Indexes, search: Search, harm: Harm, pattern: str
) -> None:
    path = pick(config.index, pattern)
    harm(path)
    assert doctor.compare(config, db, AT) != []
    try:
        answer = search.find(db, Query("tea"), Viewer.MODERATOR, AT)
    except Busy:
        pass
    else:
        pytest.fail(f"searched a damaged index: {answer.total}")
    filled.sync(db, AT)
    assert doctor.compare(config, db, AT) == []
    assert search.find(db, Query("tea"), Viewer.MODERATOR, AT).total == 9
    assert sorted(path.name for path in config.index.iterdir() if path.name.startswith("g")) == ["g000002"]


def test_what_is_open_answers_right_until_it_is_healed(
    config: Config, db: Database, filled: Indexes, search: Search
) -> None:
    """Files are held in memory after they were checked: nothing that happens on the disk changes an answer, or ends the process."""
    before = search.find(db, Query("tea harb*"), Viewer.MODERATOR, AT)
    for path in generations.current(config.index).rglob("*.seg"):
        os.truncate(path, 10)
    assert search.find(db, Query("tea harb*"), Viewer.MODERATOR, AT) == before
    assert doctor.compare(config, db, AT) != []
    filled.sync(db, AT)
    assert search.find(db, Query("tea harb*"), Viewer.MODERATOR, AT).total == before.total


def test_every_single_flipped_bit_is_noticed(config: Config, db: Database, filled: Indexes) -> None:
    luck = making.chance(4)
    paths = [
        path for path in generations.current(config.index).rglob("*") if path.is_file() and "WRITELOCK" not in path.name
    ]
    missed = []
    for _ in range(150):
        path = luck.choice(paths)
        was = path.read_bytes()
        data = bytearray(was)
        data[luck.randrange(len(data))] ^= 1 << luck.randrange(8)
        path.write_bytes(data)
        if doctor.compare(config, db, AT) == []:
            missed.append(path.name)
        path.write_bytes(was)
    assert missed == []
    assert doctor.compare(config, db, AT) == []


def test_an_older_index_put_in_place_catches_up(
    config: Config, db: Database, filled: Indexes, search: Search, tmp_path: Path
) -> None:
    generations.current(config.index).rename(tmp_path / "kept")
    filled.sync(db, AT)
    publish(db, story("tea new"))
    filled.sync(db, AT)
    generations.current(config.index).rename(tmp_path / "newer")
    (tmp_path / "kept").rename(config.index / "g000002")
    (config.index / "CURRENT").write_text("g000002\n")
    filled.sync(db, AT)
    assert doctor.compare(config, db, AT) == []
    assert search.find(db, Query("tea"), Viewer.MODERATOR, AT).total == 10


def test_a_lost_folder_is_built_again(config: Config, db: Database, filled: Indexes, search: Search) -> None:
    for path in config.index.iterdir():
        if path.is_dir():
            path.rename(path.with_name("away"))
    with pytest.raises(Busy):
        search.find(db, Query("tea"), Viewer.PUBLIC, AT)
    index.sync(config, db, AT)
    assert search.find(db, Query("tea"), Viewer.PUBLIC, AT).total == 3
    assert not (config.index / "away").exists()  # it held texts


def test_a_running_indexer_heals_by_itself(config: Config, db: Database, search: Search) -> None:
    publish(db, story("tea"), at=indexer.now())
    stop = threading.Event()
    thread = threading.Thread(target=indexer.work, args=(config, stop))
    thread.start()
    try:
        wait(lambda: doctor.compare(config, connect(config.database), indexer.now()) == [])
        flip(pick(config.index, "public/*.seg"))
        assert doctor.compare(config, db, indexer.now()) != []
        wait(lambda: doctor.compare(config, connect(config.database), indexer.now()) == [])
        assert search.find(db, Query("tea"), Viewer.PUBLIC, indexer.now()).total == 1
    finally:
        stop.set()
        thread.join()


def wait(done: Callable[[], bool], seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.1)):
        if done():
            return
        threading.Event().wait(0.1)
    pytest.fail("waited in vain")
