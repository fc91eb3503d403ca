"""Give each test a fresh instance: a copied, migrated, seeded database file with the cast in it, a real index folder, an application."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache

from kb import accounts, create_app, vault
from kb.config import Config, load
from kb.db import Database, connect
from kb.migrations import migrate
from kb.search import indexer
from tests import factories
from tests.pages import Visitor


@pytest.fixture(scope="session")
def template_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the instance once that every test gets a copy of: a migrated, seeded database with the cast, and its empty index."""
    folder = tmp_path_factory.mktemp("template")
    migrate(folder / "kb.sqlite3")
    vault.prepare(load({}, INSTANCE=folder))
    db = connect(folder / "kb.sqlite3")
    factories.seed(db)
    factories.cast(db)
    indexer.once(load({}, INSTANCE=folder))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return folder


@pytest.fixture
def instance(tmp_path: Path, template_instance: Path) -> Path:
    """Return the folder of a fresh instance."""
    return Path(shutil.copytree(template_instance, tmp_path / "instance"))


@pytest.fixture
def config(instance: Path) -> Config:
    """Return the settings of the fresh instance."""
    return load(
        {}, INSTANCE=instance, SECRET_KEY=factories.SECRET, DEBUG_PAGES=True, LIMIT_SUBMIT=1000, LIMIT_SUBMIT_ALL=1000
    )


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
def app(config: Config, compiled_templates: FileSystemBytecodeCache) -> Flask:
    """Return the application on the fresh instance."""
    made = create_app(**config)
    made.jinja_env.bytecode_cache = compiled_templates
    return made


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Share compiled templates between the applications of all tests."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


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
