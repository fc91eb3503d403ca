"""Kill -9 at every named step of everything that must not be half done, twenty times each, and look whether it is whole afterwards.

Run by `make stress`. Every fourth kill comes exactly at the step, the others a few milliseconds later, in the middle of what follows.
Afterwards the instance is looked at as it lies there, then the background does its work, then `kb doctor` has to find nothing.
"""

import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kb import (
    backup,
    choices,
    codes,
    condition,
    consent,
    disclosure,
    entries,
    erasure,
    housekeeping,
    ledger,
    receipts,
    tombstones,
    vault,
    withdrawal,
    workflow,
    worries,
)
from kb.backup import sealing
from kb.config import Config
from kb.consent import Grant, Viewer
from kb.db import Database, connect, now, transaction
from kb.entries import Draft, Kind, State, Text
from kb.search import indexer
from kb.search.index import rebuild
from kb.sessions import shift
from kb.vault import Identity
from tests import factories, planted
from tests.forensics import traces
from tests.killing import Step, killed

TIMES = 20
_LETTERS = "bdfgklmnprtv"
# What `kb doctor` says about the program and not about the data.
_OF_THE_PROGRAM = {"translations", "fonts"}


def before(name: str, nth: int = 1) -> Step:
    """Name the moment before a function begins."""
    return Step(f"kb.{name}", nth)


def after(name: str, nth: int = 1) -> Step:
    """Name the moment after a function has ended."""
    return Step(f"kb.{name}", nth, after=True)


@pytest.fixture
def config(tmp_path: Path, template_instance: Path) -> Config:
    """Return the settings of a fresh instance."""
    return planted.settings(Path(shutil.copytree(template_instance, tmp_path / "instance")))


def word(number: int) -> str:
    """Return a word that stands nowhere else."""
    first, second = divmod(number, len(_LETTERS))
    return f"Xamor{_LETTERS[first]}{_LETTERS[second]}ubvq"


def rounds(step: Step) -> Iterator[tuple[int, Step]]:
    """Yield the number and the exact moment of each kill."""
    luck = random.Random(str(step))  # noqa: S311 - repeatable
    for number in range(TIMES):
        later = 0.0 if number % 4 == 0 else luck.uniform(0.0001, 0.006)
        yield number, Step(step.name, step.nth, step.after, later)


def shown(config: Config) -> set[str]:
    """Return what anybody at all may see."""
    with closing(connect(config.database)) as db:
        return {v.entry_id for v in consent.visible(db, Viewer.MODERATOR, at=now())}


def tidied(config: Config, at: str | None = None) -> None:
    """Let the background do its work, as it would after a start, until nothing is left to do."""
    for _ in range(3):
        done = housekeeping.work(config, at=at or now())
        indexer.once(config)
        if done:
            return


def assert_well(config: Config) -> None:
    """Make sure that nothing is wrong with an instance whose background has done its work."""
    found = {f.name: f.problems for f in condition.examine(config, at=now()) if f.problems}
    assert {name: problems for name, problems in found.items() if name not in _OF_THE_PROGRAM} == {}
    with closing(connect(config.database)) as db:
        assert ledger.behind(db) == []
        assert erasure.unfinished(db) == []


# ---------- submit ----------

SUBMIT = [
    before("entries:by_token"),
    after("notices:record"),
    after("entries:insert"),
    after("consent:record"),
    after("vault:post"),
    after("vault:mark_name"),
    after("receipts:issue"),
    after("moderation:log"),
    after("drafts:drop"),
    after("workflow:submit"),
]


