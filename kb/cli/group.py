"""The menu of ``kb`` that every command hangs on, and what commands share: the settings, an instance that is ready, its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from kb import accounts, backup, condition, errors, instance_lock, ledger, withdrawal
from kb import config as settings
from kb import db as storage
from kb.accounts import Account
from kb.config import Config
from kb.db import Database, now

_FAULTS = {
    "email_invalid": "this is no e-mail address",
    "email_taken": "this address has an account already",
    "password_length": f"it needs {accounts.SHORTEST_PASSWORD} to {accounts.LONGEST_PASSWORD} characters",
}


class _Commands(click.Group):
    """Turn every expected failure into one sentence and a non-zero exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except errors.Busy as error:
            if str(error).endswith("."):  # it says itself what to do
                raise click.ClickException(str(error)) from error
            raise click.ClickException(f"{str(error).capitalize()}: try again in a moment.") from error
        except errors.Invalid as error:
            told = "; ".join(f"{f.field}: {_FAULTS.get(f.message, f.message)}" for f in error.faults)
            raise click.ClickException(f"{told[:1].upper()}{told[1:]}.") from error
        except errors.KBError as error:
            told = str(error).rstrip(".")
            raise click.ClickException(f"{told[:1].upper()}{told[1:]}.") from error
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'A file'} can not be used: {error.strerror}.") from error
        except Exception as error:
            # Only kb.db imports sqlite3; its errors are known here by where they come from.
            if type(error).__module__ != "sqlite3":
                raise
            raise click.ClickException(f"The database can not be used ({error}): see kb doctor.") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run and look after a Voices & Practice site.

    Settings are read from KB_* variables of the environment; docs/settings.md lists them, kb settings shows them.
    """


def configured(**overrides: Any) -> Config:
    """Return the settings; one that can not be read or is unsafe ends the command with a sentence."""
    try:
        return settings.load(**overrides)
    except ValueError as error:
        raise click.ClickException(f"{error}.") from error


def migrated() -> Config:
    """Return the settings of an instance that is ready, after finishing a restore that was interrupted."""
    config = configured()
    recover(config)
    if not condition.is_migrated(config):
        raise click.ClickException(
            f"The database in {config.instance} is missing or not up to date: run kb migrate first."
        )
    return config


def recover(config: Config) -> None:
    """Finish a restore that was interrupted, and sweep up after a backup that was."""
    if config.instance.is_dir() and backup.recover(config):
        click.echo("finished a restore that had been interrupted")


@contextmanager
def opened(config: Config) -> Iterator[Database]:
    """Open the database of an instance for a block, which no restore replaces meanwhile."""
    with instance_lock.shared(config):
        db = storage.connect(config.database)
        try:
            yield db
        finally:
            db.close()


def follow_ledger(db: Database) -> None:
    """Do what the ledger says and the database does not know, and say how much that was."""
    followed = ledger.replay(db, withdrawal.apply_line, at=now())
    if followed:
        click.echo(f"followed {followed} decision{'s' if followed > 1 else ''} of the ledger")


def table(found: list[Account] | tuple[Account, ...]) -> str:
    """Write accounts one a line, in columns."""
    wide = max(len(account.email) for account in found)
    return "\n".join(f"  {a.email:<{wide}}  {a.role:<13}  {a.name}" for a in found)
