"""Settings for every test, and what is left out where an optional library is not installed."""

from __future__ import annotations

import os
from collections.abc import Generator
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import settings

# Two processes of pytest fill two cores: threads and processes below them only wait for one
# another, some operations of BLAS ten times longer. Tests of threads and jobs set their own.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")
pytest.register_assert_rewrite("helpers")

# On a busy machine a single example may take long; that is no failure. The examples are the same in
# each run: whoever wants others, and there are always more, sets derandomize=False for a while.
settings.register_profile("tabseed", deadline=None, derandomize=True)
settings.load_profile("tabseed")

# by the module that is imported, the name that our own messages give it
OPTIONAL = {
    "torch": "torch",
    "numba": "numba",
    "pyreadstat": "pyreadstat",
    "sqlalchemy": "sqlalchemy",
    "duckdb": "duckdb",
    "python_calamine": "python-calamine",
}
ABSENT = {name: package for name, package in OPTIONAL.items() if find_spec(name) is None}


def absent(error: BaseException | None) -> str:
    """Return the optional library that is not installed and whose absence the error is, or ""."""
    while error is not None:
        for name, package in ABSENT.items():
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                return name
            if isinstance(error, ImportError) and f"pip install {package}" in str(error):
                return name
        error = error.__cause__ or error.__context__
    return ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Skip a test of what needs a library that is not there; with all extras nothing is skipped."""
    try:
        return (yield)
    except (Exception, pytest.fail.Exception) as error:
        if name := absent(error):
            pytest.skip(f"needs {name}")
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Skip it also if a fixture needs the library."""
    try:
        return (yield)
    except (Exception, pytest.fail.Exception) as error:
        if name := absent(error):
            pytest.skip(f"needs {name}")
        raise


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Leave out a module of tests that imports the library."""
    report = yield
    for name in ABSENT:
        if report.outcome == "failed" and f"No module named '{name}'" in str(report.longrepr):
            report.outcome = "skipped"
            report.longrepr = (str(collector.path), 0, f"Skipped: needs {name}")
    return report
