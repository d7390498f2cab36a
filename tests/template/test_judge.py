"""The judge of the benchmark project's template, without a machine: `python3 -m unittest discover tests/template`."""

import contextlib
import io
import json
import math
import random
import sys
import tempfile
import time
import unittest
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "templates/benchmark-project"
sys.path.insert(0, str(TEMPLATE))
import judge  # noqa: E402

MACHINE = {"cpu": "Z80", "cpus": 1, "governor": "performance", "load": 0.5, "kernel": "6.1"}


def measured(figures, rounds=6, samples=3, noise=0.005, seed=1, **changes):
    """Figures: {name: (base, head)}, where None is one that a commit lacks."""
    source = random.Random(seed)
    turns = []
    for number in range(rounds):
        for side in ("base", "head", "head", "base"):
            values = {}
            for name, ends in figures.items():
                value = ends[side == "head"]
                if value:
                    values[name] = [value * math.exp(source.gauss(0, noise)) for _ in range(samples)]
            turns.append({"round": number + 1, "side": side, "values": values})
    content = {
        "rehearsal": False,
        "commits": {"base": "a" * 40, "head": "b" * 40},
        "warnings": [],
        "machine": [MACHINE] * rounds,
        "figures": {name: {"unit": "ms", "higher": name.startswith("rate")} for name in figures},
        "turns": turns,
    }
    return content | changes


