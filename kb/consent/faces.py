"""Show of an entry no more than was agreed to: its place and its time as coarse as the person wants them.

Every output that tells where or when takes its entries from here, the search index too; only the review desk sees the facts as they
were given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from kb import entries, places
from kb.consent import decisions
from kb.consent.gate import Visible
from kb.consent.scopes import Scope, Terms
from kb.db import Database
from kb.entries import Entry, Kind


def faces(db: Database, seen: Iterable[Visible]) -> list[Entry]:
    """Return the entries that the gate let through, each with the place and the time that may be told, in the same order."""
    passed = list(seen)
    agreed = decisions.terms(db, [v.consent_id for v in passed])
    of_entry = {v.entry_id: agreed[v.consent_id] for v in passed}
    countries = {region.id: region.country for region in places.regions(db).values()}
    return [face(entry, of_entry[entry.id], countries) for entry in entries.get_many(db, [v.entry_id for v in passed])]


def face(entry: Entry, terms: Terms, countries: Mapping[str, str]) -> Entry:
    """Return an entry with its facts made as coarse as its consent says.

    A good practice is public work: its place and years are part of what it tells. An organisation has an address, so it is told
    with the municipality only.

    Args:
        countries: country code of each region.
    """
    country = countries.get(entry.region_id or "")
    if entry.kind is Kind.GOOD_PRACTICE:
        return replace(entry, country=country)
    detail = terms.choices[Scope.PLACE]
    told = replace(
        entry,
        country=country,
        region_id=None if detail == "country" else entry.region_id,
        organisation_slug=entry.organisation_slug if detail == "municipality" else None,
    )
    first = told.year_from if told.year_from is not None else told.year_to
    if terms.choices[Scope.TIME] == "year" or first is None:
        return told
    last = told.year_to if told.year_to is not None else first
    return replace(told, year_from=first // 10 * 10, year_to=last // 10 * 10 + 9, decade=True)