@pytest.mark.parametrize("step", SUBMIT, ids=str)
def test_4_t2_submit(config: Config, step: Step) -> None:
    """All of it is there or nothing, and sending the same form again gives one entry and the same receipt."""
    for number, kill in rounds(step):
        assert killed(kill, lambda number=number: _submit(config, number)) or kill.later
        with closing(connect(config.database)) as db:
            there = entries.by_token(db, f"token {number}")
            assert entries.count_all(db) == number + (there is not None)
        assert shown(config) == set()
        sent = _submit(config, number)
        assert there in (None, sent.entry_id)
        with closing(connect(config.database)) as db:
            assert receipts.open_entry(db, codes.show_receipt(sent.code)) == sent.entry_id
            assert entries.revision(db, sent.entry_id, 1).text.title == word(number)
    tidied(config)
    with closing(connect(config.database)) as db:
        for entry in entries.in_states(db, [State.SUBMITTED]):
            assert vault.holds(config, entry.id)
    assert_well(config)


def _submit(config: Config, number: int) -> workflow.Receipt:
    notice = factories.notice()
    answers = factories.OPEN | {"attribution": "pseudonym"}
    with closing(connect(config.database)) as db:
        return workflow.submit(
            db,
            Draft(Kind.TESTIMONY, Text("en", word(number), "", {"body": "A story."}), f"token {number}"),
            Grant(notice.id, "en", answers, credit="Rose"),
            notice,
            secret=factories.SECRET,
            months=24,
            at=now(),
            unfinished_by="session:x",
            identity=Identity("Amina A", "amina@example.org"),
            public_key=vault.public_key(config),
        )


# ---------- release ----------

RELEASE = [
    before("hands:advance"),
    after("hands:advance"),
    after("consent:release"),
    after("entries:make_public"),
    after("changes:announce"),
    after("search.outbox:add"),
    after("workflow:release"),
]


@pytest.mark.parametrize("step", RELEASE, ids=str)
def test_4_t2_release(config: Config, step: Step) -> None:
    """It is public with its consent, or it waits as before."""
    made = _made(config, state="awaiting_release")
    public: set[str] = set()
    for number, kill in rounds(step):
        died = killed(kill, lambda number=number: _release(config, made[number]))
        assert died or kill.later
        with closing(connect(config.database)) as db:
            state = entries.get(db, made[number]).state
        assert shown(config) == public | ({made[number]} if state is State.PUBLISHED else set())
        assert died or state is State.PUBLISHED
        if state is State.AWAITING_RELEASE:
            _release(config, made[number])
        public.add(made[number])
        assert shown(config) == public
    tidied(config)
    assert_well(config)


def _made(config: Config, state: str = "published", **facts: str) -> list[str]:
    """Make as many entries as there are kills, each with a word of its own."""
    with closing(connect(config.database)) as db:
        return [
            factories.testimony(
                db, state=state, title=f"Told {word(n)}", body=f"There was {word(n)}. " * 30, **facts
            ).id
            for n in range(TIMES)
        ]


def _release(config: Config, entry_id: str) -> None:
    with closing(connect(config.database)) as db:
        workflow.release(db, entry_id, text_hash=entries.revision(db, entry_id, 1).sha256, at=now())


# ---------- withdraw ----------

WITHDRAW = [
    before("hands:advance"),
    before("ledger:append"),
    before("ledger:_write"),
    after("ledger:_write"),
    after("ledger:append"),
    after("consent:withdraw"),
    after("tombstones:put"),
    after("disclosure:recall"),
    after("erasure:order"),
    after("search.outbox:add"),
    after("withdrawal:withdraw"),
]


@pytest.mark.parametrize("step", WITHDRAW, ids=str)
def test_4_t2_withdraw(config: Config, step: Step) -> None:
    """What was taken back is hidden at once; once the ledger has it, it is taken back whatever became of the database."""
    made = _made(config)
    with closing(connect(config.database)) as db, transaction(db):
        for entry_id in made:
            disclosure.note(db, entry_id, "test-association", disclosure.Kind.VIEW, 1, at=now())
    public = set(made)
    for number, kill in rounds(step):
        died = killed(kill, lambda number=number: _withdraw(config, made[number]))
        assert died or kill.later
        assert shown(config) in (public, public - {made[number]})
        assert died or made[number] not in shown(config)
        with closing(connect(config.database)) as db:
            ordered = any(line.entry == made[number] for line in ledger.lines(ledger.place(db)))
            assert ordered or made[number] in shown(config)
            ledger.replay(db, withdrawal.apply_line, at=now())
            assert ordered == (made[number] not in shown(config))
            if not ordered:
                withdrawal.withdraw(db, made[number], at=now())
            assert tombstones.exists(db, made[number])
            assert len(disclosure.of_entry_recalls(db, made[number])) == 1
        public.discard(made[number])
        assert shown(config) == public
    tidied(config)
    assert_well(config)


