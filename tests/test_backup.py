"""Backups: sound whatever goes on meanwhile, closed to whoever has no key, soon too old, and never a way back for what was taken back."""

import fcntl
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kb import (
    backup,
    choices,
    consent,
    create_app,
    entries,
    instance_lock,
    ledger,
    migrations,
    tombstones,
    vault,
    withdrawal,
)
from kb.backup import manifest, sealing
from kb.backup.manifest import Unsound
from kb.backup.restoring import NotRestored
from kb.backup.sealing import NotOpened
from kb.config import Config, load
from kb.consent import Scope, Viewer
from kb.db import Database, connect, counts, now, transaction, value, write
from kb.entries import Draft, Kind, State, Text
from kb.errors import KBError
from kb.instance_lock import InUse
from kb.ledger import LedgerAhead, LedgerMissing, Line
from kb.migrations import migrate
from tests import factories, filled

AT = "2026-11-22T10:00:00Z"
LATER = "2026-11-23T10:00:00Z"
MARKER = "MarkerNobodyMayReadAgain"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return the settings of an instance with two stories, a vault and an index."""
    made = load({}, INSTANCE=tmp_path / "instance", SECRET_KEY="x" * 40)
    migrate(made.database)
    made.instance.chmod(0o700)
    tell(made, "first")
    tell(made, "second")
    vault.prepare(made)
    made.index.mkdir()
    (made.index / "segment").write_text(MARKER)
    return made


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    """Return the folder that backups go to."""
    return tmp_path / "safe"


def tell(config: Config, token: str) -> str:
    """Write an entry down and return its id."""
    text = Text("en", f"{MARKER} title", "", {"body": f"{MARKER} of {token}"})
    with opened(config) as db, transaction(db):
        entry_id = entries.insert(db, Draft(Kind.TESTIMONY, text, token), author_kind="narrator", at=AT)
        entries.set_state(db, entry_id, State.PUBLISHED, at=AT)
    return entry_id


class opened:  # noqa: N801 - reads as the block that it is
    """Open the database of an instance for a block."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __enter__(self) -> Database:
        self.db = connect(self._config.database)
        return self.db

    def __exit__(self, *_: object) -> None:
        self.db.close()


def killed_site(config: Config, token: str) -> None:
    """Write an entry down in a site that is killed, so that it is in the write-ahead log only."""
    child = os.fork()
    if child == 0:
        stays_open = connect(config.database)
        tell(config, token)
        os.kill(os.getpid(), signal.SIGKILL)
        stays_open.close()
    os.waitpid(child, 0)
    assert config.database.with_name("kb.sqlite3-wal").stat().st_size > 0


def take_back(config: Config, token: str) -> str:
    """Withdraw an entry as the site does: the ledger first, all in one transaction."""
    with opened(config) as db, transaction(db):
        entry_id = entries.by_token(db, token)
        assert entry_id is not None
        line = ledger.append(db, "withdraw", entry_id, {}, at=LATER)
        follow(db, line, at=LATER)
    return entry_id


def follow(db: Database, line: Line, *, at: str) -> None:
    """Do what the line of a withdrawal says."""
    assert line.act == "withdraw"
    if entries.exists(db, line.entry):
        tombstones.put(db, line.entry, tombstones.Reason.CONTRIBUTOR_REQUEST, at=line.at)
        entries.set_state(db, line.entry, State.WITHDRAWN, at=line.at)
        entries.erase(db, line.entry, at=at)


def make(config: Config, safe: Path, at: str = AT) -> Path:
    return backup.make(config, safe, at=at).path


def restore(config: Config, file: Path, **options: object) -> backup.Restored:
    return backup.restore(config, file, **{"replace": True, "at": LATER, "apply": follow} | options)


def states(config: Config) -> dict[str, str]:
    """Return the state of each entry by its token."""
    with opened(config) as db:
        return {
            token: str(entries.get(db, found).state)
            for token in ("first", "second")
            if (found := entries.by_token(db, token))
        }


def traces(folder: Path, marker: str = MARKER) -> list[str]:
    """Return all files below a folder that hold a word."""
    return [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and marker.encode() in p.read_bytes()]


def members(config: Config, file: Path) -> dict[str, bytes]:
    """Return everything that a backup holds, by name."""
    with file.open("rb") as sealed:
        opener = sealing.Opener(sealed, sealing.read_key(config.backup_key))
        with tarfile.open(fileobj=opener, mode="r|") as tar:
            return {m.name: tar.extractfile(m).read() for m in tar}


# ---------- making ----------


