"""Keep where entries come from: regions, organisations, round tables and meetings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kb.db import Database, rows, write
from kb.errors import NotFound

_SEED = Path(__file__).resolve().parent / "data" / "places.json"


@dataclass(frozen=True)
class Region:
    """A NUTS 3 region of one of the partners."""

    id: str
    country: str
    place: str
    lat: float
    lon: float
    names: dict[str, str]


@dataclass(frozen=True)
class Organisation:
    """A body that works in a region.

    Args:
        sample: an invented one.
        partner_since: None for a partner that every notice has named.
    """

    slug: str
    kind: str
    klass: str
    partner: bool
    sample: bool
    region_id: str
    place: str | None
    names: dict[str, str]
    about: dict[str, str]
    partner_since: str | None = None


@dataclass(frozen=True)
class Meeting:
    """A meeting of the project; ``starts`` is as coarse as its source."""

    slug: str
    starts: str
    precision: str
    region_id: str | None
    country: str
    names: dict[str, str]
    about: dict[str, str]
    visited: tuple[str, ...]


def seed(db: Database) -> None:
    """Write the regions, organisations and meetings of ``data/places.json``; running it again brings changes in."""
    data = json.loads(_SEED.read_text("utf-8"))
    for r in data["regions"]:
        write(
            db,
            """INSERT INTO region (id, country, place, lat, lon, names) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
                 country = excluded.country, place = excluded.place, lat = excluded.lat, lon = excluded.lon, names = excluded.names""",
            (r["id"], r["country"], r["place"], r["lat"], r["lon"], _json(r["names"])),
        )
    for o in data["organisations"]:
        add_organisation(db, o, sample=False)
    for m in data["meetings"]:
        write(
            db,
            """INSERT INTO meeting (slug, starts, precision, region_id, country, names, about, visited) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (slug) DO UPDATE SET starts = excluded.starts, precision = excluded.precision, names = excluded.names,
                 about = excluded.about, visited = excluded.visited""",
            (
                m["slug"],
                m["starts"],
                m["precision"],
                m["region"],
                m["country"],
                _json(m["names"]),
                _json(m["about"]),
                _json(m["visited"]),
            ),
        )


def add_organisation(db: Database, o: Mapping[str, Any], *, sample: bool, since: str | None = None) -> None:
    """Write one organisation, or bring changes of it in.

    Args:
        since: when it became a partner; None for those that every notice so far has named.
    """
    write(
        db,
        """INSERT INTO organisation (slug, kind, class, partner, sample, region_id, place, lat, lon, names, about,
             partner_since)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (slug) DO UPDATE SET kind = excluded.kind, class = excluded.class, partner = excluded.partner,
             region_id = excluded.region_id, place = excluded.place, lat = excluded.lat, lon = excluded.lon,
             names = excluded.names, about = excluded.about,
             partner_since = CASE WHEN organisation.partner = 0 THEN excluded.partner_since ELSE organisation.partner_since END""",
        (
            o["slug"],
            o["kind"],
            o.get("class", "ngo"),
            int(bool(o.get("partner"))),
            int(sample),
            o["region"],
            o["place"],
            o.get("lat"),
            o.get("lon"),
            _json(o["names"]),
            _json(o["about"]),
            since,
        ),
    )


def _json(thing: Any) -> str:
    return json.dumps(thing, ensure_ascii=False)


def regions(db: Database) -> dict[str, Region]:
    """Return all regions by NUTS id."""
    found = rows(db, "SELECT id, country, place, lat, lon, names FROM region ORDER BY country, id")
    return {
        r["id"]: Region(r["id"], r["country"], r["place"], r["lat"], r["lon"], json.loads(r["names"])) for r in found
    }


def organisations(db: Database) -> dict[str, Organisation]:
    """Return all organisations by slug."""
    found = rows(
        db,
        """SELECT slug, kind, class, partner, partner_since, sample, region_id, place, names, about FROM organisation
           ORDER BY slug""",
    )
    return {
        r["slug"]: Organisation(
            r["slug"],
            r["kind"],
            r["class"],
            bool(r["partner"]),
            bool(r["sample"]),
            r["region_id"],
            r["place"],
            json.loads(r["names"]),
            json.loads(r["about"]),
            r["partner_since"],
        )
        for r in found
    }


def region(db: Database, region_id: str) -> Region:
    """Return one region.

    Raises:
        NotFound: when it is none of ours.
    """
    found = regions(db).get(region_id)
    if found is None:
        raise NotFound("no such region")
    return found


def organisation(db: Database, slug: str) -> Organisation:
    """Return one organisation.

    Raises:
        NotFound: when there is none with this slug.
    """
    found = organisations(db).get(slug)
    if found is None:
        raise NotFound("no such organisation")
    return found


def meetings(db: Database) -> dict[str, Meeting]:
    """Return all meetings by slug, oldest first."""
    found = rows(
        db, "SELECT slug, starts, precision, region_id, country, names, about, visited FROM meeting ORDER BY starts"
    )
    return {
        r["slug"]: Meeting(
            r["slug"],
            r["starts"],
            r["precision"],
            r["region_id"],
            r["country"],
            json.loads(r["names"]),
            json.loads(r["about"]),
            tuple(json.loads(r["visited"])),
        )
        for r in found
    }


def meeting(db: Database, slug: str) -> Meeting:
    """Return one meeting.

    Raises:
        NotFound: when there is none with this slug.
    """
    found = meetings(db).get(slug)
    if found is None:
        raise NotFound("no such meeting")
    return found
