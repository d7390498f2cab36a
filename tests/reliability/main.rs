//! Whatever happens to a run, later ones put it right.

mod bot;
mod concurrency;
mod done;
mod faults;
mod pairs;
mod promise;
mod rest;
mod simulation;
mod stories;
mod world;
