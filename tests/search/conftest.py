"""Give the search tests an instance whose index is empty, a searcher, and a look at the files."""

from collections.abc import Iterator

import pytest

from kb.config import Config
from kb.search import Search


@pytest.fixture
def search(config: Config) -> Iterator[Search]:
    """Return a searcher of the instance."""
    made = Search(config)
    yield made
    made.close()
