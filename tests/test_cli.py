"""The ``kb`` command: what it does, what it says when it can not, and what ``kb doctor`` finds."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kb import accounts, condition, places, sessions, themes
from kb.config import ROOT, load
from kb.db import connect, now, transaction
from tests import factories, filled


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doctor wait for no indexer: none runs here."""
    monkeypatch.setattr(condition, "_PATIENCE", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of an empty migrated instance."""
    assert filled.kb(tmp_path / "empty", "migrate").exit_code == 0
    return tmp_path / "empty"


def _one_sentence(text: str) -> bool:
    return re.fullmatch(r"Error: [^\n]+\.\n", text) is not None


# ---------- migrate ----------


def test_migrate_makes_everything_and_says_so(tmp_path: Path) -> None:
    said = filled.kb(tmp_path / "new" / "instance", "migrate")
    assert said.exit_code == 0
    assert "applied m0001_first_schema" in said.output
    db = connect(tmp_path / "new" / "instance" / "kb.sqlite3")
    assert themes.tree(db)
    assert len(places.regions(db)) == 6
    db.close()


def test_migrate_again_changes_nothing(folder: Path) -> None:
    def content() -> list[str]:
        db = sqlite3.connect(folder / "kb.sqlite3")
        lines = list(db.iterdump())
        db.close()
        return lines

    before = content()
    said = filled.kb(folder, "migrate")
    assert said.exit_code == 0
    assert "applied" not in said.output
    assert content() == before


def test_migrate_closes_the_folder_to_others(folder: Path) -> None:
    folder.chmod(0o755)
    assert "closed" in filled.kb(folder, "migrate").output
    assert folder.stat().st_mode & 0o777 == 0o700


def test_migrate_takes_no_folder_that_everybody_shares(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    said = filled.kb(tmp_path, "migrate")
    assert said.exit_code == 1
    assert _one_sentence(said.output)
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777


# ---------- failures are one sentence ----------


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo"],
        ["serve", "--port", "0"],
        ["index"],
        ["index", "--once"],
        ["reindex"],
        ["backup", "/nowhere"],
        ["ledger"],
        ["account", "disable", "a@example.org"],
        ["account", "reset", "a@example.org", "--generate"],
        ["account", "create", "a@example.org", "--name", "A", "--role", "partner", "--generate"],
    ],
    ids=lambda words: "-".join(words[:2]),
)
def test_it_says_when_the_database_is_not_there(arguments: list[str], tmp_path: Path) -> None:
    said = filled.kb(tmp_path / "nothing", *arguments)
    assert said.exit_code == 1
    assert _one_sentence(said.output)
    assert "kb migrate" in said.output
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KB_CONSENT_MONTHS", "many"),
        ("KB_SECRET_KEY", "short"),
        ("KB_LANGUAGES", "xx"),
        ("KB_BASE_URL", "ftp://a"),
        ("KB_PROXIES", "x"),
    ],
)
@pytest.mark.parametrize("command", ["migrate", "serve", "doctor", "settings"])
def test_it_says_which_setting_can_not_be_read(command: str, name: str, text: str, tmp_path: Path) -> None:
    said = filled.kb(tmp_path, command, **{name: text})
    assert said.exit_code == 1
    assert _one_sentence(said.output)
    assert name in said.output


def test_it_says_when_the_database_is_busy(folder: Path) -> None:
    holder = sqlite3.connect(folder / "kb.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    said = filled.kb(folder, "account", "create", "a@example.org", "--name", "A", "--role", "partner", "--generate")
    holder.close()
    assert said.exit_code == 1
    assert said.output == "Error: The database is busy: try again in a moment.\n"


def test_it_says_when_the_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "kb.sqlite3").write_bytes(b"this is no database, but long enough to be looked at" * 100)
    for command in (["migrate"], ["demo"], ["serve"], ["reindex"]):
        said = filled.kb(tmp_path, *command)
        assert said.exit_code == 1
        assert _one_sentence(said.output)


def test_it_says_when_the_folder_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    said = filled.kb(tmp_path / "file" / "instance", "migrate")
    assert said.exit_code == 1
    assert _one_sentence(said.output)
    assert str(tmp_path / "file") in said.output


def test_the_module_is_the_command(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "kb", "demo"],
        env=os.environ | {"KB_INSTANCE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout) == (1, "")
    assert _one_sentence(said.stderr)


# ---------- accounts ----------


CREATE = ("account", "create", "nora@example.org", "--name", "Nora", "--role", "moderator")


def _check(folder: Path, password: str) -> accounts.Account | None:
    db = connect(folder / "kb.sqlite3")
    try:
        return accounts.check_password(db, "nora@example.org", password)
    finally:
        db.close()


def test_an_account_with_a_typed_password(folder: Path) -> None:
    typed = f"{factories.PASSWORD}\n{factories.PASSWORD}\n"
    said = filled.kb(folder, *CREATE, typed=typed)
    assert said.exit_code == 0
    assert factories.PASSWORD not in said.output
    found = _check(folder, factories.PASSWORD)
    assert found is not None
    assert (found.name, found.role, found.sample) == ("Nora", "moderator", False)


def test_an_account_with_a_made_password(folder: Path) -> None:
    said = filled.kb(folder, *CREATE, "--generate")
    password = re.search(r"^password: (\S{20})  ", said.output, flags=re.MULTILINE)
    assert password is not None
    assert _check(folder, password[1]) is not None


def test_a_password_is_never_an_argument() -> None:
    for command in ("create", "reset"):
        assert "PASSWORD" not in filled.kb(Path("/nowhere"), "account", command, "--help").output


@pytest.mark.parametrize(
    ("arguments", "typed", "told"),
    [
        ((*CREATE,), "short\nshort\n", "15"),
        (("account", "create", "nora", "--name", "Nora", "--role", "partner", "--generate"), None, "no e-mail address"),
        ((*CREATE, "--organisation", "nowhere", "--generate"), None, "no organisation nowhere"),
        (("account", "reset", "nobody@example.org", "--generate"), None, "No such account"),
        (("account", "disable", "nobody@example.org"), None, "No such account"),
    ],
)
def test_what_is_wrong_with_an_account_is_said(
    arguments: tuple[str, ...], typed: str | None, told: str, folder: Path
) -> None:
    said = filled.kb(folder, *arguments, typed=typed)
    assert said.exit_code == 1
    assert _one_sentence("Error: " + said.output.split("Error: ", 1)[1])
    assert told in said.output


def test_an_address_has_one_account(folder: Path) -> None:
    assert filled.kb(folder, *CREATE, "--generate").exit_code == 0
    again = filled.kb(folder, *CREATE, "--generate")
    assert again.exit_code == 1
    assert "has an account already" in again.output


def _with_session(folder: Path) -> Callable[[], int]:
    filled.kb(folder, *CREATE, typed=f"{factories.PASSWORD}\n{factories.PASSWORD}\n")
    db = connect(folder / "kb.sqlite3")
    with transaction(db):
        sessions.begin(db, {}, account_id=accounts.by_email(db, "nora@example.org").id, at=now())
    db.close()

    def living() -> int:
        db = sqlite3.connect(folder / "kb.sqlite3")
        count = db.execute("SELECT count(*) FROM session").fetchone()[0]
        db.close()
        return int(count)

    return living


def test_disabling_ends_sessions_and_closes_the_account(folder: Path) -> None:
    living = _with_session(folder)
    said = filled.kb(folder, "account", "disable", "nora@example.org")
    assert (said.exit_code, living()) == (0, 0)
    assert _check(folder, factories.PASSWORD) is None
    assert "is disabled" in filled.kb(folder, "account", "reset", "nora@example.org", "--generate").output


def test_resetting_ends_sessions_and_changes_the_password(folder: Path) -> None:
    living = _with_session(folder)
    said = filled.kb(folder, "account", "reset", "nora@example.org", "--generate")
    assert (said.exit_code, living()) == (0, 0)
    assert _check(folder, factories.PASSWORD) is None


# ---------- settings, index ----------


def test_settings_are_shown_without_the_password_of_the_mail_server(folder: Path) -> None:
    mail = {"KB_SMTP_URL": "smtp://somebody:hush-hush@mail.example.org:587", "KB_MAIL_FROM": "a@example.org"}
    said = filled.kb(folder, "settings", **mail)
    assert said.exit_code == 0
    assert "hush" not in said.output
    assert "KB_SMTP_URL=set\n" in said.output


def test_settings_are_shown_without_the_key(tmp_path: Path) -> None:
    said = filled.kb(tmp_path, "settings", KB_SECRET_KEY=factories.SECRET, KB_SITE_NAME="Stimmen")
    assert "KB_SITE_NAME=Stimmen\n" in said.output
    assert f"KB_INSTANCE={tmp_path}\n" in said.output
    assert factories.SECRET not in said.output
    assert "KB_SECRET_KEY=set\n" in said.output


def test_the_index_can_be_made_and_made_anew(tmp_path: Path) -> None:
    folder = filled.copy(tmp_path)
    for path in sorted((folder / "index").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert _ill(folder) == {"search index"}
    assert filled.kb(folder, "index", "--once").exit_code == 0
    assert _ill(folder) == set()
    said = filled.kb(folder, "reindex")
    assert said.exit_code == 0
    assert _ill(folder) == set()


# ---------- doctor ----------


def _ill(folder: Path) -> set[str]:
    """Return what the doctor finds not well; catalogues are compiled by make and have a test of their own."""
    said = filled.kb(folder, "doctor", "--json")
    told = json.loads(said.output)
    assert told["ok"] == (said.exit_code == 0) == (not any(told["checks"].values()))
    return {name for name, problems in told["checks"].items() if problems} - {"translations"}


DAMAGE: tuple[tuple[str, str, str], ...] = (
    # what was done, the SQL that did it, who finds it
    (
        "a letter of a published text was changed",
        "UPDATE revision SET title = title || '!' WHERE version = 1 AND entry_id = {one}",
        "texts",
    ),
    (
        "a hash was changed with the text",
        "UPDATE revision SET sha256 = '{hash}' WHERE version = 1 AND entry_id = {one}",
        "texts",
    ),
    ("words came back into an erased text", "UPDATE revision SET title = 'back' WHERE erased_at IS NOT NULL", "texts"),
    ("a consent event was changed", "UPDATE consent_event SET to_state = 'given' WHERE seq = 7", "consent events"),
    ("a consent event was removed", "DELETE FROM consent_event WHERE seq = 5", "consent events"),
    ("a line of the log was changed", "UPDATE review_log SET actor_id = 6 WHERE seq = 9", "review log"),
    ("a line of the log was removed", "DELETE FROM review_log WHERE seq = 3", "review log"),
    ("an entry was published by hand", "UPDATE entry SET state = 'published' WHERE state = 'rejected'", "states"),
    ("a claim was lost", "DELETE FROM claim", "states"),
    (
        "an entry was hidden by hand, without a line in the outbox",
        "UPDATE entry SET state = 'paused' WHERE id = {one}",
        "search index",
    ),
    (
        "an audience was narrowed, without a line in the outbox",
        "UPDATE consent_scope SET value = 'moderators' WHERE scope = 'audience'",
        "search index",
    ),
    (
        "a consent points to no entry",
        "UPDATE consent SET entry_id = 'n0tkn0wn' WHERE entry_id = {one}",
        "database file",
    ),
    ("a trigger was removed", "DROP TRIGGER review_log_is_kept", "database schema"),
    ("a table came in", "CREATE TABLE revisions (id)", "database schema"),
    ("the view lets everything through", "DROP VIEW visible; CREATE VIEW visible AS {open}", "consent gate"),
    ("the migrations were forgotten", "DELETE FROM _sqlite_migrations", "database"),
)
OPEN = """SELECT e.id AS entry_id, e.kind, '2024-01-01T00:00:00Z' AS published_at, 1 AS seq, 1 AS version, 'public' AS audience,
  c.id AS consent_id, '2999-01-01T00:00:00Z' AS valid_until, NULL AS embargo_until FROM entry e JOIN consent c ON c.entry_id = e.id"""


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a filled instance; each test of damage gives it its database back afterwards."""
    folder = filled.copy(tmp_path_factory.mktemp("healthy"))
    assert _ill(folder) == set()
    return folder


@pytest.mark.parametrize(("sql", "finder"), [row[1:] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_the_doctor_finds_damage(sql: str, finder: str, healthy: Path) -> None:
    path = healthy / "kb.sqlite3"
    before = path.read_bytes()
    one = "(SELECT min(entry_id) FROM visible WHERE audience = 'public')"
    db = sqlite3.connect(path, isolation_level=None)
    triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    db.executescript(
        sql.replace("{one}", one)
        .replace("{open}", OPEN)
        .replace("{hash}", "0" * 64)
        .replace("DROP TRIGGER", "SELECT 0; --")
    )
    for name, made in triggers:
        if name not in sql:
            db.execute(made)
    db.close()
    try:
        assert finder in _ill(healthy)
    finally:
        for log in healthy.glob("kb.sqlite3-*"):
            log.unlink()
        path.write_bytes(before)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_the_doctor_finds_overwritten_pages(place: float, healthy: Path) -> None:
    path = healthy / "kb.sqlite3"
    before = path.read_bytes()
    at = int(len(before) * place) // 4096 * 4096
    path.write_bytes(before[:at] + b"\xa5" * 8192 + before[at + 8192 :])
    try:
        assert "database file" in _ill(healthy)
    finally:
        for log in healthy.glob("kb.sqlite3-*"):
            log.unlink()
        path.write_bytes(before)


def test_the_doctor_finds_a_damaged_index(tmp_path: Path) -> None:
    folder = filled.copy(tmp_path)
    biggest = max((p for p in (folder / "index").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(biggest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    biggest.write_bytes(content)
    assert _ill(folder) == {"search index"}
    assert filled.kb(folder, "reindex").exit_code == 0
    assert _ill(folder) == set()


@pytest.mark.parametrize("opened", ["", "secret_key", "index"])
def test_the_doctor_finds_an_open_folder(opened: str, tmp_path: Path) -> None:
    folder = filled.copy(tmp_path)
    (folder / opened).chmod(0o755)
    assert _ill(folder) == {"instance folder"}


def test_the_doctor_finds_that_nothing_is_there(tmp_path: Path) -> None:
    assert _ill(tmp_path / "nothing") == {"instance folder", "database"}
    assert not (tmp_path / "nothing").exists()


def test_the_doctor_speaks_to_people_too(healthy: Path) -> None:
    said = filled.kb(healthy, "doctor").output
    assert "well      consent gate" in said
    assert "well      search index" in said


def test_the_doctor_tells_no_word_of_a_text(healthy: Path) -> None:
    path = healthy / "kb.sqlite3"
    before = path.read_bytes()
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER revision_is_immutable")
    db.execute("UPDATE revision SET title = 'Heronwords'")
    db.commit()
    db.close()
    said = filled.kb(healthy, "doctor").output
    path.write_bytes(before)
    assert "revision 1: the text is not the one that was written" in said
    assert "Heronwords" not in said


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (("po", "mo"), None),
        (("mo",), None),
        (("po",), "is not compiled"),
        ((), "is not compiled"),
        (("mo", "po"), "is older than its source"),
    ],
)
def test_the_doctor_looks_at_every_catalogue(
    there: tuple[str, ...], told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lang in ("de", "pl", "lt", "sv", "uk", "ru", "ar", "fa"):
        inside = tmp_path / "translations" / lang / "LC_MESSAGES"
        inside.mkdir(parents=True)
        for number, end in enumerate(there if lang == "ar" else ("po", "mo")):
            (inside / f"messages.{end}").write_bytes(b"x")
            os.utime(inside / f"messages.{end}", (number, number))
    monkeypatch.setattr(condition, "ROOT", tmp_path)
    problems = list(condition._translations(load({})))
    assert len(problems) == (told is not None)
    assert all(told in problem and "ar" in problem for problem in problems if told)


def test_the_doctor_looks_at_every_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(condition._fonts(load({}))) == []
    (tmp_path / "static" / "css").mkdir(parents=True)
    (tmp_path / "static" / "css" / "kb.css").write_bytes((ROOT / "static" / "css" / "kb.css").read_bytes())
    monkeypatch.setattr(condition, "ROOT", tmp_path)
    assert len(list(condition._fonts(load({})))) >= 10
