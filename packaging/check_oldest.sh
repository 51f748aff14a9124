#!/bin/sh
# Run the quick tests with the lowest releases that pyproject.toml allows: sh packaging/check_oldest.sh
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
uv venv -q --python 3.11 "$work/venv"
VIRTUAL_ENV="$work/venv" uv pip install -q --resolution lowest-direct -e ".[fast,excel,stats,sql,test]"
"$work/venv/bin/python" -m pytest -q -n 2 tests -m "not slow" \
    -W ignore::DeprecationWarning -W ignore::FutureWarning  # old releases warn of the newest below them
