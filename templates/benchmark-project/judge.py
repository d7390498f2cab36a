"""Judges what rounds.py measured: python3 judge.py measurements.json FOLDER

Writes into FOLDER: bench-summary.md, whose first line bench-bot relays, results.json with every value in pyperf's format,
and distributions.svg. `verdicts` is where a change is told from noise.
"""

import json
import math
import os
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from scipy import special, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.robust_compare import TrimmedMean

# How often, at most, a run without any change may be judged as one, over all its figures. It is this low because a false
# "better" also turns a true "worse" into "mixed".
LEVEL = 0.001
# Of the pairs, on either side: a burst on the machine hits one or two of twelve.
TRIMMED = 0.2
FEWEST_PAIRS = 4


@dataclass
class Figure:
    """What two commits have in common. A change is the logarithm of a ratio, and positive if it is for the worse."""

    name: str
    unit: str
    higher: bool
    base: float
    head: float
    change: float = 0.0
    error: float = 0.0
    freedom: float = 1.0
    verdict: str = "noise"
    seen_from: float = math.inf

    def percent(self):
        """The change of the value itself, and half of its 95 % interval."""
        sign = -1 if self.higher else 1
        half = stats.t.ppf(0.975, self.freedom) * self.error
        middle = math.exp(sign * self.change)
        return 100 * (middle - 1), 100 * middle * math.sinh(half)

    def in_short(self):
        change, half = self.percent()
        return f"{self.name[:40]} {change:+.1f} % (±{half:.1f})"


def verdicts(pairs, min_change):
    """For each figure's pairs (logarithms of head over base): change, its error, degrees of freedom, verdict, and the
    slowdown that is seen in 19 of 20 runs. Each pair was measured back to back, so what the machine does slowly cancels out."""
    change, variance, freedom = np.zeros((3, len(pairs)))
    counts = np.array([len(own) for own in pairs])
    for count in set(counts):
        rows = np.flatnonzero(counts == count)
        mean = TrimmedMean(np.array([pairs[row] for row in rows]), TRIMMED, axis=1)
        change[rows], variance[rows] = mean.mean_trimmed, mean.std_mean_trimmed**2
        freedom[rows] = mean.nobs_reduced - 1
    variance, freedom = moderated(variance, freedom)
    error = np.sqrt(variance)
    size = np.abs(change)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(size > 0, size / error, 0)
    significant = multipletests(2 * stats.t.sf(t, freedom), LEVEL, "holm")[0]
    floor = math.log1p(min_change)
    words = np.where(significant & (size > floor), np.where(change > 0, "worse", "better"), "noise")
    critical = stats.t.isf(LEVEL / 2 / len(pairs), freedom)
    # More than 19 of 20 would take, for the error is itself an estimate: simulate.py shows what comes of it.
    seen = np.maximum(critical * error, floor) + stats.norm.isf(0.003) * error
    return change, error, freedom, words, np.expm1(seen)


def moderated(variance, freedom):
    """Few pairs tell little of a figure's noise; all figures together tell what is usual on this machine. So each variance
    is drawn towards the usual one, the more so the more alike they are (Smyth 2004, "Linear models and empirical Bayes
    methods"; limma's fitFDist)."""
    known = variance > 1e-16  # A count that never varies tells nothing of the others.
    if known.sum() < 3:
        return variance, freedom
    half = freedom[known] / 2
    logarithms = np.log(variance[known]) - special.digamma(half) + np.log(half)
    spread = logarithms.var(ddof=1) - special.polygamma(1, half).mean()
    # No more than all figures together can tell.
    prior = freedom[known].sum()
    if spread > 0:
        prior = min(prior, 2 * trigamma_inverse(spread))
    usual = math.exp(logarithms.mean() + special.digamma(prior / 2) - math.log(prior / 2))
    drawn = (prior * usual + freedom * variance) / (prior + freedom)
    return np.where(known, drawn, variance), np.where(known, freedom + prior, freedom)


def trigamma_inverse(x):
    y = 0.5 + 1 / x
    for _ in range(50):
        trigamma = special.polygamma(1, y)
        step = trigamma * (1 - trigamma / x) / special.polygamma(2, y)
        y += step
        if abs(step) < 1e-8 * y:
            break
    return float(y)


def overall(words):
    worse, better = "worse" in words, "better" in words
    return "mixed" if worse and better else "worse" if worse else "better" if better else "noise"


