//! Everything that crosses the crates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod gradients;
mod naga;
mod network;
mod parity;
mod runtime;
mod trainer;
