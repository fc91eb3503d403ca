"""Keep the texts of a revision in other languages, each with its author and its state."""

import json
from collections.abc import Sequence

from kb.db import Database, Row, rows, write
from kb.entries import Text


def add(db: Database, entry_id: str, seq: int, text: Text, *, state: str, author_id: int | None, at: str) -> None:
    """Store a translation of one revision.

    Args:
        state: ``human``, ``machine``, ``checked`` or ``stale``.
    """
    write(
        db,
        "INSERT INTO translation (entry_id, seq, lang, title, summary, content, state, author_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry_id,
            seq,
            text.lang,
            text.title,
            text.summary,
            json.dumps(text.content, ensure_ascii=False),
            state,
            author_id,
            at,
        ),
    )


def of(db: Database, pairs: Sequence[tuple[str, int]]) -> dict[str, dict[str, Text]]:
    """Return the translations of each (entry id, revision number): entry id -> language -> text.

    Testimonies have none: ``workflow.submit`` refuses them, because that needs a consent of its own, which no form asks for yet.
    """
    found = rows(
        db,
        """SELECT t.* FROM translation t JOIN json_each(?) w
             ON t.entry_id = json_extract(w.value, '$[0]') AND t.seq = json_extract(w.value, '$[1]')
           WHERE t.state IN ('human', 'checked') ORDER BY t.lang""",
        (json.dumps(pairs),),
    )
    texts: dict[str, dict[str, Text]] = {}
    for r in found:
        texts.setdefault(r["entry_id"], {})[r["lang"]] = Text(
            r["lang"], r["title"], r["summary"], json.loads(r["content"])
        )
    return texts


def erase(db: Database, entry_id: str) -> None:
    """Delete all translations of an entry."""
    write(db, "DELETE FROM translation WHERE entry_id = ?", (entry_id,))


def kept(db: Database, entry_id: str) -> dict[str, list[Row]]:
    """Return everything kept here about an entry, row by row and by table, for the person it is about."""
    return {"translation": rows(db, "SELECT * FROM translation WHERE entry_id = ? ORDER BY seq, lang", (entry_id,))}
