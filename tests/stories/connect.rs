//! Each command at the door: whatever the first answer is, its meaning is told, nothing is written, and it is not blamed on
//! the address or the scopes.

use in_memory_gitlab::{BENCH_BOT, EXPIRED_TOKEN, Fault, Gitlab, REVOKED_TOKEN};

use crate::bot::{bot, in_flight};

const COMMANDS: [&str; 7] = [
    "scan",
    "scan --dry-run",
    "reconcile",
    "trigger --mr 1",
    "trigger --mr 1 --wait",
    "status",
    "status --mr 1",
];

#[track_caller]
fn assert_told(gitlab: &Gitlab, token: Option<&str>, code: i32, way: &str) {
    gitlab.clear_requests();
    for command in COMMANDS {
        let bot = bot(gitlab, command);
        let bot = match token {
            Some(token) => bot.env("BENCH_BOT_TOKEN", token),
            None => bot,
        };
        let ran = bot.exits(code);
        let line = ran.complaint();
        assert!(line.contains(way), "{command}: {line}");
        assert!(!line.contains("check --gitlab-url"), "{command}: {line}");
    }
    assert!(gitlab.writes().is_empty(), "{:?}", gitlab.writes());
}

#[test]
fn a_server_that_turns_requests_away_lets_them_in_again_by_itself() {
    let unavailable = "<html><title>503 Service Unavailable</title></html>";
    for fault in [
        Fault::throttled(Some(600)),
        Fault::throttled(None),
        Fault::rate_limited(),
        Fault::answer(503, "text/html", unavailable),
        Fault::bad_gateway(),
    ] {
        let gitlab = Gitlab::start();
        in_flight(&gitlab);
        gitlab.fault(move |_| Some(fault.clone()));
        assert_told(&gitlab, None, 1, "the next run tries again");
    }
}

#[test]
fn an_account_that_gitlab_lets_do_nothing_is_named_with_the_way_out() {
    for (state, way) in [
        (
            "blocked",
            "ask an administrator to unblock the bot's account",
        ),
        (
            "deactivated",
            "sign in as the bot, which reactivates its account",
        ),
        (
            "blocked_pending_approval",
            "ask an administrator to approve the bot's account",
        ),
    ] {
        let gitlab = Gitlab::start();
        in_flight(&gitlab);
        let mut world = gitlab.world();
        let user = world.users.get_mut(&BENCH_BOT).expect("the bot is there");
        user.state = state.to_owned();
        drop(world);
        assert_told(&gitlab, None, 2, way);
    }
}

#[test]
fn a_password_that_expired_is_told_as_that() {
    let gitlab = Gitlab::start();
    in_flight(&gitlab);
    let mut world = gitlab.world();
    let user = world.users.get_mut(&BENCH_BOT).expect("the bot is there");
    user.password_expired = true;
    drop(world);
    assert_told(
        &gitlab,
        None,
        2,
        "sign in as the bot and set a new password",
    );
}

#[test]
fn a_token_that_expired_or_was_revoked_is_told_as_that() {
    let gitlab = Gitlab::start();
    in_flight(&gitlab);
    assert_told(&gitlab, Some(EXPIRED_TOKEN), 2, "expired");
    assert_told(&gitlab, Some(REVOKED_TOKEN), 2, "revoked");
}
