"""Keep the interface catalogues in step with the pages.

scripts/catalogues.py update    bring new messages into translations/*/LC_MESSAGES/messages.po, drop the old ones
scripts/catalogues.py check     exit 1 and say which message is missing, in doubt ("fuzzy") or broken
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po, write_po

from kb.languages import INTERFACE, NARRATOR

ROOT = Path(__file__).resolve().parent.parent
# The messages are English sentences, so that English needs no catalogue.
LANGUAGES = tuple(code for code in NARRATOR if code != "en")
HEADER = """# PROJECT, interface messages. Licence: EUPL-1.2.
# Filled in by hand; `make messages` brings new messages in, `make check` says what is missing."""


def in_use() -> Catalog:
    """Collect the messages that Python and templates ask for (where to look: pyproject.toml)."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder, "messages.pot")
        options = ["--quiet", "extract", "-F", "pyproject.toml", "-k", "_l", "-c", "i18n:", "-o", str(template), "."]
        CommandLineInterface().run(["pybabel", *options])
        return read_po(template.open("rb"))


def path(language: str) -> Path:
    """Return where the catalogue of a language lies."""
    return ROOT / "translations" / language / "LC_MESSAGES" / "messages.po"


def load(language: str) -> Catalog:
    """Read the catalogue of a language; an empty one when there is none yet."""
    if not path(language).exists():
        return Catalog(locale=language, header_comment=HEADER, project="Voices & Practice", version="1", fuzzy=False)
    with path(language).open("rb") as file:
        return read_po(file, locale=language)


def update() -> int:
    """Give every catalogue exactly the messages in use, the new ones empty."""
    template = in_use()
    for language in LANGUAGES:
        catalogue = load(language)
        catalogue.update(template, no_fuzzy_matching=True)
        path(language).parent.mkdir(parents=True, exist_ok=True)
        with path(language).open("wb") as file:
            write_po(file, catalogue, width=0, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return 0


def faults(language: str, template: Catalog) -> Iterator[str]:
    """Say what is wrong with one catalogue; the narrator's languages may leave other pages untranslated."""
    catalogue = load(language)
    if catalogue.fuzzy:
        yield "the whole catalogue is marked fuzzy, so it would not be compiled"
    for message in catalogue:
        if message.id and message.fuzzy:
            yield f"fuzzy: {message.id}"
        for error in message.check(catalogue) if message.string else ():
            yield f"{error}: {message.id}"
    if language in INTERFACE:
        for message in template:
            known = catalogue.get(message.id, message.context)
            strings = known.string if known else ""
            if message.id and not all([strings] if isinstance(strings, str) else strings):
                yield f"missing: {message.id}"


def check() -> int:
    """Print every fault of every catalogue; 1 when there is one."""
    template = in_use()
    found = [f"{language}: {fault}" for language in LANGUAGES for fault in faults(language, template)]
    print("\n".join(found) or f"catalogues complete: {len(template)} messages")
    return 1 if found else 0


if __name__ == "__main__":
    commands = {"update": update, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]]())
