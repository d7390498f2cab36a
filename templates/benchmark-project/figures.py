"""Prints what a benchmark framework wrote as figures, for measure.sh: python3 figures.py FRAMEWORK FILE"""

import json
import re
import sys
from pathlib import Path


def criterion(folder):
    """target/criterion: each sample is a number of iterations, and the nanoseconds that they took."""
    for benchmark in sorted(Path(folder).rglob("new/benchmark.json")):
        name = json.loads(benchmark.read_text())["full_id"]
        sample = json.loads((benchmark.parent / "sample.json").read_text())
        for iterations, time in zip(sample["iters"], sample["times"]):
            yield name, time / iterations, "ns"


def google_benchmark(file):
    """--benchmark_format=json, whose repetitions are the values and whose aggregates are not."""
    for run in json.loads(Path(file).read_text())["benchmarks"]:
        if run.get("run_type", "iteration") == "iteration" and "real_time" in run:
            yield run.get("run_name", run["name"]), run["real_time"], run["time_unit"]


def go(file):
    """What `go test -bench` prints. A name ends with the number of CPUs."""
    for line in Path(file).read_text().splitlines():
        if match := re.match(r"(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op", line):
            yield match[1], match[2], "ns"


def pytest_benchmark(file):
    """--benchmark-json, with all data."""
    for benchmark in json.loads(Path(file).read_text())["benchmarks"]:
        for value in benchmark["stats"]["data"]:
            yield benchmark["fullname"], value, "s"


def hyperfine(file):
    """--export-json."""
    for result in json.loads(Path(file).read_text())["results"]:
        for value in result["times"]:
            yield result["command"], value, "s"


FRAMEWORKS = {reader.__name__.replace("_", "-"): reader for reader in (criterion, google_benchmark, go, pytest_benchmark, hyperfine)}

if __name__ == "__main__":
    found = False
    for name, value, unit in FRAMEWORKS[sys.argv[1]](sys.argv[2]):
        found = True
        print(re.sub(r"\s+", "_", name)[-80:], value, unit)
    if not found:
        sys.exit(f"{sys.argv[2]} has no figures of {sys.argv[1]}")
