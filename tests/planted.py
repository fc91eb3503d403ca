"""Have an instance in which three people told something, with a word of its own in every place that can hold one.

Amina tells on the web, in person, and talks with the moderators; a young person tells with a guardian; Pia describes a practice in four
languages. Strangers' stories lie between theirs. Who looks for the words afterwards knows what is left of each place.
"""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from kb import (
    accounts,
    choices,
    create_app,
    disclosure,
    entries,
    expiry,
    hands,
    holds,
    receipts,
    stewardship,
    vault,
    workflow,
    worries,
)
from kb.config import Config, load
from kb.consent import ASKED, Grant, Guardian, Scope, Telling, Viewer
from kb.db import connect, now, rows, transaction, value
from kb.entries import Draft, Kind, Text
from kb.search import indexer
from kb.vault import Identity
from tests import factories
from tests.factories import Made
from tests.pages import Visitor
from tests.search import making

_LETTERS = "bdfgklmnprtv"
_CYRILLIC = str.maketrans("amorubvqdfgklnpt", "аморубвкдфгклнпт")
_ARABIC = str.maketrans("xamorubvqdfgklnpt", "خامورعبفقدضغكلنسط")


@dataclass
class Words:
    """Words that stand nowhere else, by the place where each was planted; no stem of a language shortens them."""

    by_place: dict[str, str] = field(default_factory=dict)

    def __call__(self, place: str) -> str:
        """Return the word of a place, a new one the first time; every fourth is Cyrillic, every eighth Arabic."""
        if place not in self.by_place:
            number = len(self.by_place)
            first, second = divmod(number, len(_LETTERS))
            word = f"Xamor{_LETTERS[first]}{_LETTERS[second]}ubvq"
            script = _ARABIC if number % 8 == 7 else _CYRILLIC if number % 8 == 3 else {}
            self.by_place[place] = word if "@" in place or not script else word.lower().translate(script)
        return self.by_place[place]


@dataclass(frozen=True)
class Planted:
    """What was planted.

    Args:
        amina: told on the web and published twice.
        young: told by a minor, whose name still waits in the letter box.
        pia: a good practice with translations.
        waiting: a moderator has it in hand.
        boxes: pieces of each sealed box: whoever has the key of the vault reads names from what is left of one.
    """

    words: dict[str, str]
    amina: Made
    young: Made
    pia: Made
    waiting: Made
    boxes: dict[str, bytes]
    others: list[str]

    @property
    def ids(self) -> list[str]:
        """Return the entries that hold the words."""
        return [self.amina.id, self.young.id, self.pia.id, self.waiting.id]

    @property
    def markers(self) -> list[str | bytes]:
        """Return everything of which nothing may be left."""
        return [*self.words.values(), *self.boxes.values()]


# Not to be found before, because only sealed boxes hold them.
SEALED = ("young: real name", "young: contact", "amina: e-mail@")
# Forms that were begun and not sent belong to no entry: one typed without an account goes after a day, one in an account after a month.
UNSENT = ("amina: begun again", "pia: begun again")


