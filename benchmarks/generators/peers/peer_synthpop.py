"""python-synthpop: sequential CART, in the steps of its documentation.

With the argument "documented" the tree is called as its README does (smoothing, proper);
otherwise with its defaults (neither). Two faults are worked around: its processor fails on
categories of ten levels or more, which are coded here, as it codes those of fewer; its imputation
uses the processor, and would put guesses in place of missing cells, so these are filled.
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
    for name, known in levels.items():
        processed[name] = frame[name].map({level: code for code, level in enumerate(known)})
    how = DOCUMENTED if sys.argv[5:] == ["documented"] else {}
    cart = CARTMethod(metadata, random_state=seed, **how)
    cart.fit(processed[list(frame)])

    def draw(n):
        rows = cart.sample(n)
        decoded = {
            name: pd.Series(known).reindex(rows[name].astype(int)).to_numpy()
            for name, known in levels.items()
        }
        return processor.postprocess(rows[others]).assign(**decoded)[list(frame)]

    return draw


main(learn)
