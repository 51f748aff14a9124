"""Rows per second that ctgan trains on and draws: ``TRAIN MODEL THREADS``; prints a JSON line.

Two numbers of epochs, so that the time before training cancels. Batches of 500, its default.
"""

import json
import sys
import time
from pathlib import Path

import ctgan
import pandas as pd
import torch
from measure import days, discrete, filled

EPOCHS = {"TVAE": (5, 85), "CTGAN": (1, 13)}  # so many that the time before training matters little
ROWS_TO_DRAW = 20_000


def main():
    """Fit twice, draw once, print."""
    train, name, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    frame = pd.read_parquet(train)
    kinds = json.loads(Path(train).with_suffix(".json").read_text())
    frame, names = days(filled(frame, kinds), kinds), discrete(kinds)
    few, many = EPOCHS[name]
    times = {}
    for epochs in (few, many):
        model = getattr(ctgan, name)(epochs=epochs, batch_size=500)
        model.set_random_state(0)
        began = time.perf_counter()
        model.fit(frame, names)
        times[epochs] = time.perf_counter() - began
    began = time.perf_counter()
    model.sample(ROWS_TO_DRAW)
    sampling_seconds = time.perf_counter() - began
    training_rate = (many - few) * (len(frame) // 500) * 500 / (times[many] - times[few])
    print(json.dumps({"trained": training_rate, "drawn": ROWS_TO_DRAW / sampling_seconds}))


main()
