"""How often is a verdict right? python3 simulate.py [RUNS]: false alarms and misses of judge.py on a shared runner, and of two
simpler ways. What such a runner does is made up, here and nowhere else."""

import gc
import sys

import numpy as np

import judge

FIGURES, ROUNDS, NOISE, MIN_CHANGE = 20, 6, 0.02, 0.02
SIDES = np.tile([0, 1, 1, 0], ROUNDS)  # a round: base, head, head, base


def measured(random, samples, slower, uneven=False):
    """Logarithms of values: figure, turn, sample. The noise of a single value is 2 %. The whole machine drifts by up to 10 %,
    wanders, and in one run of five it jumps by 10 %. One value in 20 is hit by something else, and 5 to 50 % slower."""
    turns = len(SIDES)
    drift = random.uniform(-0.1, 0.1) * np.linspace(0, 1, turns) + random.normal(0, 0.005, turns).cumsum()
    if random.random() < 0.2:
        drift[random.integers(turns) :] += random.choice([-0.1, 0.1])
    noise = NOISE * (np.exp(random.normal(0, 0.7, FIGURES)) if uneven else np.ones(FIGURES))
    values = drift[:, None] + noise[:, None, None] * random.standard_normal((FIGURES, turns, samples))
    values += (random.random(values.shape) < 0.05) * np.log1p(random.uniform(0.05, 0.5, values.shape))
    values[0] += (SIDES * np.log1p(slower))[:, None]
    return values


def verdicts(values):
    turns = np.median(values, axis=2).reshape(FIGURES, -1, 2)
    pairs = (turns * np.where(SIDES.reshape(-1, 2), 1, -1)).sum(axis=2)
    return judge.verdicts(pairs, MIN_CHANGE)


def here(values):
    return judge.overall(verdicts(values)[3])


def words(change, counts):
    return judge.overall(np.where(counts, np.where(change > 0, "worse", "better"), "noise"))


def single_ratio(values):
    """The first value of head over the first of base."""
    change = values[:, 1, 0] - values[:, 0, 0]
    return words(change, np.abs(np.expm1(change)) > MIN_CHANGE)


def two_deviations(values):
    """The mean of head is two standard deviations off the mean of base."""
    base, head = (np.exp(values[:, SIDES == side].mean(axis=2)) for side in (0, 1))
    change = head.mean(axis=1) / base.mean(axis=1) - 1
    return words(change, np.abs(change) > np.maximum(2 * base.std(axis=1, ddof=1) / base.mean(axis=1), MIN_CHANGE))


def main(runs=1000):
    gc.freeze()  # statsmodels collects garbage with each correction
    rows = [
        ("`judge.py`, 3 values in a run", here, 3, False),
        ("ratio of single values", single_ratio, 3, False),
        ("two standard deviations, 3 values in a run", two_deviations, 3, False),
        ("`judge.py`, 1 value in a run", here, 1, False),
        ("`judge.py`, 5 values in a run", here, 5, False),
        ("`judge.py`, 3 values in a run, noise from 0.5 to 8 %", here, 3, True),
    ]
    print("| | no change: `noise` | one figure 5 % slower: `worse` | 10 % slower: `worse` |")
    print("| --- | ---: | ---: | ---: |")
    for title, way, samples, uneven in rows:
        random = np.random.default_rng(1)
        cells = []
        for slower, wanted in ((0, "noise"), (0.05, "worse"), (0.1, "worse")):
            right = sum(way(measured(random, samples, slower, uneven)) == wanted for _ in range(runs))
            cells.append(f"{100 * right / runs:.1f} %")
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
    random = np.random.default_rng(1)
    promised = [verdicts(measured(random, 3, 0))[4][0] for _ in range(runs)]
    kept = sum(verdicts(measured(random, 3, slower))[3][0] == "worse" for slower in promised)
    print(f"\nA slowdown of what *seen from* says after a run without one is found in {100 * kept / runs:.1f} %.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