class Planter:
    """Plant words into an instance, as each person would."""

    def __init__(self, config: Config, app: Flask) -> None:
        self.config, self.app = config, app
        self.db = connect(config.database)
        self.word = Words()
        self.boxes: dict[str, bytes] = {}
        account = {who: accounts.by_email(self.db, row[0]) for who, row in factories.CAST.items()}
        self.marek, self.lina, self.stina, self.tomas = (
            hands.moderator(account[who]) for who in ("marek", "lina", "stina", "tomas")
        )
        self.pia_id, self.jonas_id = account["pia"].id, account["jonas"].id

    def plant(self) -> Planted:
        """Plant everything and return what and where."""
        strangers = self._strangers(12)
        amina = self._amina()
        strangers += self._strangers(12)
        pia = self._pia()
        young = self._young()
        strangers += self._strangers(12)
        waiting = factories.testimony(
            self.db, state="in_review", title=self.word("waiting: title"), body=self.word("waiting: body")
        )
        indexer.once(self.config)
        for word in self.word.by_place.values():
            Visitor(self.app).open("/search", query_string={"q": word})
        return Planted(self.word.by_place, amina, young, pia, waiting, self.boxes, strangers)

    def _strangers(self, count: int) -> list[str]:
        luck = making.chance(count)
        texts = (making.story(" ".join(luck.choices(making.WORDS, k=luck.randint(20, 400)))) for _ in range(count))
        made = []
        for audience, text in zip(itertools.cycle(("public", "partners", "moderators")), texts, strict=False):
            made.append(making.publish(self.db, text, audience=audience, at=now()))
        return made

    def _seal(self, place: str, entry_id: str) -> None:
        box = value(self.db, "SELECT box FROM letter WHERE entry_id = ? ORDER BY id DESC", (entry_id,))
        self.boxes |= {f"{place}: box at {at}": box[at : at + 24] for at in (8, 500, len(box) - 32)}

    # ---------- Amina ----------

    def _amina(self) -> Made:
        browser = Visitor(self.app)
        code = self._told_on_the_web(browser)
        entry_id = receipts.open_entry(self.db, code)
        self._seal("amina", entry_id)
        vault.collect(self.db, self.config.vault, at=now())
        self._asked_and_answered(browser, entry_id, code)
        self._published(entry_id, "first")
        workflow.revise(self.db, entry_id, self.marek, reason=self._said("reason to revise"), at=now())
        workflow.put_back(self.db, entry_id, self.marek, at=now())
        self._reviewed(entry_id, "second")
        self._corrected(entry_id)
        self._published(entry_id, "third")
        self._named_anew(entry_id)
        code = self._stewards(entry_id)
        self._begun_again(browser)
        return Made(entry_id, code)

    def _said(self, place: str) -> str:
        return f"They told me {self.word(f'amina: {place}')} and more."

    def _told_on_the_web(self, browser: Visitor) -> str:
        page = browser.send(browser.page("/submit/testimony"), "/submit/testimony", lang="en")
        answers = dict.fromkeys(("store", "special_health", "share", "teaching"), "yes") | {
            "age_group": "adult",
            "audience": "public",
            "attribution": "real_name",
            "credit": self.word("amina: credit"),
            "edit": "shorten",
            "contact": "email",
            "place": "municipality",
        }
        page = browser.send(page, "/submit/testimony/consent", **answers)
        typed = page.form("/submit/testimony/story")
        for place in ("typed first", "typed then"):  # saved while it is typed, then written over
            data = browser.filled(typed, {"body": f"{self._said(place)} " * 40})
            saved = browser.open(
                "/submit/testimony/save", method="POST", data=data, headers={"Sec-Fetch-Site": "same-origin"}
            )
            assert saved.status_code == 204
        story = self._long("body")
        title = self.word("amina: title")
        page = browser.send(page, "/submit/testimony/story", title=title, body=story, region="DE80L", year="2021")
        page = browser.send(page, "/submit/testimony/check", address=f"{self.word('amina: e-mail@')}@example.org")
        return "".join(page.one("p", klass="code").itertext())

    def _long(self, place: str) -> str:
        """Return a text that runs over several pages of the database, with its word at several places."""
        filling = " ".join(making.chance(1).choices(making.WORDS, k=300))
        return f"{self._said(place)}\n\n{filling}\n\n{self._said(place)}\n\n{filling} {self.word(f'amina: {place}')}"

    def _asked_and_answered(self, browser: Visitor, entry_id: str, code: str) -> None:
        workflow.claim(self.db, entry_id, self.marek, at=now())
        workflow.ask(
            self.db, entry_id, self._said("question"), self.marek, reason=self._said("reason to ask"), at=now()
        )
        page = browser.send(browser.page("/receipt"), "/receipt", code=code)
        browser.send(page, "/receipt/answer", text=self._said("answer"))

    def _reviewed(self, entry_id: str, place: str) -> None:
        """Have two moderators edit, judge and approve a text."""
        workflow.claim(self.db, entry_id, self.marek, at=now())
        seen = entries.get(self.db, entry_id).seq
        title, summary = self.word(f"amina: {place} title"), self._said(f"{place} summary")
        text = Text("en", title, summary, {"body": self._long(f"{place} edit")})
        seq = workflow.edit(self.db, entry_id, text, self.marek, seen=seen, at=now())
        workflow.file_under(
            self.db,
            entry_id,
            self.marek,
            region_id="DE80L",
            theme_ids=("music",),
            year_from=2019,
            year_to=2021,
            special=(Scope.SPECIAL_HEALTH,),
            at=now(),
        )
        for hand, act, name in (
            (self.marek, workflow.recommend, "recommends"),
            (self.lina, workflow.approve, "approves"),
        ):
            if hand is self.lina:
                workflow.claim(self.db, entry_id, hand, at=now())
            reason = self._said(f"{place} risks, {name}")
            workflow.check_risks(self.db, entry_id, hand, factories.HARMLESS, seen=seq, reason=reason, at=now())
            act(self.db, entry_id, hand, seen=seq, reason=self._said(f"{place} {name}"), at=now())

    def _published(self, entry_id: str, place: str) -> None:
        self._reviewed(entry_id, place)
        newest = entries.revision(self.db, entry_id, entries.get(self.db, entry_id).seq)
        workflow.release(self.db, entry_id, text_hash=newest.sha256, at=now())

    def _corrected(self, entry_id: str) -> None:
        workflow.correct(self.db, entry_id, self._said("wish"), at=now())

    def _named_anew(self, entry_id: str) -> None:
        """Have another name shown, which begins a new record."""
        entry = entries.get(self.db, entry_id)
        assert entry.public_seq is not None
        answers = dict.fromkeys(ASKED[Kind.TESTIMONY], "yes") | {
            Scope.AUDIENCE: "public",
            Scope.ATTRIBUTION: "pseudonym",
            Scope.PLACE: "municipality",
            Scope.TIME: "year",
            Scope.QUOTE: "verbatim",
            Scope.EDIT: "shorten",
            Scope.CONTACT: "email",
        }
        choices.choose(
            self.db,
            entry_id,
            answers,
            credit=self.word("amina: second credit"),
            notice=factories.notice(),
            months=1,
            text_hash=entries.revision(self.db, entry_id, entry.public_seq).sha256,
            at=now(),
        )
        expiry.remind(self.db, at=now())
        assert rows(self.db, "SELECT * FROM delivery WHERE entry_id = ? AND account_id IS NULL", (entry_id,))

    def _stewards(self, entry_id: str) -> str:
        """Have it reported, held back, shown again, read by a partner, and its code lost; return the new code."""
        with transaction(self.db):
            disclosure.note(self.db, entry_id, "test-association", disclosure.Kind.VIEW, 1, at=now())
            for sender in ("narrator", "staff"):
                worries.report(
                    self.db, entry_id, sender, worries.Kind.DANGER, self._said(f"{sender} worries"), at=now()
                )
        worried = self._said("reader worries")
        stewardship.report(self.db, Viewer.PUBLIC, entry_id, worries.Kind.OTHER, worried, at=now())
        stewardship.hold(self.db, entry_id, holds.Reason.SAFETY, self.stina, at=now())
        stewardship.lift(self.db, entry_id, self.tomas, at=now())
        steward = accounts.by_email(self.db, factories.CAST["stina"][0])
        vault.read(self.config, steward, entry_id, vault.Why.LOST_CODE, at=now())
        facts = self._said("lost code")
        loss = stewardship.begin_new_code(self.db, entry_id, facts, self.stina, lang="en", at=now())
        return stewardship.finish_new_code(self.db, loss, self.tomas, at=now())[1]

    def _begun_again(self, browser: Visitor) -> None:
        """Have another story begun in the same browser, and not sent."""
        page = browser.send(browser.page("/submit/testimony"), "/submit/testimony", lang="en")
        answers = {"store": "yes", "age_group": "adult", "audience": "public", "attribution": "anonymous"}
        page = browser.send(page, "/submit/testimony/consent", **answers)
        browser.send(page, "/submit/testimony/story", body=self._said("begun again"))

    # ---------- a young person ----------

    def _young(self) -> Made:
        word = lambda place: self.word(f"young: {place}")  # noqa: E731 - a short name for a short way
        guardian = Guardian(word("relation"), "appointed", word("paper"), consented=True, assented=True)
        answers = factories.OPEN | {"attribution": "pseudonym", "place": "region", "contact": "email"}
        shown = factories.notice()
        grant = Grant(
            shown.id,
            "en",
            answers,
            credit=word("pseudonym"),
            subject_kind="minor",
            birth_month=f"{int(now()[:4]) - 14}-01",
            guardian=guardian,
            telling=Telling(
                collected_by=self.jonas_id,
                collector_decides=True,
                second_collector=self.pia_id,
                interpreter="volunteer",
            ),
        )
        text = Text("ru", word("title"), "", {"body": f"Жили-были {word('body')} у моря."})
        draft = Draft(Kind.TESTIMONY, text, "y" * 40, region_id="DE80L", themes=("music",), year_from=2020)
        sent = workflow.submit(
            self.db,
            draft,
            grant,
            shown,
            secret=factories.SECRET,
            months=12,
            at=now(),
            identity=Identity(word("real name"), f"+49 30 {word('contact')}"),
            public_key=vault.public_key(self.config),
        )
        self._seal("young", sent.entry_id)
        stewardship.confirm_telling(self.db, sent.entry_id, self.pia_id, at=now())
        workflow.claim(self.db, sent.entry_id, self.marek, at=now())
        factories.check(self.db, sent.entry_id, self.marek)
        workflow.recommend(self.db, sent.entry_id, self.marek, seen=1, at=now())
        workflow.claim(self.db, sent.entry_id, self.lina, at=now())
        factories.check(self.db, sent.entry_id, self.lina)
        workflow.approve(self.db, sent.entry_id, self.lina, seen=1, at=now())
        told = entries.revision(self.db, sent.entry_id, 1).sha256
        workflow.release_orally(
            self.db, sent.entry_id, self.stina, text_hash=told, reason=word("released by word of mouth"), at=now()
        )
        return Made(sent.entry_id, sent.code)

    # ---------- Pia ----------

    def _pia(self) -> Made:
        made = factories.practice(
            self.db,
            title=self.word("pia: title"),
            summary=self.word("pia: summary"),
            content=self._sections("original"),
            others=tuple(
                Text(lang, self.word(f"pia: {lang} title"), self.word(f"pia: {lang} summary"), self._sections(lang, 3))
                for lang in ("de", "pl", "sv")
            ),
            source={"title": self.word("pia: source"), "page": 7},
            account_id=self.pia_id,
            organisation="test-association",
            attribution="real_name",
            credit=self.word("pia: credit"),
        )
        browser = Visitor(self.app, "pia")
        page = browser.page("/submit/good-practice/about")
        saved = browser.open(
            "/submit/good-practice/about/save",
            method="POST",
            data=browser.filled(page.form("/submit/good-practice/about"), {"title": self.word("pia: begun again")}),
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert saved.status_code == 204
        return made

    def _sections(self, lang: str, most: int = 99) -> dict[str, object]:
        """Return sections with a word each; of a translation only the first so many have one of their own."""
        told = {
            name: f"Here is {self.word(f'pia: {lang} {name}')}." if number < most else "Nothing."
            for number, name in enumerate(entries.SECTIONS)
            if name not in ("steps", "lessons")
        }
        listed = [self.word(f"pia: {lang} {name}") for name in ("step", "do", "avoid")] if most > 9 else ["x", "y", "z"]
        lessons = [{"kind": "do", "text": listed[1]}, {"kind": "avoid", "text": listed[2]}]
        return told | {"steps": ["First.", listed[0]], "lessons": lessons, "evidence": "own_figures"}


def settings(folder: Path) -> Config:
    """Return the settings of the instance in a folder."""
    return load(
        {}, INSTANCE=folder, SECRET_KEY=factories.SECRET, LIMIT_SUBMIT=1000, LIMIT_SUBMIT_ALL=1000, LIMIT_CODE=1000
    )


def planted(folder: Path, template: Path) -> Iterator[tuple[Path, Planted]]:
    """Make the instance in a folder and keep it open, so that its write-ahead log stays as it was left; close it afterwards."""
    instance = Path(shutil.copytree(template, folder / "instance"))
    config = settings(instance)
    planter = Planter(config, create_app(**config))
    yield instance, planter.plant()
    planter.db.close()
