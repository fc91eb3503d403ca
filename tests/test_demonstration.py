"""``kb demo``: enough of everything, all of it marked, once, and never beside real content."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kb import accounts, condition, consent, demonstration, entries, moderation, places, receipts, themes, translations
from kb.config import Config, load
from kb.consent import Viewer
from kb.db import Database, connect, now, transaction
from kb.entries import Entry, Kind, State
from kb.languages import INTERFACE, NARRATOR
from kb.sessions import shift
from tests import factories, filled


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled.copy(tmp_path_factory.mktemp("demonstration"))


@pytest.fixture
def full(folder: Path) -> Iterator[Database]:
    db = connect(folder / "kb.sqlite3")
    yield db
    db.close()


def _all(db: Database) -> list[Entry]:
    return entries.in_states(db, State)


def _visible(db: Database, viewer: Viewer = Viewer.PUBLIC) -> list[Entry]:
    return entries.get_many(db, [v.entry_id for v in consent.visible(db, viewer, at=now())])


def test_there_is_enough_of_everything(full: Database) -> None:
    seen = _visible(full, Viewer.PARTNER)
    kinds = Counter(entry.kind for entry in seen)
    assert kinds[Kind.GOOD_PRACTICE] >= 40
    assert kinds[Kind.TESTIMONY] >= 20
    for kind in Kind:
        assert {entry.lang for entry in _visible(full) if entry.kind is kind} >= set(INTERFACE)
    assert {entry.lang for entry in _all(full)} == set(NARRATOR)
    assert {entry.state for entry in _all(full)} == set(State)
    assert {entry.region_id for entry in seen} >= set(places.regions(full))


def test_every_theme_has_something_to_read(full: Database) -> None:
    tree = themes.tree(full)
    used = {
        theme
        for entry in _visible(full, Viewer.PARTNER)
        for own in entry.themes
        for theme in themes.ancestors(tree, own)
    }
    assert used == set(tree)


def test_everything_is_marked_as_invented_or_names_its_source(full: Database) -> None:
    for entry in _all(full):
        assert entry.sample != bool(entry.source)
        assert entry.source is None or entry.source["publisher"]
    assert accounts.count_real(full) == 0
    assert all("(sample)" in account.name for account in demonstration.logins(full))
    assert all("sample" in slug for slug, o in places.organisations(full).items() if o.sample)
    invented = {entry.organisation_slug for entry in _all(full) if entry.sample} - {None}
    assert all(places.organisation(full, str(slug)).sample for slug in invented)


def test_consent_is_as_for_anybody_and_holds(full: Database) -> None:
    for seen in consent.visible(full, Viewer.MODERATOR, at=now()):
        terms = consent.terms(full, [seen.consent_id])[seen.consent_id]
        entry = entries.get(full, seen.entry_id)
        assert terms.valid_until > shift(now(), days=300)
        assert terms.lang == entry.lang
        assert terms.notice_id.startswith(f"{entry.kind}.2.{entry.lang}.")
        assert terms.lawful_basis == ("public_task" if entry.source else "consent")
        if entry.kind is Kind.GOOD_PRACTICE:
            assert terms.attribution == "organisation"
            assert terms.credit


def test_acts_lie_in_the_past_and_in_order(full: Database) -> None:
    for entry in _all(full):
        moments = [line.at for line in moderation.history(full, entry.id)]
        assert moments == sorted(moments)
        assert moments[-1] < now()


def test_two_people_reviewed_every_testimony_that_went_out(full: Database) -> None:
    for entry in _visible(full, Viewer.MODERATOR):
        if entry.kind is Kind.TESTIMONY:
            lines = moderation.history(full, entry.id)
            assert len({line.actor_id for line in lines if line.action in ("recommend", "approve")}) == 2


def test_the_report_can_be_read_in_german_and_english(full: Database) -> None:
    reported = [entry for entry in _visible(full) if entry.source]
    assert len(reported) >= 6
    texts = translations.of(full, [(entry.id, entry.seq) for entry in reported])
    for entry in reported:
        assert {entry.lang, *texts[entry.id]} >= {"de", "en"}


def test_an_officer_reads_what_the_public_reads(full: Database) -> None:
    officer, partner = (accounts.by_email(full, f"{who}@demo.example") for who in ("authority", "partner"))
    assert accounts.viewer(full, officer) == Viewer.PUBLIC
    assert accounts.viewer(full, partner) == Viewer.PARTNER


def test_the_practitioner_finds_their_own_entries(full: Database) -> None:
    assert entries.of_account(full, accounts.by_email(full, "practitioner@demo.example").id)


def test_the_accounts_are_told_once_with_their_password() -> None:
    said = filled.first_run()
    assert said.exit_code == 0
    assert filled.PASSWORD in said.output
    for who in ("moderator", "moderator2", "partner", "authority", "practitioner", "admin"):
        assert f"{who}@demo.example" in said.output


def test_the_password_opens_the_accounts(full: Database) -> None:
    found = accounts.check_password(full, "moderator2@demo.example", filled.PASSWORD)
    assert found is not None
    assert found.name == "Lina (sample)"


def test_the_printed_code_opens_the_testimony_that_waits(full: Database) -> None:
    code = re.search(r"^  ((?:[0-9A-Z]{4}-){5}[0-9A-Z]{4})$", filled.first_run().output, flags=re.MULTILINE)
    assert code is not None
    entry = entries.get(full, receipts.open_entry(full, code[1]))
    assert (entry.kind, entry.state, entry.sample) == (Kind.TESTIMONY, State.AWAITING_RELEASE, True)


def test_all_is_well_afterwards(folder: Path) -> None:
    findings = condition.examine(load({"KB_INSTANCE": str(folder)}), at=now())
    assert [f for f in findings if f.problems and f.name != "translations"] == []


def _numbers(folder: Path) -> list[int]:
    db = connect(folder / "kb.sqlite3")
    try:
        tables = [r["name"] for r in db.query("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return [next(db.query(f"SELECT count(*) AS n FROM [{name}]"))["n"] for name in tables]  # noqa: S608 - our own names
    finally:
        db.close()


def test_running_it_again_changes_nothing(tmp_path: Path) -> None:
    folder = filled.copy(tmp_path)
    before = _numbers(folder)
    again = filled.kb(folder, "demo")
    assert again.exit_code == 0
    assert "0 new entries" in again.output
    assert "password" not in again.output
    assert _numbers(folder) == before


def test_it_adds_what_is_missing(monkeypatch: pytest.MonkeyPatch, config: Config, db: Database) -> None:
    with transaction(db):
        db.execute("UPDATE account SET sample = 1")
    some = demonstration.items(config)[:5]
    later = demonstration.items(config)[:7]
    for choice, new in ((some, 5), (later, 2), (later, 0)):
        monkeypatch.setattr(demonstration, "items", lambda _, choice=choice: choice)
        assert demonstration.load(db, config, password=factories.PASSWORD, at=now()).new_entries == new


def test_it_does_nothing_when_asked_only_for_an_empty_instance(tmp_path: Path) -> None:
    folder = filled.copy(tmp_path)
    before = _numbers(folder)
    said = filled.kb(folder, "demo", "--if-empty")
    assert (said.exit_code, said.output) == (0, "")
    assert _numbers(folder) == before


@pytest.mark.parametrize("real", ["account", "entry"])
def test_it_refuses_on_real_content(real: str, tmp_path: Path) -> None:
    folder = tmp_path / "real"
    filled.kb(folder, "migrate")
    db = connect(folder / "kb.sqlite3")
    if real == "account":
        _one_account(db)
    else:
        factories.testimony(db, state="submitted")
    db.close()
    before = _numbers(folder)
    said = filled.kb(folder, "demo")
    assert said.exit_code == 1
    assert "real content" in said.output
    silent = filled.kb(folder, "demo", "--if-empty")
    assert (silent.exit_code, silent.output) == (0, "")
    assert _numbers(folder) == before


def _one_account(db: Database) -> None:
    with transaction(db):
        accounts.create(db, "ada@example.org", "Ada", accounts.Role.ADMINISTRATOR, factories.PASSWORD, at=now())


def test_a_short_password_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    filled.kb(tmp_path, "migrate")
    before = _numbers(tmp_path)
    said = filled.kb(tmp_path, "demo", KB_DEMO_PASSWORD="too short")
    assert said.exit_code == 1
    assert "15" in said.output
    assert _numbers(tmp_path) == before


def test_a_password_is_made_when_none_is_given(tmp_path: Path) -> None:
    filled.kb(tmp_path, "migrate")
    said = filled.kb(tmp_path, "demo")
    made = re.search(r"the password  (\S+)  ", said.output)
    assert made is not None
    db = connect(tmp_path / "kb.sqlite3")
    assert accounts.check_password(db, "admin@demo.example", made[1]) is not None
    db.close()


def test_no_code_or_password_is_kept_in_the_clear(folder: Path) -> None:
    code = re.search(r"^  ((?:[0-9A-Z]{4}-){5}[0-9A-Z]{4})$", filled.first_run().output, flags=re.MULTILINE)
    assert code is not None
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert code[1].encode() not in content
            assert code[1].replace("-", "").lower().encode() not in content
            assert filled.PASSWORD.encode() not in content


def test_nothing_of_the_taken_back_story_is_left(full: Database, folder: Path) -> None:
    gone = next(entry for entry in _all(full) if entry.state is State.WITHDRAWN)
    assert entries.revision(full, gone.id, 1).text.words().strip() == ""
    for path in folder.glob("kb.sqlite3*"):
        assert b"This invented story was taken back" not in path.read_bytes()
