//! A token goes to GitLab in one header, and nowhere else.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use in_memory_gitlab::{BENCH_BOT, BOT_TOKEN, Fault, Gitlab};

use crate::bot::{Bot, Ran, bot};

const BENCHMARK_TOKEN: &str = "glpat-for-benchmarks-9876543210";
const TOKENS: [&str; 2] = [BOT_TOKEN, BENCHMARK_TOKEN];

/// With something to do for every command, and a token for each project.
fn world() -> Gitlab {
    let gitlab = Gitlab::start();
    gitlab
        .world()
        .add_token(BENCHMARK_TOKEN, BENCH_BOT, &["api"]);
    for branch in ["ended", "withdrawn", "ready"] {
        gitlab.mr(branch).passed().labelled();
    }
    bot(&gitlab, "scan --max-in-flight 2").succeeds();
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    gitlab.existing_mr("acme/engine", 2).unlabelled();
    gitlab
}

const COMMANDS: [&str; 4] = [
    "scan --max-in-flight 3",
    "reconcile",
    "trigger --mr 1",
    "status",
];

/// As talkative as it can be.
fn talkative(gitlab: &Gitlab, command: &str) -> Bot {
    bot(gitlab, &format!("{command} -vv"))
        .env("RUST_LOG", "trace")
        .env("BENCH_BOT_BENCHMARK_TOKEN", BENCHMARK_TOKEN)
}

#[track_caller]
fn assert_silent(ran: &Ran, secret: &str) {
    for spelling in spellings(secret) {
        for (name, out) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            let line = out.lines().find(|line| line.contains(&spelling));
            assert_eq!(line, None, "{spelling} on {name}");
        }
    }
}

/// As it is, and in base64 wherever in a longer text it stands.
fn spellings(secret: &str) -> Vec<String> {
    let whole_triples = |from: usize| {
        let bytes = &secret.as_bytes()[from..];
        base64(&bytes[..bytes.len() / 3 * 3])
    };
    (0..3)
        .map(whole_triples)
        .chain([secret.to_owned()])
        .collect()
}

fn base64(triples: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = triples.chunks(3).flat_map(|triple| {
        let bits = triple
            .iter()
            .fold(0, |bits, &byte| bits << 8 | usize::from(byte));
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]))
    });
    digits.collect()
}

#[test]
fn base64_is_what_it_is() {
    assert_eq!(base64(b"Bearer glpat"), "QmVhcmVyIGdscGF0");
}

#[test]
fn no_output_holds_a_token_when_all_goes_well() {
    let gitlab = world();
    for command in COMMANDS {
        let ran = talkative(&gitlab, command).succeeds();
        assert!(ran.stderr.contains("trace:"), "it is talkative");
        TOKENS.iter().for_each(|token| assert_silent(&ran, token));
    }
}

#[test]
fn no_output_holds_a_token_when_things_go_wrong() {
    let onward = |status, to: &str| Fault::Answer {
        status,
        headers: vec![("location".to_owned(), to.to_owned())],
        body: String::new(),
    };
    let gitlab = world();
    for fault in [
        Fault::server_error(),
        Fault::bad_gateway(),
        Fault::Reset,
        Fault::not_json(),
        Fault::answer(401, "application/json", r#"{"message":"401 Unauthorized"}"#),
        onward(302, "https://elsewhere.test/sign_in"),
        onward(301, "/api/v4/user"),
        onward(307, "::"),
    ] {
        // At the door, and once inside.
        for (command, from) in COMMANDS.into_iter().zip([0, 6, 7, 6]) {
            let (fault, asked) = (fault.clone(), Mutex::new(0));
            gitlab.fault(move |_| {
                let mut asked = asked.lock().expect("nobody panicked");
                *asked += 1;
                (*asked > from).then(|| fault.clone())
            });
            let ran = talkative(&gitlab, command).runs();
            assert_ne!(ran.code, 0);
            TOKENS.iter().for_each(|token| assert_silent(&ran, token));
        }
    }
}

#[test]
fn nor_does_it_hold_a_token_that_gitlab_refuses() {
    let gitlab = world();
    for (variable, wrong) in [
        ("BENCH_BOT_TOKEN", "glpat-mistyped-0123456789"),
        ("BENCH_BOT_BENCHMARK_TOKEN", "glpat-mistyped-0123456789"),
        ("BENCH_BOT_TOKEN", "glpat-with a-line\nbreak-012345"),
        ("BENCH_BOT_BENCHMARK_TOKEN", "glpat-not-äscii-0123456789"),
    ] {
        for command in COMMANDS {
            let ran = talkative(&gitlab, command).env(variable, wrong).exits(2);
            assert!(ran.stderr.contains(variable));
            for secret in [wrong, "glpat-mistyped", "break-012345", "scii-0123456789"] {
                assert_silent(&ran, secret);
            }
        }
    }
}

/// Stands between the program and GitLab, and keeps what each connection brings.
struct Wiretap {
    url: String,
    heard: Arc<Mutex<BTreeMap<usize, Vec<u8>>>>,
}

impl Wiretap {
    fn before(gitlab: &Gitlab) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let server = gitlab.url().trim_start_matches("http://").to_owned();
        let heard = Arc::<Mutex<BTreeMap<usize, Vec<u8>>>>::default();
        let tape = Arc::clone(&heard);
        thread::spawn(move || {
            for (number, client) in listener.incoming().flatten().enumerate() {
                let server = TcpStream::connect(&server).expect("GitLab is there");
                let (back, forth) = (both_ways(&client, &server), both_ways(&server, &client));
                let tape = Arc::clone(&tape);
                pass_on(back, move |bytes| {
                    let mut tape = tape.lock().expect("nobody panicked");
                    tape.entry(number).or_default().extend(bytes);
                });
                pass_on(forth, |_| {});
            }
        });
        Self { url, heard }
    }

    fn lines(&self) -> Vec<String> {
        let heard = self.heard.lock().expect("nobody panicked");
        let texts = heard
            .values()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        texts
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }
}

