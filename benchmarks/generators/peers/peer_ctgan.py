"""ctgan: the fifth argument is CTGAN or TVAE, the sixth, if present, the batch size.

Its documentation asks for the list of discrete columns and for data without missing values.
"""

import sys

import ctgan
import torch
from measure import days, discrete, filled, main

MODEL, *BATCH = sys.argv[5:]
SETTINGS = {"batch_size": int(BATCH[0])} if BATCH else {}


def learn(frame, kinds, seed):
    torch.manual_seed(seed)
    model = getattr(ctgan, MODEL)(**SETTINGS)
    model.set_random_state(seed)
    model.fit(days(filled(frame, kinds), kinds), discrete(kinds))
    return model.sample


main(learn)
