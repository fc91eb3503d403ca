"""Give the search tests an instance whose index is empty, a searcher, and a look at the files."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kb.config import Config
from kb.search import Search


@pytest.fixture
def instance(tmp_path: Path, template_instance: Path) -> Path:
    """Return the folder of a fresh instance that has no index yet."""
    return Path(shutil.copytree(template_instance, tmp_path / "instance", ignore=shutil.ignore_patterns("index")))


@pytest.fixture
def search(config: Config) -> Iterator[Search]:
    """Return a searcher of the instance."""
    made = Search(config)
    yield made
    made.close()
