"""What one would write with python-gitlab instead of `bench-bot scan`, for comparison: one request after the other.

It leaves the same behind, so that `bench-bot reconcile` can take over, but it knows nothing of forks, faults, twins,
withdrawn requests, lists that shift while they are read, or what GitLab makes of a `$`.
"""

import json
import os

import gitlab

gl = gitlab.Gitlab(os.environ["BENCH_BOT_GITLAB_URL"], private_token=os.environ["BENCH_BOT_TOKEN"], per_page=100)
gl.auth()
source = gl.projects.get(os.environ["BENCH_BOT_PROJECT"])
benchmarks = gl.projects.get(os.environ["BENCH_BOT_BENCHMARK_PROJECT"])

requests = []
for listed in source.mergerequests.list(state="opened", labels=["benchmarking"], get_all=True):
    mr = source.mergerequests.get(listed.iid)
    added = [
        event.id
        for event in mr.resourcelabelevents.list(get_all=True)
        if event.action == "add" and event.label and event.label["name"] == "benchmarking"
    ]
    requests.append((mr, max(added, default=0)))

served, in_flight = set(), 0
for pipeline in benchmarks.pipelines.list(username=gl.user.username, source="api", get_all=True):
    variables = {variable.key: variable.value for variable in pipeline.variables.list()}
    served.add((variables.get("BENCH_MR_IID"), variables.get("BENCH_REQUEST_ID")))
    in_flight += pipeline.status not in ("success", "failed", "canceled", "skipped")


def ready(mr, request):
    head = mr.head_pipeline
    passed = head and head["status"] == "success" and head["sha"] == mr.sha
    return passed and "benchmarking" in mr.labels and (str(mr.iid), str(request)) not in served


def note(text, mr, request, pipeline=None):
    start = {"request": request, "pipeline": pipeline, "label": "benchmarking", "sha": mr.sha}
    return {"body": f"{text}\n\n<!-- bench-bot {json.dumps({'start': start})} -->"}


queue = [(mr, request) for mr, request in requests if ready(mr, request)]
queue.sort(key=lambda queued: queued[0].head_pipeline["started_at"])
if queue and in_flight == 0:
    mr, request = queue[0]
    mr.awardemojis.create({"name": "eyes"})
    discussion = mr.discussions.create(note("Benchmark requested.", mr, request))
    mr = source.mergerequests.get(mr.iid)  # All that was read before took a while.
    if not ready(mr, request):
        raise SystemExit(f"!{mr.iid} has changed")
    record = {
        "BENCH_MR_IID": mr.iid,
        "BENCH_LABEL": "benchmarking",
        "BENCH_PIPELINE_ID": mr.head_pipeline["id"],
        "BENCH_DISCUSSION_ID": discussion.id,
        "BENCH_BRANCH": mr.source_branch,
        "BENCH_SHA": mr.sha,
        "BENCH_PIPELINE_STARTED_AT": mr.head_pipeline["started_at"],
        "BENCH_REQUEST_ID": request,
        "BENCH_PROJECT_ID": source.id,
        "BENCH_PROJECT_PATH": source.path_with_namespace,
        "BENCH_PROJECT_URL": source.web_url,
        "BENCH_MR_URL": mr.web_url,
        "BENCH_MR_REF": f"refs/merge-requests/{mr.iid}/head",
        "BENCH_TARGET_BRANCH": mr.target_branch,
        "BENCH_BASE_SHA": mr.diff_refs["base_sha"],
    }
    variables = [{"key": key, "value": str(value)} for key, value in record.items()]
    pipeline = benchmarks.pipelines.create({"ref": benchmarks.default_branch, "variables": variables})
    first = discussion.attributes["notes"][0]["id"]
    discussion.notes.update(first, note(f"Benchmark started: {pipeline.web_url}", mr, request, pipeline.id))
    print(f"started !{mr.iid}: {pipeline.web_url}")
