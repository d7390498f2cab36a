//! Reads what GitLab shows of the setup, for `doctor` to judge.

use crate::cli::Config;
use crate::gitlab::answer::{Pipeline, User};
use crate::gitlab::{Error, ProjectAccess, ProjectSettings, Role, both, parallel_map};
use crate::id::ProjectId;
use crate::setup::findings::{
    AutomationFindings, CiFile, Findings, LabelFound, ProjectFindings, RefFound, TokenFindings,
};

/// Takes two round trips: first the version, tokens and projects, then what depends on them.
pub fn read(
    source: &ProjectAccess,
    benchmark: &ProjectAccess,
    config: &Config,
    given: bool,
) -> Findings {
    let two_tokens = config.connection.benchmark_token.is_some();
    let ((version, token), (benchmark_token, (source_settings, benchmark_settings))) = both(
        || both(|| source.version(), || TokenFindings::of(source, given)),
        || {
            both(
                || two_tokens.then(|| TokenFindings::of(benchmark, true)),
                || both(|| source.project(), || benchmark.project()),
            )
        },
    );
    let mut findings = Findings {
        url: config
            .connection
            .gitlab_url
            .as_str()
            .trim_end_matches('/')
            .to_owned(),
        now: source.now(),
        timeout: config.rules.timeout,
        max_in_flight: config.rules.max_in_flight,
        resolve: config.resolve,
        given_flags: config.given_flags.clone(),
        version,
        token,
        benchmark_token,
        source: ProjectFindings::at(source, source_settings),
        benchmark: ProjectFindings::at(benchmark, benchmark_settings),
        automation: None,
        labels: Vec::new(),
        ref_found: None,
        ci_file: None,
        pipelines: None,
        rehearsal: None,
        tried: None,
    };
    let labels = &config.labels;
    let benchmark_user = &findings.benchmark_identity().user;
    let automation = || Some(AutomationFindings::at(source, config.automation?));
    let (((source_role, labels), automation), (benchmark_role, ((ref_found, ci_file), pipelines))) =
        both(
            || {
                both(
                    || {
                        both(
                            || findings.source.role(source, &findings.token.user),
                            || find_labels(source, &findings, labels),
                        )
                    },
                    automation,
                )
            },
            || {
                both(
                    || findings.benchmark.role(benchmark, benchmark_user),
                    || match &findings.benchmark.settings {
                        Ok(settings) => both(
                            || code(benchmark, settings, config.ref_name.as_deref()),
                            || pipelines(benchmark, settings, benchmark_user),
                        ),
                        Err(_) => ((None, None), None),
                    },
                )
            },
        );
    findings.source.role = source_role;
    findings.benchmark.role = benchmark_role;
    findings.automation = automation;
    findings.labels = labels;
    findings.ref_found = ref_found;
    findings.ci_file = ci_file;
    findings.pipelines = pipelines;
    findings
}

impl TokenFindings {
    fn of(access: &ProjectAccess, given: bool) -> Self {
        let (user, details) = both(|| access.user(), || access.token_details());
        Self {
            variable: access.variable,
            given,
            user,
            details,
        }
    }
}

impl ProjectFindings {
    fn at(access: &ProjectAccess, settings: Result<ProjectSettings, Error>) -> Self {
        Self {
            name: access.name.to_string(),
            setting: access.setting,
            settings,
            role: None,
        }
    }

    fn role(
        &self,
        access: &ProjectAccess,
        user: &Result<User, Error>,
    ) -> Option<Result<Option<Role>, Error>> {
        match (&self.settings, user) {
            (Ok(settings), Ok(user)) => Some(access.role(settings.project.id, user.id)),
            _ => None,
        }
    }
}

impl AutomationFindings {
    /// With the token for the source project.
    fn at(access: &ProjectAccess, project: ProjectId) -> Self {
        let (settings, (job_tokens, pipelines)) = both(
            || access.settings_of(project),
            || {
                both(
                    || access.job_token_scope(project),
                    || access.newest_pipelines(project),
                )
            },
        );
        Self {
            settings,
            job_tokens,
            pipelines,
        }
    }
}

fn find_labels(
    source: &ProjectAccess,
    findings: &Findings,
    labels: &[String],
) -> Vec<(String, LabelFound)> {
    let Ok(settings) = &findings.source.settings else {
        return Vec::new();
    };
    parallel_map(labels.iter().collect(), |label: &String| {
        let found = match source.label_exists(settings.project.id, label) {
            Ok(true) => LabelFound::There,
            Ok(false) => LabelFound::Missing,
            Err(error) => LabelFound::Unread(error),
        };
        (label.clone(), found)
    })
}

fn pipelines(
    benchmark: &ProjectAccess,
    settings: &ProjectSettings,
    user: &Result<User, Error>,
) -> Option<Result<Vec<Pipeline>, Error>> {
    let user = user.as_ref().ok()?.clone();
    let project = benchmark
        .clone()
        .into_benchmark_project(user, settings.project.clone());
    Some(project.newest())
}

/// The ref, and the CI file there.
fn code(
    benchmark: &ProjectAccess,
    settings: &ProjectSettings,
    ref_name: Option<&str>,
) -> (Option<RefFound>, Option<CiFile>) {
    let id = settings.project.id;
    // An empty repository names a default branch too.
    let name = ref_name.or(settings.project.default_branch.as_deref());
    let Some(name) = name.filter(|_| settings.empty_repo != Some(true)) else {
        return (None, None);
    };
    let ((branch, tag), (rules, ci_file)) = both(
        || both(|| benchmark.branch(id, name), || benchmark.tag(id, name)),
        || {
            both(
                || benchmark.protected_branches(id),
                || CiFile::at(benchmark, settings, name),
            )
        },
    );
    let found = RefFound {
        name: name.to_owned(),
        branch,
        tag,
        rules,
    };
    (Some(found), Some(ci_file))
}

impl CiFile {
    /// `ci_config_path` names a file of the repository, `file@group/project`, or an address.
    fn at(benchmark: &ProjectAccess, settings: &ProjectSettings, ref_name: &str) -> Self {
        let configured = settings.ci_config_path.as_deref().unwrap_or_default();
        if configured.contains('@') || configured.contains("://") {
            return Self::Elsewhere(configured.to_owned());
        }
        let path = match configured {
            "" => ".gitlab-ci.yml",
            path => path,
        };
        Self::Own {
            path: path.to_owned(),
            text: benchmark.file(settings.project.id, path, ref_name),
        }
    }
}
