"""One meta-iteration of MAML: ours, all tasks in one batch, against a plain loop over tasks.

    TABSEED_DATA=... python -m benchmarks.maml

The work is that of the authors of arXiv 2407.03080: 10 tasks, 50 second-order inner steps on 300
rows, query loss on 9,700 rows; their network on Adult in their coding. "Loop" is the
straightforward code: task by task, torch.nn modules called with adapted weights, one distribution
per column. "Bare" are the matrix products alone that all this work needs, of the same shapes in one
batch of tasks: no program in float32 can be faster, whatever its loop. All use the same thread, in
turn; CPU seconds, because the machine may be shared. Writes ``results/maml.csv``: the least of the
rounds.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.func import functional_call

from experiments.common.machine import machine
from experiments.common.paper1 import LATENT_DIM, coded
from tabseed.coding.encode import TableEncoder
from tabseed.generators.neural.learner import to_tensor
from tabseed.generators.neural.paper import DROPOUT, HIDDEN, PaperNetwork
from tabseed.generators.neural.vaebgm import CellNetwork
from tabseed.inductive_bias.maml import Batch, meta_gradient

RESULTS = Path(__file__).parent / "results" / "maml.csv"
TASKS, SUPPORT, QUERY, STEPS, RATE, ROUNDS = 10, 300, 9_700, 50, 1e-3, 2


class PlainVAE(torch.nn.Module):
    """The authors' network as modules, its likelihood column by column."""

    def __init__(self, network: PaperNetwork) -> None:
        super().__init__()
        self.parts, d = network.parts, network.latent_dim
        self.d = d
        self.encoder = torch.nn.Sequential(
            torch.nn.Linear(len(self.parts), HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Linear(HIDDEN, 2 * d),
        )
        self.decoder = torch.nn.Sequential(
            torch.nn.Linear(d, HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Dropout(DROPOUT),
            torch.nn.Linear(HIDDEN, network.n_outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, log_variance = (10 * self.encoder(x).tanh()).chunk(2, dim=-1)
        outputs = self.decoder(mean + (log_variance / 2).exp() * torch.randn_like(mean))
        loss = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, (log_variance / 2).exp()),
            torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean)),
        ).sum(-1)
        for at, part in enumerate(self.parts):
            out = outputs[:, part.out]
            law: torch.distributions.Distribution
            if part.family == "gaussian":
                sd = (0.001 + 9.999 * out[:, 1].sigmoid()) / 100
                law = torch.distributions.Normal(5 * out[:, 0].tanh(), sd)
            elif part.family == "categorical":
                law = torch.distributions.Categorical(logits=10 * out.tanh())
            else:
                law = torch.distributions.Bernoulli(0.001 + 0.998 * out[:, 0].sigmoid())
            loss = loss - law.log_prob(x[:, at])
        return loss.mean()


def loop(model: PlainVAE, rows: torch.Tensor) -> None:
    """Do one meta-iteration by task: the gradient of the summed query losses at the start."""
    start = dict(model.named_parameters())
    total = torch.zeros(())
    for task in rows:
        phi = start
        for _ in range(STEPS):
            loss = functional_call(model, phi, (task[:SUPPORT],))
            slopes = torch.autograd.grad(loss, list(phi.values()), create_graph=True)
            phi = {k: v - RATE * g for (k, v), g in zip(phi.items(), slopes, strict=True)}
        total = total + functional_call(model, phi, (task[SUPPORT:],))
    torch.autograd.grad(total, list(start.values()))


