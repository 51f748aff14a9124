"""The laws of classes with parameters: all are declared, and bad values are refused at once."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from tabseed.errors import TabseedError
from tabseed.parameters import Allowed
from tabseed.space import Choice
from tabseed.testing.tables import example_table


def check_parameters_are_declared(owner: Any) -> None:
    """Each parameter of ``__init__`` is declared; its default and its search space are allowed."""
    name, declared = type(owner).__name__, type(owner).parameters
    accepted = list(inspect.signature(type(owner)).parameters.values())
    assert {p.name for p in accepted} == set(declared), f"{name}: declared are {sorted(declared)}"
    for parameter in accepted:
        allowed, default = declared[parameter.name], parameter.default
        assert isinstance(allowed, Allowed), f"{name}: {parameter.name} is {allowed!r}"
        if default is not inspect.Parameter.empty:
            assert allowed.accepts(default), (
                f"{name}: {parameter.name}={default!r} is not {allowed}"
            )
        assert allowed.outside(), f"{name}: {parameter.name} has no value that is refused"
    for setting, dimension in getattr(owner, "search_space", {}).items():
        choice = isinstance(dimension, Choice)
        for value in dimension.values if choice else (dimension.low, dimension.high):
            assert declared[setting].accepts(value), (
                f"{name}: {setting}={value!r} is in the search space but not allowed"
            )


def check_bad_parameters_are_refused(owner: Any) -> None:
    """Each value outside a parameter's range raises TabseedError, in one line, before any work.

    The line names the class, the parameter, its value and its range.
    """
    name = type(owner).__name__
    for parameter, allowed in type(owner).parameters.items():
        for value in allowed.outside():
            case = f"{name}: {parameter}={value!r}"
            try:
                _use(owner, parameter, value)
            except TabseedError as error:
                text = str(error)
                assert "\n" not in text, f"{case}: more than one line"
                assert text.startswith(f"{name}: {parameter}="), f"{case}: says {text!r}"
                assert text.endswith(f" is not {allowed}"), f"{case}: says {text!r}"
            except Exception as error:
                raise AssertionError(f"{case}: raises {error!r}") from error
            else:
                raise AssertionError(f"{case} was accepted")


def _use(owner: Any, parameter: str, value: Any) -> None:
    """Set a parameter, then call the method that the class is for."""
    if dataclasses.is_dataclass(owner) and not isinstance(owner, type):
        dataclasses.replace(owner, **{parameter: value})
        return
    changed = clone(owner) if isinstance(owner, BaseEstimator) else copy.copy(owner)
    setattr(changed, parameter, value)
    table, y = example_table(20), np.arange(20) % 2
    if hasattr(changed, "evaluate"):
        needed = inspect.signature(changed.evaluate).parameters.values()
        tables = [p for p in needed if p.default is inspect.Parameter.empty]  # train, synthetic ...
        changed.evaluate(*(example_table(20, seed) for seed in range(len(tables))))
    elif hasattr(changed, "fit_resample"):
        changed.fit_resample(table.drop_columns(["person_id"]), y)
    elif hasattr(changed, "fit_score"):
        changed.fit(table, y)
    elif hasattr(changed, "initial_weights"):
        changed.initial_weights(None, None)
    elif hasattr(changed, "run"):
        changed.run(lambda *_: 0.0, trials=1)
    else:
        changed.fit(table)
