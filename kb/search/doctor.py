"""Compare the indexes with the database and say every difference; tests and a running site use the same comparison."""

from pathlib import Path

from kb.config import Config
from kb.consent import Audience
from kb.db import Database
from kb.search import documents, generations, outbox
from kb.search.reading import Snapshot
from kb.search.storage import Damaged


def compare(config: Config, db: Database, at: str) -> list[str]:
    """Return every difference between the indexes and what the consent gate lets through; none means they are equal.

    Opening an index checks each of its files against the manifest. What was published a moment ago is a difference until the
    indexer has seen it, so a caller on a running site asks again after two seconds. A generation that is not in use is one as well.
    Lines hold ids and names of files, never words.
    """
    try:
        lines = differences(generations.current(config.index), db, at)
        return lines + [f"{name} is left over" for name in generations.leftovers(config.index)]
    except Damaged as why:
        return [str(why)]


def differences(folder: Path, db: Database, at: str) -> list[str]:
    """Return the differences of one generation; see ``compare``."""
    return [
        f"{audience}: {line}" for audience in Audience for line in _differences(folder / audience, audience, db, at)
    ]


def _differences(folder: Path, audience: Audience, db: Database, at: str) -> list[str]:
    try:
        snapshot = Snapshot(folder)
    except Damaged as why:
        return [str(why)]
    try:
        held = [(row.id, row.fingerprint) for row in snapshot.living()]
        checkpoint = snapshot.checkpoint.seq
    finally:
        snapshot.close()
    wanted = {d.facts.entry_id: d.fingerprint() for d in documents.build(db, audience, at=at)}
    found = dict(held)
    lines = [f"{entry_id} is there but must not be" for entry_id in found.keys() - wanted.keys()]
    lines += [f"{entry_id} is missing" for entry_id in wanted.keys() - found.keys()]
    lines += [
        f"{entry_id} is stale" for entry_id in found.keys() & wanted.keys() if found[entry_id] != wanted[entry_id]
    ]
    if len(held) != len(found):
        lines.append("an entry is there twice")
    if checkpoint > outbox.last(db):
        lines.append("the checkpoint is ahead of the outbox")
    return sorted(lines)
