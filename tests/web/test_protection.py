"""No promise without a check: every sentence on the page of protection and in the notices names tests that exist."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from kb.web import promises
from tests import factories
from tests.pages import Visitor

ROOT = Path(__file__).resolve().parent.parent.parent


def gathered() -> dict[str, list[str]]:
    spec = importlib.util.spec_from_file_location("checks", ROOT / "scripts" / "checks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, list[str]] = module.gathered()
    return found


def test_the_list_of_checks_is_fresh() -> None:
    assert promises.checks() == gathered(), "run .venv/bin/python scripts/checks.py"


@pytest.mark.parametrize("promise", promises.PROMISES, ids=lambda p: "-".join(p.checks))
def test_r110_every_promise_has_a_check(promise: promises.Promise) -> None:
    assert promise.checks
    assert [number for number in promise.checks if not promises.checks().get(number)] == []


@pytest.mark.parametrize("kind", ["testimony", "good_practice"])
def test_r110_every_statement_of_a_notice_has_a_check(kind: str) -> None:
    points = {point.id for point in factories.notice(kind).points}
    assert points - promises.NOTICE_CHECKS.keys() - promises.STATEMENTS == set()
    numbers = {number for checks in promises.NOTICE_CHECKS.values() for number in checks}
    assert sorted(number for number in numbers if not promises.checks().get(number)) == []


def test_the_page_links_each_promise_to_its_checks(visit: Callable[[str | None], Visitor]) -> None:
    page = visit(None).page("/about/protection")
    ids = {e.get("id") for e in page.root.iter()}
    for promise in promises.PROMISES:
        assert str(promise.title) in page.main
        assert set(promise.checks) <= ids
