"""Keep copies and go back to them: ``kb backup``, ``restore``, ``ledger``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from kb import backup, erasure, ledger, withdrawal
from kb.cli.group import configured, main, migrated, opened
from kb.cli.instance import close_folder
from kb.cli.serving import index_once
from kb.config import Config
from kb.db import Database, now


@main.command("backup")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
def backup_(folder: Path, as_json: bool) -> None:
    """Make a sealed backup in a folder while the site runs, and remove those that are older than KB_BACKUP_DAYS."""
    config = migrated()
    with _progress("making the backup", hidden=as_json) as step:
        made = backup.make(config, folder, at=now(), each=step)
    if as_json:
        click.echo(json.dumps({"file": str(made.path), "counts": made.manifest.counts, "expired": made.expired}))
    else:
        click.echo(f"{made.path} ({_entries(made.manifest.counts['kb.sqlite3'])})")
        if made.expired:
            click.echo(f"removed {made.expired} older than {config['BACKUP_DAYS']} days")
    if made.key_made:
        click.echo(
            f"The key of the backups is new: keep a copy of {config.backup_key} elsewhere; without it no backup can be opened.",
            err=as_json,
        )


@main.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Agree that the present database is lost.")
@click.option(
    "--ledger",
    "ledger_copy",
    metavar="PATH",
    type=click.Path(exists=True, path_type=Path),
    help="Copy of the ledger, on a machine that has none or an older one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
def restore_(file: Path, replace: bool, ledger_copy: Path | None, as_json: bool) -> None:
    """Put a backup in the place of the database, after taking back in it what was taken back since.

    The site must be stopped. Without the ledger nothing is restored.
    """
    config = configured()
    close_folder(config)
    with _progress("opening the backup", hidden=as_json) as step:
        done = backup.restore(
            config,
            file,
            replace=replace,
            at=now(),
            apply=withdrawal.apply_line,
            finish=_catch_up,
            ledger_copy=ledger_copy,
            each=step,
        )
    index_once(config, quiet=as_json)
    if as_json:
        told = {
            "made_at": done.manifest.at,
            "followed": done.followed,
            "migrated": done.migrated,
            "counts": done.counts,
        }
        click.echo(json.dumps(told))
        return
    click.echo(f"restored the backup of {done.manifest.at} ({_entries(done.counts)})")
    for name in done.migrated:
        click.echo(f"applied {name}")
    click.echo(f"followed {done.followed} decisions of the ledger that were made since")
    click.echo(
        "Accounts are as they were then: disable again who was disabled since. Then run kb doctor and start the site."
    )


def _catch_up(config: Config, db: Database, *, at: str) -> None:
    """Erase in the prepared copy what was to be erased by now, names and addresses too."""
    withdrawal.erase_due(db, at=at)
    erasure.go_on(config, db, at=at)


@main.command("ledger")
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
def ledger_(file: Path | None, as_json: bool) -> None:
    """Verify the ledger of this instance and that the database has followed it, or verify the copy in FILE."""
    if file is None:
        with opened(migrated()) as db:
            missing = len(ledger.behind(db))
            found = ledger.lines(ledger.place(db))
    else:
        missing, found = 0, ledger.lines(file / ledger.NAME if file.is_dir() else file)
    if as_json:
        click.echo(json.dumps({"lines": len(found), "last": found[-1].at if found else None, "not_followed": missing}))
    else:
        click.echo(f"{len(found)} decisions, an unbroken chain{f', the last of {found[-1].at}' if found else ''}")
    if missing:
        raise click.ClickException(f"The database has not followed {missing} of them: run kb migrate.")


def _entries(counts: dict[str, int]) -> str:
    return f"{counts['entry']} entries, {counts['consent']} consents, {counts['account']} accounts"


@contextmanager
def _progress(label: str, *, hidden: bool) -> Iterator[backup.Progress]:
    """Show a bar for a block, and give what moves it."""
    with click.progressbar(length=1, label=label, hidden=hidden) as bar:

        def step(done: int, everything: int) -> None:
            bar.length = everything
            bar.update(done - bar.pos)

        yield step