def test_r97_backup_under_writes_is_sound(config: Config, safe: Path) -> None:
    """Two tables always have the same number of rows, in every transaction and so in every backup."""
    stop, written = threading.Event(), [0]

    def go_on_writing() -> None:
        with opened(config) as db:
            while not stop.is_set():
                with transaction(db):
                    entry_id = entries.insert(
                        db,
                        Draft(Kind.TESTIMONY, Text("en", "t", "", {"body": "b" * 2000}), f"t{written[0]}"),
                        author_kind="narrator",
                        at=AT,
                    )
                    tombstones.put(db, entry_id, tombstones.Reason.SAFETY, at=AT)
                written[0] += 1

    writer = threading.Thread(target=go_on_writing)
    writer.start()
    try:
        made = []
        for second in range(10):
            acknowledged = written[0]
            made.append((acknowledged, make(config, safe, f"2026-11-22T10:00:{second:02}Z")))
    finally:
        stop.set()
        writer.join()
    assert written[0] > 10
    seen = []
    for acknowledged, file in made:
        done = restore(config, file)
        assert done.counts["tombstone"] >= acknowledged
        assert done.counts["entry"] - 2 == done.counts["tombstone"]
        assert done.counts == done.manifest.counts["kb.sqlite3"]
        seen.append(done.counts["entry"])
    assert seen == sorted(seen)
    assert seen[0] < seen[-1]


def test_r97_the_manifest_says_what_is_inside(config: Config, safe: Path) -> None:
    take_back(config, "first")
    inside = members(config, make(config, safe))
    told = json.loads(inside["manifest.json"])
    with opened(config) as db:
        assert set(told["counts"]) == set(manifest.DATABASES)
        assert told["counts"]["kb.sqlite3"] == counts(db)
        assert set(told["migrations"]) == set(migrations.names()) > set(migrations.applied(db))
        assert (told["ledger_seq"], told["ledger_hash"]) == ledger.mark(db)
    assert told["at"] == AT
    assert told["version"] == "0.1.0"
    for name, (digest, size) in told["files"].items():
        assert (hashlib.sha256(inside[name]).hexdigest(), len(inside[name])) == (digest, size)


def test_r99_a_backup_holds_the_databases_and_no_key_no_ledger_no_index(config: Config, safe: Path) -> None:
    take_back(config, "first")
    make(config, safe)
    file = make(config, safe, LATER)
    inside = members(config, file)
    assert set(inside) == {
        "manifest.json",
        "kb.sqlite3",
        "vault/vault.sqlite3",
        "vault/readings.sqlite3",
        "vault/public",
    }
    key = config.vault_key.read_bytes().strip()
    assert len(key) == 64
    secrets = [config.backup_key.read_bytes(), key, bytes.fromhex(key.decode()), b"x" * 40, b'"prev":']
    assert not [name for name, data in inside.items() for secret in secrets if secret in data]
    assert sorted(p.name for p in safe.iterdir()) == [
        "kb-20261122T100000Z.kbbackup",
        "kb-20261123T100000Z.kbbackup",
    ]


def test_without_its_key_a_backup_tells_nothing(config: Config, safe: Path) -> None:
    file = make(config, safe)
    assert traces(config.instance)
    assert traces(safe) == []
    assert b"SQLite" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    assert config.backup_key.stat().st_mode & 0o777 == 0o600
    assert len(config.backup_key.read_bytes()) == 32


def test_the_key_is_made_once(config: Config, safe: Path) -> None:
    assert backup.make(config, safe, at=AT).key_made
    key = config.backup_key.read_bytes()
    assert not backup.make(config, safe, at=LATER).key_made
    assert config.backup_key.read_bytes() == key


def test_the_key_may_lie_elsewhere(config: Config, safe: Path, tmp_path: Path) -> None:
    config["BACKUP_KEY"] = str(tmp_path / "stick" / "key")
    restore(config, make(config, safe))
    assert (tmp_path / "stick" / "key").exists()
    assert not (config.instance / "keys").exists()


