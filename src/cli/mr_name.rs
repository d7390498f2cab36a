//! The ways to name a merge request on the command line.

use std::str::FromStr;

use super::{WrongSetting, without_credentials};
use crate::gitlab::Url;
use crate::id::Iid;

/// A merge request as the user names it.
#[derive(Clone, Debug, PartialEq)]
pub enum MrName {
    Number(Iid),
    Url {
        url: Url,
        iid: Iid,
    },
    /// Its source branch.
    Branch(String),
}

impl FromStr for MrName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.parse().ok().filter(|number| *number > 0).map(Iid);
        if let Some(iid) = number(text.strip_prefix('!').unwrap_or(text)) {
            return Ok(Self::Number(iid));
        }
        let url = Url::parse(text).ok().filter(|_| text.contains("://"));
        let iid = url.as_ref().and_then(|url| {
            let (_, after) = url.path().split_once("/-/merge_requests/")?;
            number(after.split('/').next()?)
        });
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let is_branch = !is_number && !text.starts_with(['!', '-']) && !text.contains(' ');
        match (url, iid) {
            (Some(url), Some(iid)) => Ok(Self::Url { url, iid }),
            (None, _) if is_branch => Ok(Self::Branch(text.to_owned())),
            _ => Err(
                "write 12, a branch or https://gitlab.example.com/group/name/-/merge_requests/12"
                    .to_owned(),
            ),
        }
    }
}

impl MrName {
    /// Returns the number, or the branch by which to look it up. `web_url`: of the project that the merge request must
    /// belong to. `server`: the URL that bench-bot uses, which may differ from the server's own.
    pub fn in_project(
        &self,
        web_url: &str,
        server: &Url,
    ) -> Result<Result<Iid, &str>, WrongSetting> {
        match self {
            Self::Number(iid) => Ok(Ok(*iid)),
            Self::Branch(branch) => Ok(Err(branch)),
            Self::Url { url, iid } => {
                let path = |url: &Url| url.path().trim_matches('/').to_lowercase();
                let host = |url: &Url| {
                    (
                        url.host_str().map(str::to_owned),
                        url.port_or_known_default(),
                    )
                };
                let project = Url::parse(web_url).ok();
                let of_server = [project.as_ref(), Some(server)]
                    .into_iter()
                    .flatten()
                    .any(|of| host(of) == host(url));
                let project = project.map(|url| path(&url)).unwrap_or_default();
                match path(url).split_once("/-/") {
                    Some((of, _)) if of_server && of == project => Ok(Ok(*iid)),
                    _ => Err(WrongSetting(format!(
                        "{} is not a merge request of {web_url}, which is --project \
                         (BENCH_BOT_PROJECT)",
                        without_credentials(url.as_str())
                    ))),
                }
            }
        }
    }
}