class Measured:
    """measurements.json."""

    def __init__(self, content):
        self.content = content
        self.turns = content["turns"]
        self.kinds = content["figures"]
        self.rounds = len(content["machine"])

    def values(self, name, side):
        return [value for turn in self.turns if turn["side"] == side for value in turn["values"].get(name, [])]

    def pairs(self, name):
        """Two turns after each other are a pair, in either order."""
        pairs = []
        for turns in zip(self.turns[::2], self.turns[1::2]):
            medians = {turn["side"]: np.median(turn["values"][name]) for turn in turns if name in turn["values"]}
            if len(medians) == 2:
                ratio = math.log(medians["head"] / medians["base"])
                pairs.append(-ratio if self.kinds[name]["higher"] else ratio)
        return pairs

    def compared(self, min_change, planted=None):
        """The figures that both have, worst first; `planted` slows one down."""
        found = [(name, self.pairs(name)) for name in self.kinds]
        found = [(name, pairs) for name, pairs in found if len(pairs) >= FEWEST_PAIRS]
        if not found:
            return []
        figures = []
        slowed = [[pair + planted[1] * (name == planted[0]) for pair in pairs] if planted else pairs for name, pairs in found]
        for (name, _), *judged in zip(found, *verdicts(slowed, min_change)):
            base, head = (float(np.median(self.values(name, side))) for side in ("base", "head"))
            change, error, freedom, word, seen = judged
            kind = self.kinds[name]
            figures.append(Figure(name, kind["unit"], kind["higher"], base, head, change, error, freedom, str(word), seen))
        rank = {"worse": 0, "better": 1, "noise": 2}
        return sorted(figures, key=lambda figure: (rank[figure.verdict], -abs(figure.change)))


def first_line(figures, total):
    if not figures:
        return f"{counted(total, 'figure')}, with nothing to compare {'it' if total == 1 else 'them'} with"
    word = overall([figure.verdict for figure in figures])
    worse, better = ([figure for figure in figures if figure.verdict == side] for side in ("worse", "better"))
    unchanged = len(figures) - len(worse) - len(better)
    if word == "noise":
        seen = max(figure.seen_from for figure in figures)
        return f"noise: {counted(unchanged, 'figure')} unchanged (a change of {above(100 * seen)} % would be seen)"
    changed = [figure for pair in zip_longest(worse, better) for figure in pair if figure]
    for shown in (3, 2, 1):
        parts = [figure.in_short() for figure in changed[:shown]]
        if len(changed) > shown:
            parts.append(f"{counted(len(changed) - shown, 'other')} changed")
        if unchanged:
            parts.append(f"{counted(unchanged, 'other')} unchanged")
        line = f"{word}: " + ", ".join(parts)
        if len(line) <= 200:  # what bench-bot shows
            break
    return line


def counted(count, noun):
    return f"{count} {noun}" + ("" if count == 1 else "s")


def above(percent):
    """Rounded up, so that the promise holds."""
    return f"{math.ceil(10 * percent) / 10:.1f}"


def table(figures):
    yield "| figure | base | head | change | is | seen from |"
    yield "| --- | ---: | ---: | ---: | --- | ---: |"
    for figure in figures:
        change, half = figure.percent()
        word = "unchanged" if figure.verdict == "noise" else figure.verdict
        values = [f"{value:.4g} {figure.unit}".strip() for value in (figure.base, figure.head)]
        seen = above(100 * figure.seen_from)
        yield f"| {figure.name} | {values[0]} | {values[1]} | {change:+.1f} % (±{half:.1f}) | {word} | {seen} % |"


def lonely(measured, figures):
    """What only one commit has, or too seldom to be judged."""
    judged = {figure.name for figure in figures}
    rest = [name for name in measured.kinds if name not in judged]
    if not rest:
        return
    yield "| not compared | base | head |"
    yield "| --- | ---: | ---: |"
    for name in rest:
        values = [measured.values(name, side) for side in ("base", "head")]
        cells = [f"{np.median(own):.4g} {measured.kinds[name]['unit']}".strip() if own else "" for own in values]
        yield f"| {name} | {cells[0]} | {cells[1]} |"


def machine(measured):
    facts = measured.content["machine"]
    for key, name in (("cpu", "CPU"), ("governor", "governor"), ("kernel", "kernel")):
        seen = list(dict.fromkeys(fact[key] for fact in facts))
        if len(seen) > 1:
            yield f"Warning: the {name} changed between rounds: {', then '.join(seen)}."
    load = [fact["load"] for fact in facts]
    # The benchmark itself makes load.
    if max(load) > 2 * min(load) + 1:
        yield f"Warning: the load changed between rounds, from {min(load)} to {max(load)}."
    last = facts[-1]
    yield (
        f"Machine: {last['cpu']}, {counted(last['cpus'], 'CPU')}, governor {last['governor']}, "
        f"load {min(load)} to {max(load)}, kernel {last['kernel']}."
    )


