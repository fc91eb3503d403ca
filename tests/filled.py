"""Have an instance full of demo content, made once in a run of the tests and copied for whoever needs it."""

import functools
import os
import shutil
import tempfile
from pathlib import Path

from click.testing import CliRunner, Result

from kb.cli import main

PASSWORD = "only for the demonstration"


def kb(folder: Path, *arguments: str, typed: str | None = None, **environ: str) -> Result:
    """Run a kb command on an instance."""
    clean = {name: None for name in os.environ if name.startswith("KB_")}
    return CliRunner().invoke(main, list(arguments), input=typed, env=clean | {"KB_INSTANCE": str(folder)} | environ)


@functools.cache
def _keep() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@functools.cache
def _made() -> tuple[Path, Result]:
    folder = Path(_keep().name) / "instance"
    assert kb(folder, "migrate").exit_code == 0
    return folder, kb(folder, "demo", KB_DEMO_PASSWORD=PASSWORD)


def first_run() -> Result:
    """Return what the first ``kb demo`` said."""
    return _made()[1]


def copy(folder: Path) -> Path:
    """Copy the filled instance and return where it is."""
    return Path(shutil.copytree(_made()[0], folder / "filled"))
