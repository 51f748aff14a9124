"""What a divergence by discriminators answers: estimates by view and discriminator."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tabseed.estimates.estimate import Estimate
from tabseed.rules.patterns import Pattern

KL_PER_JS = 4 * math.log(2)  # nats for each bit, for laws that differ little


@dataclass(frozen=True)
class Plan:
    """How much computing a comparison gets."""

    folds: int
    repeats: int
    permutations: int


@dataclass(frozen=True)
class DivergenceResult:
    """Estimates by view, discriminator and divergence, and the smallest JS that would show.

    ``estimates[view][discriminator][divergence]`` with views "plain" and "coarse" (numbers only
    by their bin among the real rows' 20-quantiles, so that their exact digits play no part),
    discriminators "trees" and "mlp", divergences "js" (bits) and "kl" (nats). All are lower bounds
    of the divergence, KL one that cannot exceed log(m/10) + 1 for m synthetic rows.
    ``smallest_js``: see :func:`smallest_js`; None without permutations.
    ``rules``: those that the training rows keep and the discriminators were shown.
    ``log_ratios[view][discriminator]`` (repeats, n + m): each row's log p/q, real rows first, in
    the order of the rows judged; the estimates follow from them. Not part of :meth:`to_dict`.
    """

    estimates: dict[str, dict[str, dict[str, Estimate]]]
    smallest_js: float | None
    null_js: tuple[float, ...]
    n_real: int
    n_synthetic: int
    plan: Plan
    rules: tuple[Pattern, ...] = ()
    log_ratios: dict[str, dict[str, np.ndarray]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def by(self, view: str = "plain") -> str:
        """Return the name of the discriminator whose JS is larger."""
        estimates = self.estimates[view]
        return max(estimates, key=lambda name: estimates[name]["js"].value)

    @property
    def js(self) -> Estimate:
        """The larger of the two Jensen-Shannon divergences: both are lower bounds.

        An interval that includes 0 ends no lower than :attr:`smallest_js`, in all three numbers:
        discriminators that learned nothing agree closely, and still may have missed so much.
        """
        return self._with_missed("plain", "js", 1.0)

    @property
    def js_coarse(self) -> Estimate:
        """:attr:`js` where the discriminators see only the bin of a number."""
        return self._with_missed("coarse", "js", 1.0)

    @property
    def kl(self) -> Estimate:
        """A lower bound of KL(real||synthetic), by the discriminator that :attr:`js` quotes.

        Only the lower end bounds the divergence: how often it held is measured, see
        :class:`~tabseed.metrics.DiscriminatorDivergence`.
        """
        return self._with_missed("plain", "kl", KL_PER_JS)

    def _with_missed(self, view: str, key: str, scale: float) -> Estimate:
        found = self.estimates[view][self.by(view)]
        if self.smallest_js is None or found["js"].low > 0:
            return found[key]
        return replace(found[key], high=max(found[key].high, scale * self.smallest_js))

    headline = js

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {
            "headline": self.js.to_dict(),
            "discriminator": self.by("plain"),
            "kl_lower_bound": self.kl.to_dict() if "plain" in self.estimates else None,
            "coarse": self.js_coarse.to_dict() if "coarse" in self.estimates else None,
            "estimates": {
                view: {
                    name: {key: e.to_dict() for key, e in values.items()}
                    for name, values in estimates.items()
                }
                for view, estimates in self.estimates.items()
            },
            "smallest_js": self.smallest_js,
            "null_js": list(self.null_js),
            "n_real": self.n_real,
            "n_synthetic": self.n_synthetic,
            "folds": self.plan.folds,
            "repeats": self.plan.repeats,
            "permutations": self.plan.permutations,
        }
