"""What benchmark frameworks really wrote, as figures."""

import subprocess
import sys
import unittest
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"
TEMPLATE = Path(__file__).parents[2] / "templates/benchmark-project"
sys.path.insert(0, str(TEMPLATE))
import rounds  # noqa: E402


class Frameworks(unittest.TestCase):
    def figures(self, framework, file):
        command = [sys.executable, TEMPLATE / "figures.py", framework, SAMPLES / file]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        figures, nonsense = rounds.parsed(output)
        self.assertEqual(nonsense, [])
        return {name: (len(found["values"]), found["kind"]["unit"]) for name, found in figures.items()}

    def test_criterion(self):
        self.assertEqual(self.figures("criterion", "criterion"), {"fib/1000": (10, "ns"), "fib/small_10": (10, "ns")})

    def test_google_benchmark(self):
        self.assertEqual(
            self.figures("google-benchmark", "google-benchmark.json"), {"BM_Sum/8": (3, "ns"), "BM_Sum/64": (3, "ns")}
        )

    def test_go(self):
        self.assertEqual(self.figures("go", "go.txt"), {"BenchmarkSum": (3, "ns"), "BenchmarkSizes/n=10": (3, "ns")})

    def test_pytest_benchmark(self):
        self.assertEqual(
            self.figures("pytest-benchmark", "pytest-benchmark.json"),
            {"test_x.py::test_sum": (5, "s"), "test_x.py::test_sort": (5, "s")},
        )

    def test_hyperfine(self):
        self.assertEqual(self.figures("hyperfine", "hyperfine.json"), {"true": (3, "s"), "sort_/etc/passwd": (3, "s")})

    def test_a_file_without_figures_is_an_error(self):
        command = [sys.executable, TEMPLATE / "figures.py", "go", "/dev/null"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "/dev/null has no figures of go\n"))


if __name__ == "__main__":
    unittest.main()