def test_nothing_lies_open_afterwards(config: Config, safe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(config, safe)
    assert not (config.instance / "safekeeping").exists()
    monkeypatch.setattr(sealing.Sealer, "finish", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make(config, safe, LATER)
    assert not (config.instance / "safekeeping").exists()
    assert [p.name for p in safe.iterdir()] == ["kb-20261122T100000Z.kbbackup"]


def test_a_damaged_database_makes_no_backup(config: Config, safe: Path) -> None:
    with opened(config) as db:
        db.execute("PRAGMA foreign_keys=OFF")
        with transaction(db):
            write(db, "UPDATE revision SET entry_id = 'nowhere' WHERE entry_id = (SELECT min(entry_id) FROM revision)")
    with pytest.raises(Unsound, match="damaged"):
        make(config, safe)
    assert list(safe.iterdir()) == []


@pytest.mark.parametrize("where", [".", "backups", "vault/../index"])
def test_backups_do_not_belong_into_the_instance(config: Config, where: str) -> None:
    with pytest.raises(KBError, match="outside"):
        make(config, config.instance / where)


def test_one_backup_at_a_time(config: Config, safe: Path) -> None:
    handle = instance_lock.take(config.instance / "safekeeping.lock", fcntl.LOCK_EX, "")
    with pytest.raises(InUse, match="Another backup"):
        make(config, safe)
    os.close(handle)
    make(config, safe)


# ---------- old ones ----------


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("kb-20261122T100000Z.kbbackup", True),  # of this moment
        ("kb-20261019T100000Z.kbbackup", True),  # 34 days
        ("kb-20261018T110500Z.kbbackup", True),  # 35 days less 65 minutes
        ("kb-20261018T105500Z.kbbackup", False),  # 35 days less 55 minutes: tomorrow it would be too late
        ("kb-20261018T100000Z.kbbackup", False),  # 35 days
        ("kb-20200101T000000Z.kbbackup", False),  # years
        ("kb-20270101T000000Z.kbbackup", True),  # of the future: the clock was wrong then, or is now
        ("kb-20261122T090000Z.kbbackup.part", True),  # just being written by somebody
        ("kb-20261121T090000Z.kbbackup.part", False),  # left by one that was killed
        ("kb-20261399T100000Z.kbbackup", True),  # no date
        ("old-20200101T000000Z.kbbackup", True),  # not ours
        ("secret_key", True),  # not ours
    ],
)
def test_r99_old_backups_go(tmp_path: Path, name: str, stays: bool) -> None:
    (tmp_path / name).touch()
    gone = backup.expire_old(tmp_path, at=AT, days=35)
    assert (tmp_path / name).exists() == stays
    assert gone == (not stays and not name.endswith(".part"))


def test_r99_every_night_for_two_months_and_none_is_ever_older_than_35_days(config: Config, safe: Path) -> None:
    safe.mkdir()
    start = datetime.fromisoformat("2026-10-01T03:17:10+00:00")
    for night in range(60):
        # Every night a moment earlier than the one before.
        present = start + timedelta(days=night, seconds=-night / 10)
        (safe / f"kb-{present:%Y%m%dT%H%M%SZ}.kbbackup").touch()
        backup.expire_old(safe, at=f"{present:%Y-%m-%dT%H:%M:%SZ}", days=35)
        eve = present + timedelta(days=1, seconds=-1)
        oldest = min(p.name for p in safe.iterdir())
        assert eve - datetime.strptime(oldest, "kb-%Y%m%dT%H%M%SZ.kbbackup").replace(tzinfo=eve.tzinfo) <= timedelta(
            days=35
        )
    assert len(list(safe.iterdir())) == 35


def test_r99_making_one_removes_the_old_ones_and_says_how_many(config: Config, safe: Path) -> None:
    safe.mkdir()
    for name in ("kb-20260101T000000Z.kbbackup", "kb-20260102T000000Z.kbbackup"):
        (safe / name).touch()
    assert backup.make(config, safe, at=AT).expired == 2
    config["BACKUP_DAYS"] = 1
    assert backup.make(config, safe, at=LATER).expired == 1


@pytest.mark.parametrize("days", ["0", "36", "-1", "x"])
def test_r99_nobody_keeps_them_longer(days: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="KB_BACKUP_DAYS"):
        load({"KB_BACKUP_DAYS": days, "KB_INSTANCE": str(tmp_path)})


# ---------- the seal ----------


def flipped(file: Path) -> Iterator[bytes]:
    whole = file.read_bytes()
    for place in range(50):
        at = place * (len(whole) - 1) // 49
        yield whole[:at] + bytes([whole[at] ^ (1 << place % 8)]) + whole[at + 1 :]


