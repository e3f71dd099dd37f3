# Sourced by the other scripts, from the top of the repository. A Debian machine may have python3 without venv, and a pip
# that refuses to install outside of one: everything goes into a virtual environment, for which apt-get is asked if it must.

# say WORDS: what happens now
say() { printf '\n== %s\n' "$*"; }

# apt PACKAGE...: install Debian packages, as root or through sudo
apt() {
    if ! command -v apt-get >/dev/null; then
        echo "Please install $* first: there is no apt-get here to do it." >&2
        return 1
    fi
    root=
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Please install $* first (as root: apt-get install $*)." >&2
            return 1
        fi
        root=sudo
    fi
    say "apt-get install $*"
    $root apt-get update -q
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# new_venv DIRECTORY: an empty virtual environment with pip, of the python3 on the path
new_venv() {
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        echo 'awflow needs Python 3.10 or later as python3.' >&2
        return 1
    fi
    if ! python3 -c 'import ensurepip, venv; ensurepip.version()' 2>/dev/null; then
        apt python3-venv
    fi
    say "python3 -m venv $1"
    rm -rf "$1"
    python3 -m venv "$1"
}

# install EXTRAS: this checkout into .venv, with what EXTRAS ask for; nothing to do if that is there
install() {
    stamp=".venv/installed-$1"
    if [ ! -x .venv/bin/pip ]; then
        new_venv .venv
    fi
    if [ ! -e "$stamp" ] || [ setup.cfg -nt "$stamp" ]; then
        say "pip install -e .[$1]"
        .venv/bin/python -m pip install --disable-pip-version-check -q -e ".[$1]"
        touch "$stamp"
    fi
}
