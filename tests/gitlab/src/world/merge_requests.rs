use super::{Discussion, Done, LabelChange, LabelEvent, Reaction, Refusal, Time, World};

#[derive(Clone, Debug)]
pub struct MergeRequest {
    pub id: u64,
    pub iid: u64,
    /// The target project.
    pub project_id: u64,
    /// `None` once the fork was deleted.
    pub source_project_id: Option<u64>,
    pub source_branch: String,
    pub target_branch: String,
    pub title: String,
    pub description: Option<String>,
    /// `opened`, `closed`, `merged` or `locked`.
    pub state: String,
    pub author_id: u64,
    pub assignees: Vec<u64>,
    pub created_at: Time,
    pub updated_at: Time,
    /// When its first version was there.
    pub prepared_at: Option<Time>,
    pub closed: Option<(Time, u64)>,
    pub merged: Option<(Time, u64)>,
    pub merge_commit_sha: Option<String>,
    pub labels: Vec<u64>,
    pub label_events: Vec<LabelEvent>,
    /// Still to be written, and to get an id.
    pub late_label_events: Vec<LabelEvent>,
    pub discussion_locked: bool,
    pub discussions: Vec<Discussion>,
    pub reactions: Vec<Reaction>,
    /// Oldest first; without one GitLab does not know the head yet.
    pub versions: Vec<Version>,
    /// Only ever moved to a new pipeline: after a push it may be that of an older commit.
    pub head_pipeline_id: Option<u64>,
}

/// A state of the diff: each push makes one, and each change of the target branch.
#[derive(Clone, Debug)]
pub struct Version {
    pub id: u64,
    pub head_commit_sha: String,
    pub base_commit_sha: String,
    pub start_commit_sha: String,
    pub created_at: Time,
}

#[derive(Clone, Debug, Default)]
pub struct MergeRequestChange {
    pub title: Option<String>,
    pub description: Option<String>,
    /// `close` or `reopen`.
    pub state_event: Option<String>,
    pub labels: LabelChange,
}

impl MergeRequest {
    pub fn sha(&self) -> Option<&str> {
        self.versions
            .last()
            .map(|version| version.head_commit_sha.as_str())
    }

    pub fn is_draft(&self) -> bool {
        let title = self.title.to_lowercase();
        ["draft:", "[draft]", "(draft)"]
            .iter()
            .any(|prefix| title.starts_with(prefix))
    }

    pub fn is_from_fork(&self) -> bool {
        self.source_project_id != Some(self.project_id)
    }
}

impl World {
    /// Opens a merge request from a branch, with one commit on it, to the target project's default
    /// branch.
    pub fn open_merge_request(
        &mut self,
        author: u64,
        source_project: u64,
        branch: &str,
        target_project: u64,
    ) -> u64 {
        let id = self.create_merge_request(author, source_project, branch, target_project);
        self.prepare_merge_request(id);
        id
    }

    /// What GitLab does before it answers: the first version is still to come.
    pub fn create_merge_request(
        &mut self,
        author: u64,
        source_project: u64,
        branch: &str,
        target_project: u64,
    ) -> u64 {
        let id = self.new_merge_request(author, source_project, branch, target_project);
        self.push_to(source_project, branch);
        id
    }

    /// The same of a branch that is there.
    pub(super) fn new_merge_request(
        &mut self,
        author: u64,
        source_project: u64,
        branch: &str,
        target_project: u64,
    ) -> u64 {
        let target = &self.projects[&target_project];
        let target_branch = target.default_branch.clone().unwrap_or_default();
        // Never given twice, though the merge request be deleted.
        let last_iid = self.last_iids.entry(target_project).or_default();
        *last_iid += 1;
        let iid = *last_iid;
        let id = self.ids.merge_request.next();
        let now = self.now();
        self.merge_requests.insert(
            id,
            MergeRequest {
                id,
                iid,
                project_id: target_project,
                source_project_id: Some(source_project),
                source_branch: branch.to_owned(),
                target_branch,
                title: branch.replace(['-', '_'], " "),
                description: None,
                state: "opened".to_owned(),
                author_id: author,
                assignees: Vec::new(),
                created_at: now,
                updated_at: now,
                prepared_at: None,
                closed: None,
                merged: None,
                merge_commit_sha: None,
                labels: Vec::new(),
                label_events: Vec::new(),
                late_label_events: Vec::new(),
                discussion_locked: false,
                discussions: Vec::new(),
                reactions: Vec::new(),
                versions: Vec::new(),
                head_pipeline_id: None,
            },
        );
        id
    }

