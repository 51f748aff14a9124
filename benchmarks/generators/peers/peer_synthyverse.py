"""synthyverse: SynthpopGenerator, bagged honest trees in random orders of the columns.

Missing values are filled, as its documentation leaves them to an imputer.
"""

from measure import days, discrete, filled, main
from synthyverse.generators import SynthpopGenerator


def learn(frame, kinds, seed):
    model = SynthpopGenerator(n_jobs=1, random_state=seed)
    return model.fit(days(filled(frame, kinds), kinds), discrete(kinds)).generate


main(learn)
