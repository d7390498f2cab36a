#!/usr/bin/env bash
# What one would write with curl and jq instead of `bench-bot scan`, for comparison: one request after the other.
# It leaves the same behind, so that `bench-bot reconcile` can take over, but it knows nothing of forks, faults, twins,
# withdrawn requests, lists that shift while they are read, or what GitLab makes of a `$`.
set -euo pipefail

api() { # METHOD PATH [CURL ARGUMENTS]
    curl --silent --show-error --fail --request "$1" --header @<(echo "Authorization: Bearer $BENCH_BOT_TOKEN") \
        "${@:3}" "$BENCH_BOT_GITLAB_URL/api/v4/$2"
}
all_pages() { # PATH QUERY
    local page=1 rows
    while :; do
        rows=$(api GET "$1?$2&per_page=100&page=$page")
        printf '%s\n' "$rows"
        [[ $(jq length <<<"$rows") == 100 ]] || break
        page=$((page + 1))
    done | jq --slurp --compact-output add
}
encoded() { jq --raw-output --null-input --arg path "$1" '$path | @uri'; }

source=projects/$(encoded "$BENCH_BOT_PROJECT")
benchmarks=projects/$(encoded "$BENCH_BOT_BENCHMARK_PROJECT")
user=$(api GET user | jq --raw-output .username)
project=$(api GET "$source")
ref=$(api GET "$benchmarks" | jq --raw-output .default_branch)

requests=
while read -r iid; do
    mr=$(api GET "$source/merge_requests/$iid")
    events=$(all_pages "$source/merge_requests/$iid/resource_label_events" "")
    requests+=$(jq --compact-output --argjson events "$events" '. + {
        request: ([$events[] | select(.action == "add" and .label.name == "benchmarking").id] | max // 0)
    }' <<<"$mr")$'\n'
done < <(all_pages "$source/merge_requests" "state=opened&labels=benchmarking" | jq '.[].iid')

served= in_flight=0
while read -r id status; do
    served+=$(api GET "$benchmarks/pipelines/$id/variables" |
        jq --raw-output 'map({(.key): .value}) | add // {} | "\(.BENCH_MR_IID) \(.BENCH_REQUEST_ID)"')$'\n'
    [[ $status =~ ^(success|failed|canceled|skipped)$ ]] || in_flight=$((in_flight + 1))
done < <(all_pages "$benchmarks/pipelines" "username=$user&source=api" | jq --raw-output '.[] | "\(.id) \(.status)"')

next=$(jq --slurp --arg served "$served" '
    ($served | split("\n")) as $served
    | map(select(.head_pipeline.status == "success" and .head_pipeline.sha == .sha))
    | map(select("\(.iid) \(.request)" as $request | $served | index($request) | not))
    | sort_by(.head_pipeline.started_at)[0]' <<<"$requests")
if [[ $next != null && $in_flight == 0 ]]; then
    json=(--header "Content-Type: application/json" --data @-)
    iid=$(jq .iid <<<"$next")
    note() { # TEXT PIPELINE
        jq --arg text "$1" --argjson pipeline "$2" '
            {start: {request, $pipeline, label: "benchmarking", sha}}
            | {body: "\($text)\n\n<!-- bench-bot \(tojson) -->"}' <<<"$next"
    }
    jq --null-input '{name: "eyes"}' | api POST "$source/merge_requests/$iid/award_emoji" "${json[@]}" >/dev/null
    discussion=$(note "Benchmark requested." null |
        api POST "$source/merge_requests/$iid/discussions" "${json[@]}")
    mr=$(api GET "$source/merge_requests/$iid") # All that was read before took a while.
    jq --exit-status '.head_pipeline.status == "success" and .head_pipeline.sha == .sha
        and (.labels | index("benchmarking"))' <<<"$mr" >/dev/null || { echo "!$iid has changed" >&2 && exit 1; }
    pipeline=$(jq --arg ref "$ref" --argjson discussion "$discussion" --argjson project "$project" \
        --argjson request "$(jq .request <<<"$next")" '{ref: $ref, variables: ({
        BENCH_MR_IID: .iid,
        BENCH_LABEL: "benchmarking",
        BENCH_PIPELINE_ID: .head_pipeline.id,
        BENCH_DISCUSSION_ID: $discussion.id,
        BENCH_BRANCH: .source_branch,
        BENCH_SHA: .sha,
        BENCH_PIPELINE_STARTED_AT: .head_pipeline.started_at,
        BENCH_REQUEST_ID: $request,
        BENCH_PROJECT_ID: $project.id,
        BENCH_PROJECT_PATH: $project.path_with_namespace,
        BENCH_PROJECT_URL: $project.web_url,
        BENCH_MR_URL: .web_url,
        BENCH_MR_REF: "refs/merge-requests/\(.iid)/head",
        BENCH_TARGET_BRANCH: .target_branch,
        BENCH_BASE_SHA: .diff_refs.base_sha
    } | to_entries | map({key, value: (.value | tostring)}))}' <<<"$mr" |
        api POST "$benchmarks/pipeline" "${json[@]}")
    note "Benchmark started: $(jq --raw-output .web_url <<<"$pipeline")" "$(jq .id <<<"$pipeline")" |
        api PUT "$source/merge_requests/$iid/notes/$(jq '.notes[0].id' <<<"$discussion")" "${json[@]}" >/dev/null
    echo "started !$iid: $(jq --raw-output .web_url <<<"$pipeline")"
fi
