"""NRGBoost: boosted trees of an energy, sampled by Gibbs steps; its defaults, all 200 trees.

Its README chooses the number of trees by how well one column of other rows is predicted. Nobody
tells a generator here which column that is, so all are kept.
"""

from measure import days, discrete, filled, main
from nrgboost import Dataset, NRGBooster


def learn(frame, kinds, seed):
    x = days(filled(frame, kinds), kinds)
    x = x.astype({name: "category" for name in discrete(kinds)})
    model = NRGBooster.fit(Dataset(x), {"num_threads": 1}, seed=seed)

    def draw(n):
        return model.sample(n, num_steps=100, seed=seed)[list(x)]

    return draw


main(learn)
