"""Do for people what they were promised: ``kb verify-consent``, ``expire``, ``erase``, ``work``."""

import json
import logging
import time
from collections.abc import Iterable

import click

from kb import codes, delivery, entries, erasure, expiry, housekeeping, instance_lock, proof, withdrawal
from kb.cli.group import main, migrated, opened
from kb.config import Config
from kb.db import Database, now
from kb.errors import Busy, NotFound, WrongState
from kb.vault import VaultClosed

# How long an erasure that somebody waits for is tried, in seconds, and how often.
_PATIENCE = 60.0
_PAUSE = 0.5

_HELD = {
    "text": "its text is still in the database",
    "vault": "the vault of names is in use",
    "index": "another process is writing the search index",
    "log": "somebody is reading the database, so its write-ahead log can not be cut",
}


# ---------- proof ----------


@main.command("verify-consent")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
def verify_consent(as_json: bool) -> None:
    """Recompute all that proves a consent: events, answers, notices, texts, log, ledger, vault readings.

    Names the first broken link of each; any gives a non-zero exit status.
    """
    config = migrated()
    with opened(config) as db:
        links = proof.verify(config, db)
    holds = all(link.broken is None for link in links)
    if as_json:
        click.echo(json.dumps({"ok": holds, "checks": {link.name: link.broken for link in links}}, indent=1))
    else:
        for link in links:
            click.echo(f"{'holds' if link.broken is None else 'BROKEN':<8}  {link.name}")
            if link.broken is not None:
                click.echo(f"{'':<10}- {link.broken}")
    if not holds:
        raise SystemExit(1)


# ---------- time ----------


