"""Estimators that say in one line that they are not fitted yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.exceptions import NotFittedError


class Fitted:
    """Mixin: whatever :meth:`fit` learns (``name_``) raises NotFittedError before it.

    NotFittedError is scikit-learn's, which its users and tools catch; as it is an AttributeError,
    ``hasattr`` still answers False.
    """

    if not TYPE_CHECKING:  # a type checker would take any attribute as known

        def __getattr__(self, name: str) -> Any:
            if name.endswith("_") and not name.startswith("_"):
                raise NotFittedError(f"{type(self).__name__} is not fitted; call fit first")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
