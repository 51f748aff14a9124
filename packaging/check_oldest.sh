#!/bin/sh
# Run the quick tests with the lowest releases that pyproject.toml allows: sh packaging/check_oldest.sh
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
uv venv -q --python 3.11 "$work/venv"
extras="--extra fast --extra excel --extra stats --extra sql --extra test"
uv pip compile -q --python-version 3.11 --resolution lowest-direct pyproject.toml $extras -o "$work/lowest.txt"
VIRTUAL_ENV="$work/venv" uv pip install -q -r "$work/lowest.txt"
VIRTUAL_ENV="$work/venv" uv pip install -q --no-deps -e .
"$work/venv/bin/python" -m pytest -q -n 2 tests -m "not slow" \
    -W ignore::DeprecationWarning -W ignore::FutureWarning  # old releases warn of the newest below them