def cut(file: Path) -> Iterator[bytes]:
    whole = file.read_bytes()
    piece = 65536 + 17
    start = 11 + 24
    borders = range(start, len(whole), piece)
    assert len(borders) > 5
    yield from (whole[:at] for at in {0, 5, 11, 20, len(whole) - 1, len(whole) // 2, *borders})
    yield whole + b"x"
    yield whole[:start] + whole[start + piece :]  # a piece is left out
    yield (
        whole[:start] + whole[start + piece : start + 2 * piece] * 2 + whole[start + 2 * piece :]
    )  # one is there twice


@pytest.mark.parametrize("damage", [flipped, cut], ids=["a bit is flipped", "cut off, added to, or mixed"])
def test_a_damaged_backup_is_refused_and_nothing_changes(
    config: Config, safe: Path, damage: Callable[[Path], Iterator[bytes]]
) -> None:
    file = make(config, safe)
    tell(config, "third")
    before = config.database.read_bytes()
    for number, data in enumerate(damage(file)):
        (safe / "bad").write_bytes(data)
        with pytest.raises(NotOpened):
            restore(config, safe / "bad")
        assert not (config.instance / "safekeeping").exists(), number
    assert config.database.read_bytes() == before


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 200000])
def test_the_seal_knows_its_end(tmp_path: Path, size: int) -> None:
    """Every length, also one that fills the last piece: what was put in comes out, and neither less nor more is taken for it."""
    key, data, file = os.urandom(32), os.urandom(size), tmp_path / "sealed"
    with file.open("wb") as target:
        sealer = sealing.Sealer(target, key)
        for start in range(0, size, 30000):
            sealer.write(data[start : start + 30000])
        sealer.finish()

    def read() -> bytes:
        with file.open("rb") as source:
            return sealing.Opener(source, key).read()

    assert read() == data
    whole = file.read_bytes()
    for wrong in (whole + b"x", whole[:-1], *(whole[:at] for at in range(35, len(whole), 65553))):
        file.write_bytes(wrong)
        with pytest.raises(NotOpened):
            read()


def test_a_piece_after_the_last_file_must_not_be_missing_either(config: Config, safe: Path) -> None:
    inside = members(config, make(config, safe))
    file = sealed(config, safe, inside, more=200_000)
    restore(config, file)
    file.write_bytes(file.read_bytes()[:-60_000])
    with pytest.raises(NotOpened):
        restore(config, file)
    file = sealed(config, safe, inside, more=200_000)
    end = 35 + (file.stat().st_size - 35) // 65553 * 65553
    file.write_bytes(file.read_bytes()[:end])
    with pytest.raises(NotOpened):
        restore(config, file)


def test_another_key_opens_nothing(config: Config, safe: Path) -> None:
    file = make(config, safe)
    config.backup_key.write_bytes(os.urandom(32))
    with pytest.raises(NotOpened, match="another key"):
        restore(config, file)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda key: key.unlink(), "is missing: put your copy"),
        (lambda key: key.write_bytes(b"short"), "32 bytes"),
        (lambda key: key.chmod(0o644), "chmod 600"),
    ],
    ids=["gone", "short", "open to others"],
)
def test_a_key_that_is_not_in_order_is_refused(
    config: Config, safe: Path, wrong: Callable[[Path], None], said: str
) -> None:
    file = make(config, safe)
    wrong(config.backup_key)
    with pytest.raises(NotOpened, match=said):
        restore(config, file)
    assert config.backup_key.exists() != (said.startswith("is missing"))


def sealed(config: Config, safe: Path, inside: dict[str, bytes | str], more: int = 0) -> Path:
    """Seal a tar file of one's own with the right key, and so many zeros after it; a text is the target of a link."""
    path = safe / "own"
    with path.open("wb") as file:
        sealer = sealing.Sealer(file, sealing.read_key(config.backup_key))
        with tarfile.open(fileobj=sealer, mode="w|") as tar:
            for name, data in inside.items():
                member = tarfile.TarInfo(name)
                if isinstance(data, str):
                    member.type, member.linkname = tarfile.SYMTYPE, data
                    tar.addfile(member)
                else:
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        sealer.write(bytes(more))
        sealer.finish()
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m | {"../evil": b"x"},
        lambda m: m | {"ledger/decisions.jsonl": b"x"},
        lambda m: m | {"kb.sqlite3": "/etc/passwd"},
        lambda m: {name: data for name, data in m.items() if name != "manifest.json"},
        lambda m: {name: data for name, data in m.items() if name != "kb.sqlite3"},
        lambda m: {name: data for name, data in m.items() if name != "vault/vault.sqlite3"},
        lambda m: {name: data for name, data in m.items() if name != "vault/public"},
        lambda m: m | {"kb.sqlite3": m["kb.sqlite3"][:-4096]},
        lambda m: m | {"kb.sqlite3": m["kb.sqlite3"].replace(MARKER.encode(), MARKER.encode().lower())},
        lambda m: m | {"manifest.json": m["manifest.json"].replace(b'"ledger_seq": 1', b'"ledger_seq": 0')},
        lambda m: m | {"manifest.json": b"[]"},
    ],
)
def test_what_is_not_as_its_manifest_says_is_refused(
    config: Config, safe: Path, change: Callable[..., dict[str, bytes]]
) -> None:
    take_back(config, "first")
    changed = change(members(config, make(config, safe)))
    before = config.database.read_bytes()
    with pytest.raises(Unsound):
        restore(config, sealed(config, safe, changed))
    assert config.database.read_bytes() == before
    assert not (config.instance / "safekeeping").exists()


