"""Every setting and every command is in the documentation, and the made pages are what the program makes."""

import re
from collections.abc import Iterator

import click
import pytest

from kb import cli
from kb.config import ROOT, SETTINGS

DOCS = ROOT / "docs"
PLANNED = ("import", "export")


def _commands(group: click.Group, path: str = "kb") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(_commands(cli.main))


def _sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", (DOCS / "commands.md").read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_settings_page_is_the_one_that_is_made() -> None:
    assert (DOCS / "settings.md").read_text("utf-8") == cli.settings_page(), (
        "run: kb settings --markdown > docs/settings.md"
    )


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented(setting: object) -> None:
    assert f"| `KB_{setting.name}` |" in (DOCS / "settings.md").read_text("utf-8")
    assert setting.help.endswith(".")


def test_every_variable_that_the_program_reads_is_documented() -> None:
    known = {f"KB_{s.name}" for s in SETTINGS} | {name for name, _ in cli.COMMAND_SETTINGS}
    for path in [*(ROOT / "kb").rglob("*.py"), *(ROOT / "scripts").iterdir(), ROOT / "Makefile"]:
        named = set(re.findall(r"\bKB_[A-Z]+(?:_[A-Z]+)*\b", path.read_text("utf-8")))
        assert named <= known, path


def test_every_command_is_documented_and_no_other() -> None:
    assert list(_sections()) == list(dict.fromkeys([*_sections()])), "a command is there twice"
    assert set(_sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert f"`{parameter.opts[0]}`" in _sections()[name]
            assert parameter.help


@pytest.mark.parametrize("name", PLANNED)
def test_what_is_planned_is_not_in_the_menu(name: str) -> None:
    assert name not in cli.main.commands


@pytest.mark.parametrize("page", [p.name for p in DOCS.glob("*.md")])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        path = DOCS / target if target else DOCS / page
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}, anchor
