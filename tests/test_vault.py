"""Names and contacts lie apart and sealed; only stewards open them, each time on record; what is erased leaves no byte; pseudonyms tell nothing."""

import contextlib
import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox

from kb import db as storage
from kb import entries, names, vault
from kb.accounts import Account, Role
from kb.config import Config, load
from kb.db import Database, connect, transaction, value
from kb.entries import Draft, Kind, Text
from kb.errors import Busy, Conflict, KBError, NotAllowed, NotFound
from kb.vault import Identity, VaultClosed, Why
from tests import factories

AT, LATER = "2026-01-10T09:00:00Z", "2026-01-11T09:00:00Z"
AMINA = Identity("Amina Quastenflosser", "amina.quastenflosser@example.net")
STEWARD = Account(7, "sofia@example.org", "Sofia Steward", Role.STEWARD, None, False, False)


# ---------- what the tests need ----------


@pytest.fixture
def safe(config: Config) -> Config:
    """Return the settings of an instance that has a vault."""
    vault.prepare(config)
    return config


@pytest.fixture
def entry(db: Database) -> str:
    """Return the id of an entry that Amina told."""
    return told(db, "amina")


def told(db: Database, token: str) -> str:
    draft = Draft(Kind.TESTIMONY, Text("en", "The choir", "", {"body": factories.STORY}), token * 8)
    with transaction(db):
        return entries.insert(db, draft, author_kind="narrator", at=AT)


def send(db: Database, config: Config, entry_id: str, identity: Identity = AMINA) -> bytes:
    """Post a letter and return its box."""
    with transaction(db):
        vault.post(db, vault.public_key(config), entry_id, identity, at=AT)
    return bytes(value(db, "SELECT box FROM letter ORDER BY id DESC LIMIT 1"))


def keep(db: Database, config: Config, entry_id: str, identity: Identity = AMINA) -> bytes:
    """Bring an identity into the vault and return its box."""
    box = send(db, config, entry_id, identity)
    vault.collect(db, config.vault, at=LATER)
    return box


def ask(config: Config, entry_id: str) -> Identity:
    return vault.read(config, STEWARD, entry_id, Why.LOST_CODE, at=LATER)


@contextlib.contextmanager
def bare(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database as somebody would who has the file and does not keep to the rules."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def files_with(folder: Path, marker: bytes) -> list[str]:
    """Return the files that hold any 16 bytes of a marker."""
    parts = [marker[i : i + 16] for i in range(0, max(1, len(marker) - 15), 16)]
    data = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return [name for name, held in data.items() if any(part in held for part in parts)]


_watching: list[list[str]] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _watching and event in ("open", "sqlite3.connect") and args and isinstance(args[0], str | bytes | os.PathLike):
        _watching[-1].append(os.fsdecode(args[0]))


# Python calls this for every file and every database that it opens; it can not be taken away again, so it is switched.
sys.addaudithook(_hook)


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """Note every file that is opened in a block."""
    _watching.append([])
    try:
        yield _watching[-1]
    finally:
        _watching.pop()


# ---------- keys ----------


def test_it_makes_keys_and_files_that_only_their_owner_opens(safe: Config, db: Database, entry: str) -> None:
    keep(db, safe, entry)
    with connect(safe.vault / vault.FILE).conn as open_one:  # so that its log is there too
        open_one.execute("SELECT * FROM identity").fetchall()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in safe.vault.iterdir()}
    open_one.close()
    assert {"key", "public", vault.FILE, vault.READINGS} <= set(modes) and set(modes.values()) == {0o600}
    assert stat.S_IMODE(safe.vault.stat().st_mode) == 0o700


def test_making_keys_again_changes_nothing(safe: Config) -> None:
    before = [(safe.vault / name).read_bytes() for name in ("key", "public")]
    assert vault.prepare(safe) == []
    assert [(safe.vault / name).read_bytes() for name in ("key", "public")] == before


def test_it_closes_a_file_that_others_could_open(safe: Config) -> None:
    safe.vault.chmod(0o755)
    (safe.vault / vault.FILE).chmod(0o644)
    vault.prepare(safe)
    assert stat.S_IMODE(safe.vault.stat().st_mode) == 0o700
    assert stat.S_IMODE((safe.vault / vault.FILE).stat().st_mode) == 0o600


def test_many_processes_agree_on_one_pair(tmp_path: Path) -> None:
    for number in range(20):
        config = load({}, INSTANCE=tmp_path / str(number))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: vault.make_keys(config), range(8)))  # noqa: B023 - done within the turn
        assert sorted(path.name for path in config.vault.iterdir()) == ["key", "public"]


def test_the_secret_key_may_lie_elsewhere(tmp_path: Path) -> None:
    place = tmp_path / "stick" / "kb.key"
    place.parent.mkdir()
    config = load({"KB_VAULT_KEY": str(place)}, INSTANCE=tmp_path / "instance")
    vault.prepare(config)
    assert place.exists() and not (config.vault / "key").exists()