# ---------- restoring ----------


def test_r97_restore_drill(config: Config, safe: Path) -> None:
    file = make(config, safe)
    with opened(config) as db:
        before = counts(db)
    tell(config, "third")
    shutil.rmtree(config.vault)
    done = restore(config, file)
    with opened(config) as db:
        assert counts(db) == done.counts == before
        assert value(db, "PRAGMA integrity_check") == "ok"
        assert value(db, "PRAGMA journal_mode") == "wal"
        assert entries.by_token(db, "third") is None
    assert (config.instance / manifest.VAULT).exists()
    assert not config.index.exists()
    assert not (config.instance / "restored").exists()
    assert not (config.instance / "safekeeping").exists()


def test_r98_what_was_taken_back_since_stays_taken_back(config: Config, safe: Path) -> None:
    file = make(config, safe)
    gone = take_back(config, "first")
    done = restore(config, file)
    assert done.followed == 1
    assert states(config) == {"first": "withdrawn", "second": "published"}
    with opened(config) as db:
        assert tombstones.exists(db, gone)
        assert ledger.behind(db) == []
    assert traces(config.instance, f"{MARKER} of first") == []
    assert traces(config.instance, f"{MARKER} of second")


def test_r98_drill_with_the_real_commands(instance: Path, safe: Path) -> None:
    """Back up, decide, restore: what was decided is decided again, and what was erased is in no file."""
    environ = {"KB_SECRET_KEY": factories.SECRET}
    config = load({}, INSTANCE=instance, SECRET_KEY=factories.SECRET)
    kinds = ("withdrawn", "erased", "narrowed", "paused", "stays")
    with opened(config) as db:
        told = {kind: factories.testimony(db, body=f"{MARKER} {kind}.", title=f"Told {kind}").id for kind in kinds}
    assert filled.kb(instance, "backup", str(safe), **environ).exit_code == 0
    (file,) = safe.iterdir()
    with opened(config) as db:
        withdrawal.withdraw(db, told["withdrawn"], at=now())
        withdrawal.withdraw(db, told["erased"], at=now(), for_good=True)
        choices.narrow(db, told["narrowed"], {Scope.AUDIENCE: "partners"}, at=now())
        choices.pause(db, told["paused"], at=now())
        factories.testimony(db, title="Told after the backup")
        seen = {
            viewer: {v.entry_id for v in consent.visible(db, viewer, at=now())}
            for viewer in (Viewer.PUBLIC, Viewer.PARTNER)
        }
    said = filled.kb(instance, "restore", str(file), "--replace", "--json", **environ)
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["followed"] == 5
    with opened(config) as db:
        for viewer, before in seen.items():
            assert {v.entry_id for v in consent.visible(db, viewer, at=now())} == before & set(told.values())
        assert {
            kind: str(entries.get(db, told[kind]).state) for kind in ("withdrawn", "erased", "paused", "stays")
        } == {
            "withdrawn": "withdrawn",
            "erased": "withdrawn",
            "paused": "paused",
            "stays": "published",
        }
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert traces(instance, f"{MARKER} erased") == []
    assert traces(instance, f"{MARKER} stays")
    said = filled.kb(instance, "doctor", **environ)
    assert said.exit_code == 0, said.output


def test_r98_without_the_ledger_nothing_is_restored(config: Config, safe: Path) -> None:
    take_back(config, "first")
    file = make(config, safe)
    take_back(config, "second")
    for missing in ("all", "some"):
        path = config.instance / "ledger" / "decisions.jsonl"
        lines = path.read_text().splitlines(keepends=True)
        path.unlink() if missing == "all" else path.write_text(lines[0])
        with pytest.raises(LedgerMissing):
            restore(config, file)
        assert states(config) == {"first": "withdrawn", "second": "withdrawn"}
        path.write_text("".join(lines))
    restore(config, file)


