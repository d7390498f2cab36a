//! Whatever happens to a run, later ones put it right.

mod bot;
mod concurrency;
mod faults;
mod promise;
mod simulation;