def ours(
    network: PaperNetwork | CellNetwork, rows: torch.Tensor, query: int, steps: int, order: str
) -> Callable[[], object]:
    """Return a function that does the same work by ``meta_gradient``."""
    rng = np.random.default_rng(0)
    initial = [network.initial_weights(rng)]
    theta = {k: torch.from_numpy(np.stack([w[k] for w in initial])) / 10**0.5 for k in initial[0]}
    noise = network.noise(rng, TASKS * (SUPPORT + query))
    noise = to_tensor(noise.reshape(TASKS, SUPPORT + query, -1))
    support = Batch(rows[:, :SUPPORT], noise[:, :SUPPORT])
    queries = Batch(rows[:, SUPPORT : SUPPORT + query], noise[:, SUPPORT:])
    return lambda: meta_gradient(
        network,
        theta,
        support,
        queries,
        rate=RATE,
        steps=steps,
        order=order,  # type: ignore[arg-type]
    )


def bare(network: PaperNetwork, order: str) -> Callable[[], None]:
    """Return a function with the products of a meta-iteration, and nothing else.

    A layer y = x W needs x W, and for its gradients x'g and, unless x are the rows, g W'. The
    second order goes back through all of these: two products for each, one where x are the rows.
    """
    d = network.latent_dim
    shapes = (
        (len(network.parts), HIDDEN),
        (HIDDEN, 2 * d),
        (d, HIDDEN),
        (HIDDEN, network.n_outputs),
    )

    def layers(rows: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        return [
            (torch.randn(TASKS, rows, a), torch.randn(TASKS, a, b), torch.randn(TASKS, rows, b))
            for a, b in shapes
        ]

    def products(operands: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]], n: int) -> None:
        for layer, (x, weight, slope) in enumerate(operands):
            for _ in range(n if layer else min(n, 2)):
                torch.bmm(x, weight)
                torch.bmm(x.mT, slope)
                if layer:
                    torch.bmm(slope, weight.mT)

    inner, query = layers(SUPPORT), layers(QUERY)

    def iteration() -> None:
        for _ in range(STEPS):
            products(inner, 3 if order == "second" else 1)
        products(query, 1)

    return iteration


def main() -> None:
    torch.set_num_threads(1)
    pool, _ = coded("adult")
    encoder = TableEncoder().fit(pool)
    x = encoder.transform(pool)
    paper = PaperNetwork(encoder.layout_, LATENT_DIM["adult"])
    few = TableEncoder().fit(pool.take(np.arange(300)))
    stable = CellNetwork(few.layout_, 14, 128, 0.3)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(x)) for _ in range(TASKS)]
    rows = to_tensor(np.stack([paper.rows(x[o]) for o in orders]))
    inputs = rows[..., : len(paper.parts)].contiguous()
    small = few.transform(pool.take(np.arange(300)))
    cells = to_tensor(np.stack([stable.rows(small[rng.integers(0, 300, 600)]) for _ in orders]))
    plain = PlainVAE(paper)
    with torch.no_grad():
        for weight in plain.parameters():
            weight /= 10**0.5
    cases = {
        "plain loop, their network": lambda: loop(plain, inputs),
        "bare products, second order": bare(paper, "second"),
        "bare products, first order": bare(paper, "first"),
        "tabseed, the same work": ours(paper, rows, QUERY, STEPS, "second"),
        "tabseed, the same, first order": ours(paper, rows, QUERY, STEPS, "first"),
        "tabseed, the same, 300 query rows": ours(paper, rows, 300, STEPS, "second"),
        "tabseed, stable network, 50 steps, second": ours(stable, cells, 300, STEPS, "second"),
        "tabseed, stable network, 10 steps, first (default)": ours(stable, cells, 240, 10, "first"),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    with threadpool_limits(1):
        for _ in range(ROUNDS):
            for name, work in cases.items():
                began = time.process_time()
                work()
                times[name].append(time.process_time() - began)
                print(name, f"{times[name][-1]:.2f} s", flush=True)
    base = min(times["plain loop, their network"])
    machine_name = f"{machine()}, 1 thread, torch {torch.__version__}"
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "CPU seconds", "times faster than the loop", "rounds", "machine"])
        for name, times_of_case in times.items():
            least = min(times_of_case)
            writer.writerow([name, f"{least:.3f}", f"{base / least:.1f}", ROUNDS, machine_name])


if __name__ == "__main__":
    main()
