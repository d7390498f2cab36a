//! Emoji on merge requests.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::json;

const EMOJI: &str = "/projects/7/merge_requests/1/award_emoji";

#[test]
fn a_reaction_is_put_on_and_taken_back() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    let updated_at =
        || client(&gitlab).get("/projects/7/merge_requests/1").json()["updated_at"].clone();
    let before = updated_at();
    mr.react("ada", "+1");
    let award = || client(&gitlab).post(EMOJI, json!({ "name": "eyes" }));
    let awarded = award();
    assert_eq!((awarded.status, &awarded.json()["id"]), (201, &json!(602)));
    assert_eq!(awarded.json()["user"]["username"], "bench-bot");
    assert_eq!(awarded.json()["awardable_id"], 501);
    let twice = award();
    let taken = "404 Award Emoji Name has already been taken Not Found";
    assert_eq!(
        (twice.status, twice.json()),
        (404, json!({ "message": taken }))
    );
    let list = client(&gitlab).get(EMOJI);
    assert_eq!(list.column("name"), ["thumbsup", "eyes"]);
    let seen = [("thumbsup", "ada"), ("eyes", "bench-bot")];
    assert_eq!(
        mr.reactions(),
        seen.map(|(name, user)| (name.to_owned(), user.to_owned()))
    );
    assert!(mr.page().contains(":eyes: Benchmarking bot"));
    assert!(mr.discussions().is_empty());

    let delete = |id: u64| client(&gitlab).delete(&format!("{EMOJI}/{id}")).status;
    assert_eq!([delete(601), delete(602), delete(602)], [401, 204, 404]);
    assert_eq!(updated_at(), before);
    assert_eq!(mr.reactions().len(), 1);
}

#[test]
fn who_may_react_and_how() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    let award = |token, name: &str| {
        let client = Client::anonymous(&gitlab).with_token(token);
        client.post(EMOJI, json!({ "name": name })).status
    };
    assert_eq!(award(BOT_TOKEN, ":eyes:"), 404);
    assert_eq!(award(READ_ONLY_TOKEN, "eyes"), 403);
    assert_eq!(award(MALLORY_TOKEN, "eyes"), 201);
    mr.lock_discussion();
    assert_eq!(award(MALLORY_TOKEN, "rocket"), 404);
    let owner = Client::anonymous(&gitlab).with_token(MALLORY_TOKEN);
    assert_eq!(owner.delete(&format!("{EMOJI}/601")).status, 204);
    assert_eq!(mr.reactions().len(), 1, "it was not carried out");
    assert_eq!(Client::anonymous(&gitlab).get(EMOJI).status, 401);
}

#[test]
fn the_list_knows_own_reactions() {
    let gitlab = Gitlab::start();
    for (branch, user, name) in [
        ("one", "bench-bot", "eyes"),
        ("two", "ada", "eyes"),
        ("three", "bench-bot", "rocket"),
    ] {
        gitlab.mr(branch).react(user, name);
    }
    gitlab.mr("four");
    let iids = |query: &str| {
        let path = format!("/projects/7/merge_requests?sort=asc&{query}");
        client(&gitlab).get(&path).column("iid")
    };
    assert_eq!(iids("my_reaction_emoji=eyes"), [1]);
    assert_eq!(iids("not[my_reaction_emoji]=eyes"), [2, 3, 4]);
    assert_eq!(iids("my_reaction_emoji=Any"), [1, 3]);
    assert_eq!(iids("my_reaction_emoji=None"), [2, 4]);
    let anyone =
        Client::anonymous(&gitlab).get("/projects/7/merge_requests?my_reaction_emoji=eyes");
    assert_eq!(anyone.column("iid").len(), 4);
    let all = client(&gitlab).get("/projects/7/merge_requests");
    assert_eq!(all.column("upvotes"), [0; 4]);
}
