"""arfpy: adversarial random forest. Missing values are filled: undocumented, and some fail."""

from arfpy import arf
from measure import days, discrete, filled, main


def learn(frame, kinds, seed):
    x = days(filled(frame, kinds), kinds)
    x = x.astype({name: "category" for name in discrete(kinds)})
    model = arf.arf(x=x, verbose=False, random_state=seed)
    model.forde()
    return model.forge


main(learn)
