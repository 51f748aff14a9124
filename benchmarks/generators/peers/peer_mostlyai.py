"""mostlyai-engine: TabularARGN, which takes missing cells, dates, text and numbers as they are.

Its value protection, on by default, replaces rare categories by a word that is not a category; the
argument "unprotected" turns it off.
"""

import sys

from measure import main
from mostlyai.engine import TabularARGN

UNPROTECTED = {"value_protection": False}
ENCODINGS = {
    "discrete": "TABULAR_CATEGORICAL",
    "number": "TABULAR_NUMERIC_AUTO",
    "date": "TABULAR_DATETIME",
}


def learn(frame, kinds, seed):
    settings = UNPROTECTED if sys.argv[5:] == ["unprotected"] else {}
    encodings = {name: ENCODINGS[kind] for name, kind in kinds.items()}
    model = TabularARGN(tgt_encoding_types=encodings, random_state=seed, **settings)
    model.fit(frame)
    return lambda n: model.sample(n_samples=n)


main(learn)