def summary(measured, figures, headline):
    commits = measured.content["commits"]
    paragraphs = [[headline], *([f"Warning: {text}"] for text in measured.content["warnings"])]
    changed = [figure for figure in figures if figure.verdict != "noise"]
    unchanged = [figure for figure in figures if figure.verdict == "noise"]
    if changed:
        paragraphs.append(list(table(changed)))
    if unchanged:
        title = f"<details><summary>{len(unchanged)} unchanged</summary>"
        paragraphs += [[title], list(table(unchanged)), ["</details>"]]
    paragraphs.append(list(lonely(measured, figures)))
    named = [f"{side} {commits[side][:8]}" for side in ("base", "head") if commits.get(side)]
    paragraphs.append([f"Measured: {' and '.join(named) or 'the machine'}, {counted(measured.rounds, 'round')}."])
    paragraphs += [[line] for line in machine(measured)]
    paragraphs.append(["[Every value](results.json), and [their distributions](distributions.svg)."])
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines) + "\n"


SECONDS = {"s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "ps": 1e-12}


def write_results(measured, path):
    """One run of pyperf's for each turn."""
    import pyperf

    suite = []
    for name, kind in measured.kinds.items():
        scale = SECONDS.get(kind["unit"], 1)
        unit = "second" if kind["unit"] in SECONDS else "byte" if kind["unit"] == "B" else "integer"
        for side in ("base", "head"):
            runs = [
                pyperf.Run(
                    [value * scale for value in turn["values"][name]],
                    metadata={"name": f"{name} ({side})", "unit": unit, "tags": [side]},
                    collect_metadata=False,
                )
                for turn in measured.turns
                if turn["side"] == side and name in turn["values"]
            ]
            if runs:
                suite.append(pyperf.Benchmark(runs))
    pyperf.BenchmarkSuite(suite).dump(str(path), replace=True)


def draw(measured, figures, path, most=30):
    from matplotlib.figure import Figure as Picture

    names = [figure.name for figure in figures] or list(measured.kinds)
    names = names[:most]
    picture = Picture(figsize=(8, 1.2 + 0.4 * len(names)), layout="constrained")
    axes = picture.subplots()
    for row, name in enumerate(names):
        both = {side: np.array(measured.values(name, side)) for side in ("base", "head")}
        middle = np.median(both["base"] if both["base"].size else both["head"])
        for side, color, shift in (("base", "tab:gray", -0.15), ("head", "tab:blue", 0.15)):
            values = 100 * (both[side] / middle - 1)
            axes.scatter(values, np.full(values.size, row + shift), s=12, alpha=0.5, color=color, linewidths=0)
            if values.size:
                axes.plot([np.median(values)], [row + shift], "|", markersize=12, color=color)
        for side, color in (("base", "tab:gray"), ("head", "tab:blue")):
            axes.scatter([], [], color=color, label=side if row == 0 else None)
    axes.set_yticks(range(len(names)), [name[:40] for name in names], parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("% from the base's median")
    picture.legend(loc="outside upper right", ncols=2, frameon=False)
    picture.savefig(path)


def rehearsed(measured, figures, min_change):
    """What this machine can see, from one commit against itself, then with a slowdown planted in one figure at a time."""
    word = overall([figure.verdict for figure in figures])
    if word != "noise":
        told = ", ".join(figure.in_short() for figure in figures if figure.verdict != "noise")
        return False, f"one commit against itself was judged {word}: {told}"
    noise = max(figure.percent()[1] for figure in figures)
    noisiest = sorted(figures, key=lambda figure: -figure.error)[:5]
    planted = max(figure.seen_from for figure in noisiest)

    def seen(figure):
        slowed = measured.compared(min_change, (figure.name, math.log1p(planted)))
        return any(other.name == figure.name and other.verdict == "worse" for other in slowed)

    while not all(seen(figure) for figure in noisiest):
        planted *= 1.1
    return True, (
        f"noise ±{above(noise)} %; slowdowns from {above(100 * planted)} % are seen with {counted(measured.rounds, 'round')}"
    )


def main(source, folder):
    measured = Measured(json.loads(Path(source).read_text()))
    folder = Path(folder)
    min_change = float(os.environ.get("MIN_CHANGE") or 2) / 100
    figures = measured.compared(min_change)
    good, headline = True, first_line(figures, len(measured.kinds))
    rehearsal = measured.content["rehearsal"]
    if rehearsal and figures:
        good, headline = rehearsed(measured, figures, min_change)
    text = summary(measured, figures, headline)
    (folder / "bench-summary.md").write_text(text)
    write_results(measured, folder / "results.json")
    draw(measured, figures, folder / "distributions.svg")
    print(text)
    if rehearsal:
        print(headline)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
