//! What may happen, and in which order it does, told by a seed.

use super::random::Random;

/// Two in five are runs of the program.
pub const STEPS: usize = 150;

/// What happens next. Numbers choose among what is there at that time.
#[derive(Clone, Debug)]
pub enum Step {
    Person(Deed, usize),
    Machine(Fortune, usize),
    /// So many minutes go by.
    Later(u64),
    Run(Disturbed),
}

/// What people do to a merge request, and to GitLab.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Open,
    OpenFork,
    /// With the label chosen in the form.
    OpenLabelled,
    OpenForkLabelled,
    Label,
    LabelFull,
    Unlabel,
    UnlabelFull,
    Relabel,
    Push,
    PushAndPass,
    Pass,
    Fail,
    MergedResults,
    Merge,
    Close,
    Reopen,
    Delete,
    Comment,
    DeleteDiscussion,
    DeleteFirstNote,
    OtherLabel,
    Impostor,
    Unresolve,
    /// The label gets another name, or its old one back.
    Rename,
    /// The benchmark project refuses all, some or no pipelines.
    RefuseAll,
    RefuseSome,
    RefuseNothing,
    /// Too many pipelines were created in the last minute, until it refuses nothing.
    Limit,
    /// GitLab takes no more notes, or takes them again.
    TakeNoNotes,
    /// What GitLab does later than it answers, for the next run or two.
    EventsLate,
    ListsLag,
    CancelSlowly,
}

/// What becomes of a benchmark.
#[derive(Clone, Copy, Debug)]
pub enum Fortune {
    Runs,
    Ends(&'static str),
    /// By a person, its jobs that failed or were cancelled.
    Retried,
    /// By a manual job, until a person starts it.
    Blocked,
    /// In that status, whoever cancels it, until a person ends it.
    Hangs(&'static str),
}

/// A run, and what disturbs it.
#[derive(Clone, Debug)]
pub struct Disturbed {
    pub command: &'static str,
    /// Whose it is.
    pub by: usize,
    pub mr: usize,
    /// The how-manieth write is hit, by what.
    pub write: Option<(usize, Hit)>,
    /// How many of a hundred reads fail, chosen by what they read.
    pub reads: u64,
    /// Right before that write something else happens: another run at the same time, or somebody's deed.
    pub meanwhile: Option<(usize, Box<Step>)>,
}

#[derive(Clone, Copy, Debug)]
pub enum Hit {
    Stop,
    StopAfter,
    Error,
    ErrorAfter,
    Reset,
    ResetAfter,
    Cut,
    Throttled,
    NotFound,
    NotFoundByProxy,
    Forbidden,
    DateOff,
}

impl Step {
    pub fn is_disturbed(&self) -> bool {
        matches!(self, Step::Run(run) if run.is_disturbed())
    }

    pub fn calm(&self) -> Self {
        match self {
            Step::Run(run) => Step::Run(run.calm()),
            step => step.clone(),
        }
    }
}

impl Disturbed {
    pub fn is_disturbed(&self) -> bool {
        self.write.is_some() || self.reads > 0 || self.meanwhile.is_some()
    }

    pub fn waits(&self) -> bool {
        self.command.contains("--wait")
    }

    pub fn calm(&self) -> Self {
        Self {
            write: None,
            reads: 0,
            meanwhile: None,
            ..self.clone()
        }
    }

    /// Other runs go on at the same time.
    pub fn overlaps(&self) -> bool {
        matches!(&self.meanwhile, Some((_, step)) if matches!(**step, Step::Run(_)))
    }
}

pub fn plan(seed: u64) -> Vec<Step> {
    let random = &mut Random(seed);
    (0..STEPS).map(|_| step(random)).collect()
}

fn step(random: &mut Random) -> Step {
    match random.below(20) {
        0..7 => Step::Person(deed(random), random.below(1000)),
        7..11 => Step::Machine(fortune(random), random.below(1000)),
        11 => Step::Later(random.of(&[1, 10, 60, 26 * 60, 3 * 24 * 60])),
        _ => Step::Run(disturbed(random)),
    }
}

fn fortune(random: &mut Random) -> Fortune {
    let ends = Fortune::Ends(random.of(&["success", "success", "failed", "canceled", "skipped"]));
    let hangs = Fortune::Hangs(random.of(&["running", "canceling", "waiting_for_resource"]));
    random.of(&[
        Fortune::Runs,
        Fortune::Runs,
        ends,
        ends,
        ends,
        ends,
        Fortune::Retried,
        Fortune::Retried,
        Fortune::Blocked,
        hangs,
    ])
}

fn deed(random: &mut Random) -> Deed {
    use Deed::*;
    random.of(&[
        Open,
        Open,
        OpenFork,
        Label,
        Label,
        Label,
        Label,
        Unlabel,
        Relabel,
        Push,
        PushAndPass,
        PushAndPass,
        Pass,
        Pass,
        Pass,
        Fail,
        MergedResults,
        Merge,
        Close,
        Reopen,
        Delete,
        Comment,
        DeleteDiscussion,
        DeleteFirstNote,
        OtherLabel,
        Impostor,
        Unresolve,
        OpenLabelled,
        OpenForkLabelled,
        LabelFull,
        LabelFull,
        UnlabelFull,
        Rename,
        RefuseAll,
        RefuseSome,
        RefuseNothing,
        RefuseNothing,
        RefuseNothing,
        Limit,
        TakeNoNotes,
        EventsLate,
        ListsLag,
        CancelSlowly,
    ])
}

const HITS: [Hit; 12] = [
    Hit::Stop,
    Hit::StopAfter,
    Hit::Error,
    Hit::ErrorAfter,
    Hit::Reset,
    Hit::ResetAfter,
    Hit::Cut,
    Hit::Throttled,
    Hit::NotFound,
    Hit::NotFoundByProxy,
    Hit::Forbidden,
    Hit::DateOff,
];

fn disturbed(random: &mut Random) -> Disturbed {
    let command = random.of(&[
        "scan",
        "scan --max-in-flight 3",
        "reconcile",
        "reconcile",
        "trigger",
        "trigger --force",
        "trigger --wait",
    ]);
    let mut run = Disturbed {
        command,
        by: random.below(1000),
        mr: random.below(1000),
        write: None,
        reads: 0,
        meanwhile: None,
    };
    match random.below(9) {
        0 | 1 => run.write = Some((random.below(4), random.of(&HITS))),
        2 => run.reads = random.of(&[3, 10, 30]),
        3 | 4 => {
            let other = match random.below(3) {
                0 => Step::Person(deed(random), random.below(1000)),
                // The very same, which is what makes two of one.
                1 => Step::Run(run.calm()),
                _ => Step::Run(Disturbed {
                    command: random.of(&["scan --max-in-flight 3", "reconcile", "trigger"]),
                    by: random.below(1000),
                    ..run.calm()
                }),
            };
            run.meanwhile = Some((random.below(5), Box::new(other)));
        }
        _ => {}
    }
    run
}
