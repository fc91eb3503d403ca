"""The ``kb`` command: everything that is done to a site from the terminal. Each command asks the same functions as the pages."""

import json
import logging
import os
import secrets
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from kb import accounts, condition, demonstration, errors, migrations, places, serving, sessions, themes
from kb import config as settings
from kb import db as storage
from kb.accounts import Account, Role
from kb.config import SETTINGS, Config
from kb.db import Database, now, transaction

# Read from the environment by single commands, not by the site.
COMMAND_SETTINGS = (
    (
        "KB_DEMO_PASSWORD",
        "`kb demo`: password of the demo accounts, at least 15 characters; empty: a random one, printed once.",
    ),
    (
        "KB_NETWORK_KEY",
        "`kb serve` hands it from the supervisor to its workers, new at each start; set it only for another WSGI server.",
    ),
    ("KB_CHROMIUM", "`make test`: path of a Chromium for the browser tests; empty: one is found or installed."),
)
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


def _config(**overrides: Any) -> Config:
    try:
        return settings.load(**overrides)
    except ValueError as error:
        raise click.ClickException(f"{error}.") from error


def _migrated() -> Config:
    """Return the settings of an instance that is ready."""
    config = _config()
    if not condition.is_migrated(config):
        raise click.ClickException(
            f"The database in {config.instance} is missing or not up to date: run kb migrate first."
        )
    return config


@contextmanager
def _opened(config: Config) -> Iterator[Database]:
    db = storage.connect(config.database)
    try:
        yield db
    finally:
        db.close()


# ---------- the database ----------


@main.command()
def migrate() -> None:
    """Bring the database up to date, with its themes and places. Running it again changes nothing."""
    config = _config()
    _close_folder(config)
    try:
        applied = migrations.migrate(config.database)
    except RuntimeError as error:
        raise click.ClickException(f"{error}.") from error
    for name in applied:
        click.echo(f"applied {name}")
    with _opened(config) as db:
        with transaction(db):
            themes.seed(db)
            places.seed(db)
        counts = f"{len(themes.tree(db))} themes, {len(places.regions(db))} regions, {len(places.organisations(db))} organisations"
    click.echo(f"the database is up to date ({counts})")


def _close_folder(config: Config) -> None:
    """Make the folder of data, and keep others out of it; a folder that everybody shares is not ours to close."""
    config.instance.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = config.instance.stat().st_mode
    if mode & stat.S_ISVTX:
        raise click.ClickException(
            f"{config.instance} is shared by all users of this machine: choose a folder of its own as KB_INSTANCE."
        )
    if mode & 0o077:
        config.instance.chmod(0o700)
        click.echo(f"closed {config.instance} to others")


@main.command()
@click.option("--if-empty", is_flag=True, help="Do nothing when the instance holds anything already.")
def demo(if_empty: bool) -> None:
    """Fill the instance with invented samples, demo accounts, and what the project's press report tells.

    Running it again adds only what is missing. It refuses on an instance with real content. KB_DEMO_PASSWORD sets the password of the
    accounts; without it a random one is printed once.
    """
    config = _migrated()
    with _opened(config) as db:
        if if_empty and demonstration.is_there(db):
            return
        if demonstration.is_real(db):
            raise click.ClickException(
                "This instance has real content or accounts; demo content belongs into an instance of its own (KB_INSTANCE)."
            )
        password = os.environ.get("KB_DEMO_PASSWORD") or secrets.token_urlsafe(12)
        with click.progressbar(length=len(demonstration.items(config)), label="loading demo content") as bar:
            loaded = demonstration.load(db, config, password=password, at=now(), each=lambda _: bar.update(1))
        _index_once(config)
    click.echo(f"{loaded.new_entries} new entries")
    if loaded.new_accounts:
        click.echo(f"\nSign in with one of these and the password  {password}  (it is not shown again):\n")
        click.echo(_table(loaded.new_accounts))
    if loaded.code:
        click.echo(
            f"\nOne invented testimony waits for its narrator: enter its code at /receipt and release it.\n  {loaded.code}\n"
        )


def _table(found: list[Account] | tuple[Account, ...]) -> str:
    wide = max(len(account.email) for account in found)
    return "\n".join(f"  {a.email:<{wide}}  {a.role:<13}  {a.name}" for a in found)


# ---------- the site ----------


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to answer on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to answer on; 0 takes a free one.",
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Number of web processes.")
def serve(host: str, port: int, workers: int) -> None:
    """Run the site: the web server, and the indexer beside it.

    Ctrl-C or SIGTERM stop both within ten seconds.
    """
    config = _migrated()
    listener = serving.listen(host, port)
    url = serving.url(listener)
    if not os.environ.get("KB_BASE_URL"):
        config = _config(BASE_URL=url)
    raise SystemExit(serving.Supervisor(config, listener, workers, lambda: _tell(config, url)).run())


def _tell(config: Config, url: str) -> None:
    """Say where the site is; on an instance with demo accounts also who can sign in."""
    click.echo(f"{config['SITE_NAME']} runs on {url}")
    if config["BASE_URL"] != url:
        click.echo(f"people reach it under {config['BASE_URL']}")
    with _opened(config) as db:
        found = demonstration.logins(db)
    if found:
        click.echo(
            f"demo accounts (kb account reset --generate {found[0].email} gives one a new password):\n{_table(found)}"
        )


