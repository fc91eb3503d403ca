"""The drill: back up, decide, lose everything, go back. Whatever was taken back, narrowed, paused or held stays so (R97, R98)."""

import gc
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from kb import accounts, choices, consent, create_app, entries, erasure, hands, holds, ledger, stewardship, withdrawal
from kb.accounts import Role
from kb.config import Config
from kb.consent import Audience, Scope, Viewer
from kb.db import Database, connect, now, transaction
from kb.sessions import shift
from tests import factories, filled, planted
from tests.factories import Made
from tests.forensics import traces
from tests.pages import Visitor

VIEWERS = {
    "public": Viewer.PUBLIC,
    "partner": Viewer.PARTNER,
    "new partner": Viewer((Audience.PUBLIC, Audience.PARTNERS), since="2900-01-01T00:00:00Z"),
    "moderator": Viewer.MODERATOR,
}


@dataclass(frozen=True)
class Case:
    """One entry of the drill.

    Args:
        before: what was decided before the backup.
        since: what was decided between the backup and the loss.
        after: where it stands after going back: ``public``, ``partners``, ``hidden`` or ``erased``.
    """

    since: Callable[[Database, str], object]
    after: str
    before: Callable[[Database, str], object] = lambda _db, _entry_id: None


def _withdraw(db: Database, entry_id: str) -> None:
    withdrawal.withdraw(db, entry_id, at=now())


def _undo(db: Database, entry_id: str) -> None:
    withdrawal.undo(db, entry_id, at=now())


def _erase(db: Database, entry_id: str) -> None:
    withdrawal.erase_now(db, entry_id, at=now())


def _pause(db: Database, entry_id: str) -> None:
    choices.pause(db, entry_id, at=now())


def _resume(db: Database, entry_id: str) -> None:
    choices.resume(db, entry_id, at=now())


def _narrow(scope: Scope, choice: str) -> Callable[[Database, str], None]:
    def narrow(db: Database, entry_id: str) -> None:
        choices.narrow(db, entry_id, {scope: choice}, at=now())

    return narrow


def _hold(who: str) -> Callable[[Database, str], None]:
    def hold(db: Database, entry_id: str) -> None:
        hand = hands.moderator(accounts.by_email(db, f"{who}@example.org"))
        stewardship.hold(db, entry_id, holds.Reason.SAFETY, hand, at=now())

    return hold


def _rename(db: Database, entry_id: str) -> None:
    """Have a made-up name shown instead of the real one."""
    answers = consent.answers(db, consent.in_force(db, entry_id))
    seq = entries.get(db, entry_id).public_seq
    assert seq is not None
    choices.choose(
        db,
        entry_id,
        {scope: a.value for scope, a in answers.items() if scope is not Scope.RELEASE}
        | {Scope.ATTRIBUTION: "pseudonym"},
        credit="Rose",
        notice=factories.notice(),
        months=24,
        text_hash=entries.revision(db, entry_id, seq).sha256,
        at=now(),
    )


def _all(*acts: Callable[[Database, str], object]) -> Callable[[Database, str], None]:
    def do(db: Database, entry_id: str) -> None:
        for act in acts:
            act(db, entry_id)

    return do


CASES = {
    "stays": Case(lambda _db, _entry_id: None, "public"),
    "undone": Case(_all(_withdraw, _undo), "public"),
    "waiting": Case(_withdraw, "hidden"),
    "erased": Case(_all(_withdraw, _erase), "erased"),
    "erased at once": Case(lambda db, e: withdrawal.withdraw(db, e, at=now(), for_good=True), "erased"),
    "due since": Case(lambda db, e: withdrawal.withdraw(db, e, at=shift(now(), hours=-73)), "erased"),
    "undone and taken back": Case(_all(_withdraw, _undo, _withdraw), "hidden"),
    "narrowed": Case(_narrow(Scope.AUDIENCE, "partners"), "partners"),
    "narrowed twice": Case(
        _all(_narrow(Scope.AUDIENCE, "partners"), _narrow(Scope.AUDIENCE, "moderators")), "moderators"
    ),
    "narrowed and undone": Case(_all(_narrow(Scope.AUDIENCE, "partners"), _withdraw, _undo), "partners"),
    "without a name": Case(_narrow(Scope.ATTRIBUTION, "anonymous"), "public"),
    "with another name": Case(_rename, "public"),
    "paused": Case(_pause, "hidden"),
    "paused and shown": Case(_all(_pause, _resume), "public"),
    "held": Case(_hold("stina"), "hidden"),
    "held by somebody new": Case(_hold("nora"), "hidden"),
    "taken back before, undone since": Case(_undo, "public", before=_withdraw),
    "taken back before, erased since": Case(_erase, "erased", before=_withdraw),
    "paused before, shown since": Case(_resume, "public", before=_pause),
    "erased before": Case(lambda _db, _entry_id: None, "erased", before=_all(_withdraw, _erase)),
}
REACH = {"public": set(VIEWERS), "partners": {"partner", "moderator"}, "moderators": {"moderator"}}


def word(name: str) -> str:
    """Return the word that stands in the text of an entry, and nowhere else."""
    return f"Xamor{list(CASES).index(name):02}ubvq".translate(str.maketrans("0123456789", "bdfgklmnpr"))


def credit(name: str) -> str:
    """Return the real name that stood above it."""
    return f"N{word(name)}"