    /// What is left to a background job, seconds later.
    pub fn prepare_merge_request(&mut self, id: u64) {
        let (project, branch) = self.source_of(id);
        let Some(head) = self.projects[&project].branches.get(&branch).cloned() else {
            return;
        };
        self.add_version(id, &head);
        let now = self.now();
        self.mr_mut(id).prepared_at = Some(now);
    }

    pub(super) fn prepare_merge_requests(&mut self) {
        let unprepared = self.merge_requests.values();
        let unprepared: Vec<u64> = unprepared
            .filter(|mr| mr.prepared_at.is_none() && mr.source_project_id.is_some())
            .map(|mr| mr.id)
            .collect();
        for id in unprepared {
            self.prepare_merge_request(id);
        }
    }

    pub fn find_merge_request(&self, project_id: u64, iid: u64) -> Option<&MergeRequest> {
        self.merge_requests
            .values()
            .find(|mr| mr.project_id == project_id && mr.iid == iid)
    }

    /// For ids that were looked up under the same lock.
    pub fn mr_mut(&mut self, id: u64) -> &mut MergeRequest {
        self.merge_requests
            .get_mut(&id)
            .expect("the merge request was looked up before")
    }

    pub(super) fn touch(&mut self, mr_id: u64) {
        let now = self.now();
        self.mr_mut(mr_id).updated_at = now;
    }

    fn add_version(&mut self, mr_id: u64, head: &str) {
        let mr = &self.merge_requests[&mr_id];
        let target = &self.projects[&mr.project_id].branches;
        let start = target.get(&mr.target_branch).cloned().unwrap_or_default();
        let base = mr
            .versions
            .last()
            .map(|version| version.base_commit_sha.clone());
        let base = base.unwrap_or_else(|| start.clone());
        self.add_version_from(mr_id, head, base, start);
    }

    fn add_version_from(&mut self, mr_id: u64, head: &str, base: String, start: String) {
        let version = Version {
            id: self.ids.version.next(),
            head_commit_sha: head.to_owned(),
            base_commit_sha: base,
            start_commit_sha: start,
            created_at: self.now(),
        };
        let target_project = self.merge_requests[&mr_id].project_id;
        if let Some(commit) = self.commits.get_mut(head) {
            commit.projects.insert(target_project);
        }
        self.mr_mut(mr_id).versions.push(version);
        self.touch(mr_id);
    }

    /// A push to the source branch: a version and a system note, but no pipeline.
    pub fn push(&mut self, mr_id: u64) {
        let (project, branch) = self.source_of(mr_id);
        let sha = self.push_to(project, &branch);
        self.move_head(mr_id, &sha);
    }

    /// Puts the source branch onto any commit, an earlier one of the branch for instance.
    pub fn force_push(&mut self, mr_id: u64, sha: &str) {
        let (project, branch) = self.source_of(mr_id);
        let base = self.merge_requests[&mr_id].versions.last();
        let parents = base
            .map(|version| version.base_commit_sha.clone())
            .into_iter()
            .collect();
        self.add_commit_as(sha, project, &format!("Work on {branch}"), parents);
        self.set_branch(project, &branch, sha);
        self.move_head(mr_id, sha);
    }

    fn source_of(&self, mr_id: u64) -> (u64, String) {
        let mr = &self.merge_requests[&mr_id];
        let project = mr
            .source_project_id
            .expect("nobody pushes to a fork that is gone");
        (project, mr.source_branch.clone())
    }

    pub(super) fn move_head(&mut self, mr_id: u64, sha: &str) {
        // The first version takes whatever is the head by then.
        if self.merge_requests[&mr_id].prepared_at.is_none() {
            return;
        }
        self.add_version(mr_id, sha);
        let author = self.merge_requests[&mr_id].author_id;
        self.add_system_note(mr_id, author, &format!("added 1 commit\n\n* {sha}"));
    }

