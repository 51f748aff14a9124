"""The tuner: formulas against other ways to compute them, studies that survive, never repeat."""

from __future__ import annotations

import inspect
import json
import math
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor

import tabseed as ts
from tabseed.errors import FileError, MissingDependencyError, TabseedError
from tabseed.generators import GENERATORS, generator_class
from tabseed.space import Choice, Dimension, Float, Int, Space
from tabseed.tune import Trial
from tabseed.tune.bandit import scaled, select, ucb1
from tabseed.tune.proposal import History, propose, sobol
from tabseed.tune.storage import SILENCE, Storage
from tabseed.tune.surrogate import Observed, Surrogate, expected_improvement, greedy_mean

# --- spaces --------------------------------------------------------------------------------------

PLACE = st.floats(0.0, 1.0)


@st.composite
def dimensions(draw: st.DrawFn) -> Dimension:
    kind = draw(st.sampled_from(("Int", "Float", "Choice")))
    if kind == "Choice":
        values = st.one_of(st.none(), st.booleans(), st.integers(), st.text())
        return Choice(tuple(draw(st.lists(values, min_size=2, max_size=6, unique_by=repr))))
    log = draw(st.booleans())
    if kind == "Int":
        low = draw(st.integers(1 if log else -1000, 1000))
        return Int(low, low + draw(st.integers(1, 100_000)), log=log)
    low = draw(st.floats(1e-6 if log else -1e3, 1e3))
    return Float(low, low + draw(st.floats(1e-2, 1e6)), log=log)


@given(dimensions(), PLACE)
def test_a_value_has_the_place_that_gives_it(dimension: Dimension, u: float) -> None:
    value = dimension.value(u)
    place = dimension.place(value)
    assert 0 <= place <= 1
    again = dimension.value(place)
    if isinstance(dimension, Float):  # 6 digits are kept
        assert dimension.low <= value <= dimension.high
        assert math.isclose(again, value, rel_tol=1e-5, abs_tol=1e-5 * abs(dimension.high))
    else:
        assert again == value and type(again) is type(value)
        seen = dimension.features(np.array([u, place]))
        np.testing.assert_allclose(seen[0], seen[1], atol=1e-12)


@given(dimensions(), dimensions())
def test_spaces_survive_json(first: Dimension, second: Dimension) -> None:
    space = Space({"a": first, "b": second})
    again = Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again.dimensions == space.dimensions


def test_every_whole_number_and_choice_is_as_likely_as_the_others() -> None:
    even = (np.arange(6000) + 0.5) / 6000
    for dimension in (Int(-1, 4), Choice(("a", "b", None, True, 1, 1.5))):
        found = Counter(repr(dimension.value(u)) for u in even)  # 1 is not True
        assert len(found) == 6 and set(found.values()) == {1000}
    shares = Counter(map(Int(1, 3, log=True).value, even))  # k: log of (k + 1/2) / (k - 1/2)
    for k in (1, 2, 3):
        wanted = math.log((k + 0.5) / (k - 0.5)) / math.log(7)
        assert shares[k] / 6000 == pytest.approx(wanted, abs=1 / 3000)


def test_the_grid_is_every_point_once() -> None:
    space = Space({"n": Int(1, 3, log=True), "c": Choice((False, "x"))})
    found = [tuple(space.settings(u).values()) for u in space.grid()]
    assert found == [(n, c) for n in (1, 2, 3) for c in (False, "x")]
    assert Space({}).grid().shape == (1, 0) and Space({}).size == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Int(1.5, 2),
        lambda: Int(True, 3),
        lambda: Int(3, 3),
        lambda: Float(0.0, 1.0, log=True),
        lambda: Float(0.0, math.inf),
        lambda: Choice(("a",)),
        lambda: Choice(("a", "a")),
        lambda: Choice(("a", [1])),
        lambda: Choice("ab"),
        lambda: Space({"a": 3}),
        lambda: Space({"a": Int(1, 2)}).point({"a": 3}),
        lambda: Space({"a": Int(1, 2)}).point({"b": 1}),
        lambda: Space({"a": Choice((1, 2))}).point({"a": True}),
    ],
)
def test_what_is_no_space_is_refused(make) -> None:
    with pytest.raises(TabseedError) as told:
        make()
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_declare_spaces_that_hold_their_defaults(name: str) -> None:
    cls = generator_class(name)
    parameters = inspect.signature(cls.__init__).parameters
    space = Space(cls.search_space)
    assert set(space.dimensions) <= set(parameters)
    space.point({k: parameters[k].default for k in space.dimensions})  # raises where one is out


