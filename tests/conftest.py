"""Give each test a fresh instance: a copied, migrated, seeded database file with the cast in it, a real index folder, an application."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from kb import accounts, create_app
from kb.config import Config, load
from kb.db import Database, connect
from kb.migrations import migrate
from tests import factories
from tests.pages import Visitor


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the database once that every test gets a copy of."""
    path = tmp_path_factory.mktemp("template") / "kb.sqlite3"
    migrate(path)
    db = connect(path)
    factories.seed(db)
    factories.cast(db)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path


@pytest.fixture
def instance(tmp_path: Path, template_database: Path) -> Path:
    """Return the folder of a fresh instance."""
    folder = tmp_path / "instance"
    folder.mkdir(mode=0o700)
    shutil.copy(template_database, folder / "kb.sqlite3")
    return folder


@pytest.fixture
def config(instance: Path) -> Config:
    """Return the settings of the fresh instance."""
    return load({}, INSTANCE=instance, SECRET_KEY=factories.SECRET, DEBUG_PAGES=True, LIMIT_SUBMIT=1000, LIMIT_SUBMIT_ALL=1000)


@pytest.fixture
def db(instance: Path) -> Iterator[Database]:
    """Return a connection to the fresh database; afterwards its keys and pages must be whole."""
    connection = connect(instance / "kb.sqlite3")
    yield connection
    assert list(connection.query("PRAGMA foreign_key_check")) == []
    assert next(connection.query("PRAGMA integrity_check"))["integrity_check"] == "ok"
    connection.close()


@pytest.fixture
def people(db: Database) -> dict[str, accounts.Account]:
    """Return the accounts of the cast by first name."""
    return {who: accounts.by_email(db, row[0]) for who, row in factories.CAST.items()}


@pytest.fixture
def app(config: Config) -> Flask:
    """Return the application on the fresh instance."""
    return create_app(**config)


@pytest.fixture
def visit(app: Flask) -> Callable[[str | None], Visitor]:
    """Return a function that opens a browser for somebody of the cast, or for a stranger (None)."""

    def as_(who: str | None = None) -> Visitor:
        return Visitor(app, who)

    return as_


@pytest.fixture
def sam(visit: Callable[[str | None], Visitor]) -> Visitor:
    """Return Sam, a stranger."""
    return visit(None)


@pytest.fixture
def marek(visit: Callable[[str | None], Visitor]) -> Visitor:
    """Return Marek, a moderator."""
    return visit("marek")


@pytest.fixture
def lina(visit: Callable[[str | None], Visitor]) -> Visitor:
    """Return Lina, the second moderator."""
    return visit("lina")
