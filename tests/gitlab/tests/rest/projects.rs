//! Projects: who sees them, their settings, and what is in them.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::{Value, json};

#[test]
fn a_project_that_is_only_to_be_read() {
    let states: [fn(&mut Project); 3] = [
        |project| project.archived = true,
        |project| project.in_archived_group = true,
        |project| project.marked_for_deletion_on = Some("2026-01-12".parse().unwrap()),
    ];
    for (number, state) in states.into_iter().enumerate() {
        let gitlab = Gitlab::start();
        gitlab.mr("faster").comment("bench-bot", "Mine");
        let running = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
        gitlab.configure("acme/engine", state);
        gitlab.configure("acme/benchmarks", state);
        let bot = client(&gitlab);
        let mr = "/projects/7/merge_requests/1";
        for (method, path, body) in [
            ("PUT", mr, json!({ "add_labels": "x" })),
            ("POST", &format!("{mr}/discussions"), json!({ "body": "x" })),
            ("PUT", &format!("{mr}/notes/301"), json!({ "body": "x" })),
            ("POST", "/projects/8/pipeline", json!({ "ref": "main" })),
            ("POST", "/projects/8/pipelines/1001/retry", json!({})),
        ] {
            let refused = bot.ask(method, path, &body.to_string());
            assert_eq!(
                (refused.status, refused.json()),
                (403, json!({ "message": "403 Forbidden" })),
                "{method} {path}"
            );
        }
        let award = bot.post(&format!("{mr}/award_emoji"), json!({ "name": "eyes" }));
        assert_eq!(award.json()["message"], "404 Award Emoji Not Found");
        let cancelled = bot.post(
            &format!("/projects/8/pipelines/{running}/cancel"),
            json!({}),
        );
        assert_eq!(
            cancelled.json()["status"],
            "canceled",
            "what runs can be stopped"
        );
        assert_eq!(bot.get(&format!("{mr}/discussions")).status, 200);
        let project = bot.get("/projects/7").json();
        assert_eq!(project["archived"], number == 0);
        let marked = if number == 2 {
            json!("2026-01-12")
        } else {
            Value::Null
        };
        assert_eq!(project["marked_for_deletion_on"], marked);
    }
}

#[test]
fn who_may_cancel() {
    let gitlab = Gitlab::start();
    let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    let restrict = |role: &str| {
        gitlab.configure("acme/benchmarks", |project| {
            project.protected_branches.clear();
            project.ci_restrict_pipeline_cancellation_role = Some(role.to_owned());
        });
    };
    let cancel = || {
        let pipeline =
            client(&gitlab).post(&format!("/projects/8/pipelines/{id}/cancel"), json!({}));
        let job = client(&gitlab).post("/projects/8/jobs/2001/cancel", json!({}));
        [pipeline.status, job.status]
    };
    let setting = || {
        let project = client(&gitlab).get("/projects/8").json();
        project
            .get("ci_restrict_pipeline_cancellation_role")
            .cloned()
    };
    assert_eq!(setting(), None, "not every server can");
    restrict("no_one");
    assert_eq!((cancel(), setting()), ([403, 403], Some(json!("no_one"))));
    restrict("maintainer");
    assert_eq!(cancel(), [200, 201]);
    gitlab.role("bench-bot", "acme/benchmarks", Role::Developer);
    assert_eq!((cancel(), setting()), ([403, 403], None));
    restrict("developer");
    assert_eq!(cancel(), [200, 201]);
}

#[test]
fn a_project_without_a_commit() {
    let gitlab = Gitlab::start();
    gitlab.empty_project("acme/benchmarks");
    let bot = client(&gitlab);
    let project = bot.get("/projects/8").json();
    assert_eq!(
        (&project["default_branch"], &project["empty_repo"]),
        (&json!("main"), &json!(true))
    );
    let run = || {
        let refused = bot.post("/projects/8/pipeline", json!({ "ref": "main" }));
        refused.json()["message"]["base"][0].clone()
    };
    assert_eq!(run(), "Reference not found");
    gitlab.push_to("acme/benchmarks", "main");
    assert_eq!(bot.get("/projects/8").json()["empty_repo"], false);
    assert_eq!(run(), "Missing CI config file");
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
fn files_branches_and_commits() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("feature/faster");
    let file = client(&gitlab)
        .get("/projects/8/repository/files/.gitlab-ci.yml?ref=main")
        .json();
    assert_eq!(
        file["content"],
        "YmVuY2htYXJrOgogIHNjcmlwdDogLi9iZW5jaG1hcmsKICByZXNvdXJjZV9ncm91cDogYmVuY2htYXJrCg=="
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
