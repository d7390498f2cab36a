//! Tokens, roles, projects and their paths; what is refused before anything is done.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::{Value, json};

#[test]
fn tokens_that_are_not_good() {
    let gitlab = Gitlab::start();
    let with = |token| Client::anonymous(&gitlab).with_token(token).get("/user");
    assert_eq!(with(BOT_TOKEN).json()["username"], "bench-bot");
    assert_eq!(with(READ_ONLY_TOKEN).status, 200);
    let bearer =
        Client::anonymous(&gitlab).with_header(&format!("Authorization: Bearer {ADA_TOKEN}"));
    assert_eq!(bearer.get("/user").json()["username"], "ada");

    let unauthorized = json!({ "message": "401 Unauthorized" });
    assert_eq!(Client::anonymous(&gitlab).get("/user").json(), unauthorized);
    let unknown = with("glpat-unknown");
    assert_eq!((unknown.status, unknown.json()), (401, unauthorized));
    let expired = with(EXPIRED_TOKEN);
    assert_eq!(expired.status, 401);
    assert!(
        expired.json()["error_description"]
            .as_str()
            .unwrap()
            .starts_with("Token is expired.")
    );
    assert_eq!(with(REVOKED_TOKEN).json()["error"], "invalid_token");

    gitlab.world().users.get_mut(&BENCH_BOT).unwrap().state = "blocked".to_owned();
    assert_eq!(with(BOT_TOKEN).status, 403);
}

#[test]
fn a_token_for_reading_does_not_write() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled();
    let reader = Client::anonymous(&gitlab).with_token(READ_ONLY_TOKEN);
    assert_eq!(reader.get("/projects/7/merge_requests/1").status, 200);
    let refused = reader.put(
        "/projects/7/merge_requests/1",
        json!({ "remove_labels": "benchmarking" }),
    );
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (403, &json!("insufficient_scope"))
    );
    assert_eq!(refused.json()["scope"], "api");
    assert!(mr.is_labelled());
}

#[test]
fn a_token_tells_about_itself() {
    let gitlab = Gitlab::start();
    let token = client(&gitlab).get("/personal_access_tokens/self").json();
    assert_eq!(token["scopes"], json!(["api"]));
    assert_eq!(token["expires_at"], "2026-11-01");
    let version = client(&gitlab).get("/version").json();
    assert_eq!(version["version"], "18.5.1-ee");
    assert_eq!(client(&gitlab).get("/metadata").json()["enterprise"], true);
    assert_eq!(Client::anonymous(&gitlab).get("/version").status, 401);
}

#[test]
fn a_private_project_hides_from_strangers() {
    let gitlab = Gitlab::start();
    let stranger = Client::anonymous(&gitlab).with_token(LINUS_TOKEN);
    let hidden = stranger.get("/projects/acme%2Fbenchmarks");
    assert_eq!(
        (hidden.status, hidden.json()),
        (404, json!({ "message": "404 Project Not Found" }))
    );
    assert_eq!(hidden.body, stranger.get("/projects/acme%2Fnowhere").body);
    assert_eq!(stranger.get("/projects/8/pipelines").status, 404);
    assert_eq!(
        Client::anonymous(&gitlab)
            .get("/projects/7/merge_requests")
            .status,
        200
    );
    assert_eq!(
        Client::anonymous(&gitlab).get("/projects/7/labels").status,
        401
    );
}

#[test]
fn settings_are_shown_to_maintainers_only() {
    let gitlab = Gitlab::start();
    let own = client(&gitlab).get("/projects/acme%2Fbenchmarks").json();
    assert_eq!(
        (&own["id"], &own["auto_cancel_pending_pipelines"]),
        (&json!(8), &json!("disabled"))
    );
    assert_eq!(
        own["ci_pipeline_variables_minimum_override_role"],
        "maintainer"
    );
    assert_eq!(own["permissions"]["project_access"]["access_level"], 40);

    let other = client(&gitlab).get("/projects/7").json();
    assert_eq!(other.get("restrict_user_defined_variables"), None);
    assert_eq!(other["permissions"]["project_access"]["access_level"], 30);
    let fork = client(&gitlab).get("/projects/9").json();
    assert_eq!(fork["permissions"]["project_access"], Value::Null);
    assert_eq!(
        fork["forked_from_project"]["path_with_namespace"],
        "acme/engine"
    );
    assert_eq!(
        Client::anonymous(&gitlab)
            .get("/projects/7")
            .json()
            .get("permissions"),
        None
    );
}

