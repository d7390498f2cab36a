# What a merge request's code may try. Each try prints a figure, and each success another one.
# $project is the checkout of the benchmark project, $mark begins the job token.
attempt() {
    echo "tried:$1 1"
    if "$1" 2>/dev/null; then echo "won:$1 1"; fi
}
root() { [ "$(id -u)" = 0 ]; }
privileges() { ! grep -q '^NoNewPrivs:.1' /proc/self/status || grep -q '^Cap\(Inh\|Prm\|Eff\):.*[1-9a-f]' /proc/self/status; }
own_environment() { env | grep -q "$mark"; }
other_environments() { cat /proc/[0-9]*/environ | grep -aq "$mark"; }
token_file() { cat "$project/.env" ../../tools/.env | grep -q "$mark"; }
base_figures() { echo 'lex 1000' >>../../base/source/figures; }
base_home() { ls ../../base; }
tools() { echo '# changed' >>../../tools/measure.sh; }
comparison() { echo '# changed' >>"$project/judge.py"; }
measurements() { echo "{}" >>"$project/measurements.json"; }
# What is left by an earlier turn: each has a session of its own.
session=$(cut -d ' ' -f 6 /proc/self/stat)
process() {
    [ "$(cat began)" != "$session" ] || return 1
    grep -q '^State:.[^ZX]' "/proc/$(cat pid)/status" && return 0 # a zombie does nothing
    echo "$session" >began
    setsid sh -c 'echo $$ >pid; exec sleep 60' &
    return 1
}
shared() {
    [ -s "/tmp/$mark" ] && [ "$(cat "/tmp/$mark")" != "$session" ] && [ -e "/dev/shm/$mark" ] && return 0
    echo "$session" | tee "/dev/shm/$mark" >"/tmp/$mark"
    return 1
}
for name in root privileges own_environment other_environments token_file base_figures base_home tools comparison \
    measurements process shared; do
    attempt "$name"
done
