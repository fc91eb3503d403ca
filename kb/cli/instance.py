"""Make, fill and examine an instance: ``kb migrate``, ``demo``, ``doctor``, ``settings``."""

import json
import os
import secrets
import stat
from typing import Any

import click

from kb import condition, demonstration, instance_lock, migrations, places, themes, vault
from kb.cli.group import configured, follow_ledger, main, migrated, opened, recover, table
from kb.cli.serving import index_once
from kb.config import SETTINGS, Config, Setting
from kb.db import now, transaction

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


@main.command()
def migrate() -> None:
    """Bring the database up to date, with its themes and places. Running it again changes nothing."""
    config = configured()
    close_folder(config)
    recover(config)
    with instance_lock.shared(config):
        try:
            applied = migrations.migrate(config.database) + vault.prepare(config)
        except RuntimeError as error:
            raise click.ClickException(f"{error}.") from error
    for name in applied:
        click.echo(f"applied {name}")
    with opened(config) as db:
        follow_ledger(db)
        with transaction(db):
            themes.seed(db)
            places.seed(db)
        counts = f"{len(themes.tree(db))} themes, {len(places.regions(db))} regions, {len(places.organisations(db))} organisations"
    click.echo(f"the database is up to date ({counts})")


def close_folder(config: Config) -> None:
    """Make the folder of data, and keep others out of it; a folder that everybody shares is not ours to close."""
    config.instance.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = config.instance.stat().st_mode
    if mode & stat.S_ISVTX:
        raise click.ClickException(
            f"{config.instance} is shared by all users of this machine: choose a folder of its own as KB_INSTANCE."
        )
    if mode & 0o077:
        config.instance.chmod(0o700)
        click.echo(f"closed {config.instance} to others", err=True)


@main.command()
@click.option("--if-empty", is_flag=True, help="Do nothing when the instance holds anything already.")
def demo(if_empty: bool) -> None:
    """Fill the instance with invented samples, demo accounts, and what the project's press report tells.

    Running it again adds only what is missing. It refuses on an instance with real content. KB_DEMO_PASSWORD sets the password of the
    accounts; without it a random one is printed once.
    """
    config = migrated()
    with opened(config) as db:
        if if_empty and demonstration.is_there(db):
            return
        if demonstration.is_real(db):
            raise click.ClickException(
                "This instance has real content or accounts; demo content belongs into an instance of its own (KB_INSTANCE)."
            )
        password = os.environ.get("KB_DEMO_PASSWORD") or secrets.token_urlsafe(12)
        with click.progressbar(length=len(demonstration.items(config)), label="loading demo content") as bar:
            loaded = demonstration.load(db, config, password=password, at=now(), each=lambda _: bar.update(1))
        index_once(config)
    click.echo(f"{loaded.new_entries} new entries")
    if loaded.new_accounts:
        click.echo(f"\nSign in with one of these and the password  {password}  (it is not shown again):\n")
        click.echo(table(loaded.new_accounts))
    if loaded.code:
        click.echo(
            f"\nOne invented testimony waits for its narrator: enter its code at /receipt and release it.\n  {loaded.code}\n"
        )


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
def doctor(as_json: bool) -> None:
    """Examine the instance: files, database, chains, consent gate, texts, search index. Any problem gives a non-zero exit status."""
    config = configured()
    if config.instance.is_dir():
        with instance_lock.shared(config):
            findings = condition.examine(config, at=now())
    else:
        findings = condition.examine(config, at=now())
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


@main.command("settings")
@click.option("--markdown", is_flag=True, help="Print docs/settings.md instead.")
def settings_(markdown: bool) -> None:
    """Show every setting as the site would read it; secrets stay hidden."""
    if markdown:
        click.echo(settings_page(), nl=False)
        return
    config = configured()
    for setting in SETTINGS:
        click.echo(f"KB_{setting.name}={_shown(setting, config[setting.name])}")


def _shown(setting: Setting, choice: Any) -> str:
    """Write a setting for everybody to see."""
    if setting.secret and choice != setting.default:
        return "set"
    return "in the instance folder" if setting.name == "SECRET_KEY" else _as_text(choice)


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
