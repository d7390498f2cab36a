"""Measures two commits in turn: python3 rounds.py measurements.json

The commits are a stranger's. Each is built and measured by a user id of its own, with nothing in its environment that this
file does not name; what it prints is all that is believed of it, and only about itself. Needs nothing but Python, Git, and
setpriv from util-linux.
"""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

# Users that nobody else is, another such job on this machine included.
USERS = {"base": 40000 + os.getpid() % 10000, "head": 50000 + os.getpid() % 10000}
LONGEST_OUTPUT = 1 << 20
MOST_FIGURES, MOST_VALUES = 1000, 1000
SHARED = ["/tmp", "/var/tmp", "/dev/shm", "/run/lock"]
LINE = re.compile(r"(\S{1,80})[ \t]+([0-9.eE+-]{1,32})(?:[ \t]+([A-Za-zµ%/]{1,12}))?(?:[ \t]+(higher|lower))?")
# Where there is no source to rehearse with: what the machine does with a fixed amount of work.
NO_SOURCE = """
import hashlib, time
for _ in range(3):
    start = time.perf_counter()
    hashlib.sha256(bytes(1 << 25)).digest()
    print("sha256", time.perf_counter() - start, "s")
"""


class Failed(Exception):
    pass


def variable(name):
    return os.environ.get(name, "")


