"""Declare what an erasure does to each column of each table and to each file of an instance; what is not declared fails a test.

``erase``: nothing of an erased entry is left in it. ``keep``: stays as proof without content, or as the mark that something was there.
``other``: never holds anything of an entry.
"""

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What an erasure does to a column or a file."""

    ERASE = "erase"
    KEEP = "keep"
    OTHER = "other"


@dataclass(frozen=True)
class Table:
    """The columns of one table by their fate, and why.

    Args:
        rows: the rows of an erased entry are deleted as a whole.
    """

    why: str
    erase: str = ""
    keep: str = ""
    other: str = ""
    rows: bool = False

    def fates(self) -> dict[str, Fate]:
        """Return the fate of every column."""
        named = ((Fate.ERASE, self.erase), (Fate.KEEP, self.keep), (Fate.OTHER, self.other))
        return {column: fate for fate, columns in named for column in columns.split()}


TABLES: dict[str, Table] = {
    # ---------- what somebody told ----------
    "entry": Table(
        "the id is never given again; states and times are proof",
        erase="region_id organisation_slug year_from year_to source account_id",
        keep="id kind lang state seq public_seq sample token_hash submitted_at changed_at published_at",
    ),
    "entry_theme": Table("what it was about", erase="entry_id theme_id", rows=True),
    "entry_special": Table("what it told of somebody", erase="entry_id scope", rows=True),
    "revision": Table(
        "the hash proves which text was agreed to",
        erase="title summary content author_id",
        keep="entry_id seq version lang sha256 author_kind at released_at erased_at",
    ),
    "translation": Table(
        "the text in another language", erase="entry_id seq lang title summary content state author_id at", rows=True
    ),
    "checklist": Table("answers about the text", erase="entry_id seq account_id at answers reason", rows=True),
    "draft": Table(
        "belongs to a form that was never sent; goes when it is sent, or after a day", other="owner kind token data at"
    ),
    # ---------- consent ----------
    "subject": Table("an id without a name", erase="birth_month", keep="id kind created_month"),
    "guardian": Table(
        "that both agreed is proof",
        erase="relation evidence_ref",
        keep="consent_id authority_basis consented_at assent_given_at",
    ),
    "consent": Table(
        "proof of how it came about, without people",
        erase="collected_by second_collector",
        keep="""id subject_id entry_id schema_version lawful_basis jurisdiction collection_method notice_id lang given_at valid_until
             embargo_until ended_at languages_shown interpreter read_aloud teach_back collector_decides second_confirmed_at
             review_at prior_id""",
    ),
    "consent_scope": Table(
        "what was agreed to; the name shown goes", erase="credit", keep="consent_id scope value state at release_hash"
    ),
    "consent_event": Table(
        "the chain of proof",
        keep="seq consent_id scope from_state to_state value at actor_kind actor_id channel notice_id prev_hash hash",
    ),
    "notice": Table("the wording that was shown to everybody", other="id kind version lang text sha256 at"),
    "receipt": Table(
        "the hash of a code, so that its holder sees that it is gone", keep="code_hash entry_id created_month"
    ),
    "reminder": Table("that somebody was reminded", keep="consent_id days channel at"),
    "lost_code": Table(
        "that two stewards gave a code", erase="facts", keep="id entry_id at first_by second_by done_at"
    ),
    "letter": Table("name and address on their way into the vault", erase="id entry_id box at", rows=True),
    "name_mark": Table("keyed hashes of a name", erase="entry_id mark", rows=True),
    # ---------- review ----------
    "review_log": Table(
        "who decided what and when, without words",
        keep="seq entry_id at actor_kind actor_id action from_state to_state revision_seq prev_hash hash",
    ),
    "review_reason": Table("may quote the text", erase="log_seq entry_id text", rows=True),
    "claim": Table("who works on it", erase="entry_id account_id at", rows=True),
    "message": Table("may quote the text", erase="id entry_id at sender account_id text", rows=True),
    "worry": Table("may quote the text", erase="id entry_id at sender kind text handled_by handled_at", rows=True),
    "hold": Table(
        "that it was held back, and by whom",
        keep="id entry_id reason at placed_by confirmed_by confirmed_at lifted_by lifted_at",
    ),
    # ---------- what travels ----------
    "tombstone": Table("what harvesters are told for ever", keep="entry_id month reason"),
    "erasure": Table(
        "that it was erased", keep="entry_id ordered_at due_at text_done_at vault_done_at index_done_at log_done_at"
    ),
    "disclosure": Table("whom to ask to remove it", keep="entry_id organisation_slug kind month version"),
    "recall": Table(
        "who was asked, and who did", keep="id entry_id organisation_slug cause at confirmed_at confirmed_by"
    ),
    "change": Table("what others listen to", keep="seq entry_id kind at"),
    "delivery": Table(
        "mail to recipients; mail to the narrator is deleted",
        keep="id kind account_id entry_id lang about due_at tries sent_at failed_at",
    ),
    "outbox": Table("an id for the index, deleted when the index has seen it", keep="seq entry_id op at"),
    # ---------- the house ----------
    "region": Table("places", other="id country place lat lon names"),
    "organisation": Table(
        "bodies that work there",
        other="slug kind class partner partner_since sample region_id place lat lon names about",
    ),
    "meeting": Table("meetings", other="slug starts precision region_id country names about visited"),
    "theme": Table("vocabulary", other="id parent_id eurovoc position"),
    "theme_label": Table("vocabulary", other="theme_id lang label kind"),
    "account": Table(
        "people who work here", other="id email name password_hash role organisation_slug sample created_at disabled_at"
    ),
    "session": Table("what a browser is doing; ends by itself", other="id_hash account_id data created_at seen_at"),
    "attempt": Table("tries, keyed by a hash", other="id bucket key at"),
    "clock": Table("the highest moment seen", other="id high"),
    "rewritten": Table("when the file was last written anew", other="id at change_seq"),
    "ledger_mark": Table("how far the ledger is known", other="id seq hash"),
    # ---------- the vault, in files of its own ----------
    "identity": Table("name and address", erase="entry_id box at", rows=True),
    "reading": Table("who opened them, and why", keep="seq account_id entry_id why at prev_hash hash"),
}

# Everything that a running site writes below KB_INSTANCE: the name or pattern, what an erasure does there, and why.
FILES: dict[str, tuple[Fate, str]] = {
    "kb.sqlite3": (Fate.ERASE, "column by column, as above; freed pages are overwritten"),
    "kb.sqlite3-wal": (Fate.ERASE, "cut to nothing"),
    "kb.sqlite3-shm": (Fate.OTHER, "numbers of pages only"),
    "index/": (Fate.ERASE, "segments are written anew without the entry, old generations are removed"),
    "vault/vault.sqlite3": (Fate.ERASE, "the row is deleted and its pages overwritten"),
    "vault/vault.sqlite3-wal": (Fate.ERASE, "cut to nothing"),
    "vault/vault.sqlite3-shm": (Fate.OTHER, "numbers of pages only"),
    "vault/readings.sqlite3": (Fate.KEEP, "who opened a name, and why"),
    "vault/readings.sqlite3-wal": (Fate.KEEP, "the same"),
    "vault/readings.sqlite3-shm": (Fate.OTHER, "numbers of pages only"),
    "vault/key": (Fate.OTHER, "the key of the vault"),
    "vault/public": (Fate.OTHER, "the key that seals for the vault"),
    "ledger/": (Fate.KEEP, "ids and decisions, so that no restored copy brings anything back"),
    "keys/": (Fate.OTHER, "the key of the backups"),
    "safekeeping/": (Fate.OTHER, "empty but while a backup or restore is at work; swept by the next one"),
    "restored/": (Fate.OTHER, "a restore on its way, which follows the ledger before it takes its place"),
    "in_use": (Fate.OTHER, "an empty file: the site is running"),
    "safekeeping.lock": (Fate.OTHER, "an empty file: a backup or restore is at work"),
    "secret_key": (Fate.OTHER, "the key of the site"),
    "README.md": (Fate.OTHER, "says what this folder is"),
}
