"""Say what is promised to people who tell, what can not be promised, and which checks hold each promise.

The numbers are those of the protection plan; ``kb/data/checks.json`` names the tests behind each (``scripts/checks.py`` writes it), and
a test fails when a promise has no check.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flask_babel import lazy_gettext as _l

import kb

_CHECKS = Path(kb.__file__).resolve().parent / "data" / "checks.json"


@dataclass(frozen=True)
class Promise:
    """One promise: its title, its words, and the numbers of the checks that hold it."""

    title: Any
    words: Any
    checks: tuple[str, ...] = ()


PROMISES = (
    Promise(
        _l("You decide about each use by itself"),
        _l(
            "Who may read it, under which name, how exactly place and time are told, whether it may be quoted, translated, passed on, taught with, studied. Nothing is ticked beforehand, and what you leave open counts as the most careful answer. What you did not allow does not happen."
        ),
        ("R01", "R02", "R03", "R13"),
    ),
    Promise(
        _l("You see the exact words that you agree to"),
        _l(
            "We keep the text of the notice that stood on your page, with its fingerprint, and a chain of your decisions in which nobody can change one unnoticed."
        ),
        ("R04", "R05", "R06", "R07"),
    ),
    Promise(
        _l("Two people read every testimony"),
        _l(
            "They look for names, places and other things that could give you or others away, along a list of twelve questions. Nobody approves a text they wrote, changed or collected."
        ),
        ("R20", "R21", "R23"),
    ),
    Promise(
        _l("You release the exact text"),
        _l(
            "Nothing is shown before you, or for you the person who collected it, agreed to the text as it stands. When one letter changes, it is hidden until you agree again."
        ),
        ("R31",),
    ),
    Promise(
        _l("Place and time never leave finer than you agreed"),
        _l("On pages, in search, in citations and in everything that is passed on."),
        ("R18",),
    ),
    Promise(
        _l("You need no account and no e-mail address"),
        _l(
            "You get a card with a code. We keep only a fingerprint of the code. If you lose it, two data stewards who know you again in person can give you a new one; the old one is dead from then on."
        ),
        ("R08",),
    ),
    Promise(
        _l("Names and addresses are kept apart"),
        _l(
            "A real name that is not to be shown, or an e-mail address, lies in a file of its own, encrypted. Only data stewards can open it, and each time is written down first. The pages themselves can not open it."
        ),
        ("R24", "R27", "R28"),
    ),
    Promise(
        _l("Immigration authorities do not read what is for partners"),
        _l(
            "Texts for partners are shown only to moderators and to signed-in members of partner organisations that are no authority; numbers and search tell others nothing of them. A partner who joins later reads only what was agreed to since. What is for everyone can be read by everyone, authorities too."
        ),
        ("R14", "R15", "R16", "R17"),
    ),
    Promise(
        _l("What you take back is gone at once"),
        _l(
            "With the very next click it is hidden everywhere on this site. For 72 hours you can undo it with your code, or erase it now. Then the text is erased: from the database, the search, the working files; we look into every file to prove it. What remains is a mark with the number, the month and a general reason, and proof of your choices without any text."
        ),
        ("R08", "R09", "R10", "R34", "R35", "R36"),
    ),
    Promise(
        _l("A taking back travels"),
        _l(
            "We note by month which organisation opened, downloaded or cited your text, and show you the list behind your code. When you take it back or allow less, each of them is asked by mail to remove it and to confirm."
        ),
        ("R26", "R112"),
    ),
    Promise(
        _l("No safety copy brings it back"),
        _l(
            "Safety copies are encrypted and deleted after 35 days. None can be used without the list of what was taken back since, and that list is followed before anybody sees a page."
        ),
        ("R97", "R98", "R99"),
    ),
    Promise(
        _l("Your consent ends by itself"),
        _l(
            "After 24 months at most, for people under 18 after 12 and on their 18th birthday, the text is hidden by the clock alone. We remind you before, in the way you chose."
        ),
        ("R29", "R30", "R113"),
    ),
    Promise(
        _l("Everything we hold about you can be had"),
        _l("Behind your code you can read and download all of it as one file."),
        ("R33",),
    ),
    Promise(
        _l("Nobody who has power over you collects alone"),
        _l(
            "Somebody who decides on your case, teaches you or brings you up can write your story down only together with a second person, who confirms it with their own sign-in."
        ),
        ("R111",),
    ),
    Promise(
        _l("We do not note who reads or writes"),
        _l(
            "No IP address and no type of browser stands in our logs. To stop attacks we count tries for a short time under a scrambled number that can not be turned back into an address."
        ),
        ("R76",),
    ),
    Promise(
        _l("No other company looks on"),
        _l("These pages load nothing from anywhere else: no statistics, no fonts, no maps, no social networks."),
        ("R74",),
    ),
    Promise(
        _l("Almost nothing is left in your browser"),
        _l(
            "One cookie remembers the language if you chose one, and one holds a random number while you fill in a form or are signed in; what belongs to it stays on our server. Pages are not to be kept by the browser."
        ),
        ("R40", "R72"),
    ),
)

LIMITS = (
    Promise(
        _l("Fetch back copies"),
        _l(
            "Whoever could read a text may have copied, photographed or printed it, or quoted it in a document. We ask them to stop using it, but we can not make them."
        ),
    ),
    Promise(
        _l("Clean out other search engines"),
        _l(
            "If you allowed search engines, they may show their own copy for a while after you took the text back. We tell them to keep no copies; not all obey. The same holds for programs that gather texts: we tell them to stay away."
        ),
    ),
    Promise(
        _l("Protect a device that others hold"),
        _l(
            "Whoever has your phone or computer, or looks over your shoulder, may see what you write and where you were. The history of the browser may show that you were here."
        ),
    ),
    Promise(
        _l("Make a story unrecognisable to those who were there"),
        _l(
            "People who know you may recognise you by what happened, even without names. Leave out what only you could know."
        ),
    ),
    Promise(
        _l("Rule out every break-in or order"),
        _l(
            "No site is perfectly safe, and a court may order things to be handed over. That is why we ask for so little and keep no names we do not need. Whoever runs the server itself could read what lies on it."
        ),
    ),
    Promise(
        _l("Erase old safety copies the same minute"),
        _l(
            "A text that you took back can lie encrypted in a safety copy for up to 35 days; it is not shown from there."
        ),
    ),
)

# The statements of the consent notices that promise something, and the checks that hold them; the others state facts.
NOTICE_CHECKS: dict[str, tuple[str, ...]] = {
    "what": ("R01", "R33"),
    "separate": ("R02", "R03"),
    "recipients": ("R13", "R14", "R15"),
    "vault": ("R27", "R28"),
    "detail": ("R18",),
    "no_effect": ("R111",),
    "helped": ("R111",),
    "how_long": ("R30", "R113"),
    "check": ("R20", "R31"),
    "take_back": ("R08", "R09", "R10", "R35", "R36", "R99"),
    "travel": ("R26", "R112"),
    "rights": ("R33",),
    "children": ("R29",),
}
STATEMENTS = frozenset({"who", "why", "where", "do_not"})


@cache
def checks() -> dict[str, list[str]]:
    """Return the tests behind each number of the protection plan."""
    found: dict[str, list[str]] = json.loads(_CHECKS.read_text("utf-8"))
    return found
