#!/bin/sh
# Make .venv if need be and put into it what a lock file names, then this project itself:
#     scripts/venv.sh requirements.lock
set -eu

here=${0%/*}
. "$here/apt.sh"

lock=$1
python=${PYTHON:-python3}
venv=${VENV:-.venv}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Please install Python 3.11 or newer ($python is missing or older)."

in_venv="$venv/bin/python -m pip"
if ! $in_venv --version >/dev/null 2>&1; then
    rm -rf "$venv"
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv "$venv"
    elif "$python" -m pip --version >/dev/null 2>&1; then
        # The pip outside fills the environment; the lock file brings a pip of its own into it.
        "$python" -m venv --without-pip "$venv"
        in_venv="$python -m pip --python $venv/bin/python"
    elif apt_install python3-venv; then
        "$python" -m venv "$venv"
    else
        fail "Please install Python's venv module (Debian and Ubuntu: apt install python3-venv)."
    fi
fi

# Wheels only, each checked against its hash: nothing is built, so nothing unpinned is fetched to build it.
echo "installing what $lock names into $venv"
$in_venv install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r "$lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
    --no-build-isolation --editable .
