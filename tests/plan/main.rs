//! The rules, as tables: one case for each row of what becomes of a request, and what must hold for any snapshot.

mod closing;
mod explanation;
mod forks;
mod labels;
mod order;
mod places;
mod promises;
mod refusals;
mod repairs;
mod scene;
mod trigger;
mod twins;
mod verdicts;
