//! Training: degradations, data, losses, optimiser, loop, resume.

pub mod degrade;