    pub fn retarget(&mut self, mr_id: u64, branch: &str) {
        let mr = self.mr_mut(mr_id);
        let (project_id, author) = (mr.project_id, mr.author_id);
        let old = std::mem::replace(&mut mr.target_branch, branch.to_owned());
        let head = mr.sha().map(str::to_owned);
        if !self.projects[&project_id].branches.contains_key(branch) {
            self.push_to(project_id, branch);
        }
        if let Some(head) = head {
            let target_head = self.projects[&project_id].branches[branch].clone();
            self.add_version_from(mr_id, &head, target_head.clone(), target_head);
        }
        let entry = format!("changed target branch from `{old}` to `{branch}`");
        self.add_system_note(mr_id, author, &entry);
    }

    /// A commit of the target's head and the source's, not yet on any branch.
    pub fn merge_commit(&mut self, mr_id: u64) -> String {
        let mr = &self.merge_requests[&mr_id];
        let target_head = self.projects[&mr.project_id]
            .branches
            .get(&mr.target_branch)
            .cloned();
        let parents = target_head
            .into_iter()
            .chain(mr.sha().map(str::to_owned))
            .collect();
        let title = format!("Merge branch '{}'", mr.source_branch);
        self.add_commit(mr.project_id, &title, parents)
    }

    /// Likewise, of the target's head and a commit into which the source's are squashed.
    pub fn squash_commit(&mut self, mr_id: u64) -> String {
        let mr = &self.merge_requests[&mr_id];
        let (project, title) = (mr.project_id, mr.title.clone());
        let target_head = self.projects[&project].branches.get(&mr.target_branch);
        let target_head: Vec<String> = target_head.cloned().into_iter().collect();
        let squashed = self.add_commit(project, &title, target_head.clone());
        let parents = target_head.into_iter().chain([squashed]).collect();
        self.add_commit(project, &format!("Merge: {title}"), parents)
    }

    pub fn merge(&mut self, mr_id: u64, user: u64) {
        let sha = self.merge_commit(mr_id);
        let now = self.now();
        let mr = self.mr_mut(mr_id);
        mr.state = "merged".to_owned();
        mr.merged = Some((now, user));
        mr.merge_commit_sha = Some(sha.clone());
        mr.updated_at = now;
        let (project_id, branch) = (mr.project_id, mr.target_branch.clone());
        self.set_branch(project_id, &branch, &sha);
    }

    pub fn close(&mut self, mr_id: u64, user: u64) {
        let now = self.now();
        let mr = self.mr_mut(mr_id);
        if mr.state == "opened" {
            mr.state = "closed".to_owned();
            mr.closed = Some((now, user));
            mr.updated_at = now;
        }
    }

    pub fn reopen(&mut self, mr_id: u64) {
        let now = self.now();
        let mr = self.mr_mut(mr_id);
        if mr.state == "closed" {
            mr.state = "opened".to_owned();
            mr.closed = None;
            mr.updated_at = now;
        }
    }

    pub fn may_update(&self, mr_id: u64, user: u64) -> bool {
        let mr = &self.merge_requests[&mr_id];
        let project = &self.projects[&mr.project_id];
        let is_theirs = mr.author_id == user || mr.assignees.contains(&user);
        !project.is_read_only() && (project.is_developed_by(Some(user)) || is_theirs)
    }

    pub fn update_merge_request(&mut self, mr_id: u64, user: u64, to: MergeRequestChange) -> Done {
        if !self.may_update(mr_id, user) {
            return Err(Refusal::Forbidden);
        }
        if let Some(title) = to.title {
            if title.trim().is_empty() {
                return Err(Refusal::invalid("title", "can't be blank"));
            }
            let old = std::mem::replace(&mut self.mr_mut(mr_id).title, title.clone());
            if old != title {
                let entry = format!("changed title from **{old}** to **{title}**");
                self.add_system_note(mr_id, user, &entry);
            }
        }
        if let Some(description) = to.description {
            self.mr_mut(mr_id).description = Some(description);
            self.touch(mr_id);
        }
        match to.state_event.as_deref() {
            Some("close") => self.close(mr_id, user),
            Some("reopen") => self.reopen(mr_id),
            _ => {}
        }
        self.change_labels(user, mr_id, &to.labels);
        Ok(())
    }
}
