//! What the in-memory GitLab promises, seen over HTTP.

mod access;
mod client;
mod creation;
mod discussions;
mod faults;
mod jobs;
mod labels;
mod merge_requests;
mod paging;
mod people;
mod pipelines;
mod projects;
mod reactions;
mod setup;
mod tokens;
