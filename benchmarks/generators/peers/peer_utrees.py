"""UnmaskingTrees: masked columns predicted one after the other, by boosted trees over bins."""

import numpy as np
import pandas as pd
from measure import days, discrete, filled, main
from utrees import UnmaskingTrees


def learn(frame, kinds, seed):
    x = days(filled(frame, kinds), kinds)
    levels = {name: sorted(x[name].unique()) for name in discrete(kinds)}
    codes = x.copy()
    for name, own in levels.items():
        codes[name] = x[name].map({level: code for code, level in enumerate(own)})
    sorts = ["categorical" if name in levels else "continuous" for name in x]
    model = UnmaskingTrees(random_state=seed)
    model.fit(codes.to_numpy(dtype=np.float64), quantize_cols=sorts)

    def draw(n):
        rows = pd.DataFrame(model.generate(n_generate=n), columns=list(x))
        for name, own in levels.items():
            rows[name] = pd.Series(own).reindex(rows[name].astype(int)).to_numpy()
        return rows

    return draw


main(learn)