def _withdraw(config: Config, entry_id: str, *, for_good: bool = False) -> None:
    with closing(connect(config.database)) as db:
        withdrawal.withdraw(db, entry_id, at=now(), for_good=for_good)


# ---------- erase ----------

TEXT = [
    before("withdrawal:_erase"),
    after("ledger:append"),
    after("entries:erase"),
    after("translations:erase"),
    after("moderation:erase"),
    after("checklist:erase"),
    after("worries:erase"),
    after("lost_codes:erase"),
    after("consent:forget_person"),
    after("vault:forget_letters"),
    after("vault:forget_marks"),
    after("delivery:forget_narrator"),
    after("erasure:erase_text"),
]
VAULT = [
    after("vault:collect"),
    before("vault:erase"),
    after("vault:erase"),
    before("erasure:_vacuum", 2),
    after("erasure:_vacuum", 2),
]
LOG = [
    before("erasure:_vacuum"),
    after("erasure:_vacuum"),
    before("erasure:empty_log"),
    after("erasure:empty_log", 2),
    after("erasure:_note"),
    after("erasure:_note", 2),
    after("erasure:_note", 3),
]
INDEX = [
    before("search.copies:Copy.catch_up"),
    before("search.storage:Shelf._seal"),
    after("search.storage:Shelf._seal"),
    before("search.merging:_rewrite", 2),
    after("search.merging:_rewrite", 2),
    before("search.storage:Shelf._seal", 2),
    after("search.storage:Shelf._seal", 2),
    before("search.storage:tidy", 2),
    before("search.indexer:_clear"),
    after("search.outbox:clear"),
]


@pytest.mark.parametrize("step", [*TEXT, *VAULT, *LOG, *INDEX], ids=str)
def test_4_t2_erase(config: Config, step: Step) -> None:
    """Whatever was begun goes on, and nothing of any word is left in any file."""
    made = _made(config, attribution="pseudonym", credit="Rose")
    indexer.once(config)
    with closing(connect(config.database)) as db, transaction(db):
        for number, entry_id in enumerate(made):
            person = Identity(f"N {word(number)}", f"{word(number)}@example.org")
            vault.post(db, vault.public_key(config), entry_id, person, at=now())
            worries.report(db, entry_id, "reader", worries.Kind.OTHER, f"I know {word(number)}", at=now())
    later = shift(now(), hours=73)
    public = set(made)
    for number, kill in rounds(step):
        _withdraw(config, made[number])
        public.discard(made[number])
        assert killed(kill, lambda: _background(config, later)) or kill.later
        assert shown(config) == public
        _background(config, later)
        with closing(connect(config.database)) as db:
            assert erasure.unfinished(db) == []
            assert erasure.counts(db) == (0, 0, number + 1)
        assert not vault.holds(config, made[number])
        assert not [p for p in config.instance.rglob("*") if p.is_file() and word(number).encode() in p.read_bytes()]
    assert traces(config.instance, map(word, range(TIMES))) == []
    assert_well(config)


def _background(config: Config, at: str) -> None:
    """Do what the background process does: housekeeping, the indexer, and housekeeping that notes it."""
    housekeeping.work(config, at=at)
    indexer.once(config)
    housekeeping.work(config, at=at)


# ---------- rebuild ----------

REBUILD = [
    after("search.generations:begin"),
    after("search.copies:Copy.fill"),
    after("search.copies:Copy.finish"),
    after("search.index:_build"),
    after("search.doctor:differences"),
    before("search.generations:swap"),
    before("search.storage:replace", 8),
    after("search.generations:swap"),
    before("search.generations:tidy"),
]