fn both_ways(from: &TcpStream, to: &TcpStream) -> (TcpStream, TcpStream) {
    let handle = |stream: &TcpStream| {
        stream.set_nodelay(true).expect("it is connected");
        stream.try_clone().expect("it is connected")
    };
    (handle(from), handle(to))
}

fn pass_on((mut from, mut to): (TcpStream, TcpStream), keep: impl Fn(&[u8]) + Send + 'static) {
    thread::spawn(move || {
        let mut bytes = [0; 1 << 14];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            keep(&bytes[..length]);
            if to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[test]
fn over_the_wire_it_goes_in_the_authorization_header_alone() {
    let gitlab = world();
    let wiretap = Wiretap::before(&gitlab);
    for command in COMMANDS {
        talkative(&gitlab, command)
            .env("BENCH_BOT_GITLAB_URL", &wiretap.url)
            .succeeds();
    }
    let lines = wiretap.lines();
    for token in TOKENS {
        let header = format!("authorization: bearer {}", token.to_lowercase());
        let spelled = spellings(token);
        let with_it = lines
            .iter()
            .filter(|line| spelled.iter().any(|text| line.contains(text)));
        let mut count = 0;
        for line in with_it {
            assert_eq!(line.to_lowercase(), header);
            count += 1;
        }
        assert!(count > 5, "{count}");
    }
}

#[test]
fn no_other_server_is_asked_whatever_gitlab_answers() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    elsewhere.set_nonblocking(true).expect("it is a socket");
    let url = format!(
        "http://{}/api/v4/user",
        elsewhere.local_addr().expect("it is bound")
    );
    let gitlab = world();
    for (status, from) in [
        (301, "user"),
        (302, "merge_requests"),
        (307, "pipeline"),
        (308, "cancel"),
    ] {
        let url = url.clone();
        gitlab.fault(move |request| {
            let headers = vec![("location".to_owned(), url.clone())];
            let onward = Fault::Answer {
                status,
                headers,
                body: String::new(),
            };
            request.path.ends_with(from).then_some(onward)
        });
        for command in ["scan --max-in-flight 3", "reconcile"] {
            talkative(&gitlab, command).runs();
        }
    }
    assert!(elsewhere.accept().is_err());
}

/// A token in a variable that it is not meant for.
#[test]
fn credentials_in_the_address_of_gitlab_are_not_repeated() {
    let gitlab = Gitlab::start();
    for address in [
        "https://bot:glpat-secret@gitlab.example.com",
        "https://glpat-secret@gitlab.example.com",
        "https://gitlab.example.com?private_token=glpat-secret",
    ] {
        let ran = bot(&gitlab, "scan")
            .env("BENCH_BOT_GITLAB_URL", address)
            .exits(2);
        assert!(
            ran.complaint().contains("BENCH_BOT_TOKEN"),
            "{}",
            ran.stderr
        );
        assert_silent(&ran, "glpat-secret");
    }
}

#[test]
fn nor_those_in_an_address_that_cannot_be_used() {
    let gitlab = Gitlab::start();
    let bot = || bot(&gitlab, "trigger --mr");
    for ran in [
        bot()
            .env(
                "BENCH_BOT_GITLAB_URL",
                "ftp://bot:glpat-secret@gitlab.example.com",
            )
            .arg("1"),
        bot()
            .env(
                "BENCH_BOT_GITLAB_URL",
                "bot:glpat-secret@gitlab.example.com",
            )
            .arg("1"),
        bot()
            .env(
                "BENCH_BOT_PROJECT",
                "https://bot:glpat-secret@gitlab.example.com/acme/engine.git",
            )
            .arg("1"),
        bot().arg("https://bot:glpat-secret@gitlab.example.com/acme/engine/merge_requests/1"),
        bot().arg("https://bot:glpat-secret@gitlab.example.com/acme/other/-/merge_requests/1"),
    ] {
        assert_silent(&ran.exits(2), "glpat-secret");
    }
}