#[test]
fn members() {
    let gitlab = Gitlab::start();
    let member = client(&gitlab).get("/projects/8/members/all/20").json();
    assert_eq!(
        (&member["username"], &member["access_level"]),
        (&json!("bench-bot"), &json!(40))
    );
    let missing = client(&gitlab).get("/projects/8/members/all/12");
    assert_eq!(
        (missing.status, missing.json()),
        (404, json!({ "message": "404 Not found" }))
    );
}

#[test]
fn a_moved_project_is_redirected_for_reading_only() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster").labelled();
    gitlab.move_project("acme/engine", "acme/motor");
    let moved = client(&gitlab).get("/projects/acme%2Fengine/merge_requests?state=opened");
    assert_eq!(moved.status, 301);
    let location = moved.header("location").unwrap();
    assert_eq!(
        location,
        format!(
            "{}/api/v4/projects/7/merge_requests?state=opened",
            gitlab.url()
        )
    );
    let refused = client(&gitlab).put(
        "/projects/acme%2Fengine/merge_requests/1",
        json!({ "title": "x" }),
    );
    assert_eq!(refused.status, 405);
    assert_eq!(
        refused.json()["message"],
        "Non GET methods are not allowed for moved projects"
    );
    assert_eq!(
        client(&gitlab).get("/projects/acme%2Fmotor").json()["id"],
        7
    );
    assert_eq!(
        client(&gitlab).get("/projects/7").json()["path_with_namespace"],
        "acme/motor"
    );
}

#[test]
fn what_gitlab_would_ignore_is_refused_and_remembered() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    let client = client(&gitlab);
    let unknown = client.get("/projects/7/merge_requests?label=benchmarking");
    assert_eq!(
        (unknown.status, unknown.json()),
        (400, json!({ "error": "unknown parameter: label" }))
    );
    let unknown = client.put(
        "/projects/7/merge_requests/1",
        json!({ "remove_label": "benchmarking" }),
    );
    assert_eq!(unknown.status, 400);
    let no_route = client.get("/projects/acme/engine/merge_requests");
    assert_eq!(
        (no_route.status, no_route.json()),
        (404, json!({ "error": "404 Not Found" }))
    );
    assert_eq!(
        client.delete("/projects/7/labels").json(),
        json!({ "error": "404 Not Found" })
    );
    assert_eq!(client.ask("POST", "/projects/8/pipeline", "{").status, 400);
    assert_eq!(
        gitlab.take_violations(),
        [
            "unknown parameter: label (GET /projects/7/merge_requests)",
            "unknown parameter: remove_label (PUT /projects/7/merge_requests/1)",
            "unknown route (GET /projects/acme/engine/merge_requests)",
            "unknown route (DELETE /projects/7/labels)",
            "malformed body (POST /projects/8/pipeline)",
        ]
    );
}

#[test]
#[should_panic(expected = "unknown parameter: colour")]
fn a_violation_fails_the_test() {
    let gitlab = Gitlab::start();
    client(&gitlab).get("/projects/7/labels?colour=red");
}

#[test]
fn parameters_are_checked() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    let error = |path: &str| {
        let reply = client(&gitlab).get(path);
        assert_eq!(reply.status, 400, "{path}");
        reply.json()["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        error("/projects/7/merge_requests?state=open"),
        "state does not have a valid value"
    );
    assert_eq!(
        error("/projects/7/merge_requests?per_page=x"),
        "per_page is invalid"
    );
    assert_eq!(
        error("/projects/7/merge_requests?per_page=0"),
        "per_page does not have a valid value"
    );
    assert_eq!(
        error("/projects/7/merge_requests?updated_after=yesterday"),
        "updated_after is invalid"
    );
    assert_eq!(
        error("/projects/7/merge_requests/one"),
        "merge_request_iid is invalid"
    );
    assert_eq!(
        error("/projects/7/repository/files/README.md"),
        "ref is missing"
    );
    let nothing = client(&gitlab).put("/projects/7/merge_requests/1", json!({}));
    assert!(
        nothing.json()["error"]
            .as_str()
            .unwrap()
            .ends_with("at least one parameter must be provided")
    );
}

