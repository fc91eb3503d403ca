"""The two commands find what they need, or say in one sentence what to install; the lock files are exact."""

import os
import re
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@dataclass
class Machine:
    """A machine that has only the programs given to it; each call of one is a line in `calls`."""

    folder: Path
    calls: list[str] = field(default_factory=list)

    def has(self, program: str, script: str = "exit 0") -> Path:
        """Put a program on the path (or, with a slash, elsewhere) that does what a shell script says."""
        path = self.folder / program if "/" in program else self.folder / "bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "{path.name} $*" >> "{self.folder}/calls"\n{script}\n', "utf-8")
        path.chmod(0o755)
        return path

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run one of our scripts on this machine, in its own folder."""
        (self.folder / "bin").mkdir(exist_ok=True)
        environment = {"PATH": str(self.folder / "bin"), "VENV": str(self.folder / "venv"), **env}
        program, *arguments = command
        script = [str(ROOT / "scripts" / program), *arguments]
        result = subprocess.run(
            script, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=20, check=False
        )
        log = self.folder / "calls"
        self.calls = log.read_text("utf-8").splitlines() if log.exists() else []
        return result


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without a browser, apt-get or the rights of root; Playwright is there but can download nothing."""
    machine = Machine(tmp_path)
    machine.has("id", "echo 1000")
    machine.has("venv/bin/python", 'case "$*" in *--version) exit 0;; esac; exit 1')
    return machine


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """Return what a failing script said, after checking that it failed with exactly one line and printed no path."""
    assert result.returncode == 1, result
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_on_the_path_is_taken(machine: Machine, name: str) -> None:
    path = machine.has(name)
    result = machine.run("browser.sh")
    assert (result.returncode, result.stdout.strip()) == (0, str(path)), result.stderr


def test_the_browser_named_by_hand_comes_first(machine: Machine) -> None:
    machine.has("chromium")
    mine = machine.has("opt/my-chromium")
    assert machine.run("browser.sh", KB_CHROMIUM=str(mine)).stdout.strip() == str(mine)


def test_a_wrong_name_given_by_hand_is_said(machine: Machine) -> None:
    machine.has("chromium")
    assert "/nowhere/chromium" in one_sentence(machine.run("browser.sh", KB_CHROMIUM="/nowhere/chromium"))


def test_no_browser_and_no_rights_is_one_sentence(machine: Machine) -> None:
    machine.has("apt-get")
    said = one_sentence(machine.run("browser.sh"))
    assert said.startswith("Please install Chromium")
    assert "python -m playwright install --no-shell chromium" in machine.calls
    assert not [call for call in machine.calls if call.startswith("apt-get")]


def test_root_gets_the_browser_of_debian(machine: Machine) -> None:
    machine.has("id", "echo 0")
    place = machine.folder / "bin" / "chromium"
    install = f'case "$*" in *install*chromium) printf "#!/bin/sh\\n" > "{place}"; /bin/chmod 755 "{place}";; esac'
    machine.has("apt-get", install)
    result = machine.run("browser.sh")
    assert (result.returncode, result.stdout.strip()) == (0, str(place)), result.stderr
    assert "apt-get update -qq" in machine.calls


def test_a_browser_that_playwright_has_is_taken(machine: Machine) -> None:
    own = machine.has("cache/chrome")
    machine.has("venv/bin/python", f'case "$*" in "") echo "{own}";; esac')
    assert machine.run("browser.sh").stdout.strip() == str(own)


def test_a_driver_that_does_not_start_is_one_sentence(machine: Machine) -> None:
    machine.has("chromium")
    machine.has("venv/bin/python", "exit 127")
    assert "libatomic1" in one_sentence(machine.run("browser.sh"))


def test_root_gets_the_library_of_the_driver(machine: Machine) -> None:
    machine.has("chromium")
    machine.has("id", "echo 0")
    machine.has("venv/bin/python", f'[ -e "{machine.folder}/libatomic" ]')
    machine.has("apt-get", f'case "$*" in *libatomic1) : > "{machine.folder}/libatomic";; esac')
    result = machine.run("browser.sh")
    assert result.stdout.strip() == str(machine.folder / "bin" / "chromium"), result.stderr


# What the Python outside can do, as the exit codes of its checks for version, ensurepip and pip.
OLD = "exit 1"
BARE = 'case "$*" in *version_info*) exit 0;; esac; [ -e installed ]'  # until apt-get has been there
WITH_PIP = 'case "$*" in *ensurepip*) exit 1;; esac'
WHOLE = "exit 0"


