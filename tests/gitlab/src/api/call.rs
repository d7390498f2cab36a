use super::params::scalar;
use super::{Answer, Endpoint, Params};
use crate::world::{MergeRequest, Pipeline, Project, World};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::collections::BTreeMap;

const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PER_PAGE: usize = 20;
const MOST_PER_PAGE: usize = 100;

pub type Result<T = Answer> = std::result::Result<T, Answer>;

/// One request, as its endpoint sees it.
pub struct Call<'a> {
    pub world: &'a mut World,
    pub endpoint: &'static Endpoint,
    pub path: BTreeMap<String, String>,
    pub params: Params,
    pub user: Option<u64>,
    pub secret: Option<String>,
    /// The API's address in the words of the client.
    pub asked_at: String,
    pub query: String,
}

impl Call<'_> {
    /// The user, on endpoints that want one.
    pub fn me(&self) -> Result<u64> {
        self.user.ok_or_else(Answer::unauthorized)
    }

    pub fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    pub fn number(&self, name: &str) -> Result<u64> {
        self.path(name)
            .parse()
            .map_err(|_| Answer::error(&format!("{name} is invalid")))
    }

    pub fn project(&self) -> Result<&Project> {
        let asked = self.path("id");
        let project = self
            .world
            .find_project(asked)
            .filter(|project| project.is_visible_to(self.user));
        let project = project.ok_or_else(|| Answer::not_found("Project"))?;
        let is_by_old_path =
            project.path_with_namespace != asked && project.id.to_string() != asked;
        if is_by_old_path {
            Err(self.moved(project.id))
        } else {
            Ok(project)
        }
    }

    fn moved(&self, project_id: u64) -> Answer {
        if self.endpoint.method != "GET" {
            return Answer::message(405, "Non GET methods are not allowed for moved projects");
        }
        let mark = if self.query.is_empty() { "" } else { "?" };
        let url = format!(
            "{}{}{mark}{}",
            self.asked_at,
            self.path_with(project_id),
            self.query
        );
        Answer::text(
            301,
            format!("This resource has been moved permanently to {url}"),
        )
        .header("location", url)
    }

    /// For endpoints of merge requests themselves.
    pub fn merge_request(&self) -> Result<&MergeRequest> {
        let project = self.project()?;
        let iid = self.number("merge_request_iid")?;
        if !project.shows_merge_requests_to(self.user) {
            return Err(Answer::forbidden());
        }
        self.world
            .find_merge_request(project.id, iid)
            .ok_or_else(Answer::no_record)
    }

    /// For what hangs on a merge request: notes, discussions, events.
    pub fn noteable(&self) -> Result<&MergeRequest> {
        let project = self.project()?;
        let iid = self.number("noteable_iid")?;
        let readable = project.shows_merge_requests_to(self.user);
        let mr = self
            .world
            .find_merge_request(project.id, iid)
            .filter(|_| readable);
        mr.ok_or_else(|| Answer::not_found("MergeRequest"))
    }

    pub fn pipeline(&self) -> Result<&Pipeline> {
        let project = self.project()?;
        let id = self.number("pipeline_id")?;
        if !project.shows_pipelines_to(self.user) {
            return Err(Answer::forbidden());
        }
        let pipeline = self
            .world
            .pipelines
            .get(&id)
            .filter(|pipeline| pipeline.project_id == project.id);
        pipeline.ok_or_else(Answer::no_record)
    }

    pub fn page<T>(&self, rows: Vec<T>, render: impl Fn(T) -> Value) -> Answer {
        self.page_among(0, rows, render)
    }

    /// A page of `rows`, before each of which stand `unreadable` ones.
    pub fn page_among<T>(
        &self,
        unreadable: usize,
        rows: Vec<T>,
        render: impl Fn(T) -> Value,
    ) -> Answer {
        self.page_of_readable(unreadable, rows, |_| true, render)
    }

    /// What cannot be read is counted when the page is cut, but not shown.
    pub fn page_of_readable<T>(
        &self,
        unreadable: usize,
        rows: Vec<T>,
        is_readable: impl Fn(&T) -> bool,
        render: impl Fn(T) -> Value,
    ) -> Answer {
        let positive = |name| {
            self.params
                .integer(name)
                .and_then(|n| usize::try_from(n).ok())
                .filter(|&n| n > 0)
        };
        let page = positive("page").unwrap_or(1);
        let per_page = positive("per_page").unwrap_or(PER_PAGE).min(MOST_PER_PAGE);
        let total = rows.len() * (unreadable + 1);
        let last = total.div_ceil(per_page).max(1);
        let first_row = (page - 1).saturating_mul(per_page);
        let shown = first_row..first_row.saturating_add(per_page);

        let body: Vec<Value> = rows
            .into_iter()
            .enumerate()
            .filter(|(number, _)| shown.contains(&(number * (unreadable + 1) + unreadable)))
            .filter(|(_, row)| is_readable(row))
            .map(|(_, row)| render(row))
            .collect();

        let next = (page < last).then_some(page + 1);
        let previous = (page > 1).then(|| (page - 1).min(last));
        let tells_total = total <= self.world.totals_up_to;
        let links = [
            next.map(|page| ("next", page)),
            previous.map(|page| ("prev", page)),
            Some(("first", 1)),
            tells_total.then_some(("last", last)),
        ];
        let links = links
            .into_iter()
            .flatten()
            .map(|(rel, page)| self.link(rel, page, per_page));
        let or_empty = |page: Option<usize>| page.map(|page| page.to_string()).unwrap_or_default();
        let answer = Answer::ok(Value::Array(body))
            .header("link", links.collect::<Vec<_>>().join(", "))
            .header("x-page", page)
            .header("x-per-page", per_page)
            .header("x-next-page", or_empty(next))
            .header("x-prev-page", or_empty(previous));
        if tells_total {
            answer
                .header("x-total", total)
                .header("x-total-pages", last)
        } else {
            answer
        }
    }

    /// A link on the server's own idea of its address, with the project's number.
    fn link(&self, rel: &str, page: usize, per_page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.params.but_for_paging() {
            match value {
                Value::Array(items) => {
                    query.extend_pairs(
                        items
                            .iter()
                            .filter_map(scalar)
                            .map(|item| (format!("{name}[]"), item)),
                    );
                }
                value => {
                    query.append_pair(name, &scalar(value).unwrap_or_default());
                }
            }
        }
        query
            .append_pair("page", &page.to_string())
            .append_pair("per_page", &per_page.to_string());
        let project_id = self
            .world
            .find_project(self.path("id"))
            .map_or(0, |project| project.id);
        let path = self.path_with(project_id);
        format!(
            "<{}/api/v4{path}?{}>; rel=\"{rel}\"",
            self.world.external_url,
            query.finish()
        )
    }

    /// The path of this request, with the project's number for its path.
    fn path_with(&self, project_id: u64) -> String {
        let path = self.endpoint.path.replace("{*", "{");
        let mut path = path.replace("{id}", &project_id.to_string());
        for (name, value) in &self.path {
            path = path.replace(
                &format!("{{{name}}}"),
                &utf8_percent_encode(value, PATH_SEGMENT).to_string(),
            );
        }
        path
    }
}