@dataclass
class Drill:
    """An instance, its backup from before the decisions, and the entries by name."""

    config: Config
    backup: Path
    made: dict[str, Made]

    def kb(self, *arguments: str) -> object:
        """Run a command that has to succeed."""
        said = filled.kb(self.config.instance, *arguments, KB_SECRET_KEY=factories.SECRET)
        assert said.exit_code == 0, said.output
        return said


@pytest.fixture
def drill(instance: Path, tmp_path: Path) -> Drill:
    """Tell, back up, and decide."""
    config = planted.settings(instance)
    with closing(connect(config.database)) as db:
        made = {
            name: factories.testimony(
                db,
                title=f"Told {word(name)}",
                body=f"Once {word(name)} was here.",
                attribution="real_name",
                credit=credit(name),
            )
            for name in CASES
        }
        for name, case in CASES.items():
            case.before(db, made[name].id)
    done = Drill(config, tmp_path, made)
    done.kb("index", "--once")
    done.kb("backup", str(tmp_path / "safe"))
    (done.backup,) = (tmp_path / "safe").iterdir()
    with closing(connect(config.database)) as db:
        with transaction(db):
            accounts.create(db, "nora@example.org", "Nora Steward", Role.STEWARD, factories.PASSWORD, at=now())
        for name, case in CASES.items():
            case.since(db, made[name].id)
    return done


def visible(config: Config, made: dict[str, Made]) -> dict[str, set[str]]:
    """Return who may see each entry."""
    with closing(connect(config.database)) as db:
        seen = {who: {v.entry_id for v in consent.visible(db, viewer, at=now())} for who, viewer in VIEWERS.items()}
    return {name: {who for who in VIEWERS if entry.id in seen[who]} for name, entry in made.items()}


def expected() -> dict[str, set[str]]:
    """Return who may see each entry, by what was decided last."""
    return {name: REACH.get(case.after, set()) for name, case in CASES.items()}


def test_r98_nothing_comes_back(drill: Drill) -> None:
    assert visible(drill.config, drill.made) == expected()  # before the loss
    drill.kb("restore", str(drill.backup), "--replace")

    assert visible(drill.config, drill.made) == expected()
    gone = [name for name, case in CASES.items() if case.after == "erased"]
    assert traces(drill.config.instance, [w for name in gone for w in (word(name), credit(name))]) == []
    assert traces(drill.config.instance, [credit("without a name"), credit("with another name")]) == []
    with closing(connect(drill.config.database)) as db:
        assert ledger.behind(db) == []
        for name in gone:
            assert erasure.ordered(db, drill.made[name].id) is not None
    drill.kb("reindex")
    assert unwell(drill) == {}


def unwell(drill: Drill) -> dict[str, list[str]]:
    """Return what `kb doctor` finds in the instance; whether the catalogues are compiled is another matter."""
    said = filled.kb(drill.config.instance, "doctor", "--json", KB_SECRET_KEY=factories.SECRET)
    return {
        name: found for name, found in json.loads(said.stdout)["checks"].items() if found and name != "translations"
    }


def test_r98_pages_search_and_receipts_agree(drill: Drill) -> None:
    """The same people see the same pages as before the loss, and find the same."""
    before = looked_at(drill)
    drill.kb("restore", str(drill.backup), "--replace")
    drill.kb("reindex")

    assert looked_at(drill) == before


def looked_at(drill: Drill) -> dict[str, dict[str, object]]:
    """Return for each entry what a stranger, a partner and a moderator get, and what its receipt says."""
    drill.kb("index", "--once")
    app = create_app(**drill.config)
    people = {who or "stranger": Visitor(app, who) for who in (None, "jonas", "berg", "marek")}
    found: dict[str, dict[str, object]] = {}
    for name, made in drill.made.items():
        found[name] = {who: _answers(visitor, made, name) for who, visitor in people.items()}
        found[name]["receipt"] = _receipt(Visitor(app), made)
    del app, people
    gc.collect()  # the site is stopped when nothing holds it any more
    return found


def _answers(visitor: Visitor, made: Made, name: str) -> tuple[object, ...]:
    page = visitor.open(f"/entries/{made.id}", follow_redirects=True)
    hits = visitor.open("/search.json", query_string={"q": word(name)}).get_json()
    names = sum(credit(name) in answer.get_data(as_text=True) for answer in (page,))
    return page.status_code, json.dumps(hits).count(made.id), names


def _receipt(visitor: Visitor, made: Made) -> tuple[str, bool]:
    page = visitor.send(visitor.page("/receipt"), "/receipt", code=factories.shown(made.code))
    return page.h1, "Undo: show it as before" in page.main


def test_r98_without_the_ledger_nothing_is_restored(drill: Drill, tmp_path: Path) -> None:
    shutil.move(drill.config.instance / "ledger", tmp_path / "ledger")
    before = visible(drill.config, drill.made)

    said = filled.kb(drill.config.instance, "restore", str(drill.backup), "--replace", KB_SECRET_KEY=factories.SECRET)

    assert said.exit_code == 1
    assert "ledger" in said.output and "stories that were taken back could return" in said.output
    assert visible(drill.config, drill.made) == before
    copy = str(tmp_path / "ledger")
    drill.kb("restore", str(drill.backup), "--replace", "--ledger", copy)
    assert visible(drill.config, drill.made) == expected()


def test_r98_restored_twice_is_restored_once(drill: Drill) -> None:
    for _ in range(2):
        drill.kb("restore", str(drill.backup), "--replace")
        assert visible(drill.config, drill.made) == expected()
    assert unwell(drill) == {}
