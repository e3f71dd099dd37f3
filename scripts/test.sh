#!/bin/sh
# Everything that a change must pass. Arguments go to pytest: sh scripts/test.sh tests/test_examples.py -x
set -eu
cd "$(dirname "$0")/.."
. scripts/venv.sh
. scripts/slurm.sh

install test,examples
install_slurm || echo 'Tests on a Slurm cluster are going to be skipped.'
PATH="$PWD/.venv/bin:$PATH"
say 'ruff format'
ruff format --check
say 'ruff check'
ruff check
say 'mypy'
mypy
say 'lint-imports'
lint-imports --no-cache
say 'pytest'
python -m pytest "$@"
