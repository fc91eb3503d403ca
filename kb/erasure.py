"""Make the text of a withdrawn entry disappear from the database, and from the pages of its files."""

from kb import entries, moderation, translations
from kb.db import Database, value


def erase_text(db: Database, entry_id: str, *, at: str) -> None:
    """Erase everything that somebody wrote for an entry, inside the transaction that withdraws it.

    What stays is proof without content: ids, states, times and hashes. ``secure_delete`` overwrites the freed pages; the copies in
    the write-ahead log go with ``empty_log``, the ones in the search index with the outbox row.
    """
    entries.erase(db, entry_id, at=at)
    translations.erase(db, entry_id)
    moderation.erase(db, entry_id)


def empty_log(db: Database) -> bool:
    """Move the write-ahead log into the file and cut it to nothing.

    Waits a fifth of a second at most; False when a reader or writer still holds the log and it must be tried again.
    """
    db.execute("PRAGMA busy_timeout=200")
    try:
        return int(value(db, "PRAGMA wal_checkpoint(TRUNCATE)") or 0) == 0
    finally:
        db.execute("PRAGMA busy_timeout=5000")
