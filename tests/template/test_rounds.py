"""Measuring two commits, of which one attacks. As root, each has a user of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).parent
TEMPLATE = Path(__file__).parents[2] / "templates/benchmark-project"
sys.path.insert(0, str(TEMPLATE))
import rounds  # noqa: E402

TRIES = set(
    "root privileges own_environment other_environments token_file base_figures base_home tools comparison "
    "measurements process shared".split()
)
QUIET = "bench:\n\t@cat figures\n"


class Project:
    """A source project with two commits, and a benchmark project that measures them."""

    def __init__(self, folder, base, head):
        self.folder = Path(folder)
        self.source = self.folder / "served/acme/engine.git"
        self.benchmarks = self.folder / "benchmarks"
        shutil.copytree(TEMPLATE, self.benchmarks)
        self.benchmarks.chmod(0o777)  # as the Docker executor leaves it
        self.source.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.base, self.head = self.commit(base), self.commit(head)
        (self.folder / "gitconfig").write_text("")

    def git(self, *arguments):
        identity = ["-c", "user.name=ci", "-c", "user.email=ci@example.com"]
        done = subprocess.run(["git", *identity, *arguments], cwd=self.source, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, files):
        for name, text in files.items():
            (self.source / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "Change")
        return self.git("rev-parse", "HEAD")

    def measure(self, before="", **variables):
        """The run, and what it measured. `before` is Python to be run first."""
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),
            "CI_SERVER_URL": f"file://{self.folder}/served",
            "CI_JOB_TOKEN": "glcbt-attacked-1234",
            "BENCH_PROJECT_PATH": "acme/engine",
            "BENCH_MR_REF": "refs/merge-requests/1/head",
            "BENCH_SHA": self.head,
            "BENCH_BASE_SHA": self.base,
            "ROUNDS": "2",
        } | variables
        program = f"import sys, rounds\nrounds.USERS = {rounds.USERS}\n{before}\ntry: rounds.main('measurements.json')\n"
        program += "except rounds.Failed as failed: sys.exit(f'Failed: {failed}')"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=self.benchmarks,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        file = self.benchmarks / "measurements.json"
        return done, json.loads(file.read_text()) if done.returncode == 0 else None


class Measuring(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)

    def project(self, head, base=None):
        return Project(self.folder, {"Makefile": QUIET, "figures": "lex 40\n"} | (base or {}), head)

    def failure(self, project):
        done, _ = project.measure()
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stdout


class Turns(Measuring):
    def test_base_and_head_take_turns_after_one_to_warm_up(self):
        project = self.project({"figures": "lex 41 ms\nlex 42 ms\nspeed 5 MB/s higher\n"}, {"figures": "lex 40 ms\n"})
        done, found = project.measure()
        self.assertEqual(found["commits"], {"base": project.base, "head": project.head}, done.stdout)
        self.assertEqual([turn["side"] for turn in found["turns"]], ["base", "head", "head", "base"] * 2)
        self.assertEqual(found["turns"][0]["values"], {"lex": [40.0] * 3})
        self.assertEqual(found["turns"][1]["values"], {"lex": [41.0, 42.0] * 3, "speed": [5.0] * 3})
        self.assertEqual(found["figures"]["speed"], {"unit": "MB/s", "higher": True})
        self.assertEqual(len(found["machine"]), 2)

    def test_what_is_built_once_stays(self):
        makefile = "bench:\n\t@echo run >>runs; echo runs $$(wc -l <runs)\n"
        _, found = self.project({}, {"Makefile": makefile}).measure()
        self.assertEqual([turn["values"]["runs"][0] for turn in found["turns"]], [4, 4, 7, 7, 10, 10, 13, 13])

    def test_a_turn_that_fails_fails_the_job_with_its_output(self):
        said = self.failure(self.project({"Makefile": "bench:\n\t@echo parse 1; echo no compiler >&2; false\n"}))
        self.assertIn("no compiler", said)
        self.assertRegex(said, r"Failed: measure.sh failed with 2 for head, in the first run, which builds and warms up\n$")

    def test_nothing_and_nonsense_are_no_figures(self):
        self.assertIn("Failed: measure.sh printed no figure for head", self.failure(self.project({"figures": ""})))
        shutil.rmtree(self.folder + "/served"), shutil.rmtree(self.folder + "/benchmarks")
        self.assertIn("Failed: measure.sh printed no figure", self.failure(self.project({"figures": "parse -nan %\n"})))

    def test_without_its_base_a_commit_is_measured_alone(self):
        project = self.project({"figures": "lex 41\n"})
        for base in ("", "0" * 40):
            _, found = project.measure(BENCH_BASE_SHA=base)
            self.assertRegex(found["warnings"][-1], "^there is nothing to compare with, because (no commit is named|.* cannot be)")
            self.assertEqual([turn["side"] for turn in found["turns"]], ["head"] * 4)

    def test_a_rehearsal_measures_one_commit_against_itself(self):
        project = self.project({"figures": "lex 41\n"})
        empty = {"BENCH_REHEARSAL": "true", "BENCH_SHA": "", "BENCH_BASE_SHA": "", "BENCH_PROJECT_PATH": ""}
        _, found = project.measure(**empty, REHEARSAL_PROJECT="acme/engine")
        self.assertEqual(found["commits"], {"base": project.head, "head": project.head})
        _, found = project.measure(**empty)
        self.assertEqual((found["commits"], list(found["figures"])), ({}, ["sha256"]))

    def test_only_the_variables_that_are_named_reach_measure_sh(self):
        makefile = "bench:\n\t@env | sed 's/=.*/ 1/'\n"
        project = self.project({}, {"Makefile": makefile})
        done, found = project.measure(MEASURE_VARIABLES="SUITE", SUITE="full", OTHER="1")
        self.assertIsNotNone(found, done.stdout)
        for turn in found["turns"]:
            names = set(turn["values"]) - {"PWD", "OLDPWD", "SHLVL", "_", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKE_TERMERR"}
            self.assertEqual(names, {"PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "SUITE"})


class Lines(unittest.TestCase):
    def test_what_is_a_figure(self):
        good = "parse 1\nparse 2.5e-3\nlex 4 ms\nspeed 7 MB/s higher\n  a/b(c)=d,e::f 1 ns lower  \n"
        figures, nonsense = rounds.parsed(good)
        self.assertEqual(figures["parse"]["values"], [1, 0.0025])
        self.assertEqual(list(figures), ["parse", "lex", "speed", "a/b(c)=d,e::f"])
        self.assertEqual(nonsense, [])

    def test_what_is_none(self):
        bad = ["parse", "parse x", "parse nan", "parse inf", "parse 1e999", "parse 0", "parse -1", "parse --1"]
        bad += ["parse 1 ms better", "parse 1 ms higher x", "Compiling foo v1.0", "x" * 81 + " 1", "parse 1 <b>"]
        self.assertEqual(rounds.parsed("\n".join(bad)), ({}, bad))

    def test_a_name_is_only_text(self):
        figures, _ = rounds.parsed("a|b`<img>@all[x](y)*\x1b[31m 1\n\u202egnp 2\n")
        self.assertEqual(list(figures), ["a_b__img__all_x_(y)___31m", "_gnp"])

    def test_there_are_only_so_many(self):
        figures, _ = rounds.parsed("".join(f"figure{number} 1\n" for number in range(2000)))
        self.assertEqual(len(figures), rounds.MOST_FIGURES)
        figures, _ = rounds.parsed("lex 1\n" * 2000)
        self.assertEqual(len(figures["lex"]["values"]), rounds.MOST_VALUES)


@unittest.skipUnless(os.getuid() == 0, "only root can keep commits apart")
class Attacks(Measuring):
    def attacked(self, **arguments):
        attack = f"project={self.folder}/benchmarks\nmark=glcbt-attacked\n{(HERE / 'attack.sh').read_text()}"
        makefile = "bench:\n\t@cat figures; sh ./attack.sh\n"
        project = self.project({"Makefile": makefile, "attack.sh": attack})
        (project.benchmarks / ".env").write_text("glcbt-attacked-1234")
        done, found = project.measure(**arguments)
        self.assertIsNotNone(found, done.stdout)
        of_head = {name for turn in found["turns"] if turn["side"] == "head" for name in turn["values"]}
        self.assertEqual({name[6:] for name in of_head if name.startswith("tried:")}, TRIES)
        return found, {name[4:] for name in of_head if name.startswith("won:")}

    def test_no_attack_succeeds(self):
        found, won = self.attacked()
        self.assertEqual(won, set())
        self.assertEqual({tuple(turn["values"]["lex"]) for turn in found["turns"]}, {(40.0,) * 3})
        self.assertNotIn("kept apart", " ".join(found["warnings"]))
        for uid in rounds.USERS.values():
            self.assertEqual(rounds.alive(uid), [])
            left = subprocess.run(["find", *rounds.SHARED, "-xdev", "-user", str(uid)], capture_output=True, text=True)
            self.assertEqual(left.stdout, "")

    def test_without_users_of_their_own_they_do_and_the_summary_says_so(self):
        """So the attacks are real."""
        for place in ("/tmp", "/dev/shm"):
            self.addCleanup(Path(place, "glcbt-attacked").unlink, missing_ok=True)
        found, won = self.attacked(before="rounds.kept_apart = lambda: 'nobody is root'")
        # No token is in the environment of measured code in any case.
        self.assertEqual(won, TRIES - {"own_environment"})
        self.assertIn("the commits were not kept apart, because nobody is root", found["warnings"][0])

    def test_a_process_that_hides_from_its_group_is_ended(self):
        makefile = "bench:\n\t@cat figures; setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 0.1; done' &\n"
        done, found = self.project({"Makefile": makefile}).measure()
        self.assertIsNotNone(found, done.stdout)
        self.assertEqual(rounds.alive(rounds.USERS["head"]), [])

    def test_a_flood_is_cut(self):
        makefile = "bench:\n\t@cat figures; yes nonsense | head -c 30000000\n"
        done, found = self.project({"Makefile": makefile}).measure()
        self.assertIsNotNone(found, done.stdout[-2000:])
        self.assertLess(len(done.stdout), 5000)
        self.assertIn("head printed lines that are no figures, such as: nonsense", found["warnings"])

    def test_git_runs_nothing_that_is_configured_or_committed(self):
        project = self.project({".gitattributes": "* filter=evil\n", "figures": "lex 41\n"})
        hooks = project.folder / "hooks"
        hooks.mkdir()
        (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {project.folder}/hooked\n")
        (hooks / "post-checkout").chmod(0o755)
        (project.folder / "gitconfig").write_text(
            f'[core]\nhooksPath = {hooks}\n[filter "evil"]\nsmudge = "touch {project.folder}/smudged; cat"\n'
        )
        marks = [project.folder / "hooked", project.folder / "smudged"]
        environment = os.environ | {"GIT_CONFIG_GLOBAL": str(project.folder / "gitconfig")}
        subprocess.run(["git", "clone", "--quiet", project.source, project.folder / "clone"], env=environment, check=True)
        self.assertEqual([mark.exists() for mark in marks], [True, True])
        for mark in marks:
            mark.unlink()
        _, found = project.measure()
        self.assertEqual([mark.exists() for mark in marks], [False, False])
        self.assertEqual(found["turns"][1]["values"]["lex"], [41.0] * 3)

    def test_what_anybody_may_write_is_closed(self):
        folder = Path(self.folder, "image")
        tool, shared = folder / "tool", folder / "tmp"
        shared.mkdir(parents=True)
        tool.write_text("")
        for path, mode in ((folder, 0o777), (tool, 0o777), (shared, 0o1777)):
            path.chmod(mode)
        rounds.close_to_others([str(folder)])
        self.assertEqual([path.stat().st_mode & 0o7777 for path in (folder, tool, shared)], [0o775, 0o775, 0o1777])


if __name__ == "__main__":
    unittest.main()