@pytest.mark.parametrize("name", ["trees", "arf", "copula", "smote"])
def test_sampled_settings_fit(name: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    frame = {"x": x, "y": (x + rng.normal(size=40)).round(1), "c": np.where(x > 0, "a", "b")}
    import pyarrow as pa

    table, model = pa.table(frame), generator_class(name)(random_state=0)
    space = Space(model.search_space)
    if name == "arf":
        model.set_params(n_trees=5)
    for u in sobol(len(space), 4, rng):
        tuned = clone(model).set_params(**space.settings(u))
        assert tuned.fit(table).sample(7).num_rows == 7


# --- which family --------------------------------------------------------------------------------


def test_ucb1_by_hand() -> None:
    index = ucb1(np.array([1.0, 0.5, 0.0]), np.array([4, 1, 0]))
    # ln 5 = 1.6094379124341003
    assert index[0] == pytest.approx(1 + math.sqrt(3.2188758248682006 / 4), abs=1e-12)
    assert index[1] == pytest.approx(0.5 + math.sqrt(3.2188758248682006), abs=1e-12)
    assert index[2] == math.inf


def test_rewards_by_hand_and_free_of_scale() -> None:
    values = [np.array([3.0, 5.0]), np.array([1.0])]
    z = norm.ppf([1 / 6, 3 / 6, 5 / 6])  # of 1, 3, 5
    s = math.sqrt((1 + 2 * ((z[2] - z[1]) / 2) ** 2) / (1 + 3 - 2))
    found = scaled(values)
    np.testing.assert_allclose(found[0], z[1:] / s)
    np.testing.assert_allclose(found[1], z[:1] / s)
    for change in (lambda v: 1e-4 * v - 7, np.exp):  # any increasing one
        np.testing.assert_allclose(
            np.concatenate(scaled([change(v) for v in values])), np.concatenate(found)
        )
    np.testing.assert_array_equal(scaled([np.array([2.0, 2.0]), np.array([])])[0], 0.0)


def shares(rule: str, gap: float, scale: float, families: int = 2) -> np.ndarray:
    """Trials out of 40 of the first family, (100,), whose mean is ``gap`` noises higher."""
    found = []
    for seed in range(100):
        rng = np.random.default_rng([6, seed])
        values: list[list[float]] = [[] for _ in range(families)]
        for _ in range(40):
            at = select(rule, [np.array(v) for v in values], np.zeros(families, dtype=int), rng)
            values[at].append(scale * (gap * (at == 0) + rng.normal()))
        found.append(len(values[0]))
    return np.array(found)


def test_ucb1_is_not_inert() -> None:
    """The mean share is 0.87, seventeen standard errors above the bar; the seeds are fixed."""
    assert shares("ucb1", 1.0, 1e-4).mean() > 0.7 * 40
    equal = shares("ucb1", 0.0, 1e-4)  # 20, false alarm 1e-4
    assert abs(equal.mean() - 20) < 4 * equal.std() / 10


def test_raw_ucb1_takes_turns_at_the_scale_of_real_gains() -> None:
    np.testing.assert_array_equal(shares("ucb1-raw", 1.0, 1e-4), 20)
    np.testing.assert_array_equal(shares("round-robin", 1.0, 1.0), 20)


def test_failed_running_and_exhausted_families() -> None:
    rng = np.random.default_rng(0)
    failed = [np.array([-np.inf] * 3), np.array([1.0, 2.0, 3.0])]
    none = np.zeros(2, dtype=int)
    for rule in ("ucb1", "ucb1-raw"):
        assert select(rule, failed, none, rng) == 1
        assert select(rule, [failed[1]] * 2, np.array([3, 0]), rng) == 1  # more bonus
        assert select(rule, [np.array([])] * 2, np.array([1, 0]), rng) == 1
        assert select(rule, failed, none, rng, available=np.array([True, False])) == 0
    # a family that fails gets other trials, but few
    values = [[-np.inf], [0.0]]
    picks = []
    for _ in range(100):
        at = select("ucb1", [np.array(v) for v in values], none, rng)
        values[at].append(-np.inf if at == 0 else rng.normal())
        picks.append(at)
    assert 1 <= picks.count(0) <= 10


# --- which settings ------------------------------------------------------------------------------


@pytest.mark.parametrize("mean, sd, best", [(0, 1, 0), (1.3, 0.4, 2.0), (-1, 2, -3), (0, 0.5, 3)])
def test_expected_improvement_is_the_integral(mean: float, sd: float, best: float) -> None:
    def gain(f: float) -> float:
        return (f - best) * norm.pdf(f, mean, sd)

    wanted, _ = quad(gain, best, max(mean, best) + 12 * sd, epsabs=1e-13)
    found = expected_improvement(np.array([float(mean)]), np.array([float(sd)]), best)
    assert found[0] == pytest.approx(wanted, abs=1e-10)


def test_expected_improvement_at_its_limits() -> None:
    mean, sd = np.array([2.0, -1.0, -50.0]), np.array([0.0, 0.0, 1.0])
    np.testing.assert_array_equal(expected_improvement(mean, sd, 0.0), [2.0, 0.0, 0.0])


def observed(n: int = 12) -> tuple[Space, Observed]:
    rng = np.random.default_rng(1)
    space = Space({"x": Float(0.0, 1.0), "c": Choice(("a", "b"))})
    points = rng.random((n, 2))
    f = np.sin(5 * points[:, 0]) + (points[:, 1] > 0.5)
    return space, Observed.of(points, f[:, None] + 0.1 * rng.normal(size=(n, 3)))


def test_the_posterior_is_that_of_the_formula() -> None:
    space, seen = observed()
    model = Surrogate(space, seen)
    kernel = model.process.kernel_
    c, lengths, w = (kernel.k1.k1.constant_value, kernel.k1.k2.length_scale, kernel.k2.noise_level)

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        gap = (space.features(a)[:, None] - space.features(b)[None]) / lengths
        r = math.sqrt(5) * np.sqrt(np.sum(gap**2, axis=2))
        return c * (1 + r + r**2 / 3) * np.exp(-r)

    new = np.random.default_rng(2).random((5, 2))
    y = (seen.mean - seen.mean.mean()) / seen.mean.std()
    noise = np.diag(seen.variance / seen.mean.var() + w)
    gain = covariance(new, seen.points) @ np.linalg.inv(
        covariance(seen.points, seen.points) + noise
    )
    mean = seen.mean.mean() + seen.mean.std() * gain @ y
    variance = c - np.sum(gain * covariance(new, seen.points), axis=1)
    found = model.posterior(new)
    np.testing.assert_allclose(found[0], mean, atol=1e-6)
    np.testing.assert_allclose(found[1], seen.mean.std() * np.sqrt(variance), atol=1e-5)


def test_trials_that_run_change_no_mean_and_are_not_asked_for_again() -> None:
    space, seen = observed()
    model, new = Surrogate(space, seen), np.array([[0.31, 0.75], [0.9, 0.25]])
    told = model.given(new)
    np.testing.assert_allclose(told.posterior(new)[0], model.posterior(new)[0], atol=1e-6)
    assert np.all(told.posterior(new)[1] < 0.9 * model.posterior(new)[1])


def test_improvement_is_that_of_the_mean_once_the_point_was_tried() -> None:
    """Trying x moves the mean there by a normal amount: its law is found by trying it twice."""
    space, seen = observed()
    model, x = Surrogate(space, seen), np.array([[0.35, 0.75]])
    kernel, unit = model.process.kernel_, seen.mean.std()
    mu, s = (float(v[0]) for v in model.posterior(x))
    noise = seen.variance.mean() + unit**2 * kernel.k2.noise_level

    def mean_after(value: float) -> float:
        told = GaussianProcessRegressor(
            kernel, alpha=np.r_[seen.variance, seen.variance.mean()] / unit**2, optimizer=None
        )
        y = (np.r_[seen.mean, value] - seen.mean.mean()) / unit
        told.fit(space.features(np.concatenate([seen.points, x])), y)
        return float(seen.mean.mean() + unit * told.predict(space.features(x))[0])

    moves = (mean_after(mu + 1.0) - mean_after(mu)) * math.sqrt(s**2 + noise)
    best = model.posterior(seen.points)[0].max()
    wanted, _ = quad(lambda f: (f - best) * norm.pdf(f, mu, moves), best, mu + 12 * moves)
    assert wanted > 1e-3
    assert model.improvement(x)[0] == pytest.approx(wanted, rel=1e-4)


def test_noise_of_draws_by_hand() -> None:
    draws = [(1.0, 3.0), (2.0, 2.0, 2.0, 6.0), (4.0,), ()]
    seen = Observed.of(np.zeros((4, 1)), draws)
    np.testing.assert_allclose(seen.mean, [2, 3, 4, 2])  # the failed one is as bad as the worst
    pooled = (2 + 12) / (1 + 3)
    variances = [(4 * pooled + 2) / 5, (4 * pooled + 12) / 7, pooled, pooled]
    np.testing.assert_allclose(seen.variance, np.array(variances) / [2, 4, 1, 1])
    fenced = Observed.of(np.zeros((5, 1)), [(1.0,), (2.0,), (3.0,), (4.0,), (-1e9,)])
    np.testing.assert_allclose(fenced.mean.min(), 1 - 3 * 2)


def test_btb_mean_meets_every_value() -> None:
    space, seen = observed(8)
    np.testing.assert_allclose(greedy_mean(space, seen, seen.points), seen.mean, atol=1e-5)


@pytest.mark.parametrize("rule", ["ei", "greedy", "random"])
def test_no_settings_are_tried_twice(rule: str) -> None:
    space = Space({"n": Int(1, 4), "c": Choice(("a", "b", "c"))})
    settings = [{"n": 2, "c": "a"}]
    draws: list[tuple[float, ...] | None] = [(0.0,)]
    while len(settings) < 12:
        seed = np.random.SeedSequence(len(settings))
        settings.append(propose(rule, space, History(settings, draws), 3, (seed, seed)))
        running = len(settings) % 4 == 0
        draws.append(None if running else (settings[-1]["n"] + 0.1, settings[-1]["n"] - 0.1))
    assert len({tuple(s.values()) for s in settings}) == 12


# --- studies -------------------------------------------------------------------------------------

SPACES = {
    "a": {"x": Float(0.0, 1.0), "c": Choice(("p", "q"))},
    "b": {"n": Int(1, 100, log=True)},
}


def noisy(family: str, settings: dict, stream: np.random.SeedSequence) -> list[float]:
    noise = 0.05 * np.random.default_rng(stream).normal(size=3)
    top = -((settings["x"] - 0.7) ** 2) if family == "a" else -0.2
    return (top + noise).tolist()


def plain(study: ts.Study) -> list[tuple]:
    return [(t.number, t.family, t.settings, t.state, t.draws) for t in study.trials]


def test_one_seed_one_study_also_when_stopped_between(tmp_path: Path) -> None:
    whole = ts.Tuner(SPACES, random_state=3).run(noisy, trials=9)
    tuner = ts.Tuner(SPACES, random_state=3, storage=tmp_path / "s.sqlite")
    tuner.run(noisy, trials=6)
    resumed = ts.Tuner(SPACES, storage=tmp_path / "s.sqlite").run(noisy, trials=9)  # its own seed
    assert plain(resumed) == plain(whole) == plain(ts.Study.read(tmp_path / "s.sqlite"))
    other = ts.Tuner(SPACES, random_state=4).run(noisy, trials=9)
    assert plain(other) != plain(whole)
    first = {t.family: t.settings for t in reversed(whole.trials)}
    assert first == {"a": {"x": 0.5, "c": "q"}, "b": {"n": 7}}  # sqrt(0.5 * 100.5)
    assert whole.best.family == "a"


def test_defaults_come_first() -> None:
    given = {"b": {"n": 77}}
    study = ts.Tuner(SPACES, defaults=given, selector="round-robin").run(noisy, trials=2)
    assert {t.family: t.settings for t in study.trials}["b"] == {"n": 77}
    model = ts.SMOTE(n_neighbors=7)
    study = ts.Tuner({"smote": model}).run(lambda *_: 0.0, trials=1)
    assert study.trials[0].settings == {"n_neighbors": 7, "categories": "frequency"}


def test_a_study_ends_when_all_is_tried() -> None:
    spaces = {"one": {}, "six": {"n": Int(1, 3), "c": Choice((True, False))}}
    study = ts.Tuner(spaces, random_state=0).run(lambda *_: 0.0, trials=100)
    assert Counter(t.family for t in study.trials) == {"one": 1, "six": 6}


def test_failed_trials_are_kept_and_cost_the_family_little_more() -> None:
    def objective(family: str, settings: dict, stream: np.random.SeedSequence) -> list[float]:
        if family == "b":
            raise TabseedError("no\nsuch thing")
        return noisy(family, settings, stream)

    study = ts.Tuner(SPACES, random_state=0, proposer="random").run(objective, trials=20)
    failed = [t for t in study.trials if t.state == "failed"]
    assert {t.message for t in failed} == {"no\\nsuch thing"} and {t.family for t in failed} == {
        "b"
    }
    assert 1 <= len(failed) <= 6
    with pytest.raises(TabseedError, match=r"none of 3 trials .* no finite number"):
        _ = ts.Tuner(SPACES).run(lambda *_: [0.0, math.nan], trials=3).best


def test_other_errors_are_kept_and_raised(tmp_path: Path) -> None:
    def objective(family: str, settings: dict, stream: np.random.SeedSequence) -> float:
        raise ZeroDivisionError("oh")

    tuner = ts.Tuner(SPACES, storage=tmp_path / "s")
    with pytest.raises(ZeroDivisionError):
        tuner.run(objective, trials=3)
    (trial,) = ts.Study.read(tmp_path / "s").trials
    assert (trial.state, trial.message) == ("failed", "ZeroDivisionError: oh")


def test_an_interrupted_trial_is_begun_again(tmp_path: Path) -> None:
    def interrupted(family: str, settings: dict, stream: np.random.SeedSequence) -> float:
        raise KeyboardInterrupt

    tuner = ts.Tuner(SPACES, storage=tmp_path / "s", random_state=3)
    with pytest.raises(KeyboardInterrupt):
        tuner.run(interrupted, trials=3)
    assert [t.state for t in ts.Study.read(tmp_path / "s").trials] == ["running"]
    assert plain(tuner.run(noisy, trials=3)) == plain(
        ts.Tuner(SPACES, random_state=3).run(noisy, trials=3)
    )


def test_several_at_once(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    tuner = ts.Tuner(SPACES, random_state=0, proposer="random", storage=tmp_path / "s")
    with parallel_config(backend="threading"):
        study = tuner.run(noisy, trials=15, n_jobs=3, progress=lambda *a: told.append(a))
    assert [t.number for t in study.trials] == list(range(15))
    assert len({(t.family, json.dumps(t.settings)) for t in study.trials}) == 15
    for trial in study.trials:  # whoever ran it, its noise is that of its number
        assert trial.state == "done"
    alone = ts.Tuner(SPACES, random_state=0, proposer="random").run(noisy, trials=1)
    assert plain(alone)[0] in plain(study)
    assert len(told) == 15 and max(done for done, _, _ in told) == 15


def test_a_budget_of_minutes_ends() -> None:
    study = ts.Tuner(SPACES, proposer="random", random_state=0).run(noisy, minutes=0.005)
    assert len(study.trials) >= 1
    for budget in ({}, {"trials": 0}, {"minutes": 0}):
        with pytest.raises(TabseedError):
            ts.Tuner(SPACES).run(noisy, **budget)


def test_only_the_silent_are_taken_over(tmp_path: Path) -> None:
    tuner = ts.Tuner(SPACES, storage=tmp_path / "s", random_state=0)
    tuner.run(noisy, trials=1)
    storage = Storage(tmp_path / "s", "study")
    assert storage.claim(1, "b", {"n": 5}, "elsewhere:1:x")
    assert not storage.claim(1, "b", {"n": 6}, "elsewhere:1:y")
    study = tuner.run(noisy, trials=3)
    assert [t.state for t in study.trials] == ["done", "running", "done"]
    row = storage.trials()[1]
    storage._beat(1, "elsewhere:1:x", row.heartbeat - SILENCE - 1)
    study = tuner.run(noisy, trials=3)
    assert [t.state for t in study.trials] == ["done"] * 3 and study.trials[1].settings == {"n": 5}
    storage.finish(1, "elsewhere:1:x", (9.0,), "", 0.0)  # too late
    assert 9.0 not in ts.Study.read(tmp_path / "s").trials[1].draws
    assert not storage.take_over(row, "elsewhere:2:x")


PROGRAM = """
import sys, time, numpy as np, tabseed as ts
from test_tune import SPACES, noisy
where, slow, proposer, trials = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
def objective(family, settings, stream):
    print(family, flush=True)
    objective.calls += 1
    time.sleep(600 if objective.calls == slow else 0.01)
    return noisy(family, settings, stream)
objective.calls = 0
tuner = ts.Tuner(SPACES, storage=where, proposer=proposer, n_initial=2, random_state=3)
print("ready", flush=True)
sys.stdin.readline()
tuner.run(objective, trials=trials)
"""


def program(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        cwd=Path(__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_study_loses_no_more_than_the_running_trial(tmp_path: Path) -> None:
    where = tmp_path / "s.sqlite"
    with program(where, 6, "ei", 9) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write("go\n")
        child.stdin.flush()
        for _ in range(1 + 6):  # it is ready, then six trials begin, the last for ten minutes
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    left = ts.Study.read(where)
    assert [t.state for t in left.trials] == ["done"] * 5 + ["running"]
    resumed = ts.Tuner(SPACES, storage=where, n_initial=2).run(noisy, trials=9)
    whole = ts.Tuner(SPACES, n_initial=2, random_state=3).run(noisy, trials=9)
    assert plain(resumed) == plain(whole)


def test_two_programs_never_repeat_a_trial(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    where = tmp_path / "s.sqlite"
    programs = [program(place, 0, "random", 30) for place in (where, f"sqlite:///{where}")]
    for one in programs:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in programs:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    lines = [one.communicate(timeout=60)[0].splitlines() for one in programs]
    assert [one.returncode for one in programs] == [0, 0]
    study = ts.Study.read(where)
    assert len(study.trials) == 30 == sum(map(len, lines))  # none was run twice
    assert len({(t.family, json.dumps(t.settings)) for t in study.trials}) == 30
    assert min(map(len, lines)) >= 3  # both had a share
    workers = {row.worker.split(":")[-2] for row in Storage(where, "study").trials()}
    assert workers == {str(one.pid) for one in programs}


def test_storages_agree_and_say_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    url = f"sqlite:///{tmp_path}/u.sqlite"
    through = ts.Tuner(SPACES, storage=url, name="it's", random_state=3).run(noisy, trials=3)
    assert plain(through) == plain(ts.Tuner(SPACES, random_state=3).run(noisy, trials=3))
    assert plain(ts.Study.read(tmp_path / "u.sqlite", "it's")) == plain(through)
    for changed in ({"spaces": {"a": SPACES["a"]}}, {"spaces": SPACES, "random_state": 4}):
        with pytest.raises(TabseedError, match="another"):
            ts.Tuner(**changed, storage=url, name="it's").run(noisy, trials=4)
    with pytest.raises(FileError, match="no study named 'other'"):
        ts.Study.read(url, "other")
    with pytest.raises(FileError, match="no such file"):
        ts.Study.read(tmp_path / "none")
    Storage(url, "it's")._execute("UPDATE tabseed_trials SET settings = '{\"n\": 1000}'")
    with pytest.raises(FileError, match="not sound"):
        ts.Study.read(url, "it's")
    (tmp_path / "text").write_text("no database " * 100)
    for place in (tmp_path / "text", f"sqlite:///{tmp_path}/text"):
        with pytest.raises(FileError, match="not a database"):
            ts.Tuner(SPACES, storage=place).run(noisy, trials=1)
    secret = "postgresql+nosuchdriver://user:secret@host/base"
    for place in (secret, "nosuch://user:secret@host/base", "sqlite://user:secret@host:x:/b"):
        with pytest.raises((FileError, MissingDependencyError)) as told:
            ts.Tuner(SPACES, storage=place).run(noisy, trials=1)
        assert "secret" not in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"selector": "best"},
        {"proposer": "best"},
        {"n_initial": 0},
        {"spaces": {}},
        {"spaces": {"a": ts.SMOTE}},
        {"spaces": {"a": {"x": 1}}},
        {"defaults": {"b": {"n": 1000}}},
        {"spaces": {"a": ts.SMOTE(n_neighbors=99)}},
    ],
)
def test_wrong_parameters_are_told_in_one_line(wrong: dict) -> None:
    with pytest.raises(TabseedError) as told:
        ts.Tuner(**{"spaces": SPACES, **wrong}).run(noisy, trials=1)
    assert "\n" not in str(told.value)


def test_a_lucky_draw_is_not_the_best() -> None:
    """Neighbours tell that one value is luck: its estimate is far below its mean."""
    lucky = np.r_[np.full(10, 0.0), 1.0, np.full(9, 0.0)]
    noise = np.random.default_rng(0).normal(size=20)
    trials = tuple(
        Trial(k, "b", {"n": k + 1}, "done", (lucky[k] + 0.5 * noise[k],), "", 0.1)
        for k in range(20)
    )
    study = ts.Study({"b": Space({"n": Int(1, 20)})}, trials)
    values = np.array([t.value for t in trials])
    assert study.estimates.max() < 0.5 * values.max()
    assert study.estimates.std() < 0.5 * values.std()


def test_a_study_as_a_table() -> None:
    study = ts.Tuner(SPACES, random_state=0, selector="round-robin").run(noisy, trials=4)
    table = study.to_arrow()
    assert table.num_rows == 4
    for row, trial in zip(table.to_pylist(), study.trials, strict=True):
        assert row["value"] == pytest.approx(np.mean(row["draws"]))
        assert row["standard_error"] == pytest.approx(np.std(row["draws"], ddof=1) / math.sqrt(3))
        own = {f"{trial.family}.{k}": v for k, v in trial.settings.items()}
        assert {k: v for k, v in row.items() if "." in k and v is not None} == own


def test_the_picture_is_sound_whatever_names_say() -> None:
    hostile = '<script>alert("x")</script>\x00&'
    spaces = {hostile: {hostile: Choice((hostile, "]]>")), "n": Int(1, 9)}, "none": {}}

    def objective(family: str, settings: dict, stream: np.random.SeedSequence) -> float:
        if settings.get("n", 1) > 5:
            raise TabseedError(hostile)
        return float(settings.get("n", 0))

    study = ts.Tuner(spaces, proposer="random", random_state=0).run(objective, trials=8)
    drawn = ts.parallel_coordinates(study)
    root = ElementTree.fromstring(drawn)
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds == {"svg", "title", "rect", "g", "text", "line", "polyline"}
    lines = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert len(lines) == 8
    reach = {len(e.attrib["points"].split()) for e in lines if "stroke-dasharray" in e.attrib}
    assert reach == {2}  # failed ones: the two settings, no value
    assert sum(e.attrib["stroke-width"] == "3" for e in lines) == 1
    assert drawn == ts.parallel_coordinates(study)
    empty = ts.Study({"a": Space({})}, ())
    assert ElementTree.fromstring(ts.parallel_coordinates(empty)) is not None


def test_improvement_finds_the_top_sooner_than_chance() -> None:
    """Regret of 2 % of the range in 2 dimensions; chance needs the area of such points.

    Values are noisy by 5 % of the range. All of 3 seeds get there; by chance that many trials
    would do so once in 500 runs.
    """

    def top(x: float, y: float) -> float:
        return math.exp(-8 * ((x - 0.3) ** 2 + (y - 0.6) ** 2))

    axis = np.linspace(0, 1, 101)
    grid = np.exp(-8 * ((axis[:, None] - 0.3) ** 2 + (axis - 0.6) ** 2))
    good = 1 - 0.02 * (1 - grid.mean())
    trials, area = 20, np.mean(grid >= good)
    assert (1 - (1 - area) ** trials) ** 3 < 1 / 500

    def objective(family: str, settings: dict, stream: np.random.SeedSequence) -> list[float]:
        noise = 0.05 * np.random.default_rng(stream).normal(size=3)
        return (top(**settings) + noise).tolist()

    space = {"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}
    for seed in range(3):
        study = ts.Tuner({"f": space}, random_state=seed).run(objective, trials=trials)
        assert top(**study.best.settings) >= good
