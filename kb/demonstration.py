"""Fill an empty instance with content to try things out on: invented samples in every state, and what the press report tells.

Everything goes through the functions that the pages use. Each entry is known by a fixed form token, so loading again adds only
what is missing.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kb import accounts, checklist, choices, codes, entries, hands, notices, places, withdrawal, workflow
from kb.accounts import Account, Role
from kb.config import Config, secret_key
from kb.consent import Actor, Grant
from kb.db import Database, transaction
from kb.entries import Draft, Kind, Text
from kb.errors import KBError, NotFound
from kb.hands import Hand
from kb.languages import INTERFACE, pick
from kb.sessions import shift

_FOLDER = Path(__file__).resolve().parent / "data" / "demo"
_DOMAIN = "demo.example"
# The immigration office whose officer must not read what is for partners; invented like the other sample organisations.
_AUTHORITY: dict[str, Any] = {
    "slug": "sample-immigration-office",
    "kind": "authority",
    "class": "authority",
    "region": "DE80L",
    "place": "Stralsund",
    "names": {
        "en": "Coast Immigration Office (sample)",
        "de": "Ausländerbehörde Küste (Beispiel)",
        "pl": "Urząd do spraw cudzoziemców Wybrzeże (przykład)",
        "lt": "Pajūrio migracijos tarnyba (pavyzdys)",
        "sv": "Kustens migrationskontor (exempel)",
    },
    "about": {
        "en": "An invented sample organisation: an immigration office, which never sees what is for partners only.",
        "de": "Eine erfundene Beispielorganisation: eine Ausländerbehörde; sie sieht nie, was nur für Partner bestimmt ist.",
        "pl": "Zmyślona organizacja przykładowa: urząd do spraw cudzoziemców, który nigdy nie widzi treści tylko dla partnerów.",
        "lt": "Išgalvota pavyzdinė organizacija: migracijos tarnyba, kuri niekada nemato to, kas skirta tik partneriams.",
        "sv": "En påhittad exempelorganisation: ett migrationskontor som aldrig ser det som bara är för partner.",
    },
}
# Local part of the address, name, role, organisation.
CAST: tuple[tuple[str, str, Role, str | None], ...] = (
    ("moderator", "Marek (sample)", Role.MODERATOR, None),
    ("moderator2", "Lina (sample)", Role.MODERATOR, None),
    ("steward", "Stina (sample)", Role.STEWARD, None),
    ("steward2", "Tomas (sample)", Role.STEWARD, None),
    ("partner", "Jonas (sample)", Role.PARTNER, "sample-integrationslotsen-eder"),
    ("authority", "Officer Berg (sample)", Role.PARTNER, _AUTHORITY["slug"]),
    ("practitioner", "Pia (sample)", Role.PRACTITIONER, "sample-verein-hafen"),
    ("admin", "Ada (sample)", Role.ADMINISTRATOR, None),
)
# Told and taken back again, so that there is a tombstone to look at; nothing of the text remains.
_TAKEN_BACK = {
    "key": "t-taken-back",
    "lang": "en",
    "title": "A story that was taken back",
    "summary": "",
    "body": "This invented story was taken back by the person who had told it.",
    "attribution": "anonymous",
    "pseudonym": None,
    "region": "DE80L",
    "year": 2021,
    "themes": ["music"],
    "audience": "public",
    "quote": "none",
    "search_engines": False,
    "state": "withdrawn",
}
# What the moderators write in the entries that show a question, a refusal or an ending.
_QUESTION = {
    "en": "Thank you for this text. Could you leave out what points to a single person? We would like to show it after that.",
    "de": "Danke für diesen Text. Können Sie weglassen, was auf eine einzelne Person hinweist? Danach möchten wir ihn gern zeigen.",
    "pl": "Dziękujemy za ten tekst. Czy można pominąć to, co wskazuje na konkretną osobę? Potem chętnie go pokażemy.",
    "lt": "Ačiū už šį tekstą. Ar galėtumėte praleisti tai, kas nurodo konkretų žmogų? Tada mielai jį parodysime.",
    "sv": "Tack för texten. Kan du ta bort det som pekar ut en enskild person? Därefter visar vi den gärna.",
}
_NO_RISKS = dict.fromkeys(map(str, checklist.Point), "no")
_WHY_NO_RISKS = "Everything in it is invented."
_WHY_ASKED = "A third person could be recognised."
_WHY_REJECTED = "Mostly about another person, who was not asked."
_WHY_RETIRED = "The offer has ended and the figures are out of date."
# States of entries that still wait for somebody: these came in during the last days.
_WAITING = ("submitted", "in_review", "changes_requested", "awaiting_release")


class RealContent(KBError):
    """Say that an instance holds entries or accounts that are not invented."""


@dataclass(frozen=True)
class Item:
    """One entry to load: its draft, what is agreed to, the same text in other languages, and the state it ends in."""

    key: str
    draft: Draft
    grant: Grant
    others: tuple[Text, ...]
    state: str

    @property
    def age(self) -> float:
        """Return where the item lies between the newest (0) and the oldest (1): scattered, but always the same."""
        return int(codes.fingerprint(self.key)[:8], 16) / 2**32


@dataclass(frozen=True)
class Loaded:
    """What one run did: how many entries are new, which accounts, and a receipt code to walk a release with."""

    new_entries: int
    new_accounts: tuple[Account, ...]
    code: str | None


def is_real(db: Database) -> bool:
    """Say whether the instance has content or accounts that are no samples."""
    return entries.count_real(db) > 0 or accounts.count_real(db) > 0


def is_there(db: Database) -> bool:
    """Say whether there is anything in the instance at all."""
    return entries.count_all(db) > 0 or accounts.count(db) > 0


def logins(db: Database) -> list[Account]:
    """Return the sample accounts that can sign in."""
    found = []
    for who, *_ in CAST:
        try:
            account = accounts.by_email(db, f"{who}@{_DOMAIN}")
        except NotFound:
            continue
        if account.sample and not account.disabled:
            found.append(account)
    return found


def items(config: Config) -> list[Item]:
    """Return everything there is to load, oldest first."""
    report = _read("report.json")
    organisations = {o["slug"]: o for o in _read("organisations.json")}
    found = [
        _practice(config, p, credit=report["source"]["publisher"], source=report["source"]) for p in report["practices"]
    ]
    for lang in INTERFACE:
        for p in _read(f"practices.{lang}.json"):
            found.append(
                _practice(config, p, credit=pick(organisations[p["organisation"]]["names"], p["lang"]), source=None)
            )
    found += [_testimony(config, t) for t in [*_read("testimonies.json"), _TAKEN_BACK]]
    return sorted(found, key=lambda item: item.age, reverse=True)


def load(
    db: Database, config: Config, *, password: str, at: str, each: Callable[[Item], None] = lambda _: None
) -> Loaded:
    """Load everything that is not there yet, in one transaction.

    Args:
        password: for the sample accounts that are created now; others keep theirs.
        at: present moment; the entries lie before it, within half the time that a consent holds.
        each: told about every item when it is done.

    Raises:
        RealContent: when the instance has real content.
        Invalid: when the password is too short or too long.
    """
    with transaction(db):
        if is_real(db):
            raise RealContent("this instance has real content")
        for organisation in [*_read("organisations.json"), _AUTHORITY]:
            places.add_organisation(db, organisation, sample=True)
        new_accounts = tuple(_accounts(db, password, at))
        pair = tuple(hands.moderator(accounts.by_email(db, f"{who}@{_DOMAIN}")) for who in ("moderator", "moderator2"))
        practitioner = accounts.by_email(db, f"practitioner@{_DOMAIN}")
        new, code = 0, None
        for item in items(config):
            if entries.by_token(db, item.draft.token) is None:
                receipt = _load(db, config, item, practitioner, pair, at)
                new += 1
                if item.draft.kind is Kind.TESTIMONY and item.state == "awaiting_release":
                    code = codes.show_receipt(receipt.code)
            each(item)
    return Loaded(new, new_accounts, code)


def _read(name: str) -> Any:
    return json.loads((_FOLDER / name).read_text("utf-8"))


def _accounts(db: Database, password: str, at: str) -> Iterator[Account]:
    """Create the sample accounts that are missing."""
    for who, name, role, slug in CAST:
        email = f"{who}@{_DOMAIN}"
        try:
            accounts.by_email(db, email)
        except NotFound:
            number = accounts.create(db, email, name, role, password, organisation_slug=slug, sample=True, at=at)
            yield accounts.get(db, number)


def _practice(config: Config, p: Mapping[str, Any], *, credit: str, source: Mapping[str, Any] | None) -> Item:
    """Read a good practice; one with a source was written from it, the others are invented."""
    text = Text(p["lang"], p["title"], p["summary"], p["content"])
    others = tuple(Text(lang, t["title"], t["summary"], t["content"]) for lang, t in p.get("translations", {}).items())
    draft = Draft(
        Kind.GOOD_PRACTICE,
        text,
        f"demo:{p['key']}",
        region_id=p["region"],
        organisation_slug=p["organisation"],
        year_from=p["since"],
        year_to=p["until"],
        themes=tuple(p["themes"]),
        sample=source is None,
        source=dict(source) if source else None,
    )
    grant = Grant(
        notice_id="",
        lang=p["lang"],
        choices={
            "store": "yes",
            "audience": p["audience"],
            "attribution": "organisation",
            "quote": "verbatim",
            "edit": "shorten",
            "translate_human": "yes",
            "share": "yes",
            "search_engines": "yes",
            "teaching": "yes",
            "research": "yes",
            "contact": "code" if source is None else "none",
        },
        credit=credit,
        subject_kind="practitioner",
        lawful_basis="consent" if source is None else "public_task",
        jurisdiction=str(config["JURISDICTION"]),
        method="sample" if source is None else "editorial",
    )
    return Item(p["key"], draft, grant, others, p["state"])


def _testimony(config: Config, t: Mapping[str, Any]) -> Item:
    """Read an invented testimony."""
    draft = Draft(
        Kind.TESTIMONY,
        Text(t["lang"], t["title"], t["summary"], {"body": t["body"]}),
        f"demo:{t['key']}",
        region_id=t["region"],
        year_from=t["year"],
        year_to=t["year"],
        themes=tuple(t["themes"]),
        sample=True,
    )
    grant = Grant(
        notice_id="",
        lang=t["lang"],
        choices={
            "store": "yes",
            "audience": t["audience"],
            "attribution": t["attribution"],
            "place": "region",
            "time": "year",
            "quote": t["quote"],
            "edit": "language",
            "share": "yes" if t["search_engines"] else "no",
            "search_engines": "yes" if t["search_engines"] else "no",
            "contact": "code",
        },
        credit=t["pseudonym"],
        jurisdiction=str(config["JURISDICTION"]),
        method="sample",
    )
    return Item(t["key"], draft, grant, (), t["state"])


def _load(
    db: Database, config: Config, item: Item, practitioner: Account, pair: Sequence[Hand], at: str
) -> workflow.Receipt:
    """Submit one item as its author would have done, and walk it to its state."""
    draft = item.draft
    if draft.organisation_slug is not None and draft.organisation_slug == practitioner.organisation_slug:
        draft = replace(draft, account_id=practitioner.id)
    partners = [pick(o.names, draft.text.lang) for o in places.organisations(db).values() if o.partner]
    notice = notices.current(draft.kind, draft.text.lang, notices.facts(config, partners))
    sent = _moment(config, item, at)
    receipt = workflow.submit(
        db,
        draft,
        replace(item.grant, notice_id=notice.id),
        notice,
        secret=secret_key(config),
        months=int(config["CONSENT_MONTHS"]),
        at=sent,
        others=item.others,
        channel="sample" if draft.sample else "editorial",
    )
    _walk(db, receipt.entry_id, item, pair, sent)
    return receipt


def _moment(config: Config, item: Item, at: str) -> str:
    """Return when an item came in: some time in half the life of a consent, or in the last days while it waits for somebody."""
    if item.state in _WAITING:
        return shift(at, days=-3 - 2 * item.age)
    return shift(at, days=-14 - item.age * 15 * int(config["CONSENT_MONTHS"]))


def _walk(db: Database, entry_id: str, item: Item, pair: Sequence[Hand], sent: str) -> None:
    """Bring an entry to its state; each act is a little later than the one before, and the moderators take turns."""
    first, second = pair if int(item.age * 1000) % 2 else pair[::-1]
    moments = (shift(sent, hours=9 * n) for n in range(1, 11))
    if item.state == "submitted":
        return
    workflow.claim(db, entry_id, first, at=next(moments))
    if item.state == "in_review":
        return
    if item.state == "changes_requested":
        question = _QUESTION.get(item.draft.text.lang, _QUESTION["en"])
        workflow.ask(db, entry_id, question, first, reason=_WHY_ASKED, at=next(moments))
        return
    if item.state == "rejected":
        workflow.reject(db, entry_id, first, seen=1, reason=_WHY_REJECTED, at=next(moments))
        return
    if item.draft.kind is Kind.TESTIMONY:
        workflow.check_risks(db, entry_id, first, _NO_RISKS, seen=1, reason=_WHY_NO_RISKS, at=next(moments))
        workflow.recommend(db, entry_id, first, seen=1, at=next(moments))
        workflow.claim(db, entry_id, second, at=next(moments))
        workflow.check_risks(db, entry_id, second, _NO_RISKS, seen=1, reason=_WHY_NO_RISKS, at=next(moments))
        first = second
    workflow.approve(db, entry_id, first, seen=1, at=next(moments))
    if item.state == "awaiting_release":
        return
    channel = "editorial" if item.grant.method == "editorial" else "sample"
    by = Actor("editor" if channel == "editorial" else "narrator", channel)
    workflow.release(db, entry_id, text_hash=item.draft.text.sha256(), at=next(moments), by=by)
    if item.state == "paused":
        choices.pause(db, entry_id, at=next(moments))
    elif item.state == "withdrawn":
        withdrawal.withdraw(db, entry_id, at=next(moments), for_good=True)
    elif item.state == "retired":
        workflow.retire(db, entry_id, first, reason=_WHY_RETIRED, at=next(moments))
    elif item.state != "published":
        raise ValueError(f"{item.key} has the unknown state {item.state}")