def another_key(config: Config) -> None:
    config.vault_key.write_text(bytes(PrivateKey.generate()).hex())


CLOSED = [
    # what happened to the keys, what the sentence says
    (lambda c: c.vault_key.unlink(), "secret key of the vault is missing"),
    (another_key, "does not fit the public key"),
    (lambda c: c.vault_key.write_text("my cat\n"), "is no key of a vault"),
    (lambda c: c.vault_key.write_text("ab" * 31), "is no key of a vault"),
    (lambda c: c.vault_key.chmod(0o640), "can be opened by others"),
    (lambda c: (c.vault / "public").write_text("my cat\n"), "is no key of a vault"),
]


@pytest.mark.parametrize(("harm", "sentence"), CLOSED, ids=[sentence for _, sentence in CLOSED])
def test_a_wrong_key_gives_a_clear_sentence_and_no_record(
    safe: Config, db: Database, entry: str, harm: Any, sentence: str
) -> None:
    keep(db, safe, entry)
    harm(safe)
    for attempt in (lambda: ask(safe, entry), lambda: vault.prepare(safe)):
        with pytest.raises(VaultClosed, match=sentence) as raised:
            attempt()
        assert isinstance(raised.value, KBError) and "my cat" not in repr(raised.value.__cause__)
    assert vault.readings(safe, entry) == []


def test_a_lost_secret_key_is_never_replaced(safe: Config, db: Database, entry: str) -> None:
    keep(db, safe, entry)
    secret = safe.vault_key.read_bytes()
    safe.vault_key.unlink()
    with pytest.raises(VaultClosed):
        vault.prepare(safe)
    assert not safe.vault_key.exists()
    safe.vault_key.write_bytes(secret)
    safe.vault_key.chmod(0o600)
    assert ask(safe, entry) == AMINA


def test_a_lost_public_key_is_made_again_from_the_secret_one(safe: Config, db: Database, entry: str) -> None:
    keep(db, safe, entry)
    (safe.vault / "public").unlink()
    with pytest.raises(VaultClosed, match="run kb migrate"):
        vault.public_key(safe)
    vault.prepare(safe)
    assert ask(safe, entry) == AMINA


def test_a_key_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    config = load({}, INSTANCE=tmp_path / "instance", VAULT_KEY=str(tmp_path / "not there" / "key"))
    with pytest.raises(VaultClosed, match="can not be written: No such file"):
        vault.make_keys(config)


def test_a_missing_vault_is_never_made_by_the_way(safe: Config, db: Database, entry: str) -> None:
    send(db, safe, entry)
    (safe.vault / vault.FILE).unlink()
    for attempt in (
        lambda: vault.collect(db, safe.vault, at=LATER),
        lambda: vault.holds(safe, entry),
        lambda: vault.erase(safe, entry),
        lambda: ask(safe, entry),
    ):
        with pytest.raises(VaultClosed, match="is missing"):
            attempt()
    assert not (safe.vault / vault.FILE).exists()
    assert value(db, "SELECT count(*) FROM letter") == 1, "the letter waits"


# ---------- letters ----------


def test_what_is_posted_arrives(safe: Config, db: Database, entry: str) -> None:
    keep(db, safe, entry)
    assert vault.holds(safe, entry) and ask(safe, entry) == AMINA
    assert value(db, "SELECT count(*) FROM letter") == 0


@pytest.mark.parametrize(
    "identity",
    [
        Identity(None, None),
        Identity("Олена Шевченко", None),
        Identity(None, "+49 170 1234567"),
        Identity("فاطمة الزهراء", "f@example.net"),
        Identity("x" * 3000, "y"),
    ],
    ids=["nothing", "Cyrillic", "only a telephone", "Arabic", "very long"],
)
def test_any_identity_comes_out_as_it_went_in(safe: Config, db: Database, entry: str, identity: Identity) -> None:
    keep(db, safe, entry, identity)
    assert ask(safe, entry) == identity


def test_posting_needs_a_transaction(safe: Config, db: Database, entry: str) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        vault.post(db, vault.public_key(safe), entry, AMINA, at=AT)


def test_the_length_of_a_box_tells_nothing(safe: Config, db: Database, entry: str) -> None:
    longest = Identity("ع" * 200, "a" * 254)  # what forms let through
    lengths = {
        len(send(db, safe, entry, one)) for one in (Identity(None, None), Identity("Li", "a@b.c"), AMINA, longest)
    }
    assert len(lengths) == 1 and (lengths.pop() - 48) % 256 == 0  # 48: what sealing adds


def test_the_same_identity_twice_looks_different(safe: Config, db: Database, entry: str) -> None:
    assert send(db, safe, entry) != send(db, safe, entry)


def test_an_identity_is_not_printed() -> None:
    assert "Quasten" not in f"{AMINA} {AMINA!r}"


