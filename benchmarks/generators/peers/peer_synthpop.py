"""python-synthpop: sequential CART, in the steps of its documentation.

With the argument "documented" the tree has the settings of its README (smoothing, proper);
otherwise its defaults (neither). This script works around two faults. The processor fails on
categories of ten or more levels, so the script codes these as the processor codes those with fewer.
The imputation uses the processor, and would replace missing cells by guesses, so the script fills
them.
"""

import sys

import pandas as pd
from measure import discrete, filled, main
from synthpop import CARTMethod, DataProcessor, MissingDataHandler

DOCUMENTED = {"smoothing": True, "proper": True, "minibucket": 5}


def learn(frame, kinds, seed):
    frame = filled(frame, kinds)
    metadata = MissingDataHandler().get_column_dtypes(frame)
    levels = {name: sorted(frame[name].unique()) for name in discrete(kinds)}
    others = [name for name in frame if name not in levels]
    processor = DataProcessor({name: metadata[name] for name in others})
    processed = processor.preprocess(frame[others])
    for name, sorted_levels in levels.items():
        processed[name] = frame[name].map({level: code for code, level in enumerate(sorted_levels)})
    settings = DOCUMENTED if sys.argv[5:] == ["documented"] else {}
    cart = CARTMethod(metadata, random_state=seed, **settings)
    cart.fit(processed[list(frame)])

    def draw(n):
        rows = cart.sample(n)
        decoded = {
            name: pd.Series(sorted_levels).reindex(rows[name].astype(int)).to_numpy()
            for name, sorted_levels in levels.items()
        }
        return processor.postprocess(rows[others]).assign(**decoded)[list(frame)]

    return draw


main(learn)