def judged(content):
    """Exit status, summary, and the folder with what else was written."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
        source = Path(folder, "measurements.json")
        source.write_text(json.dumps(content))
        status = judge.main(source, folder)
        results = json.loads(Path(folder, "results.json").read_text())
        assert Path(folder, "distributions.svg").read_text().startswith("<?xml")
        return status, Path(folder, "bench-summary.md").read_text(), results, said.getvalue()


def first_line(content):
    return judged(content)[1].splitlines()[0]


SAME = {f"same{number}": (100, 100) for number in range(11)}


class Verdicts(unittest.TestCase):
    def test_the_first_line_says_in_a_word_what_changed(self):
        slower = first_line(measured({"parse": (100, 104.1), **SAME}))
        self.assertRegex(slower, r"^worse: parse \+(3\.\d|4\.\d|5\.0) % \(±0\.\d\), 11 others unchanged$")
        faster = first_line(measured({"parse": (100, 90), "same": (100, 100)}))
        self.assertRegex(faster, r"^better: parse -(9|10)\.\d % \(±0\.\d\), 1 other unchanged$")
        both = first_line(measured({"a": (100, 90), "b": (100, 110), "c": (100, 120)}))
        self.assertRegex(both, r"^mixed: c \+2.* %.*, a -.* %.*, b \+")
        self.assertRegex(first_line(measured(SAME)), r"^noise: 11 figures unchanged \(a change of \d\.\d % would be seen\)$")

    def test_more_is_better_where_a_figure_says_so(self):
        self.assertRegex(first_line(measured({"rate": (100, 90)})), r"^worse: rate -")
        self.assertRegex(first_line(measured({"rate": (100, 110)})), r"^better: rate \+")

    def test_a_small_change_does_not_count_however_sure(self):
        self.assertRegex(first_line(measured({"count": (10000, 10190)}, noise=0)), r"^noise: ")
        self.assertRegex(first_line(measured({"count": (10000, 10210)}, noise=0)), r"^worse: count \+2\.1 % \(±0\.0\)$")

    def test_counts_that_never_vary_leave_the_others_alone(self):
        counts = {f"count{number}": (number + 3, number + 3) for number in range(9)}
        content = measured({**SAME, "parse": (100, 104)})
        for turn in content["turns"]:
            turn["values"] |= {name: [ends[0]] * 3 for name, ends in counts.items()}
        content["figures"] |= {name: {"unit": "", "higher": False} for name in counts}
        self.assertRegex(first_line(content), r"^worse: parse \+[34]\.\d % \(±0\.\d\), 20 others unchanged$")

    def test_one_burst_of_the_machine_is_no_change(self):
        content = measured(SAME)
        for turn in content["turns"][13:15]:
            turn["values"] = {name: [3 * value for value in values] for name, values in turn["values"].items()}
        self.assertRegex(first_line(content), r"^noise: ")

    def test_drift_cancels_out(self):
        content = measured({**SAME, "slow": (100, 105)})
        for number, turn in enumerate(content["turns"]):
            turn["values"] = {
                name: [(1 + number / 80) * value for value in values] for name, values in turn["values"].items()
            }
        self.assertRegex(first_line(content), r"^worse: slow \+[45]\.\d % .*, 11 others unchanged$")

    def test_the_line_fits_whatever_the_names(self):
        long = {f"{number}{'x' * 79}": (100, 120) for number in range(8)}
        line = first_line(measured(long))
        self.assertLessEqual(len(line), 200)
        self.assertRegex(line, r"^worse: \dx{39} \+.* % .* others changed$")

    def test_noise_is_learned_from_all_figures(self):
        variance, freedom = judge.moderated(judge.np.array([1.0, 1.1, 0.9, 1.0, 9.0]), judge.np.full(5, 7.0))
        self.assertTrue(1 < variance[4] < 9 and variance[4] > 2 * variance[0])
        self.assertTrue((freedom > 7).all())


class Summary(unittest.TestCase):
    def test_without_a_base_there_is_no_verdict(self):
        content = measured({"parse": (None, 7), "lex": (None, 8)})
        content["commits"] = {"head": "b" * 40}
        status, text, _, _ = judged(content)
        self.assertEqual(status, 0)
        self.assertTrue(text.startswith("2 figures, with nothing to compare them with\n"), text)

    def test_figures_of_one_side_are_named_and_the_rest_compared(self):
        _, text, _, _ = judged(measured({"new": (None, 7), "old": (7, None), "both": (100, 120)}))
        self.assertRegex(text, r"^worse: both \+")
        self.assertRegex(text, r"\| new \|  \| [67]\.\d+ ms \|")
        self.assertRegex(text, r"\| old \| [67]\.\d+ ms \|  \|")

    def test_two_rounds_are_enough_and_one_is_not(self):
        self.assertRegex(first_line(measured({"a": (100, 200)}, rounds=2)), r"^worse: a \+")
        self.assertEqual(first_line(measured({"a": (1, 2)}, rounds=1)), "1 figure, with nothing to compare it with")

    def test_the_worst_comes_first_and_what_is_unchanged_is_folded(self):
        _, text, _, _ = judged(measured({"a": (100, 110), "b": (100, 130), "c": (100, 100)}))
        b, a, fold, c = (text.index(part) for part in ("| b |", "| a |", "<details><summary>1 unchanged", "| c |"))
        self.assertTrue(b < a < fold < c, text)

    def test_a_machine_that_changed_is_warned_of(self):
        facts = [MACHINE] * 3 + [MACHINE | {"cpu": "6502", "load": 4.0}] * 3
        _, text, _, _ = judged(measured(SAME, machine=facts))
        self.assertIn("Warning: the CPU changed between rounds: Z80, then 6502.", text)
        self.assertIn("Warning: the load changed between rounds, from 0.5 to 4.0.", text)
        self.assertNotIn("Warning", judged(measured(SAME))[1])

    def test_pyperf_reads_every_value(self):
        import pyperf

        content = measured({"a": (100, 110)})
        with tempfile.NamedTemporaryFile(suffix=".json", mode="w") as file:
            json.dump(judged(content)[2], file)
            file.flush()
            suite = pyperf.BenchmarkSuite.load(file.name)
        base, head = (suite.get_benchmark(f"a ({side})") for side in ("base", "head"))
        self.assertEqual((base.get_nvalue(), head.get_nvalue(), base.get_unit()), (36, 36, "second"))
        self.assertAlmostEqual(base.median(), 0.1, places=2)

    def test_500_figures_take_less_than_10_seconds(self):
        content = measured({f"figure{number}": (100, 100) for number in range(500)})
        start = time.process_time()
        judged(content)
        self.assertLess(time.process_time() - start, 10)


class Rehearsal(unittest.TestCase):
    def test_it_says_what_the_machine_can_see(self):
        status, text, _, said = judged(measured(SAME, rehearsal=True))
        line = text.splitlines()[0]
        self.assertRegex(line, r"^noise ±0\.\d %; slowdowns from [23]\.\d % are seen with 6 rounds$")
        self.assertEqual((status, said.splitlines()[-1]), (0, line))

    def test_more_noise_sees_less(self):
        quiet, noisy = (
            float(first_line(measured(SAME, rehearsal=True, noise=noise)).split("from ")[1].split()[0])
            for noise in (0.005, 0.05)
        )
        self.assertLess(2 * quiet, noisy)

    def test_a_machine_that_sees_a_change_in_nothing_fails(self):
        status, text, _, _ = judged(measured({"a": (100, 110), **SAME}, rehearsal=True))
        self.assertEqual(status, 1)
        self.assertRegex(text, r"^one commit against itself was judged worse: a \+")


if __name__ == "__main__":
    unittest.main()
