//! The rules, as tables: one case for each row of what becomes of a request, and what must hold for any snapshot.

mod announcements;
mod closing;
mod ended;
mod events;
mod expected;
mod explanation;
mod forks;
mod labels;
mod marks;
mod order;
mod places;
mod play;
mod promises;
mod reasons;
mod refusals;
mod repairs;
mod scene;
mod second_look;
mod trigger;
mod twins;
mod world;
