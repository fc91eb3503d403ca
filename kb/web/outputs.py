"""Register every output: for each route what it gives out of entries, who opens it, and how the access matrix asks for it.

A route that is in the table of policies and not in here fails a test, and so does an output that the access matrix does not ask. What
an output needs beyond being visible is said here too, and read from here by whoever makes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kb import entries
from kb.consent import Scope


class Kind(StrEnum):
    """What an output is."""

    PAGE = "page"
    LIST = "list"
    COUNT = "count"
    SUGGESTION = "suggestion"
    FEED = "feed"
    EXPORT = "export"
    CITATION = "citation"
    STATISTIC = "statistic"
    FILE = "file"
    MAIL = "mail"
    NONE = "none"


class Door(StrEnum):
    """Who decides what somebody gets to see of an entry."""

    GATE = "gate"  # the consent gate
    CODE = "code"  # the code of the entry, and nothing else
    OWNER = "owner"  # the account that sent it in, wrote it down for somebody, or was there as the second
    COLLECTOR = "collector"  # the account that wrote it down for somebody
    STAFF = "staff"  # the role: whoever reviews must read what nobody else may
    STEWARD = "steward"  # the role of those who look after the protection of data


@dataclass(frozen=True)
class Output:
    """One thing that a route gives out of entries.

    Args:
        asks: an address that shows it; ``{id}``, ``{word}``, ``{anchor}`` stand for an entry, a word of it, and another entry that
            everybody may read.
        scope: what must have been agreed to besides being visible; an output of this kind shows only what everybody may read.
        shows: the only kind of entry it shows.
        all: it shows all such entries, up to a number that the page sets; otherwise it chooses some, or shows some only at times.
    """

    kind: Kind
    asks: str = ""
    scope: Scope | None = None
    door: Door = Door.GATE
    shows: entries.Kind | None = None
    all: bool = True


NOTHING = (Output(Kind.NONE),)
_ENTRY = "/entries/{id}"

OUTPUTS: Mapping[str, tuple[Output, ...]] = {
    "static": NOTHING,
    "public.home": (
        Output(Kind.LIST, "/", shows=entries.Kind.GOOD_PRACTICE),
        Output(Kind.LIST, "/", scope=Scope.AUDIENCE, shows=entries.Kind.TESTIMONY, all=False),
        Output(Kind.STATISTIC, "/"),
    ),
    "public.about": NOTHING,
    "public.protection": NOTHING,
    "public.accessibility": NOTHING,
    "public.search_help": NOTHING,
    "public.robots": NOTHING,
    "public.healthz": NOTHING,
    "public.favicon": NOTHING,
    "public.patterns": (Output(Kind.LIST, "/patterns", all=False), Output(Kind.COUNT, "/patterns")),
    "public.entry": (Output(Kind.PAGE, _ENTRY), Output(Kind.SUGGESTION, "/entries/{anchor}")),
    "public.version": (Output(Kind.PAGE, f"{_ENTRY}/v/1"),),
    "public.versions": (Output(Kind.PAGE, f"{_ENTRY}/versions"),),
    "search.results": (
        Output(Kind.LIST, "/search"),
        Output(Kind.LIST, "/search?q={word}"),
        Output(Kind.COUNT, "/search"),
        Output(Kind.SUGGESTION, "/search?q={word}&region=SE212"),
    ),
    "cite.panel": (Output(Kind.CITATION, f"{_ENTRY}/cite"),),
    "cite.export": (Output(Kind.EXPORT, f"{_ENTRY}.bib"),),
    "cite.export_version": (Output(Kind.EXPORT, f"{_ENTRY}/v/1.csl.json"),),
    "places.themes": (Output(Kind.COUNT, "/themes"),),
    "places.theme": (Output(Kind.LIST, "/themes/music"), Output(Kind.COUNT, "/themes/music")),
    "places.region": (Output(Kind.LIST, "/regions/DE80L"), Output(Kind.COUNT, "/regions/DE80L")),
    "places.partners": (Output(Kind.COUNT, "/partners"),),
    "places.partner": (
        Output(Kind.LIST, "/partners/test-association"),
        Output(Kind.COUNT, "/partners/test-association"),
    ),
    "places.meeting": NOTHING,
    "feeds.sitemap": (Output(Kind.LIST, "/sitemap.xml", scope=Scope.SEARCH_ENGINES),),
    "feeds.atom": (Output(Kind.FEED, "/feed.atom", scope=Scope.SHARE),),
    "submit.start": NOTHING,
    "submit.testimony": NOTHING,
    "submit.testimony_consent": NOTHING,
    "submit.testimony_story": NOTHING,
    "submit.testimony_save": NOTHING,
    "submit.testimony_check": NOTHING,
    "submit.practice": NOTHING,
    "submit.practice_part": NOTHING,
    "submit.practice_save": NOTHING,
    "submit.practice_check": NOTHING,
    "submit.discard": NOTHING,
    "submit.done": NOTHING,
    "submit.close": NOTHING,
    "receipt.status": (Output(Kind.PAGE, "/receipt", door=Door.CODE),),
    "receipt.act": NOTHING,
    "receipt.choices": (Output(Kind.PAGE, "/receipt/choices", door=Door.CODE, all=False),),
    "receipt.renew": (Output(Kind.PAGE, "/receipt/renew", door=Door.CODE, all=False),),
    "receipt.withdraw": (Output(Kind.PAGE, "/receipt/withdraw", door=Door.CODE, all=False),),
    "receipt.data": (Output(Kind.EXPORT, "/receipt/data.json", door=Door.CODE),),
    "receipt.consent_page": (Output(Kind.PAGE, "/receipt/consent", door=Door.CODE, all=False),),
    "receipt.consent_json": (Output(Kind.EXPORT, "/receipt/consent.json", door=Door.CODE, all=False),),
    "receipt.close": NOTHING,
    "receipt.leave": NOTHING,
    "accounts.login": NOTHING,
    "accounts.logout": NOTHING,
    "accounts.confirm_recall": NOTHING,
    "accounts.confirm_second": NOTHING,
    "accounts.home": (Output(Kind.PAGE, "/account", door=Door.OWNER),),
    "assisted.index": (Output(Kind.LIST, "/assisted", door=Door.COLLECTOR, all=False),),
    "assisted.new": NOTHING,
    "assisted.token": NOTHING,
    "assisted.done": NOTHING,
    "assisted.next_person": NOTHING,
    "assisted.finish": NOTHING,
    "assisted.read_back": (Output(Kind.PAGE, "/assisted/{id}", door=Door.COLLECTOR, all=False),),
    "review.queue": (Output(Kind.LIST, "/moderation", door=Door.STAFF, all=False),),
    "review.desk": (Output(Kind.PAGE, "/moderation/{id}", door=Door.STAFF, all=False),),
    "review.act": NOTHING,
    "stewards.board": (Output(Kind.LIST, "/moderation/safety", door=Door.STEWARD, all=False),),
    "stewards.handle": NOTHING,
    "stewards.hold": NOTHING,
    "stewards.confirm": NOTHING,
    "stewards.lift": NOTHING,
    "stewards.new_code": (Output(Kind.PAGE, "/moderation/{id}/new-code", door=Door.STEWARD, all=False),),
    "stewards.finish_code": NOTHING,
    "stewards.drop_code": NOTHING,
    "stewards.identity": (Output(Kind.PAGE, "/moderation/{id}/identity", door=Door.STEWARD, all=False),),
    "stewards.mail_again": NOTHING,
    "report.entry": (Output(Kind.PAGE, f"{_ENTRY}/report", all=False),),
}

# Outputs that are no routes: the module that makes each, and the tests that ask what it gives away.
ELSEWHERE: Mapping[str, tuple[Output, str]] = {
    "kb.delivery": (Output(Kind.MAIL), "tests/mail"),
}


def scope(endpoint: str) -> Scope:
    """Return what an output needs beyond being visible.

    Raises:
        KeyError: when it needs nothing more.
    """
    needed = OUTPUTS[endpoint][0].scope
    if needed is None:
        raise KeyError(endpoint)
    return needed
