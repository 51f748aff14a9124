"""A trial with censored times: does the difference between the arms survive?

Two arms of 90 patients. Times end with an event or with the end of the study. From the synthetic
table the curves of both arms must come out again; a rule says that nobody is followed beyond the
end.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa

import tabseed as ts

END = 36.0


def trial(n: int = 180) -> pa.Table:
    """Return arm, age, months until an event or until the end, and whether there was one."""
    rng = np.random.default_rng(5)
    arm = np.where(np.arange(n) % 2, "new", "old")
    age = rng.normal(61, 9, n).round()
    rate = np.where(arm == "new", 0.02, 0.045) * np.exp(0.03 * (age - 61))
    months = rng.exponential(1 / rate)
    event = months < END
    months = np.minimum(months, END).round(1)
    return pa.table({"arm": arm, "age": age, "months": months, "event": event})


def kaplan_meier(months: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return times and the share of patients without an event until then."""
    times = np.unique(months[event])
    at_risk = (months[:, None] >= times).sum(axis=0)
    events = ((months[:, None] == times) & event[:, None]).sum(axis=0)
    return times, np.cumprod(1 - events / at_risk)


def main(out: Path) -> None:
    """Learn the trial, draw another, and compare the curves; write ``survival.svg``."""
    rules = [f"0 <= months <= {END:g}", f"event = false -> months = {END:g}"]
    table = ts.Table.from_frame(trial(), rules=rules, kinds={"event": "boolean"})
    rows = ts.SequentialTrees(random_state=0).fit(table).draw(180)
    figure, axis = plt.subplots(figsize=(6, 3.6))
    for name, data, style in (("real", table, "-"), ("synthetic", rows, "--")):
        arm, event = np.array(data.values("arm")), np.array(data.values("event"), dtype=bool)
        for at, own in enumerate(("old", "new")):
            here = arm == own
            times, share = kaplan_meier(data.numbers("months")[here], event[here])
            axis.step(
                [0, *times, END],
                [1, *share, share[-1]],
                style,
                where="post",
                color=f"C{at}",
                label=f"{own}, {name}",
            )
            print(f"{name}, {own}: {share[-1]:.2f} without an event after {END:g} months")
    axis.set_xlabel("months")
    axis.set_ylabel("without an event")
    axis.set_ylim(0, 1)
    axis.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(out / "survival.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
