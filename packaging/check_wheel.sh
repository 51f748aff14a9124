#!/bin/sh
# Build the wheel and the sdist, install the wheel into an environment of its own, and run the quick
# tests of the sdist against it: sh packaging/check_wheel.sh [EXTRA]. The tests come from the sdist, so
# that a file that it lacks fails here. PYTHON chooses the interpreter. Without "all" tests of what is
# not installed are skipped.
set -eu
extra=${1:-}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/build"
"$work/build/bin/pip" install -q build
"$work/build/bin/python" -m build -q -o "$work/dist" .
"$python" -m venv "$work/venv"
wheel=$(ls "$work"/dist/*.whl)
"$work/venv/bin/pip" install -q "$wheel[test${extra:+,$extra}]"
tar -xzf "$work"/dist/*.tar.gz -C "$work"
cd "$work"/tabseed-*
"$work/venv/bin/python" -c 'import tabseed; assert "site-packages" in tabseed.__file__, tabseed.__file__'
"$work/venv/bin/python" -m pytest -q -n 2 tests -m "not slow"
