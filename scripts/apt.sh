# Sourced by the scripts beside it; says nothing on standard output.

# apt_install PACKAGE...: install Debian packages; false without apt-get or without being root.
apt_install() {
    command -v apt-get >/dev/null 2>&1 && [ "$(id -u 2>/dev/null)" = 0 ] || return 1
    echo "installing with apt-get: $*" >&2
    apt-get update -qq >/dev/null &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# fail SENTENCE: say it and stop.
fail() {
    echo "$1" >&2
    exit 1
}