@main.command()
@click.option(
    "--send", is_flag=True, help="Also note what has ended, remind, erase what is long over, and send the mail."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
def expire(send: bool, as_json: bool) -> None:
    """List the consents that end within 60 days or have ended, and the embargoes that are over; without --send nothing changes.

    What has ended is hidden by the clock alone, with or without this command.
    """
    config = migrated()
    with opened(config) as db:
        found = expiry.due(db, at=now())
        done = _send(config, db, at=now()) if send else None
    if as_json:
        click.echo(json.dumps({"due": [_told(item) for item in found], "done": done}, indent=1))
        return
    for item in found:
        reminded = ", ".join(f"{days} days before" for days in item.reminded) or "no"
        line = f"{codes.show_id(item.entry_id)}  {item.what:<8}  {item.at}  by {item.channel:<6}  reminded: {reminded}"
        click.echo(line)
    click.echo(f"{len(found)} due")
    if done is not None:
        click.echo(", ".join(f"{count} {what.replace('_', ' ')}" for what, count in done.items()))


def _told(item: expiry.Due) -> dict[str, object]:
    return {
        "entry": item.entry_id,
        "what": item.what,
        "at": item.at,
        "channel": item.channel,
        "reminded": list(item.reminded),
    }


def _send(config: Config, db: Database, *, at: str) -> dict[str, int]:
    """Do what the background process does twice a minute, and count it."""
    ended, reminded, erased = expiry.expire(db, at=at), expiry.remind(db, at=at), expiry.erase_grown(db, at=at)
    sent = delivery.send_due(
        config,
        db,
        at=at,
        address_of=lambda store, letter: housekeeping.address_of(config, store, letter, at=at),
    )
    return {
        "ended": len(ended),
        "reminded": reminded,
        "erased": len(erased),
        "mails_sent": sent.sent,
        "mails_postponed": sent.postponed,
        "mails_given_up": sent.failed,
    }


# ---------- erasing ----------


@main.command()
@click.argument("ids", metavar="[ENTRY]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
def erase(ids: tuple[str, ...], as_json: bool) -> None:
    """Erase what was taken back and can not be undone any more, or at once the entries that are named, to the last step.

    Only what was taken back can be erased. What was killed half way goes on where it was.
    """
    config = migrated()
    with opened(config) as db:
        wanted = _begin(db, ids)
        label = f"erasing {len(wanted)} entr{'y' if len(wanted) == 1 else 'ies'}"
        with click.progressbar(length=erasure.STEPS * len(wanted), label=label, hidden=as_json) as bar:
            left = _to_the_end(config, db, wanted, bar)
    if as_json:
        done = [entry_id for entry_id in wanted if entry_id not in left]
        click.echo(json.dumps({"erased": done, "left": left}, indent=1))
    elif not left:
        click.echo(f"{len(wanted)} erased to the last step" if wanted else "nothing is to be erased")
    if left:
        held = "; ".join(sorted({_HELD[step] for step in left.values()}))
        raise click.ClickException(
            f"{len(left)} of {len(wanted)} could not be finished within a minute ({held}): run kb erase again."
        )


def _begin(db: Database, ids: Iterable[str]) -> list[str]:
    """Erase the text of what is due, or of the entries named, and return everything of which something is left to do."""
    at = now()
    named = [_withdrawn(db, text) for text in ids]
    for entry_id in named:
        withdrawal.erase_now(db, entry_id, at=at)
    if named:
        return list(dict.fromkeys(named))
    withdrawal.erase_due(db, at=at)
    return [going.entry_id for going in erasure.unfinished(db)]


def _withdrawn(db: Database, text: str) -> str:
    """Return the id of an entry that was taken back, typed with or without dash.

    Raises:
        NotFound: when there is no such entry.
        WrongState: when it was not taken back.
    """
    entry_id = codes.normalise(text, codes.ID_LENGTH)
    if entry_id is None or not entries.exists(db, entry_id):
        raise NotFound(f"there is no entry {text}")
    if erasure.ordered(db, entry_id) is None:
        raise WrongState(f"{codes.show_id(entry_id)} was not taken back; only what was taken back can be erased")
    return entry_id


def _to_the_end(
    config: Config, db: Database, wanted: list[str], bar: "click._termui_impl.ProgressBar[int]"
) -> dict[str, str]:
    """Go on until every step is done or a minute is over; return what is left, each with the step that it waits for."""
    until = time.monotonic() + _PATIENCE
    while True:
        held = _go_on(config, db)
        states = [going for entry_id in wanted if (going := erasure.ordered(db, entry_id)) is not None]
        bar.update(sum(going.steps_done for going in states) - bar.pos)
        left = {going.entry_id: step for going in states if (step := _waits_for(going)) is not None}
        if not left or time.monotonic() >= until:
            return left
        if held or not _index(config, left):
            time.sleep(_PAUSE)


def _go_on(config: Config, db: Database) -> bool:
    """Do what can be done now; say whether somebody else holds something, so that it must be tried again."""
    try:
        erasure.go_on(config, db, at=now())
    except VaultClosed:
        raise
    except Busy:
        return True
    return False


def _waits_for(going: erasure.Erasure) -> str | None:
    steps = {
        "text": going.text_done_at,
        "vault": going.vault_done_at,
        "index": going.index_done_at,
        "log": going.log_done_at,
    }
    return next((name for name, done_at in steps.items() if done_at is None), None)


def _index(config: Config, left: dict[str, str]) -> bool:
    """Bring the index up to date when something waits for it; False when that is not it, or somebody else is writing."""
    from kb.search import indexer

    if "index" not in left.values():
        return False
    logging.getLogger("kb.search").setLevel(logging.ERROR)
    try:
        indexer.once(config)
    except Busy:
        return False
    return True


# ---------- everything that runs in the background ----------


@main.command()
@click.option("--once", is_flag=True, required=True, help="Do everything that is due once, and end.")
def work(once: bool) -> None:
    """Do once what kb serve does in the background: tidy, expire, remind, erase, carry names into the vault, send mail.

    For a timer, beside another WSGI server. The exit status is 1 when something is left over; then run it again.
    """
    assert once, "the option is required"
    config = migrated()
    with instance_lock.shared(config):
        finished = housekeeping.work(config, at=now())
    if not finished:
        raise click.ClickException("Something is left over: run kb index --once, then this again.")
