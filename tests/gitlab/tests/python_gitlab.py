"""A client that knows nothing of the in-memory GitLab: python-gitlab must take it for the real one."""

import os

import gitlab


def main():
    gl = gitlab.Gitlab(os.environ["GITLAB_URL"], private_token=os.environ["GITLAB_TOKEN"])
    gl.auth()
    assert gl.user.username == "bench-bot", gl.user
    assert gl.version()[0].startswith("18."), gl.version()
    token = gl.personal_access_tokens.get("self")
    assert token.scopes == ["api"] and token.user_id == gl.user.id, token

    project = gl.projects.get("acme/engine")
    assert project.default_branch == "main"
    assert project.permissions["project_access"]["access_level"] == gitlab.const.AccessLevel.DEVELOPER
    member = project.members_all.get(gl.user.id)
    assert member.access_level == gitlab.const.AccessLevel.DEVELOPER
    assert [label.name for label in project.labels.list(get_all=True)] == ["benchmarking", "other"]

    # Several pages, in both ways that python-gitlab has.
    query = {"state": "opened", "labels": ["benchmarking"], "order_by": "created_at", "sort": "asc", "per_page": 2}
    found = project.mergerequests.list(get_all=True, **query)
    assert [mr.iid for mr in found] == [1, 2, 3, 4, 5], found
    pages = project.mergerequests.list(iterator=True, **query)
    assert pages.total == 5 and pages.total_pages == 3
    assert [mr.iid for mr in pages] == [1, 2, 3, 4, 5]
    assert not hasattr(found[0], "head_pipeline")

    mr = project.mergerequests.get(1)
    assert mr.head_pipeline["status"] == "success" and mr.head_pipeline["sha"] == mr.sha
    assert [pipeline.id for pipeline in mr.pipelines.list(get_all=True)] == [mr.head_pipeline["id"]]
    assert project.commits.get(mr.sha).parent_ids == [mr.diff_refs["base_sha"]]
    assert [version.head_commit_sha for version in mr.diffs.list(get_all=True)] == [mr.sha]
    events = mr.resourcelabelevents.list(get_all=True, per_page=1)
    assert [(event.action, event.label["name"]) for event in events] == [("add", "benchmarking"), ("add", "other")]
    assert events[0].user["username"] == "ada"

    discussion = mr.discussions.create({"body": "Benchmark started.<!-- marker -->"})
    first = discussion.attributes["notes"][0]
    assert first["body"].endswith("<!-- marker -->") and first["resolvable"], first

    benchmarks = gl.projects.get("acme/benchmarks")
    variables = [{"key": "BENCH_SHA", "value": mr.sha}, {"key": "BENCH_BRANCH", "value": "a$$b"}]
    pipeline = benchmarks.pipelines.create({"ref": "main", "variables": variables})
    assert (pipeline.status, pipeline.source, pipeline.user["username"]) == ("created", "api", "bench-bot")
    assert {v.key: v.value for v in pipeline.variables.list()} == {"BENCH_SHA": mr.sha, "BENCH_BRANCH": "a$$b"}
    mine = benchmarks.pipelines.list(username="bench-bot", source="api", order_by="id", sort="desc", get_all=True)
    assert [other.id for other in mine] == [pipeline.id]
    assert [job.name for job in pipeline.jobs.list(get_all=True)] == ["benchmark"]
    assert benchmarks.files.get(".gitlab-ci.yml", ref="main").decode().startswith(b"benchmark:")

    reply = discussion.notes.create({"body": "success: see the pipeline"})
    edited = discussion.notes.get(first["id"])
    edited.body = f"Benchmark started: {pipeline.web_url}"
    edited.save()
    discussion = mr.discussions.get(discussion.id)
    bodies = [note["body"] for note in discussion.attributes["notes"]]
    assert bodies == [f"Benchmark started: {pipeline.web_url}", "success: see the pipeline"], bodies
    assert reply.author["id"] == gl.user.id
    discussion.resolved = True
    discussion.save()
    assert mr.discussions.get(discussion.id).attributes["notes"][1]["resolved"]

    after = project.mergerequests.update(mr.iid, {"remove_labels": ["benchmarking"]})
    assert after["labels"] == ["other"], after["labels"]

    reaction = mr.awardemojis.create({"name": "eyes"})
    assert [mine.iid for mine in project.mergerequests.list(my_reaction_emoji="eyes", get_all=True)] == [mr.iid]
    reaction.delete()
    assert not mr.awardemojis.list(get_all=True)

    job = benchmarks.jobs.get(pipeline.jobs.list(get_all=True)[0].id)
    job.cancel()
    assert benchmarks.pipelines.get(pipeline.id).status == "canceled"
    job.retry()
    pipeline.cancel()
    assert benchmarks.pipelines.get(pipeline.id).status == "canceled"

    try:
        benchmarks.pipelines.create({"ref": "nowhere"})
    except gitlab.GitlabCreateError as error:
        assert error.response_code == 400 and error.error_message == {"base": ["Reference not found"]}, error
    else:
        raise AssertionError("a pipeline on a branch that is not there")


main()
