//! The CPU executor: a readable reference of every op, and fast paths for inference.

pub mod reference;
