"""When a generator stops: the weighted Kolmogorov-Smirnov statistic, and which weights stay."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from helpers.labelled import clusters
from tabseed import (
    TVAE,
    ImportanceKS,
    KSStopped,
    Resample,
    SchemaError,
    TabseedError,
    TargetedAugmenter,
    Training,
    load,
)
from tabseed._random import child

BRIEF = Training(steps=60, warm_up=20, validate_every=20)


def watched_table(n: int = 120) -> pa.Table:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    return pa.table(
        {"x": x, "noise": rng.normal(size=n), "c": rng.choice(list("ab"), n), "y": x > 0}
    )


def test_weights_are_matched_by_name_and_sum_to_one() -> None:
    table = watched_table()
    by_name = ImportanceKS(table, "y", {"c": 1.0, "x": 3.0}).weights
    assert by_name == {"x": 0.75, "noise": 0.0, "c": 0.25}
    assert ImportanceKS(table, "y", {}).weights == dict.fromkeys(("x", "noise", "c"), 1 / 3)
    by_permutation = ImportanceKS(table, "y", random_state=0).weights
    assert by_permutation["x"] > 0.9  # the label is a function of x
    with pytest.raises(SchemaError, match="xx"):
        ImportanceKS(table, "y", {"xx": 1.0})
    with pytest.raises(TabseedError, match="0 or more"):
        ImportanceKS(table, "y", {"x": -1.0})


def test_the_statistic_is_the_weighted_mean_of_distances_of_columns() -> None:
    real = pa.table({"x": [1.0, 2.0, 3.0, 4.0], "c": list("aabb"), "y": [0, 1, 0, 1]})
    drawn = pa.table({"x": [3.0, 4.0, 5.0, 6.0], "c": list("abbb"), "y": [0, 0, 0, 0]})
    # by hand: F differs by 1/2 at 2; shares of a, b are 1/2, 1/2 and 1/4, 3/4
    monitor = ImportanceKS(real, "y", {"x": 3.0, "c": 1.0})
    assert monitor.statistic(drawn) == pytest.approx(0.75 * 0.5 + 0.25 * 0.25)
    assert monitor.statistic(real) == 0


def test_a_watched_network_stops_by_the_statistic_and_keeps_its_best_weights() -> None:
    table = watched_table()
    monitor = ImportanceKS(table, "y", {"x": 2.0, "c": 1.0})
    model = TVAE(n_seeds=2, training=BRIEF, random_state=0).fit(table, target="y", watch=monitor)
    steps = [0, 20, 40, 60]
    for seed, curve in enumerate(model.ensemble_.curves):
        statistics = [w.statistic for w in monitor.history if w.seed == seed]
        assert curve[:, 0].tolist() == steps and curve[:, 2].tolist() == statistics
        assert model.ensemble_.best_loss[seed] == min(statistics[1:])  # the warm-up does not count
        assert model.ensemble_.best_step[seed] == steps[1 + int(np.argmin(statistics[1:]))]
    first = monitor.history[0]
    assert first.statistic == pytest.approx((2 * first.distances["x"] + first.distances["c"]) / 3)
    again = TVAE(n_seeds=2, training=BRIEF, random_state=0).fit(
        table, target="y", watch=ImportanceKS(table, "y", {"x": 2.0, "c": 1.0})
    )
    assert again.sample(20).equals(model.sample(20))
    root = ElementTree.fromstring(monitor.picture(model))
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4 and len(lines[2].get("points").split()) == len(steps)


def test_ks_stopped_equals_the_generator_with_a_monitor(tmp_path) -> None:
    table, stream = watched_table(), np.random.SeedSequence(3)
    network = TVAE(n_seeds=2, training=BRIEF)
    stopped = KSStopped(network, random_state=3).fit(table, target="y")
    monitor = ImportanceKS(table, "y", random_state=child(stream, 0))
    watched = TVAE(n_seeds=2, training=BRIEF, random_state=child(stream, 1))
    watched.fit(table, target="y", watch=monitor)
    assert stopped.weights_ == monitor.weights
    assert stopped.monitor_.history == monitor.history
    assert stopped.ensemble_.best_step.tolist() == watched.ensemble_.best_step.tolist()
    assert stopped.sample(20).equals(watched.sample(20))
    assert stopped.sample(20, random_state=5).equals(watched.sample(20, random_state=5))
    stopped.save(tmp_path / "m.tabseed")
    loaded = load(tmp_path / "m.tabseed")
    assert loaded.sample(20).equals(watched.sample(20))
    assert loaded.importances is None
    assert loaded.summary() == stopped.summary() and "'x'" in stopped.summary()[0]
    assert loaded.weights_ == stopped.weights_ and not hasattr(loaded, "monitor_")


def test_without_a_target_all_columns_weigh_the_same() -> None:
    table = watched_table()
    assert ImportanceKS(table, None).weights == dict.fromkeys(("x", "noise", "c", "y"), 0.25)
    with pytest.raises(TabseedError, match="KSStopped: Resample trains no network"):
        KSStopped(Resample()).fit(table)


def test_importances_of_numpy_can_be_saved(tmp_path) -> None:
    gain = {"x": np.float32(2.0), "c": np.int64(1)}
    stopped = KSStopped(TVAE(n_seeds=1, training=BRIEF), gain).fit(watched_table(), target="y")
    stopped.save(tmp_path / "m.tabseed")
    assert load(tmp_path / "m.tabseed").importances == {"x": 2.0, "c": 1}


def test_only_networks_can_be_watched() -> None:
    table = watched_table()
    with pytest.raises(TabseedError, match="trains no network"):
        Resample().fit(table, watch=ImportanceKS(table, "y", {}))


def test_an_augmenter_takes_a_ks_stopped_generator() -> None:
    x, y = clusters()
    generator = KSStopped(TVAE(n_seeds=1, training=BRIEF))
    augmenter = TargetedAugmenter(generator, hardest=0.3, random_state=0)
    x2, y2 = augmenter.fit_resample(x, y)
    assert len(x2) == len(y2) == 156 and set(augmenter.generator_.monitor_.weights) == {
        "x0",
        "x1",
        "x2",
    }
    assert {w.seed for w in augmenter.generator_.monitor_.history} == {0}