def test_r98_on_another_machine_the_ledger_has_to_be_brought(config: Config, safe: Path, tmp_path: Path) -> None:
    take_back(config, "first")
    file = make(config, safe)
    take_back(config, "second")
    other = load({}, INSTANCE=tmp_path / "other", SECRET_KEY="x" * 40)
    other.instance.mkdir()
    shutil.copytree(config.instance / "keys", other.instance / "keys")
    with pytest.raises(LedgerMissing, match="stories that were taken back since would return"):
        restore(other, file, replace=False)
    assert not other.database.exists()
    done = restore(other, file, replace=False, ledger_copy=config.instance / "ledger")
    assert done.followed == 1
    assert states(other) == {"first": "withdrawn", "second": "withdrawn"}
    take_back(other, "second")
    assert len(ledger.lines(other.instance / "ledger" / "decisions.jsonl")) == 3


def test_r98_the_site_refuses_a_database_that_was_put_back_by_hand(config: Config, tmp_path: Path) -> None:
    with opened(config) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(config.database, tmp_path / "copy")
    take_back(config, "first")
    shutil.copy(tmp_path / "copy", config.database)
    with pytest.raises(LedgerAhead, match="holds 1 decision "):
        create_app(**config)
    with opened(config) as db:
        ledger.replay(db, follow, at=LATER)
    create_app(**config)
    shutil.rmtree(config.instance / "ledger")
    with pytest.raises(LedgerMissing):
        create_app(**config)


def test_the_first_backup_of_a_site_that_decided_nothing_needs_no_ledger(
    config: Config, safe: Path, tmp_path: Path
) -> None:
    file = make(config, safe)
    other = load({}, INSTANCE=tmp_path / "other", BACKUP_KEY=str(config.backup_key))
    other.instance.mkdir()
    assert restore(other, file, replace=False).followed == 0
    assert states(other) == {"first": "published", "second": "published"}


def test_what_is_due_is_done_before_it_counts(config: Config, safe: Path) -> None:
    """Erasing meets the prepared copy, its vault and the real ledger, and never the instance."""
    file = make(config, safe)
    seen: list[Path] = []

    def finish(staged: Config, db: Database, *, at: str) -> None:
        seen.extend([staged.instance, staged.vault_key])
        assert (staged.instance / manifest.VAULT).exists()
        assert at == LATER
        with transaction(db):
            entry_id = entries.by_token(db, "second")
            assert entry_id is not None
            entries.erase(db, entry_id, at=at)
            ledger.append(db, "erase", entry_id, {}, at=at)

    restore(config, file, finish=finish)
    assert seen == [config.instance / "safekeeping", config.vault / "key"]
    assert len(ledger.lines(config.instance / "ledger" / "decisions.jsonl")) == 1
    assert traces(config.instance, f"{MARKER} of second") == []
    with opened(config) as db:
        assert ledger.behind(db) == []


def test_a_database_that_is_there_is_lost_only_when_said(config: Config, safe: Path) -> None:
    file = make(config, safe)
    with pytest.raises(NotRestored, match="--replace"):
        restore(config, file, replace=False)


@pytest.mark.parametrize("who", ["the site", "a command or the indexer", "a backup"])
def test_nothing_is_restored_while_somebody_uses_the_instance(config: Config, safe: Path, who: str) -> None:
    file = make(config, safe)
    if who == "the site":
        app = create_app(**config)
        with pytest.raises(InUse, match="stop it first"):
            restore(config, file)
        del app
    elif who == "a backup":
        handle = instance_lock.take(config.instance / "safekeeping.lock", fcntl.LOCK_EX, "")
        with pytest.raises(InUse, match="Another backup"):
            restore(config, file)
        os.close(handle)
    else:
        with instance_lock.shared(config), pytest.raises(InUse, match="stop it first"):
            restore(config, file)


def test_nobody_begins_to_use_an_instance_that_is_being_restored(config: Config) -> None:
    with instance_lock.alone(config):
        with pytest.raises(InUse, match="being restored"):
            create_app(**config)
        with pytest.raises(InUse, match="being restored"), instance_lock.shared(config):
            pass


def test_an_older_backup_is_brought_up_to_date(config: Config, safe: Path) -> None:
    config.database.unlink()
    old = connect(config.database, migrating=True)
    migrations.migrations.apply(old, stop_before=migrations.names()[1])
    old.close()
    file = make(config, safe)
    done = restore(config, file)
    assert migrations.names()[1] not in done.manifest.migrations
    assert done.migrated == [name for name in migrations.names()[1:] if name.startswith("m")]
    with opened(config) as db:
        assert not migrations.pending(db)