def test_a_newer_letter_replaces_the_older(safe: Config, db: Database, entry: str) -> None:
    send(db, safe, entry)
    send(db, safe, entry, Identity("Amina Newname", None))
    assert vault.collect(db, safe.vault, at=LATER) == 2
    assert ask(safe, entry).real_name == "Amina Newname"
    keep(db, safe, entry, Identity(None, None))
    assert ask(safe, entry) == Identity(None, None), "who takes the name back has none"


def test_collecting_nothing_does_not_open_the_vault(safe: Config, db: Database) -> None:
    with watched() as opened:
        assert vault.collect(db, safe.vault, at=LATER) == 0
    assert not [path for path in opened if vault.FILE in path]


def test_a_crash_between_vault_and_database_loses_nothing(
    safe: Config, db: Database, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(db, safe, entry)
    real = vault.write

    def write_until_power_fails(target: Database, sql: str, *rest: Any) -> int:
        if sql.startswith("DELETE FROM letter"):
            raise OSError("power failed")
        return real(target, sql, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(vault, "write", write_until_power_fails)
        with pytest.raises(OSError, match="power failed"):
            vault.collect(db, safe.vault, at=LATER)
    assert vault.holds(safe, entry), "the vault has it on the disk first"
    assert value(db, "SELECT count(*) FROM letter") == 1
    send(db, safe, entry, Identity("Amina Newname", None))
    assert vault.collect(db, safe.vault, at=LATER) == 2
    assert ask(safe, entry).real_name == "Amina Newname", "an old letter carried again does not win"


def test_a_vault_that_can_not_be_written_keeps_the_letters(safe: Config, db: Database, entry: str) -> None:
    send(db, safe, entry)
    with bare(safe.vault / vault.FILE) as file:
        file.execute("CREATE TRIGGER full BEFORE INSERT ON identity BEGIN SELECT RAISE(ABORT, 'full'); END")
        with pytest.raises(Conflict):
            vault.collect(db, safe.vault, at=LATER)
        file.execute("DROP TRIGGER full")
    assert vault.collect(db, safe.vault, at=LATER) == 1


def test_nothing_arrives_after_it_was_erased(
    safe: Config, db: Database, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erasing can not slip in between reading a letter and putting it into the vault: the letters are locked meanwhile."""
    send(db, safe, entry)
    monkeypatch.setattr(storage, "PRAGMAS", (*storage.PRAGMAS, "PRAGMA busy_timeout=0"))
    real, refused = vault.write, []

    def write_while_somebody_erases(target: Database, sql: str, *rest: Any) -> int:
        if "INTO identity" in sql:
            other = connect(safe.database)
            try:
                with pytest.raises(Busy), transaction(other):
                    vault.forget_letters(other, entry)
                refused.append(True)
            finally:
                other.close()
        return real(target, sql, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(vault, "write", write_while_somebody_erases)
        vault.collect(db, safe.vault, at=LATER)
    assert refused == [True]


# ---------- R27: who opens the vault ----------


def test_r27_a_web_worker_never_opens_the_vault(safe: Config, db: Database, entry: str) -> None:
    keep(db, safe, entry)
    ask(safe, entry)
    with watched() as opened:
        send(db, safe, entry)
        with transaction(db):
            vault.mark_name(db, factories.SECRET, entry, AMINA.real_name, AMINA.contact)
            vault.pseudonym_is_marked(db, factories.SECRET, entry, "Sunflower")
            vault.forget_marks(db, entry)
            vault.forget_letters(db, entry)
        assert [r.account_id for r in vault.readings(safe, entry)] == [STEWARD.id]
        assert vault.first_broken_reading(safe) is None
    assert str(safe.vault / "public") in opened, "the watch sees files"
    assert str(safe.vault / vault.READINGS) in opened, "the watch sees databases"
    assert not [path for path in opened if vault.FILE in path or path == str(safe.vault_key)]


OPENERS = [
    # who does something, the files that it opens
    ("a steward reads", lambda db, c, e: ask(c, e), {vault.FILE, "key"}),
    (
        "the mailer reads",
        lambda db, c, e: vault.read_by_system(c, e, Why.REMINDER, at=LATER),
        {vault.FILE, "key"},
    ),
    ("letters are carried", lambda db, c, e: vault.collect(db, c.vault, at=LATER), {vault.FILE}),
    ("an entry is erased", lambda db, c, e: vault.erase(c, e), {vault.FILE}),
    ("the background looks", lambda db, c, e: vault.holds(c, e), {vault.FILE}),
]


@pytest.mark.parametrize(("act", "expected"), [row[1:] for row in OPENERS], ids=[row[0] for row in OPENERS])
def test_r27_only_reading_and_the_background_open_it(
    safe: Config, db: Database, entry: str, act: Any, expected: set[str]
) -> None:
    keep(db, safe, entry)
    send(db, safe, entry)
    with watched() as opened:
        act(db, safe, entry)
    assert {Path(path).name for path in opened} & {vault.FILE, "key"} == expected


def test_r27_the_database_of_the_site_can_not_open_a_letter(safe: Config, db: Database, entry: str) -> None:
    """Everything that a worker has at hand, the public key and the database, does not help."""
    box = send(db, safe, entry)
    public = vault.public_key(safe)
    with pytest.raises(Exception, match="decrypt"):
        SealedBox(PrivateKey(public)).decrypt(box)


def test_r27_a_planted_name_lies_nowhere_in_plain(safe: Config, db: Database, entry: str) -> None:
    send(db, safe, entry)
    with transaction(db):
        vault.mark_name(db, factories.SECRET, entry, AMINA.real_name, AMINA.contact)
    for step in (lambda: None, lambda: vault.collect(db, safe.vault, at=LATER), lambda: ask(safe, entry)):
        step()
        for word in ("Quastenflosser", "quastenflosser", "QUASTENFLOSSER"):
            for code in ("utf-8", "utf-16-le", "utf-16-be"):
                assert files_with(safe.instance, word.encode(code)[:16]) == []
    assert ask(safe, entry) == AMINA, "and it is there"


def test_r27_every_connection_to_the_vault_is_safe(safe: Config) -> None:
    for name in (vault.FILE, vault.READINGS):
        db = connect(safe.vault / name)
        assert value(db, "PRAGMA secure_delete") == 1 and value(db, "PRAGMA synchronous") == 2
        db.close()


# ---------- R28: no opening without a record ----------


def test_r28_a_reading_says_who_when_and_why(safe: Config, db: Database, entry: str) -> None:
    keep(db, safe, entry)
    ask(safe, entry)
    vault.read_by_system(safe, entry, Why.REMINDER, at=LATER)
    assert [(r.seq, r.account_id, r.why, r.at) for r in vault.readings(safe, entry)] == [
        (1, STEWARD.id, Why.LOST_CODE, LATER),
        (2, None, Why.REMINDER, LATER),
    ]
    assert vault.readings(safe, "another0") == []


MAY_READ = [
    # role, account closed, may read
    (Role.STEWARD, False, True),
    (Role.STEWARD, True, False),  # left the office
    (Role.MODERATOR, False, False),  # works with the text, not with the name
    (Role.ADMINISTRATOR, False, False),  # runs the machine
    (Role.PARTNER, False, False),
    (Role.PRACTITIONER, False, False),
]


def test_r28_the_table_knows_every_role() -> None:
    assert {role for role, *_ in MAY_READ} == set(Role)


@pytest.mark.parametrize(("role", "disabled", "may"), MAY_READ)
def test_r28_only_stewards_read(safe: Config, db: Database, entry: str, role: Role, disabled: bool, may: bool) -> None:
    keep(db, safe, entry)
    account = Account(9, "x@example.org", "X", role, None, False, disabled)
    if may:
        assert vault.read(safe, account, entry, Why.SAFETY, at=LATER) == AMINA
    else:
        with watched() as opened, pytest.raises(NotAllowed):
            vault.read(safe, account, entry, Why.SAFETY, at=LATER)
        assert opened == []
    assert len(vault.readings(safe, entry)) == may


@pytest.mark.parametrize("why", ["", "curiosity", "LOST_CODE", None])
def test_r28_a_reason_that_is_not_on_the_list_opens_nothing(safe: Config, db: Database, entry: str, why: Any) -> None:
    keep(db, safe, entry)
    with pytest.raises(ValueError, match="is not a valid Why"):
        vault.read(safe, STEWARD, entry, why, at=LATER)
    with pytest.raises(ValueError, match="is not a valid Why"):
        vault.read_by_system(safe, entry, why, at=LATER)
    assert vault.readings(safe, entry) == []


def test_r28_the_file_knows_the_same_reasons() -> None:
    text = (Path(vault.__file__).parent / "readings_0001.sql").read_text("utf-8")
    assert f"why IN ({','.join(repr(str(why)) for why in Why)})" in text


class Watcher(SealedBox):
    """A sealed box that notes what another process could read of the record at the moment of opening."""

    seen: list[int] = []  # noqa: RUF012 - shared on purpose, emptied by each test
    log: Path

    def decrypt(self, *args: Any) -> bytes:
        with bare(self.log) as file:
            self.seen.append(file.execute("SELECT count(*) FROM reading").fetchone()[0])
        return super().decrypt(*args)


@pytest.fixture
def seen(safe: Config, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what the record held at each opening of a box."""
    monkeypatch.setattr(Watcher, "log", safe.vault / vault.READINGS, raising=False)
    monkeypatch.setattr(Watcher, "seen", [])
    monkeypatch.setattr(vault, "SealedBox", Watcher)
    monkeypatch.setattr(storage, "PRAGMAS", (*storage.PRAGMAS, "PRAGMA busy_timeout=0"))
    return Watcher.seen


def test_r28_the_record_is_committed_before_a_box_is_opened(
    safe: Config, db: Database, entry: str, seen: list[int]
) -> None:
    keep(db, safe, entry)
    ask(safe, entry)
    ask(safe, entry)
    assert seen == [1, 2]


FAULTS = [
    # what is wrong with the record, what is raised
    ("DROP TABLE reading", sqlite3.OperationalError),
    (
        "CREATE TRIGGER broken BEFORE INSERT ON reading BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        Conflict,
    ),
    (
        "CREATE TRIGGER quiet BEFORE INSERT ON reading BEGIN SELECT RAISE(IGNORE); END",  # says nothing and writes nothing
        VaultClosed,
    ),
    ("CREATE UNIQUE INDEX once ON reading(entry_id)", Conflict),
    ("ALTER TABLE reading RENAME COLUMN why TO reason", sqlite3.OperationalError),
    ("BEGIN IMMEDIATE", Busy),  # somebody else writes and does not end
]


@pytest.mark.parametrize(("fault", "raised"), FAULTS, ids=[fault[:30] for fault, _ in FAULTS])
@pytest.mark.parametrize("by_system", [False, True], ids=["steward", "system"])
def test_r28_what_can_not_be_recorded_is_not_read(
    safe: Config, db: Database, entry: str, seen: list[int], fault: str, raised: type[Exception], by_system: bool
) -> None:
    keep(db, safe, entry)
    ask(safe, entry)
    assert seen == [1]
    with bare(safe.vault / vault.READINGS) as file:
        file.execute(fault)
        with pytest.raises(raised):
            vault.read_by_system(safe, entry, Why.REMINDER, at=LATER) if by_system else ask(safe, entry)
    assert seen == [1], "nothing was opened"


def test_r28_a_missing_record_file_opens_nothing(safe: Config, db: Database, entry: str, seen: list[int]) -> None:
    keep(db, safe, entry)
    (safe.vault / vault.READINGS).unlink()
    with pytest.raises(VaultClosed, match="is missing"):
        ask(safe, entry)
    assert seen == []


def test_r28_asking_for_what_is_not_there_is_recorded_too(safe: Config, db: Database, entry: str) -> None:
    with pytest.raises(NotFound):
        ask(safe, entry)
    assert len(vault.readings(safe, entry)) == 1


def test_r28_two_stewards_at_once_make_one_chain(safe: Config, db: Database, entry: str) -> None:
    keep(db, safe, entry)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: ask(safe, entry).real_name, range(24))) == {AMINA.real_name}
    assert [r.seq for r in vault.readings(safe, entry)] == list(range(1, 25))
    assert vault.first_broken_reading(safe) is None


@pytest.mark.parametrize("statement", ["UPDATE reading SET account_id = 1", "DELETE FROM reading"])
def test_r28_the_record_is_append_only(safe: Config, db: Database, entry: str, statement: str) -> None:
    keep(db, safe, entry)
    ask(safe, entry)
    with bare(safe.vault / vault.READINGS) as file, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        file.execute(statement)
    assert len(vault.readings(safe, entry)) == 1


TAMPERED = [
    # what somebody with the file does, the first reading that does not follow
    ("UPDATE reading SET account_id = 8 WHERE seq = 2", 2),
    ("UPDATE reading SET account_id = NULL WHERE seq = 1", 1),
    ("UPDATE reading SET entry_id = 'another0' WHERE seq = 3", 3),
    ("UPDATE reading SET why = 'safety' WHERE seq = 2", 2),
    ("UPDATE reading SET at = '2020-01-01T00:00:00Z' WHERE seq = 2", 2),
    ("UPDATE reading SET prev_hash = '' WHERE seq = 2", 2),
    ("UPDATE reading SET hash = prev_hash WHERE seq = 3", 3),
    ("DELETE FROM reading WHERE seq = 1", 1),
    ("DELETE FROM reading WHERE seq = 2", 2),
    ("DELETE FROM reading WHERE seq = 3", 3),  # the newest
    ("DELETE FROM reading", 1),
    ("UPDATE reading SET seq = 9 WHERE seq = 3", 3),
]


@pytest.mark.parametrize(("statement", "first"), TAMPERED)
def test_r28_the_chain_shows_every_change(safe: Config, db: Database, entry: str, statement: str, first: int) -> None:
    keep(db, safe, entry)
    assert vault.first_broken_reading(safe) is None
    for _ in range(3):
        ask(safe, entry)
    assert vault.first_broken_reading(safe) is None
    with bare(safe.vault / vault.READINGS) as file:
        file.execute("DROP TRIGGER reading_is_appended")
        file.execute("DROP TRIGGER reading_is_kept")
        file.execute(statement)
    assert vault.first_broken_reading(safe) == first


def test_a_box_put_beside_another_entry_is_not_believed(safe: Config, db: Database, entry: str) -> None:
    other = told(db, "marek")
    keep(db, safe, entry)
    keep(db, safe, other, Identity("Somebody Else", None))
    with bare(safe.vault / vault.FILE) as file:
        file.execute("UPDATE identity SET box = (SELECT box FROM identity WHERE entry_id = ?)", (other,))
    with pytest.raises(VaultClosed, match="damaged") as raised:
        ask(safe, entry)
    assert "Somebody" not in repr(raised.value)


def test_a_damaged_box_gives_a_clear_sentence(safe: Config, db: Database, entry: str) -> None:
    keep(db, safe, entry)
    with bare(safe.vault / vault.FILE) as file:
        file.execute("UPDATE identity SET box = zeroblob(1072)")
    with pytest.raises(VaultClosed, match="damaged"):
        ask(safe, entry)


# ---------- erasing ----------


def test_erasing_leaves_no_byte_of_a_box(safe: Config, db: Database) -> None:
    """Also not of a box that was replaced, and not of neighbours on the same page."""
    ids = [told(db, f"token{number:03}") for number in range(30)]
    first = {entry_id: keep(db, safe, entry_id) for entry_id in ids}
    second = {entry_id: keep(db, safe, entry_id, Identity("New " * 400, None)) for entry_id in ids[::3]}
    assert files_with(safe.vault, first[ids[1]]), "the scan sees a box that is there"
    for entry_id in ids[:20]:
        vault.erase(safe, entry_id)
        assert not vault.holds(safe, entry_id)
    storage.value(db, "PRAGMA wal_checkpoint(TRUNCATE)")  # as erasing an entry does with the database of the site
    gone = [first[i] for i in ids[:20]] + list(second.values())[:7]
    assert [files_with(safe.instance, box) for box in gone] == [[]] * 27
    assert all(vault.holds(safe, entry_id) for entry_id in ids[20:])


def test_erasing_with_another_connection_open_cuts_the_log(safe: Config, db: Database, entry: str) -> None:
    resting = connect(safe.vault / vault.FILE)
    value(resting, "SELECT count(*) FROM identity")
    box = keep(db, safe, entry)
    assert files_with(safe.vault, box) == [f"{vault.FILE}-wal"]
    vault.erase(safe, entry)
    assert files_with(safe.vault, box) == []
    assert (safe.vault / f"{vault.FILE}-wal").stat().st_size == 0
    resting.close()


def test_erasing_under_a_reader_says_that_it_must_be_tried_again(
    safe: Config, db: Database, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = keep(db, safe, entry)
    monkeypatch.setattr(storage, "PRAGMAS", (*storage.PRAGMAS, "PRAGMA busy_timeout=0"))
    with bare(safe.vault / vault.FILE) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM identity").fetchone()
        with pytest.raises(Busy):
            vault.erase(safe, entry)
        reader.execute("ROLLBACK")
    vault.erase(safe, entry)
    assert files_with(safe.vault, box) == []


def test_erasing_twice_or_what_was_never_there_changes_nothing(safe: Config, db: Database, entry: str) -> None:
    other = told(db, "marek")
    keep(db, safe, entry)
    for entry_id in (other, other, "nobody00"):
        vault.erase(safe, entry_id)
    assert ask(safe, entry) == AMINA


def test_erasing_keeps_who_read(safe: Config, db: Database, entry: str) -> None:
    keep(db, safe, entry)
    ask(safe, entry)
    vault.erase(safe, entry)
    assert len(vault.readings(safe, entry)) == 1 and vault.first_broken_reading(safe) is None


def test_letters_that_wait_are_forgotten(safe: Config, db: Database, entry: str) -> None:
    other = told(db, "marek")
    send(db, safe, entry)
    send(db, safe, other)
    with transaction(db):
        vault.forget_letters(db, entry)
    assert vault.collect(db, safe.vault, at=LATER) == 1
    assert not vault.holds(safe, entry) and vault.holds(safe, other)


# ---------- R24: pseudonyms ----------

REFUSED = [
    # real name, contact, pseudonym, why it is refused
    ("Amina Karimi", None, "Amina", "her first name"),
    ("Amina Karimi", None, "Amina Karimi", "her name"),
    ("Amina Karimi", None, "KARIMI", "capitals"),
    ("Amina Karimi", None, "karimi_93", "with a number"),
    ("Amina Karimi", None, "TheRealKarimi", "within a longer word"),
    ("Ali Musa", None, "Superali", "a short name at the end of a longer word"),
    ("Amina Karimi", None, "A m i n a", "spelt out"),
    ("Amina Karimi", None, "Ami-na Kari-mi", "with hyphens"),
    ("Amina Karimi", None, "Ca minar", "over gaps between words"),
    ("Amina Karimi", None, "Ａｍｉｎａ", "full width letters"),
    ("Amina Karimi", None, "Ami\u200bna", "with an invisible sign"),
    ("Amina Karimi", None, "\u0410mina", "with one Cyrillic letter that looks alike"),
    ("Jürgen Müller", None, "Mueller", "ü as ue"),
    ("Juergen Mueller", None, "MÜLLER", "ue as ü"),
    ("Jürgen Müller", None, "juergen", "ü as ue in the middle"),
    ("Jürgen Müller", None, "Supermueller", "ü as ue within a longer word"),
    ("Jürgen Müller", None, "Muller", "without dots"),
    ("Jörg Weiß", None, "weiss2022", "ß as ss"),
    ("Anna von Schön", None, "Schoen", "ö as oe"),
    ("Łukasz Wójcik", None, "lukasz", "Polish ł"),
    ("Paweł Żółkiewski", None, "Zolkiewski", "many Polish marks"),
    ("Agnieszka Dąbrowska", None, "dabrowska", "Polish ą"),
    ("Åsa Sjöström", None, "Sjostrom", "Swedish ö"),
    ("Åsa Sjöström", None, "Aasa", "å as aa"),
    ("Björn Åkesson", None, "Bjoern", "Swedish ö as oe"),
    ("Živilė Šimkutė", None, "Simkute", "Lithuanian marks"),
    ("Rūta Žemaitė", None, "ruta", "Lithuanian ū"),
    ("Олена Шевченко", None, "Olena", "Cyrillic in Latin letters"),
    ("Олена Шевченко", None, "Shevchenko", "the English way"),
    ("Олена Шевченко", None, "Schewtschenko", "the German way"),
    ("Олена Шевченко", None, "Szewczenko", "the Polish way"),
    ("Олена Шевченко", None, "Ševčenko", "the Lithuanian way"),
    ("Olena Shevchenko", None, "Шевченко", "Latin in Cyrillic letters"),
    ("Иван Петров", None, "Superivan", "Cyrillic in Latin letters within a longer word"),
    ("Елена Хрущёва", None, "Yelena", "е spoken ye"),
    ("Yelena Khrushcheva", None, "Елена", "ye written е"),
    ("Семён Щербаков", None, "Semyon", "ё spoken yo"),
    ("Семён Щербаков", None, "Shcherbakov", "щ"),
    ("Сергій Гончар", None, "Honchar", "Ukrainian г"),
    ("Григорий Кузнецов", None, "Grigory", "Russian г"),
    ("Юлія Мар'яненко", None, "Yuliia", "ю and я"),
    ("Юлія Мар'яненко", None, "Julia from Barth", "ю the German way"),
    ("Євген Зеленський", None, "Yevhen", "є"),
    ("Євген Зеленський", None, "Zelensky", "fewer letters than the passport"),
    ("Михайло Коваль", None, "Mychajlo Michail Mikhailo", "x in three ways"),
    ("محمد العلي", None, "Mohammed", "Arabic in Latin letters"),
    ("محمد العلي", None, "muhamad22", "Arabic with other vowels"),
    ("محمد العلي", None, "محمّد", "with vowel signs"),
    ("أحمد خالد", None, "Ahmed", "Arabic that begins with a vowel"),
    ("أحمد خالد", None, "احمد", "without hamza"),
    ("أحمد خالد", None, "Chalid", "kh the German way"),
    ("فاطمة حسين", None, "Fatima", "with a silent end"),
    ("فاطمه احمدی", None, "Fateme", "with a silent end in Persian"),
    ("Sarah Weber", None, "سارة", "with a silent h in Latin letters"),
    ("فاطمة حسين", None, "Фатима", "Arabic in Cyrillic letters"),
    ("علی رضایی", None, "Reza'i", "Persian letters"),
    ("علی رضایی", None, "Ali", "a short name, standing alone"),
    ("عثمان يوسف", None, "Osman", "th spoken s"),
    ("عثمان يوسف", None, "Youssef", "a name that begins with y"),
    ("وليد نجيب", None, "Walid", "a name that begins with w"),
    ("وليد نجيب", None, "Najib", "a name with a sound between"),
    ("Mohammad Alahmad", None, "احمد", "Latin with article in Arabic letters"),
    ("Khaled Said", None, "خالد", "Latin in Arabic letters"),
    ("Bo Li", None, "Bo Li from Barth", "two short words"),
    ("Li", None, "Li", "a short name, standing alone"),
    (None, "sunflower.k@example.net", "Sunflower", "a piece of the address"),
    (None, "mk83@example.net", "MK 83", "the whole of a short address"),
    (None, "mk83@example.net", "MK ٨٣", "the same in Arabic digits"),
    (None, "j.weber+kb@example.net", "Weberin", "a piece of the address within a word"),
    (None, "Telegram @nightowl_77", "The night owl (nightowl)", "a name in another service"),
    (None, "+49 (0)170 / 123 45 67", "0170 1234567", "the telephone number"),
    (None, "+49 170 1234567", "Call 123-45-67", "the end of the telephone number"),
    (None, "٠١٧٠١٢٣٤٥٦٧", "1234567", "a number in Arabic digits"),
    (None, "amina@example.net, 0170 1234567", "Star1234567", "the second of two contacts"),
]
ALLOWED = [
    # real name, contact, pseudonym, why it is allowed
    ("Amina Karimi", "amina@example.net", "Sunflower", "has nothing to do with her"),
    ("Amina Karimi", None, "A mother from Aleppo", "ordinary words"),
    ("Amina Karimi", None, "A. K.", "initials are hers to give"),
    ("Anna von Berlow", None, "Yvonne", "contains only a particle"),
    ("Anna van der Zee", None, "Wanderer", "the same"),
    ("Omar bin Said", None, "Robin", "the same"),
    ("Li Wu", None, "Lila", "two letters within a word say nothing"),
    ("Jan Nowak", None, "Julian", "y and j are equal, but three letters are too few for that"),
    ("Lena Karimi", None, "Well enabled", "over a gap between words only longer names count"),
    ("Ali Musa", None, "Musical idea", "the same"),
    ("Jürgen Müller", None, "Miller", "another name"),
    ("Łukasz Wójcik", None, "A walker by the lake", "ordinary words"),
    ("Åsa Sjöström", None, "Northern light", "ordinary words"),
    ("Rūta Žemaitė", None, "A teacher of maths", "ordinary words"),
    ("Олена Шевченко", None, "Олеся", "another name"),
    ("Олена Шевченко", None, "Ластівка", "a swallow"),
    ("Сергій Гончар", None, "A father of three", "ordinary words"),
    ("محمد العلي", None, "A trainer from Rostock", "ordinary words"),
    ("محمد العلي", None, "زهرة", "a flower"),
    ("فاطمة حسين", None, "Nadia", "another name"),
    ("Khaled Said", None, "نور", "light"),
    (None, "info@example.net", "Information seeker", "says nothing about anybody"),
    (None, "amina@example.net", "Example", "what stands after the @ is not hers"),
    (None, "+49 170 1234567", "Summer of 1234", "too few digits"),
    (None, "+49 170 1234567", "7654321", "another number"),
    (None, None, "Anybody", "nothing was told"),
    ("", "", "Anybody", "nothing was told"),
    ("Amina Karimi", "amina@example.net", "", "no pseudonym"),
    ("Amina Karimi", "0170 1234567", "!?", "nothing but signs"),
]
ROWS = [(*row, True) for row in REFUSED] + [(*row, False) for row in ALLOWED]


def test_r24_the_table_is_long_enough() -> None:
    assert len(REFUSED) >= 40 and len(ALLOWED) >= 20


@pytest.mark.parametrize(
    ("real_name", "contact", "pseudonym", "reason", "refused"), ROWS, ids=[f"{row[2]}: {row[3]}" for row in ROWS]
)
def test_r24_a_pseudonym_does_not_give_away_who_chose_it(
    db: Database, entry: str, real_name: str | None, contact: str | None, pseudonym: str, reason: str, refused: bool
) -> None:
    """The form knows the name; afterwards only its marks are there, and they say the same."""
    assert names.pseudonym_gives_away(pseudonym, real_name, contact) is refused, reason
    with transaction(db):
        vault.mark_name(db, factories.SECRET, entry, real_name, contact)
    assert vault.pseudonym_is_marked(db, factories.SECRET, entry, pseudonym) is refused, reason


WORDS = st.text(st.characters(categories=["L"]), min_size=3, max_size=12)


@settings(deadline=None)
@given(WORDS, st.text(max_size=6), st.text(max_size=6))
def test_r24_whatever_contains_the_name_is_refused(name: str, before: str, after: str) -> None:
    """Whatever the script; a sign before or after may not join itself to a letter of the name, so a space keeps them apart."""
    if len(names.traces(name, None)) > 1:  # else a particle, or folded to fewer than three letters
        assert names.pseudonym_gives_away(f"{before} {name} {after}", name, None)
        assert names.pseudonym_gives_away(f"Xx{name}9", name, None) or not name.isascii()


def test_r24_a_long_pseudonym_takes_no_time(db: Database, entry: str) -> None:
    """Two hundred letters with as many readings as there are stay in the thousands."""
    assert len(names.pieces("Щёчка schtsch ch tj sj гєѥ ذضق " * 7)) < 40_000


def test_marks_tell_no_name_and_do_not_link_two_entries(safe: Config, db: Database, entry: str) -> None:
    other = told(db, "marek")
    with transaction(db):
        vault.mark_name(db, factories.SECRET, entry, AMINA.real_name, AMINA.contact)
        vault.mark_name(db, factories.SECRET, other, AMINA.real_name, AMINA.contact)
    held = [r["mark"] for r in storage.rows(db, "SELECT mark FROM name_mark")]
    assert len(held) == len(set(held)) and all(len(mark) == 64 for mark in held)
    assert not vault.pseudonym_is_marked(db, "another secret, of another instance", entry, "Amina")


def test_new_marks_replace_the_old(db: Database, entry: str) -> None:
    other = told(db, "marek")
    with transaction(db):
        vault.mark_name(db, factories.SECRET, other, "Amina", None)
        vault.mark_name(db, factories.SECRET, entry, "Amina", None)
        vault.mark_name(db, factories.SECRET, entry, "Marek", None)
    assert vault.pseudonym_is_marked(db, factories.SECRET, entry, "Marek")
    assert not vault.pseudonym_is_marked(db, factories.SECRET, entry, "Amina")
    with transaction(db):
        vault.forget_marks(db, entry)
    assert not vault.pseudonym_is_marked(db, factories.SECRET, entry, "Marek")
    assert vault.pseudonym_is_marked(db, factories.SECRET, other, "Amina"), "the marks of others stay"
