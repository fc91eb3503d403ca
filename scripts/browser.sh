#!/bin/sh
# Print the path of a Chromium for the browser tests; install one if there is none.
set -eu

here=${0%/*}
. "$here/apt.sh"

python=${VENV:-.venv}/bin/python

driver_starts() {
    "$python" -m playwright --version >/dev/null 2>&1
}

on_path() {
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" 2>/dev/null && return
    done
    return 1
}

# Prints the browser that Playwright has downloaded for this user, if it has.
of_playwright() {
    found=$("$python" 2>/dev/null <<'PYTHON'
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
PYTHON
    ) && [ -x "$found" ] && echo "$found"
}

# Playwright steers the browser with a program of its own that needs this one library,
# which a bare Debian does not have and Chromium does not bring along.
driver_starts || { apt_install libatomic1 && driver_starts; } ||
    fail "Please install the library libatomic1 (Debian and Ubuntu: apt install libatomic1): the browser tests need it."

if [ -n "${KB_CHROMIUM:-}" ]; then
    [ -x "$KB_CHROMIUM" ] || fail "KB_CHROMIUM names $KB_CHROMIUM, which is not a program that can be run."
    echo "$KB_CHROMIUM"
elif on_path || of_playwright; then
    :
elif apt_install chromium && on_path; then
    :
elif "$python" -m playwright install --no-shell chromium >/dev/null 2>&1 && of_playwright; then
    :
else
    fail "Please install Chromium (Debian: apt install chromium) or set KB_CHROMIUM to the path of one: the browser tests need it."
fi
