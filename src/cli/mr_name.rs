//! How people name a merge request.

use std::str::FromStr;

use super::{WrongSetting, without_credentials};
use crate::gitlab::Url;
use crate::id::Iid;

/// A merge request as people name it.
#[derive(Clone, Debug, PartialEq)]
pub enum MrName {
    Number(Iid),
    Url { url: Url, iid: Iid },
}

impl FromStr for MrName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.parse().ok().filter(|number| *number > 0).map(Iid);
        if let Some(iid) = number(text.strip_prefix('!').unwrap_or(text)) {
            return Ok(Self::Number(iid));
        }
        let url = Url::parse(text).ok();
        let iid = url.as_ref().and_then(|url| {
            let (_, after) = url.path().split_once("/-/merge_requests/")?;
            number(after.split('/').next()?)
        });
        match (url, iid) {
            (Some(url), Some(iid)) => Ok(Self::Url { url, iid }),
            _ => Err(
                "write 12, !12 or https://gitlab.example.com/group/name/-/merge_requests/12"
                    .to_owned(),
            ),
        }
    }
}

impl MrName {
    /// The number, if the merge request is one of the project with that address. `server`: the address by which the server
    /// is reached, which need not be the one that it calls its own.
    pub fn in_project(&self, web_url: &str, server: &Url) -> Result<Iid, WrongSetting> {
        match self {
            Self::Number(iid) => Ok(*iid),
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
                    Some((of, _)) if of_server && of == project => Ok(*iid),
                    _ => Err(WrongSetting(format!(
                        "--mr {} is no merge request of {web_url}, which is --project \
                         (BENCH_BOT_PROJECT)",
                        without_credentials(url.as_str())
                    ))),
                }
            }
        }
    }
}