def test_a_newer_backup_is_refused(config: Config, safe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make(config, safe)
    known = migrations.names()[:1]
    monkeypatch.setattr(migrations, "names", lambda: known)
    with pytest.raises(NotRestored, match="newer version"):
        restore(config, file)


def test_a_damaged_database_can_be_replaced(config: Config, safe: Path) -> None:
    """What it left in its write-ahead log does not get into the new one."""
    file = make(config, safe)
    killed_site(config, "third")
    config.database.write_bytes(b"no database at all, but long enough to be looked at" * 200)
    restore(config, file)
    assert states(config) == {"first": "published", "second": "published"}


def test_a_backup_without_a_vault_leaves_none(config: Config, safe: Path, tmp_path: Path) -> None:
    shutil.move(config.vault, tmp_path / "vault")
    file = make(config, safe)
    shutil.move(tmp_path / "vault", config.vault)
    restore(config, file)
    assert sorted(p.name for p in config.vault.iterdir()) == ["key", "readings.sqlite3"]
    vault.prepare(config)


def test_who_opened_a_name_is_not_forgotten_by_going_back(config: Config, safe: Path) -> None:
    file = make(config, safe)
    named = tell(config, "third")
    with opened(config) as db, transaction(db):
        vault.post(db, vault.public_key(config), named, vault.Identity("Amina", None), at=AT)
    with opened(config) as db:
        vault.collect(db, config.vault, at=AT)
    vault.read_by_system(config, named, vault.Why.SAFETY, at=AT)
    later = make(config, safe, LATER)
    restore(config, file)
    assert not vault.holds(config, named)
    assert len(vault.readings(config, named)) == 1
    shutil.rmtree(config.vault)
    restore(config, later)
    assert vault.holds(config, named)
    assert len(vault.readings(config, named)) == 1


def test_a_vault_without_its_secret_key_gets_no_new_one(config: Config, safe: Path) -> None:
    file = make(config, safe)
    key = config.vault_key.read_bytes()
    shutil.rmtree(config.vault)
    restore(config, file)
    with pytest.raises(vault.VaultClosed, match="put your copy of it"):
        vault.prepare(config)
    config.vault_key.write_bytes(key)
    config.vault_key.chmod(0o600)
    vault.prepare(config)


# ---------- kill -9 ----------


def dying(after: int, work: Callable[[], object]) -> int:
    """Do something in a child that is killed at its nth look at a file; return 9, or 0 when it lived to the end."""
    child = os.fork()
    if child == 0:
        try:
            left = [after]

            def hook(event: str, _: object) -> None:
                if event in _FILE_EVENTS:
                    left[0] -= 1
                    if left[0] < 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(hook)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return -os.waitstatus_to_exitcode(status)


_FILE_EVENTS = {
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.symlink",
    "shutil.rmtree",
    "fcntl.flock",
    "sqlite3.connect",
}


def test_r98_kill_9_at_every_step_of_a_restore_leaves_the_old_or_the_new(
    config: Config, safe: Path, tmp_path: Path
) -> None:
    file = make(config, safe)
    take_back(config, "first")
    killed_site(config, "third")
    shutil.move(config.instance, tmp_path / "before")
    new, old = (
        ({"first": "withdrawn", "second": "published"}, True),
        ({"first": "withdrawn", "second": "published"}, False),
    )
    ends = []
    step = 0
    while True:
        shutil.rmtree(config.instance, ignore_errors=True)
        shutil.copytree(tmp_path / "before", config.instance)
        killed = dying(step, lambda: restore(config, file))
        pending = (config.instance / "restored").exists()
        if pending:
            with pytest.raises(InUse, match="interrupted"), instance_lock.shared(config):
                pass
            # Finishing is killed too, once, somewhere.
            dying(step % 17, lambda: backup.recover(config))
        backup.recover(config)
        assert not (config.instance / "safekeeping").exists()
        assert not (config.instance / "restored").exists()
        with opened(config) as db:
            is_new = entries.by_token(db, "third") is None
            assert value(db, "PRAGMA integrity_check") == "ok"
            assert ledger.behind(db) == []
        assert (states(config), is_new) in (old, new)
        assert config.index.exists() != is_new
        assert is_new or not pending
        assert traces(config.instance, f"{MARKER} of first") == []
        ends.append((pending, is_new))
        if not killed:
            break
        step += 1
    assert ends[0] == (False, False)
    assert ends[-1] == (False, True)
    assert sum(pending for pending, _ in ends) > 8
    assert ends == sorted(ends, key=lambda end: end[1]), "once it is new it stays new"


def test_kill_9_of_a_backup_leaves_nothing_that_can_be_read(config: Config, safe: Path) -> None:
    make(config, safe)
    for step in range(0, 60, 3):
        dying(step, lambda: make(config, safe, LATER))
        backup.recover(config)
        assert not (config.instance / "safekeeping").exists()
        assert traces(safe) == []
        for left in safe.glob("kb-20261123*.kbbackup"):
            assert set(members(config, left)) == {"manifest.json", *manifest.FILES}
            left.unlink()


# ---------- the commands ----------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of an empty migrated instance."""
    assert filled.kb(tmp_path / "instance", "migrate").exit_code == 0
    return tmp_path / "instance"


def test_the_commands_go_round(folder: Path, safe: Path) -> None:
    said = filled.kb(folder, "backup", str(safe))
    assert said.exit_code == 0, said.output
    assert "keep a copy of" in said.output
    (file,) = safe.iterdir()
    said = filled.kb(folder, "restore", str(file))
    assert (said.exit_code, said.output.count("Error: ")) == (1, 1)
    assert "--replace" in said.output
    said = filled.kb(folder, "restore", str(file), "--replace", "--json")
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert told["followed"] == 0
    assert told["counts"]["entry"] == 0
    said = filled.kb(folder, "restore", str(file), "--replace")
    assert "restored the backup of" in said.output
    assert filled.kb(folder, "doctor").exit_code == 0


def test_a_backup_tells_a_machine(folder: Path, safe: Path) -> None:
    said = filled.kb(folder, "backup", str(safe), "--json")
    told = json.loads(said.stdout)
    assert Path(told["file"]).is_file()
    assert told["expired"] == 0
    assert "keep a copy" in said.stderr


def test_migrate_finishes_a_restore_that_was_killed(config: Config, safe: Path, tmp_path: Path) -> None:
    """Nothing of the old database gets into the new one, not even what its write-ahead log holds."""
    file = make(config, safe)
    killed_site(config, "third")
    log = config.database.with_name("kb.sqlite3-wal")
    shutil.copy(log, tmp_path / "log")
    left = 0
    while not (config.instance / "restored").exists():
        assert dying(left, lambda: restore(config, file)), "it was never killed in between"
        left += 1
    shutil.copy(tmp_path / "log", log)
    for command in (["doctor"], ["settings"]):
        interrupted = "A restore of this instance was interrupted" in filled.kb(config.instance, *command).output
        assert interrupted == (command == ["doctor"])
    said = filled.kb(config.instance, "migrate")
    assert "finished a restore" in said.output
    with opened(config) as db:
        assert entries.by_token(db, "third") is None


def test_the_ledger_can_be_verified(config: Config, safe: Path) -> None:
    take_back(config, "first")
    said = filled.kb(config.instance, "ledger")
    assert said.exit_code == 0
    assert said.output.startswith("1 decisions, an unbroken chain")
    path = config.instance / "ledger" / "decisions.jsonl"
    path.write_text(path.read_text().replace("withdraw", "pause"))
    for arguments in ([], [str(path)], [str(path.parent)]):
        said = filled.kb(config.instance, "ledger", *arguments)
        assert said.exit_code == 1
        assert "put back a good copy" in said.output


def test_the_ledger_command_says_what_the_database_has_not_followed(config: Config) -> None:
    with opened(config) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old = config.database.read_bytes()
    take_back(config, "first")
    config.database.write_bytes(old)
    said = filled.kb(config.instance, "ledger", "--json")
    assert said.exit_code == 1
    assert json.loads(said.stdout)["not_followed"] == 1
    assert "run kb migrate" in said.stderr


def test_migrate_follows_what_a_database_put_back_by_hand_lacks(instance: Path) -> None:
    config = load({}, INSTANCE=instance, SECRET_KEY=factories.SECRET)
    with opened(config) as db:
        told = factories.testimony(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        old = config.database.read_bytes()
        withdrawal.withdraw(db, told.id, at=now())
    config.database.write_bytes(old)
    said = filled.kb(instance, "migrate", KB_SECRET_KEY=factories.SECRET)
    assert said.exit_code == 0, said.output
    assert "followed 1 decision of the ledger" in said.output
    with opened(config) as db:
        assert entries.get(db, told.id).state is State.WITHDRAWN


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["migrate"], ["ledger"]], ids=lambda words: words[0])
def test_the_commands_say_what_to_do_when_the_ledger_is_gone(config: Config, command: list[str]) -> None:
    take_back(config, "first")
    shutil.rmtree(config.instance / "ledger")
    said = filled.kb(config.instance, *command)
    assert said.exit_code == 1
    assert "put the whole ledger there" in said.output
    assert "Traceback" not in said.output
