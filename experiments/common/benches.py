"""What several inductive biases share on the same rows: the seeds of the first training."""

from __future__ import annotations

import numpy as np

import tabseed as ts
from tabseed.generators.base import Aids
from tabseed.generators.neural.base import NeuralGenerator
from tabseed.inductive_bias.base import Bench
from tabseed.inductive_bias.journal import Journal


def bench_of(
    model: NeuralGenerator,
    train: ts.Table,
    stream: np.random.SeedSequence,
    encoder: ts.TableEncoder | None = None,
) -> Bench:
    """Return a bench for ``train``, on which biases learn one after another.

    ``encoder``: one fitted to other rows; None: fitted to these.

    Its journal keeps every training by name, so the biases that need the same seeds train them
    once, as ``FineTuned`` would with the same stream.
    """
    encoder = encoder or ts.TableEncoder().fit(train)
    model.schema_, model.encoder_ = train.schema.with_columns(encoder.schema_), encoder
    model.target_, model.n_rows_ = None, len(train)
    journal = Journal(Aids(None, None), 1)
    return Bench(model, encoder.transform(train), encoder.layout_, stream, journal)