@pytest.mark.parametrize(
    ("python", "says"),
    [
        pytest.param(None, "Please install Python 3.11 or newer", id="no Python"),
        pytest.param(OLD, "Please install Python 3.11 or newer", id="an old Python"),
        pytest.param(BARE, "Please install Python's venv module", id="no venv, no pip, not root"),
    ],
)
def test_a_python_that_will_not_do_is_one_sentence(machine: Machine, python: str | None, says: str) -> None:
    machine.has("rm")
    machine.has("venv/bin/python", "exit 1")
    if python is not None:
        machine.has("python3", python)
    assert one_sentence(machine.run("venv.sh", "requirements.lock")).startswith(says)


@pytest.mark.parametrize(
    ("python", "user", "calls"),
    [
        pytest.param(WHOLE, 1000, ["python3 -m venv {venv}", "python -m pip install"], id="venv is there"),
        pytest.param(
            WITH_PIP,
            1000,
            ["python3 -m venv --without-pip {venv}", "python3 -m pip --python {venv}/bin/python install"],
            id="only pip is there",
        ),
        pytest.param(
            BARE,
            0,
            ["apt-get install -qq -y --no-install-recommends python3-venv", "python3 -m venv {venv}"],
            id="neither, but root on Debian",
        ),
    ],
)
def test_an_environment_is_made(machine: Machine, python: str, user: int, calls: list[str]) -> None:
    machine.has("rm")
    machine.has("id", f"echo {user}")
    machine.has("apt-get", 'case "$*" in *install*) : > installed;; esac')
    machine.has("python3", python)
    # The environment's own pip answers from the moment that it was made.
    machine.has("venv/bin/python", 'while read -r line; do case "$line" in *venv*) exit 0;; esac; done < calls; exit 1')
    result = machine.run("venv.sh", "requirements.lock")
    assert result.returncode == 0, result.stderr
    wanted = [call.format(venv=machine.folder / "venv") for call in calls]
    for call in wanted:
        assert any(seen.startswith(call) for seen in machine.calls), (call, machine.calls)
    hashed = [seen for seen in machine.calls if " install " in seen and "requirements.lock" in seen]
    assert len(hashed) == 1
    assert "--require-hashes" in hashed[0]
    assert "--only-binary :all:" in hashed[0]


def pins(name: str) -> dict[str, str]:
    """Read a lock file as package → version, after checking that every package has a hash."""
    text = (ROOT / name).read_text("utf-8")
    blocks = re.split(r"\n(?=[a-z])", re.sub(r"(?m)^\s*#.*\n", "", text).strip())
    found = {}
    for block in blocks:
        match = re.match(r"([a-z0-9.-]+)==(\S+)", block)
        assert match, block
        assert "--hash=sha256:" in block, block
        found[match[1]] = match[2]
    return found


def direct(requirements: list[str]) -> set[str]:
    """Return the package names of requirements as written in pyproject.toml."""
    return {re.split(r"[<>=~!; \[]", requirement)[0].lower() for requirement in requirements}


RUNTIME = direct(PYPROJECT["project"]["dependencies"]) | direct(PYPROJECT["dependency-groups"]["build"])
DEVELOPMENT = direct(PYPROJECT["dependency-groups"]["dev"])


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_names_no_address(name: str) -> None:
    assert not re.search(r"://|--(extra-)?index|--find-links", (ROOT / name).read_text("utf-8"))


def test_the_lock_files_hold_what_pyproject_asks_for() -> None:
    assert set(pins("requirements.lock")) >= RUNTIME
    assert set(pins("requirements-dev.lock")) >= RUNTIME | DEVELOPMENT


def test_tests_run_on_the_versions_of_the_site() -> None:
    assert pins("requirements-dev.lock").items() >= pins("requirements.lock").items()


def test_every_dependency_is_explained_with_its_version() -> None:
    rows = re.findall(r"(?m)^\| `([a-z0-9-]+)` \| ([\w.]+) \|", (ROOT / "docs" / "dependencies.md").read_text("utf-8"))
    locked = pins("requirements-dev.lock")
    assert dict(rows) == {name: locked[name] for name in RUNTIME | DEVELOPMENT}


def test_make_alone_prints_the_commands() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20, check=True)
    listed = re.findall(r"(?m)^make ([a-z]+) ", result.stdout)
    assert {"help", "run", "test", "check", "lock"} <= set(listed)
    assert len(listed) == len(set(listed))