#[test]
fn under_a_relative_path() {
    let gitlab = Gitlab::builder()
        .external_url(ExternalUrl::Loopback)
        .relative_path("/gitlab")
        .start();
    let mr = gitlab.mr("faster");
    assert!(gitlab.url().ends_with("/gitlab"));
    assert_eq!(
        mr.url(),
        format!("{}/acme/engine/-/merge_requests/1", gitlab.url())
    );
    let reply = client(&gitlab).get("/projects/7/merge_requests");
    assert_eq!(reply.column("web_url"), [mr.url()]);
    let page = Client::anonymous(&gitlab)
        .outside_the_api()
        .get("/gitlab/acme/engine/-/merge_requests/1");
    assert_eq!((page.status, page.body), (200, mr.page()));
    assert!(page.head.contains("text/plain"));
    assert_eq!(
        Client::anonymous(&gitlab)
            .outside_the_api()
            .get("/nothing")
            .status,
        404
    );
}

#[test]
fn files_branches_and_commits() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("feature/faster");
    let file = client(&gitlab)
        .get("/projects/8/repository/files/.gitlab-ci.yml?ref=main")
        .json();
    assert_eq!(
        file["content"],
        "YmVuY2htYXJrOgogIHNjcmlwdDogLi9iZW5jaG1hcmsK"
    );
    let missing = client(&gitlab).get("/projects/8/repository/files/nothing?ref=main");
    assert_eq!(missing.json()["message"], "404 File Not Found");
    let branch = client(&gitlab)
        .get("/projects/7/repository/branches/feature%2Ffaster")
        .json();
    assert_eq!(branch["commit"]["id"], mr.sha());
    assert_eq!(
        client(&gitlab)
            .get("/projects/8/repository/branches/main")
            .json()["protected"],
        true
    );
    let commit = client(&gitlab)
        .get(&format!("/projects/7/repository/commits/{}", mr.sha()))
        .json();
    assert_eq!(commit["parent_ids"].as_array().unwrap().len(), 1);
    assert_eq!(
        client(&gitlab)
            .get("/projects/7/repository/commits/0123")
            .status,
        404
    );
}

#[test]
fn a_protected_branch_says_who_may_use_it() {
    let gitlab = Gitlab::start();
    let branch = |token| {
        let client = Client::anonymous(&gitlab).with_token(token);
        client.get("/projects/7/repository/branches/main").json()
    };
    assert_eq!(branch(ADA_TOKEN)["can_push"], true);
    assert_eq!(branch(BOT_TOKEN)["can_push"], false);
    assert_eq!(branch(BOT_TOKEN)["developers_can_merge"], false);

    gitlab.configure("acme/engine", |project| {
        let developers = Some(Role::Developer);
        project
            .protected_branches
            .insert("main".to_owned(), developers);
        project.merge_only.insert("main".to_owned());
    });
    let main = branch(BOT_TOKEN);
    assert_eq!(
        (&main["can_push"], &main["developers_can_push"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(main["developers_can_merge"], true);

    let rules = |token| {
        let client = Client::anonymous(&gitlab).with_token(token);
        client.get("/projects/7/protected_branches")
    };
    assert_eq!(rules(BOT_TOKEN).status, 403);
    let rules = rules(ADA_TOKEN).json();
    assert_eq!(rules[0]["name"], "main");
    assert_eq!(rules[0]["push_access_levels"][0]["access_level"], 0);
    assert_eq!(rules[0]["merge_access_levels"][0]["access_level"], 30);
}

#[test]
fn a_tag_and_a_ci_file_elsewhere() {
    let gitlab = Gitlab::start();
    gitlab.configure("acme/benchmarks", |project| {
        let head = project.branches["main"].clone();
        project.tags.insert("v1".to_owned(), head);
        project
            .protected_tags
            .insert("v1".to_owned(), Some(Role::Owner));
        project.ci_config_path = Some(".gitlab-ci.yml@acme/engine".to_owned());
    });
    let bot = client(&gitlab);
    let tag = bot.get("/projects/8/repository/tags/v1").json();
    assert_eq!(
        (&tag["name"], &tag["protected"]),
        (&json!("v1"), &json!(true))
    );
    let missing = bot.get("/projects/8/repository/tags/v2");
    assert_eq!(
        (missing.status, missing.json()),
        (404, json!({ "message": "404 Tag Not Found" }))
    );
    let project = bot.get("/projects/8").json();
    assert_eq!(project["ci_config_path"], ".gitlab-ci.yml@acme/engine");
    let run = |reference: &str| {
        let reply = bot.post("/projects/8/pipeline", json!({ "ref": reference }));
        (reply.status, reply.body)
    };
    let refused = run("v1");
    assert_eq!(refused.0, 400);
    assert!(refused.1.contains("sufficient permission"), "{}", refused.1);
    assert_eq!(run("main").0, 201);
    gitlab.configure("acme/engine", |project| project.files.clear());
    assert!(run("main").1.contains("Missing CI config file"));
}
