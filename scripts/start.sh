#!/bin/sh
# From a fresh clone to a workflow that has run: awflow in .venv, examples/pi.py in runs/pi.
set -eu
cd "$(dirname "$0")/.."
. scripts/venv.sh

install examples
mkdir -p runs/pi
echo '*' > runs/.gitignore
say 'examples/pi.py, in runs/pi'
cd runs/pi
../../.venv/bin/python ../../examples/pi.py
cat <<'END'

Done. Run it again and nothing is left to do; remove pi.npy, and only that is made again:

    cd runs/pi
    ../../.venv/bin/python ../../examples/pi.py
END
