//! Restoring pictures: tiling and blending, jobs, batch, cancel, events.

pub mod tiles;
