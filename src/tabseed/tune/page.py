"""A study as one self-contained page: what was chosen, what the test rows say, every trial."""

from __future__ import annotations

from markupsafe import Markup

from tabseed.pages import environment
from tabseed.tune.picture import parallel_coordinates
from tabseed.tune.study import Study
from tabseed.tune.verdict import Verdict


def study_page(
    study: Study, said: dict[str, str], verdict: Verdict | None, settings: dict[str, str]
) -> str:
    """Give the page. The same study gives the same text; seconds are left out.

    ``said``: ``aim``, a sentence; ``unit`` of the values; ``chosen``, a sentence; ``line`` of
    Python that makes what was chosen.
    """
    trials = list(zip(study.trials, study.estimates.tolist(), strict=True))
    return (
        environment()
        .get_template("tune/page.html")
        .render(
            **said,
            study=study,
            trials=trials,
            draws=max(len(trial.draws) for trial in study.trials),
            verdict=verdict,
            settings=settings,
            picture=Markup(parallel_coordinates(study)),  # escapes every name itself
        )
    )
