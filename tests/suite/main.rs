//! Everything that crosses the crates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batch;
mod batch_region;
mod bench;
mod cli;
mod complaints;
mod eval;
mod gradients;
mod half;
mod models;
mod naga;
mod network;
mod parity;
mod program;
mod reference;
mod restore;
mod runtime;
mod supply;
mod trainer;
mod training;
mod view;
mod window;
mod window_access;
mod window_batch;
mod window_snapshots;
