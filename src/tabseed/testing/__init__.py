"""The laws of generators, biases, scorers, augmenters and metrics as checks for your own classes.

    from tabseed.testing import check_generator
    check_generator(MyGenerator())

Each check is a function of one instance and raises AssertionError with what was found. They need
no pytest, and PyTorch only where the class needs it; pandas and polars are used where they are
installed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from tabseed.augment.augmenter import TargetedAugmenter, TargetedRegressionAugmenter
from tabseed.augment.stopping import KSStopped
from tabseed.generators.base import Generator
from tabseed.hardness.base import HardnessScorer
from tabseed.metrics import Metric
from tabseed.testing.augment import (
    AUGMENTER_CHECKS,
    check_added_rows_are_told_apart,
    check_added_rows_follow_amount,
    check_augmenter_changes_no_input,
    check_augmenter_seed_decides_everything,
    check_hard_rows_are_the_hardest,
    check_hardest_one_learns_all_rows,
    check_names_of_classes_do_not_matter,
    check_originals_come_first_and_stay,
    check_permuting_rows_permutes_what_is_skipped,
    check_skip_leaves_hinted_rows_out,
    check_the_kind_of_rows_comes_back,
)
from tabseed.testing.biases import (
    AVERAGING_CHECKS,
    BIAS_CHECKS,
    MAML_CHECKS,
    check_average_of_equal_weights_is_that_weight,
    check_bias_seed_decides_everything,
    check_initial_weights_change_nothing,
    check_meta_gradient_without_inner_rate_is_pooled,
    check_only_float_tensors_are_averaged,
    check_order_of_seeds_is_irrelevant,
    check_weights_fit_the_network,
)
from tabseed.testing.generators import (
    GENERATOR_CHECKS,
    check_better_than_torn_columns,
    check_clone_save_and_load_give_the_same_rows,
    check_conditions_are_met,
    check_few_rows_work_or_are_refused_with_a_number,
    check_input_is_not_changed,
    check_missing_cells_keep_their_share,
    check_odd_tables,
    check_same_kind_of_frame_comes_back,
    check_seed_decides_everything,
    check_values_stay_within_what_was_seen,
)
from tabseed.testing.hardness import (
    SCORER_CHECKS,
    check_a_flipped_label_in_a_clean_cluster_ranks_first,
    check_labels_are_names,
    check_odd_rows_are_scored_or_refused,
    check_permuting_rows_permutes_scores,
    check_scorer_seed_decides_everything,
)
from tabseed.testing.metrics import (
    METRIC_CHECKS,
    check_metric_declares_itself,
    check_metric_is_best_on_two_halves,
    check_metric_is_reproducible,
    check_metric_refuses_leaks,
)
from tabseed.testing.neural import (
    NEURAL_CHECKS,
    TRAINED_CHECKS,
    check_cores_do_not_matter,
    check_interrupted_training_goes_on,
    check_no_steps_give_initial_weights,
    check_progress_is_told,
    check_seeds_are_as_if_alone,
    check_shapes_follow_the_encoder,
)
from tabseed.testing.parameters import (
    PARAMETER_CHECKS,
    check_bad_parameters_are_refused,
    check_parameters_are_declared,
)
from tabseed.testing.tables import N_ROWS, Check, example_table, frames, odd_tables


def checks_of(estimator: Any) -> tuple[Check, ...]:
    """The checks that an estimator, or anything that declares ``parameters``, must pass."""
    if not isinstance(getattr(type(estimator), "parameters", None), Mapping):
        raise TypeError(f"no laws are known for {type(estimator).__name__}")
    return PARAMETER_CHECKS + _family_checks(estimator)


def _family_checks(estimator: Any) -> tuple[Check, ...]:
    if isinstance(estimator, Metric):
        return METRIC_CHECKS
    if isinstance(estimator, HardnessScorer):
        return SCORER_CHECKS
    if isinstance(estimator, Generator):
        neural = _is(estimator, "tabseed.generators.neural.base", "NeuralGenerator")
        tuned = _is(estimator, "tabseed.inductive_bias.fine_tuned", "FineTuned")
        tuned = tuned or isinstance(estimator, KSStopped)
        return (
            GENERATOR_CHECKS
            + (NEURAL_CHECKS if neural else ())
            + (TRAINED_CHECKS if neural or tuned else ())
        )
    if isinstance(estimator, TargetedAugmenter | TargetedRegressionAugmenter):
        return AUGMENTER_CHECKS
    if _is(estimator, "tabseed.inductive_bias.base", "InductiveBias"):
        averages = _is(estimator, "tabseed.inductive_bias.weights", "WeightAveraging")
        learns = _is(estimator, "tabseed.inductive_bias.maml", "MAML")
        return (
            BIAS_CHECKS + (AVERAGING_CHECKS if averages else ()) + (MAML_CHECKS if learns else ())
        )
    return ()


def _is(estimator: Any, module: str, name: str) -> bool:
    """Whether it is of that class; a class whose module nobody imported has no instances."""
    found = sys.modules.get(module)
    return found is not None and isinstance(estimator, getattr(found, name))


def check_generator(generator: Generator) -> None:
    """Run every law of generators on ``generator``, which is not changed."""
    for check in checks_of(generator):
        check(generator)


def check_metric(metric: Metric[Any]) -> None:
    """Run every law of metrics on ``metric``."""
    for check in checks_of(metric):
        check(metric)


def check_scorer(scorer: HardnessScorer) -> None:
    """Run every law of hardness scorers on ``scorer``, which is not changed."""
    for check in checks_of(scorer):
        check(scorer)


def check_augmenter(augmenter: TargetedAugmenter | TargetedRegressionAugmenter) -> None:
    """Run every law of augmenters on ``augmenter``, which is not changed."""
    for check in checks_of(augmenter):
        check(augmenter)


def check_bias(bias: Any) -> None:
    """Run every law of inductive biases on ``bias``, which is not changed. Needs PyTorch.

    Choose few seeds and small settings: the laws hold at any size.
    """
    for check in checks_of(bias):
        check(bias)


__all__ = [
    "AUGMENTER_CHECKS",
    "AVERAGING_CHECKS",
    "BIAS_CHECKS",
    "Check",
    "GENERATOR_CHECKS",
    "MAML_CHECKS",
    "METRIC_CHECKS",
    "NEURAL_CHECKS",
    "N_ROWS",
    "PARAMETER_CHECKS",
    "SCORER_CHECKS",
    "TRAINED_CHECKS",
    "check_a_flipped_label_in_a_clean_cluster_ranks_first",
    "check_added_rows_are_told_apart",
    "check_added_rows_follow_amount",
    "check_augmenter",
    "check_augmenter_changes_no_input",
    "check_augmenter_seed_decides_everything",
    "check_average_of_equal_weights_is_that_weight",
    "check_bad_parameters_are_refused",
    "check_better_than_torn_columns",
    "check_bias",
    "check_bias_seed_decides_everything",
    "check_clone_save_and_load_give_the_same_rows",
    "check_conditions_are_met",
    "check_cores_do_not_matter",
    "check_few_rows_work_or_are_refused_with_a_number",
    "check_generator",
    "check_hard_rows_are_the_hardest",
    "check_hardest_one_learns_all_rows",
    "check_initial_weights_change_nothing",
    "check_input_is_not_changed",
    "check_interrupted_training_goes_on",
    "check_labels_are_names",
    "check_meta_gradient_without_inner_rate_is_pooled",
    "check_metric",
    "check_metric_declares_itself",
    "check_metric_is_best_on_two_halves",
    "check_metric_is_reproducible",
    "check_metric_refuses_leaks",
    "check_missing_cells_keep_their_share",
    "check_names_of_classes_do_not_matter",
    "check_no_steps_give_initial_weights",
    "check_odd_rows_are_scored_or_refused",
    "check_odd_tables",
    "check_only_float_tensors_are_averaged",
    "check_order_of_seeds_is_irrelevant",
    "check_originals_come_first_and_stay",
    "check_parameters_are_declared",
    "check_permuting_rows_permutes_scores",
    "check_permuting_rows_permutes_what_is_skipped",
    "check_progress_is_told",
    "check_same_kind_of_frame_comes_back",
    "check_scorer",
    "check_scorer_seed_decides_everything",
    "check_seed_decides_everything",
    "check_seeds_are_as_if_alone",
    "check_shapes_follow_the_encoder",
    "check_skip_leaves_hinted_rows_out",
    "check_the_kind_of_rows_comes_back",
    "check_values_stay_within_what_was_seen",
    "check_weights_fit_the_network",
    "checks_of",
    "example_table",
    "frames",
    "odd_tables",
]