def printable(text):
    """Without what a terminal or a job's log would act on."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


def parsed(output):
    """Figures of one turn, and the lines that are none."""
    figures, nonsense = {}, []
    for line in filter(None, map(str.strip, output.splitlines())):
        match = LINE.fullmatch(line)
        try:
            value = float(match[2]) if match else math.nan
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            nonsense.append(line)
            continue
        name = re.sub(r"[^A-Za-z0-9_./:=+,()-]", "_", match[1])
        kind = {"unit": match[3] or "", "higher": match[4] == "higher"}
        figure = figures.setdefault(name, {"kind": kind, "values": []})
        if figure["kind"] == kind and len(figures) <= MOST_FIGURES and len(figure["values"]) < MOST_VALUES:
            figure["values"].append(value)
        else:
            nonsense.append(line)
    return {name: figure for name, figure in figures.items() if figure["values"]}, nonsense


class Side:
    """One commit: its folder, and the user that it is built and measured by."""

    def __init__(self, name, work, apart):
        self.name, self.uid = name, USERS[name]
        self.home = work / name
        self.source = self.home / "source"
        self.source.mkdir(parents=True)
        (self.home / "tmp").mkdir()
        self.as_user = dropping(self.uid) if apart else []

    def hand_over(self):
        """From here on, root touches nothing in it but to remove it."""
        self.home.chmod(0o700)
        if self.as_user:
            subprocess.run(["chown", "-R", "--no-dereference", f"{self.uid}:{self.uid}", self.home], check=True)

    def environment(self):
        # The same length for both: it shifts the stack, and with it the figures.
        names = ["PATH", "LANG", *variable("MEASURE_VARIABLES").split()]
        own = {"HOME": str(self.home), "TMPDIR": str(self.home / "tmp"), "USER": self.name, "LOGNAME": self.name}
        return {name: os.environ[name] for name in names if name in os.environ} | own

    def turn(self, command):
        """What it prints, and whether it succeeded. Nothing that it started is left afterwards."""
        process = subprocess.Popen(
            self.as_user + command,
            cwd=self.source,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            umask=0o077,
        )
        outputs = [bytearray(), bytearray()]
        readers = [
            threading.Thread(target=read, args=(pipe, output), daemon=True)
            for pipe, output in zip((process.stdout, process.stderr), outputs)
        ]
        for reader in readers:
            reader.start()
        status = process.wait()
        self.clear(process.pid)
        for reader in readers:
            reader.join(10)  # Forever, if a process escaped that could not be ended, and holds the pipe.
        return status, *(printable(bytes(output).decode(errors="replace")) for output in outputs)

    def clear(self, session):
        if not self.as_user:
            try:
                os.killpg(session, signal.SIGKILL)
            except ProcessLookupError:
                pass
            return
        for _ in range(100):
            subprocess.run([*self.as_user, "sh", "-c", "kill -KILL -1"], stderr=subprocess.DEVNULL)
            if not alive(self.uid):
                break
            time.sleep(0.1)
        else:
            raise Failed(f"processes of {self.name} cannot be ended: {alive(self.uid)}")
        user = str(self.uid)
        own = ["-path", str(self.home), "-prune"]
        closed = ["-type", "d", "!", "-user", user, "!", "-perm", "/0001", "-prune"]
        left = ["-user", user, "-prune", "-exec", "rm", "-rf", "--", "{}", "+"]
        for place in filter(os.path.isdir, SHARED):
            find = ["find", place, "-xdev", "-mindepth", "1", *own, "-o", *closed, "-o", *left]
            subprocess.run(find, stderr=subprocess.DEVNULL)


def read(pipe, output):
    """To the end, so that nothing blocks, but it keeps no more than it has to."""
    while chunk := pipe.read1(65536):
        output += chunk[: LONGEST_OUTPUT - len(output)]


def dropping(uid):
    ids = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return ["setpriv", *ids, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]


def alive(uid):
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        ids = re.search(r"^Uid:\t(.*)$", text, re.M)[1].split()
        if str(uid) in ids and not re.search(r"^State:\t[ZX]", text, re.M):
            found.append(status.parent.name)
    return found


def kept_apart():
    """None if the commits can be kept apart, else why not."""
    if os.getuid() != 0:
        return "the runner does not run jobs as root"
    tried = [subprocess.run([*dropping(uid), "true"], capture_output=True, text=True) for uid in USERS.values()]
    refused = [printable(run.stderr.strip()) or "no reason given" for run in tried if run.returncode != 0]
    return f"setpriv cannot drop root ({refused[0]})" if refused else None


def close_to_others(tops):
    """Takes away what anybody may write, such as the tools in some images: one commit could replace them for the other."""
    anybody = ["-perm", "-0002", "!", "(", "-type", "d", "-perm", "-1000", ")"]
    find = ["find", *filter(os.path.isdir, tops), "-xdev", "(", "-type", "d", "-o", "-type", "f", ")", *anybody]
    subprocess.run([*find, "-exec", "chmod", "o-w", "{}", "+"], stderr=subprocess.DEVNULL)


class Repository:
    """Where the commits come from. Everything is fetched and checked out before any of it runs."""

    def __init__(self, server, path):
        self.url = f"{server}/{path}.git"
        # The token is sent only to this server, and is in no URL, no file and on no command line.
        helper = '!echo username=gitlab-ci-token; echo "password=$CI_JOB_TOKEN"; true'
        self.git = ["git", "-c", "core.hooksPath=/dev/null", "-c", f"credential.{server}.helper={helper}"]
        kept = ["PATH", "CI_JOB_TOKEN", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]
        self.environment = {name: os.environ[name] for name in kept if name in os.environ} | {
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        if authority := variable("CI_SERVER_TLS_CA_FILE"):
            self.environment["GIT_SSL_CAINFO"] = authority

    def run(self, folder, *arguments):
        done = subprocess.run([*self.git, *arguments], cwd=folder, env=self.environment, capture_output=True, text=True)
        return done.returncode == 0, printable((done.stdout + done.stderr).strip())

    def check_out(self, folder, wanted):
        """The first of `wanted`, refs or commits, that leads to the last one, or says why not."""
        self.run(folder, "init", "--quiet", "--template=")
        if not wanted:
            raise Failed("no commit is named")
        for name in wanted:
            # The commit without its history: remove --depth if something calls `git describe`.
            _, said = self.run(folder, "fetch", "--quiet", "--depth", "1", self.url, name)
            commit = wanted[-1] if wanted[-1] != "HEAD" else "FETCH_HEAD"
            if self.run(folder, "checkout", "--quiet", "--detach", commit, "--")[0]:
                return self.run(folder, "rev-parse", "HEAD")[1]
        raise Failed(f"the commit {printable(wanted[-1])} cannot be fetched ({said})")


def facts():
    """Of the machine, as it is now."""

    def text(path):
        try:
            return Path(path).read_text()
        except OSError:
            return ""

    model = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text("/proc/cpuinfo"), re.M)
    return {
        "cpu": model[1] if model else os.uname().machine,
        "cpus": len(os.sched_getaffinity(0)),
        "governor": text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or "unknown",
        "load": round(os.getloadavg()[0], 1),
        "kernel": os.uname().release,
    }


def fetched(sides, rehearsal, warnings):
    """The commits, once each side has its source. Without a base there is one side; without a source there are none."""
    path = variable("BENCH_PROJECT_PATH") or (variable("REHEARSAL_PROJECT") if rehearsal else "")
    if not path and not rehearsal:
        raise Failed("BENCH_PROJECT_PATH is empty")
    repository = Repository(variable("CI_SERVER_URL"), path)
    if rehearsal:
        if not path:
            return {}
        head = repository.check_out(sides["head"].source, [variable("BENCH_SHA") or "HEAD"])
        return {"base": repository.check_out(sides["base"].source, [head]), "head": head}
    for name in ("BENCH_SHA", "BENCH_BASE_SHA"):
        if not re.fullmatch(r"([0-9a-f]{40,64})?", variable(name)):
            raise Failed(f"{name} is no commit: {printable(variable(name))}")
    # Since the label was added, the branch may have moved, or the ref may be gone; GitLab keeps the commit all the same.
    ref = variable("BENCH_MR_REF")
    refs = [ref] if re.fullmatch(r"refs/[\w/.-]+", ref) else []
    commits = {"head": repository.check_out(sides["head"].source, [*refs, variable("BENCH_SHA")])}
    try:
        base = [variable("BENCH_BASE_SHA")] if variable("BENCH_BASE_SHA") else []
        commits["base"] = repository.check_out(sides["base"].source, base)
    except Failed as failed:
        warnings.append(f"there is nothing to compare with, because {' '.join(str(failed).split())}")
        del sides["base"]
    return commits


def take_turns(sides, command, rounds):
    """What each turn printed, as figures, after a first run that builds and warms up."""
    found = {"machine": [], "figures": {}, "turns": []}
    strays = {}
    for number in range(rounds + 1):
        if number:
            found["machine"].append(facts())
        order = ["base", "head", "head", "base"] if number else ["base", "head"]
        for name in filter(sides.get, order):
            where = f"round {number} of {rounds}" if number else "the first run, which builds and warms up"
            print(f"{name.capitalize()}: {where}", flush=True)
            status, output, errors = sides[name].turn(command)
            figures, nonsense = parsed(output)
            if status != 0 or not figures:
                print(output[-8192:], errors[-8192:], sep="\n", flush=True)
                reason = f"failed with {status}" if status != 0 else "printed no figure"
                raise Failed(f"measure.sh {reason} for {name}, in {where}")
            if nonsense:
                strays[name] = nonsense[0]
            if number:
                found["turns"].append({"round": number, "side": name, "values": {}})
                for figure, new in figures.items():
                    # What one commit calls milliseconds cannot be compared with what the other calls seconds.
                    if found["figures"].setdefault(figure, new["kind"]) == new["kind"]:
                        found["turns"][-1]["values"][figure] = new["values"]
                    else:
                        strays[name] = f"{figure} in another unit"
    shown = {name: re.sub(r"[^A-Za-z0-9_./:=+,() -]", "_", line[:60]) for name, line in strays.items()}
    return found, [f"{name} printed lines that are no figures, such as: {line}" for name, line in shown.items()]


def measure(work, rehearsal, rounds):
    warnings = []
    unfit = kept_apart()
    project = Path(__file__).resolve().parent
    if unfit:
        warnings.append(f"the commits were not kept apart, because {unfit}: each could change the other's figures, and the verdict")
    else:
        # The Docker executor leaves the checkout, and the files that GitLab puts beside it, open to everybody.
        for folder in filter(Path.is_dir, (project, project.with_name(project.name + ".tmp"))):
            folder.chmod(0o700)
        if variable("CI_DISPOSABLE_ENVIRONMENT") == "true":
            close_to_others(["/", "/builds", "/cache"])
        else:
            warnings.append("the machine outlives the job: what anybody may write on it, both commits could")
    # The files of the benchmark project, for all to read and for nobody to change.
    tools = work / "tools"
    shutil.copytree(project, tools, symlinks=True, ignore=shutil.ignore_patterns(".*", "venv"))
    subprocess.run(["chmod", "-R", "go=rX", tools], check=True)

    sides = {name: Side(name, work, not unfit) for name in USERS}
    commits = fetched(sides, rehearsal, warnings)
    for side in sides.values():
        side.hand_over()
        print(f"{side.name.capitalize()}: {commits.get(side.name, 'no source, but the machine alone')}")
    command = ["sh", str(tools / "measure.sh")] if commits else [sys.executable, "-c", NO_SOURCE]
    found, strays = take_turns(sides, command, rounds)
    return {"rehearsal": rehearsal, "commits": commits, "warnings": warnings + strays, **found}


def main(target):
    rehearsal = variable("BENCH_REHEARSAL") == "true"
    rounds = int(variable("ROUNDS") or 6)
    if rounds < 2:
        raise Failed("ROUNDS is less than 2")
    print(f"Branch: {printable(variable('BENCH_BRANCH'))}")
    # Root's own, and nobody may look into it but to reach what is theirs.
    work = Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
    work.chmod(0o711)
    try:
        found = measure(work, rehearsal, rounds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    Path(target).write_text(json.dumps(found))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Failed as failed:
        sys.exit(f"Failed: {failed}")
