#!/bin/sh
# Write both lock files from pyproject.toml: exact versions and hashes, for every Python from 3.11 on.
# Pins already in a lock file stay; `make lock LOCK_FLAGS=--upgrade` takes what is newest.
set -eu

venv=${VENV:-.venv}
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9

compile() {
    UV_CUSTOM_COMPILE_COMMAND="make lock" "$venv/bin/uv" pip compile --quiet pyproject.toml \
        --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links "$@"
}

# --only-binary: what has no wheel would be built on the spot with tools that no hash guards.
compile --only-binary :all: --group build --output-file requirements.lock ${LOCK_FLAGS:-}
compile --only-binary :all: --group build --group dev --constraint requirements.lock \
    --output-file requirements-dev.lock ${LOCK_FLAGS:-}