@pytest.mark.parametrize("step", REBUILD, ids=str)
def test_4_t2_rebuild(config: Config, step: Step) -> None:
    """The index is the old or the new one, and what was taken back meanwhile is in neither."""
    made = _made(config)
    indexer.once(config)
    for number, kill in rounds(step):
        assert killed(kill, lambda: _rebuild(config)) or kill.later
        _withdraw(config, made[number], for_good=True)
        _background(config, now())
        with closing(connect(config.database)) as db:
            assert erasure.unfinished(db) == []
        assert len([p for p in config.index.iterdir() if p.name.startswith("g")]) == 1
    assert traces(config.instance, map(word, range(TIMES))) == []
    assert_well(config)


def _rebuild(config: Config) -> None:
    with closing(connect(config.database)) as db:
        rebuild(config, db, now())


# ---------- backup ----------

BACKUP = [
    after("backup.sealing:make_key"),
    after("backup.making:_copy"),
    after("backup.manifest:describe"),
    before("backup.making:_pack"),
    before("backup.sealing:Sealer.finish"),
    after("backup.sealing:Sealer.finish"),
    before("backup.making:expire_old"),
]


@pytest.mark.parametrize("step", BACKUP, ids=str)
def test_4_t2_backup(config: Config, step: Step, tmp_path: Path) -> None:
    """A file with the name of a backup is a whole one, and no open copy is left in the instance."""
    made, safe = _made(config), tmp_path / "safe"
    for number, kill in rounds(step):
        at = shift("2026-11-22T10:00:00Z", hours=number)
        assert killed(kill, lambda at=at: backup.make(config, safe, at=at)) or kill.later or step == BACKUP[0]
        _withdraw(config, made[number], for_good=True)
        _background(config, now())
        assert not (config.instance / "safekeeping").exists()
        assert traces(config.instance / "vault", [word(number)]) == []
        assert word(number).encode() not in config.database.read_bytes()
    whole = sorted(safe.glob("*.kbbackup"))
    for path in whole:
        with path.open("rb") as file:
            sealing.Opener(file, sealing.read_key(config.backup_key)).to_the_end()
    assert_well(config)
    if whole:
        _restore(config, whole[0])
        assert shown(config) == set()
    assert traces(config.instance, map(word, range(TIMES))) == []


# ---------- restore ----------

RESTORE = [
    after("backup.restoring:_unpack"),
    after("backup.restoring:_migrate"),
    after("ledger:replay"),
    after("erasure:go_on"),
    before("backup.restoring:_commit"),
    after("backup.restoring:_commit"),
    before("backup.restoring:_put_in_place"),
    after("backup.restoring:_put_in_place"),
]


@pytest.mark.parametrize("step", RESTORE, ids=str)
def test_4_t2_restore(config: Config, step: Step, tmp_path: Path) -> None:
    """It is the instance from before or from after, and in both everything that was taken back is gone."""
    made = _made(config)
    indexer.once(config)
    file = backup.make(config, tmp_path / "safe", at=now()).path
    public = set(made)
    for number, kill in rounds(step):
        act = number % 3
        if act == 0:
            _withdraw(config, made[number], for_good=True)
        else:
            with closing(connect(config.database)) as db:
                if act == 1:
                    choices.pause(db, made[number], at=now())
                else:
                    withdrawal.withdraw(db, made[number], at=now())
        public.discard(made[number])
        assert killed(kill, lambda: _restore(config, file)) or kill.later
        backup.recover(config)
        assert shown(config) == public
        if number % 5 == 4:
            _restore(config, file)
            assert shown(config) == public
    tidied(config)
    assert traces(config.instance, [word(number) for number in range(0, TIMES, 3)]) == []
    assert_well(config)


def _restore(config: Config, file: Path) -> None:
    backup.restore(config, file, replace=True, at=now(), apply=withdrawal.apply_line, finish=_finish)


def _finish(config: Config, db: Database, *, at: str) -> None:
    withdrawal.erase_due(db, at=at)
    erasure.go_on(config, db, at=at)