@main.command()
@click.option("--once", is_flag=True, help="Bring the index up to date and end.")
@click.option("--parent", type=int, hidden=True, help="Process to end with.")
def index(once: bool, parent: int | None) -> None:
    """Keep the search index up to date. kb serve does this; run it alone only beside another WSGI server."""
    config = _migrated()
    if once:
        _index_once(config)
        return
    from kb.search import indexer

    serving.log_quietly()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if parent is not None:
        serving.end_with_parent(parent, stop.set)
    threading.Thread(target=serving.tidy_forever, args=(config, stop), name="tidy", daemon=True).start()
    indexer.work(config, stop)


def _index_once(config: Config) -> None:
    """Bring the index up to date; that it had to be built first is no news here."""
    from kb.search import indexer

    logging.getLogger("kb.search").setLevel(logging.ERROR)
    click.echo("bringing the search index up to date")
    indexer.once(config)


@main.command()
def reindex() -> None:
    """Build the search index anew beside the old one, then swap; searching goes on meanwhile."""
    from kb.search.index import rebuild

    config = _migrated()
    with _opened(config) as db, click.progressbar(length=1, label="building the search index") as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        rebuild(config, db, now(), progress)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
def doctor(as_json: bool) -> None:
    """Examine the instance: files, database, chains, consent gate, texts, search index. Any problem gives a non-zero exit status."""
    findings = condition.examine(_config(), at=now())
    well = not any(finding.problems for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": well, "checks": {f.name: list(f.problems) for f in findings}}, indent=1))
    else:
        for finding in findings:
            click.echo(f"{'not well' if finding.problems else 'well':<8}  {finding.name}")
            for problem in finding.problems:
                click.echo(f"{'':<10}- {problem}")
    if not well:
        raise SystemExit(1)


# ---------- accounts ----------


@main.group()
def account() -> None:
    """Create, disable and reset accounts. A password is typed at a prompt or made and printed once, never an argument."""


_generate = click.option(
    "--generate", is_flag=True, help="Make a password and print it once, instead of asking for one."
)


def _password(generate: bool) -> str:
    if generate:
        return secrets.token_urlsafe(15)
    return str(
        click.prompt(
            f"Password ({accounts.SHORTEST_PASSWORD} characters or more)", hide_input=True, confirmation_prompt=True
        )
    )


def _print_password(generate: bool, password: str) -> None:
    if generate:
        click.echo(f"password: {password}  (it is not shown again)")


@account.command()
@click.argument("email")
@click.option("--name", required=True, help="Name that colleagues see.")
@click.option("--role", required=True, type=click.Choice([str(role) for role in Role]), help="What the account is for.")
@click.option(
    "--organisation", metavar="SLUG", help="Organisation of a practitioner or partner, as in the address of its page."
)
@_generate
def create(email: str, name: str, role: str, organisation: str | None, generate: bool) -> None:
    """Create an account."""
    with _opened(_migrated()) as db:
        if organisation is not None and organisation not in places.organisations(db):
            raise click.ClickException(f"There is no organisation {organisation}.")
        password = _password(generate)
        with transaction(db):
            accounts.create(db, email, name, Role(role), password, organisation_slug=organisation, at=now())
    click.echo(f"created {email} ({role})")
    _print_password(generate, password)


@account.command()
@click.argument("email")
def disable(email: str) -> None:
    """Close an account for ever and end its sessions."""
    with _opened(_migrated()) as db, transaction(db):
        found = accounts.by_email(db, email)
        accounts.disable(db, found.id, at=now())
        ended = sessions.end_all(db, found.id)
    click.echo(f"disabled {email}, ended {ended} sessions")


@account.command()
@click.argument("email")
@_generate
def reset(email: str, generate: bool) -> None:
    """Give an account a new password and end its sessions."""
    with _opened(_migrated()) as db:
        found = accounts.by_email(db, email)
        if found.disabled:
            raise click.ClickException(f"{email} is disabled.")
        password = _password(generate)
        with transaction(db):
            accounts.set_password(db, found.id, password)
            ended = sessions.end_all(db, found.id)
    click.echo(f"new password for {email}, ended {ended} sessions")
    _print_password(generate, password)


# ---------- settings ----------


@main.command("settings")
@click.option("--markdown", is_flag=True, help="Print docs/settings.md instead.")
def settings_(markdown: bool) -> None:
    """Show every setting as the site would read it; the secret key stays hidden."""
    if markdown:
        click.echo(settings_page(), nl=False)
        return
    config = _config()
    for setting in SETTINGS:
        shown = (
            ("set" if config["SECRET_KEY"] else "in the instance folder")
            if setting.name == "SECRET_KEY"
            else _as_text(config[setting.name])
        )
        click.echo(f"KB_{setting.name}={shown}")


def _as_text(choice: Any) -> str:
    """Write a setting as it would be typed."""
    if isinstance(choice, bool):
        return str(int(choice))
    return ", ".join(choice) if isinstance(choice, tuple) else str(choice)


def settings_page() -> str:
    """Return docs/settings.md, made from the table of settings."""
    lines = [
        "# Settings",
        "",
        "Made by `kb settings --markdown > docs/settings.md`; do not edit by hand.",
        "",
        "Every setting is a variable of the environment. What is not set, or empty, has its default. A setting that can not be read or",
        "would be unsafe stops every command with a sentence that names it. `kb settings` shows what is in force.",
        "",
        "| variable | default | what it does |",
        "|---|---|---|",
    ]
    for setting in SETTINGS:
        default = "`instance/` beside `kb/`" if setting.name == "INSTANCE" else f"`{_as_text(setting.default)}`"
        lines.append(f"| `KB_{setting.name}` | {'empty' if default == '``' else default} | {setting.help} |")
    lines += ["", "## For single commands", "", "| variable | what it does |", "|---|---|"]
    lines += [f"| `{name}` | {told} |" for name, told in COMMAND_SETTINGS]
    return "\n".join(lines) + "\n"
