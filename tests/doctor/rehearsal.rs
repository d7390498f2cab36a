//! What a rehearsal says, and what it proves beside.

use bench_bot::gitlab::answer::Status;
use bench_bot::setup::findings::Rehearsal;

use super::*;

fn started(cancelled: Result<&str, Error>) -> Rehearsal {
    Rehearsal::Started {
        url: "https://gitlab.example.com/acme/benchmarks/-/pipelines/1".to_owned(),
        read_back: Ok(true),
        cancelled: cancelled.map(|word| Status::from(word.to_owned())),
    }
}

#[track_caller]
fn result(findings: &Findings, name: &str) -> CheckResult {
    let checks = checks(findings);
    let check = checks.iter().find(|check| check.name == name);
    check
        .unwrap_or_else(|| panic!("no {name}: {checks:?}"))
        .result
}

fn hint(findings: &Findings, name: &str) -> String {
    let mut checks = checks(findings);
    checks.retain(|check| check.name == name);
    checks.remove(0).hint.unwrap_or_default()
}

/// To a Developer nothing of the settings is shown.
fn developer() -> Findings {
    let mut findings = well();
    let settings = settings(&mut findings.benchmark);
    settings.auto_cancel_pending_pipelines = None;
    settings.restrict_user_defined_variables = None;
    settings.ci_pipeline_variables_minimum_override_role = None;
    findings
}

#[test]
fn a_cancel_is_believed_only_where_it_is_seen() {
    for (status, rehearsal, cancel) in [
        ("canceled", CheckResult::Holds, CheckResult::Holds),
        ("canceling", CheckResult::Holds, CheckResult::Holds),
        ("success", CheckResult::Holds, CheckResult::UnknownRisk),
        (
            "running",
            CheckResult::UnknownNeed,
            CheckResult::UnknownRisk,
        ),
        ("manual", CheckResult::UnknownNeed, CheckResult::UnknownRisk),
    ] {
        let mut findings = developer();
        findings.rehearsal = Some(started(Ok(status)));
        assert_eq!(result(&findings, "rehearsal"), rehearsal, "{status}");
        assert_eq!(result(&findings, "cancel"), cancel, "{status}");
        assert_eq!(result(&findings, "pipeline-variables"), CheckResult::Holds);
    }
    let mut findings = developer();
    findings.rehearsal = Some(started(Err(refused(403))));
    assert_eq!(result(&findings, "rehearsal"), CheckResult::Fails);
    let hint = hint(&findings, "rehearsal");
    assert!(hint.contains("Minimum role required to cancel"), "{hint}");
}

fn fine_grained(variable: &'static str) -> TokenFindings {
    TokenFindings {
        details: Ok(TokenDetails {
            scopes: vec!["granular".to_owned()],
            expires_at: None,
        }),
        ..identity(variable)
    }
}

#[test]
fn a_fine_grained_token_is_proved_in_both_projects_or_not_at_all() {
    let jobless = "400: Pipeline filtered out by workflow rules.";
    let kept = || Rehearsal::NotStarted(forbidden(jobless));
    let unread = |kind| Some(Err(error_of(kind, "no answer in time")));
    for (tried, rehearsal, scopes) in [
        (Some(Ok(())), started(Ok("canceled")), CheckResult::Holds),
        (
            Some(Ok(())),
            started(Ok("running")),
            CheckResult::UnknownNeed,
        ),
        (Some(Ok(())), kept(), CheckResult::UnknownNeed),
        (None, started(Ok("canceled")), CheckResult::UnknownNeed),
        (
            unread(ErrorKind::Unclear),
            started(Ok("canceled")),
            CheckResult::UnknownNeed,
        ),
        (
            Some(Err(forbidden(NOT_GRANTED))),
            started(Ok("canceled")),
            CheckResult::Fails,
        ),
    ] {
        let mut findings = developer();
        findings.token = fine_grained("BENCH_BOT_TOKEN");
        findings.tried = tried;
        findings.rehearsal = Some(rehearsal);
        assert_eq!(result(&findings, "token-scopes"), scopes);
        assert_looked_at_both(&findings);
    }
}

#[test]
fn of_two_tokens_each_is_proved_where_it_writes() {
    let mut findings = developer();
    findings.token = fine_grained("BENCH_BOT_TOKEN");
    findings.benchmark_token = Some(fine_grained("BENCH_BOT_BENCHMARK_TOKEN"));
    findings.rehearsal = Some(started(Ok("canceled")));
    assert_eq!(result(&findings, "token-scopes"), CheckResult::UnknownNeed);
    assert_eq!(
        result(&findings, "benchmark-token-scopes"),
        CheckResult::Holds
    );
    findings.tried = Some(Ok(()));
    findings.rehearsal = Some(Rehearsal::NotStarted(refused(403)));
    assert_eq!(result(&findings, "token-scopes"), CheckResult::Holds);
    assert_eq!(
        result(&findings, "benchmark-token-scopes"),
        CheckResult::UnknownNeed
    );
}

/// A failure that was read remains one, whatever was tried.
#[test]
fn a_token_whose_scopes_do_not_suffice_is_not_excused() {
    let mut findings = well();
    findings.token.details = Ok(TokenDetails {
        scopes: vec!["read_api".to_owned()],
        expires_at: None,
    });
    findings.rehearsal = Some(started(Ok("canceled")));
    assert_eq!(result(&findings, "token-scopes"), CheckResult::Fails);
}

#[test]
fn a_group_above_is_suspected_where_the_role_suffices() {
    let mut findings = well();
    findings.rehearsal = Some(Rehearsal::NotStarted(refused(403)));
    let hint = hint(&findings, "rehearsal");
    assert!(hint.contains("a group above it is archived"), "{hint}");
}
