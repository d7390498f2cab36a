//! An in-memory GitLab: its REST API v4 over real HTTP, on the loopback, for tests and for trying
//! things out.
//!
//! ```
//! use in_memory_gitlab::Gitlab;
//!
//! let gitlab = Gitlab::start();
//! let mr = gitlab.mr("faster").passed().labelled();
//! // … something works with the server at gitlab.url() …
//! assert!(mr.discussions().is_empty());
//! assert!(gitlab.writes().is_empty());
//! ```
//!
//! [`world`] is the model: projects, merge requests, pipelines, and what GitLab does to them; `api`
//! is its face. Tests act through [`People`]: push, label, comment, end a pipeline. It is stricter
//! than GitLab in one thing: what GitLab would ignore (an unknown parameter, say) is refused, and
//! makes the test fail when the server is dropped.

// For the long objects of GitLab in `json!`.
#![recursion_limit = "256"]

mod api;
mod expansion;
mod fault;
mod filler;
mod merge_request;
mod page;
mod people;
mod pipelines;
mod request;
mod runner;
mod server;
pub mod world;

pub use api::permissions;
pub use expansion::job_sees;
pub use fault::Fault;
pub use filler::filler;
pub use merge_request::Mr;
pub use people::People;
pub use pipelines::Pipeline;
pub use request::Request;
pub use runner::Runner;
pub use world::*;

use server::State;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Deref;
use std::sync::Arc;
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};

/// A running server; dropping it stops it. Everything that can be done with it is in [`People`].
pub struct Gitlab {
    people: People,
    runtime: Option<Runtime>,
}

/// What the server believes itself to be reached at, without its relative path.
pub enum ExternalUrl {
    Fixed(String),
    /// Where it is really reached.
    Loopback,
}

pub struct Builder {
    port: u16,
    external_url: ExternalUrl,
    relative_path: String,
    clock: Clock,
}

impl Builder {
    /// 0, the default: any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    pub fn external_url(mut self, url: ExternalUrl) -> Self {
        self.external_url = url;
        self
    }

    /// Serves everything under a path, such as `/gitlab`, as well.
    pub fn relative_path(mut self, path: &str) -> Self {
        self.relative_path = path.trim_end_matches('/').to_owned();
        self
    }

    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    pub fn start(self) -> Gitlab {
        self.try_start().expect("the port is free")
    }

    /// An error where the port is in use.
    pub fn try_start(self) -> std::io::Result<Gitlab> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");

        let url = format!("http://{address}{}", self.relative_path);
        let mut world = World::with_cast(self.clock);
        world.external_url = match self.external_url {
            ExternalUrl::Loopback => url.clone(),
            ExternalUrl::Fixed(url) => {
                format!("{}{}", url.trim_end_matches('/'), self.relative_path)
            }
        };
        let state = Arc::new(State::new(world));
        let runtime = RuntimeBuilder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let runtime = runtime.expect("threads can be started");
        let serving = Arc::clone(&state);
        runtime.spawn(async move {
            let listener =
                tokio::net::TcpListener::from_std(listener).expect("the listener is non-blocking");
            server::serve(listener, serving, self.relative_path).await;
        });
        Ok(Gitlab {
            people: People::new(state, url),
            runtime: Some(runtime),
        })
    }
}

impl Gitlab {
    /// With the default world, on any port.
    pub fn start() -> Self {
        Self::builder().start()
    }

    pub fn builder() -> Builder {
        Builder {
            port: 0,
            external_url: ExternalUrl::Fixed("https://gitlab.example.com".to_owned()),
            relative_path: String::new(),
            clock: Clock::monday_morning(),
        }
    }
}

impl Deref for Gitlab {
    type Target = People;

    fn deref(&self) -> &People {
        &self.people
    }
}

impl Drop for Gitlab {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        // A hook may hold on to the state that holds it.
        self.people.no_faults();
        let violations = self.take_violations();
        if !violations.is_empty() && !std::thread::panicking() {
            panic!(
                "GitLab would have ignored or refused this:\n  {}",
                violations.join("\n  ")
            );
        }
    }
}
