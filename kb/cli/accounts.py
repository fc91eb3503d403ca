"""Look after accounts: ``kb account create``, ``disable``, ``reset``."""

import secrets

import click

from kb import accounts, places, sessions
from kb.accounts import Role
from kb.cli.group import main, migrated, opened
from kb.db import now, transaction


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
    with opened(migrated()) as db:
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
    with opened(migrated()) as db, transaction(db):
        found = accounts.by_email(db, email)
        accounts.disable(db, found.id, at=now())
        ended = sessions.end_all(db, found.id)
    click.echo(f"disabled {email}, ended {ended} sessions")


@account.command()
@click.argument("email")
@_generate
def reset(email: str, generate: bool) -> None:
    """Give an account a new password and end its sessions."""
    with opened(migrated()) as db:
        found = accounts.by_email(db, email)
        if found.disabled:
            raise click.ClickException(f"{email} is disabled.")
        password = _password(generate)
        with transaction(db):
            accounts.set_password(db, found.id, password)
            ended = sessions.end_all(db, found.id)
    click.echo(f"new password for {email}, ended {ended} sessions")
    _print_password(generate, password)
