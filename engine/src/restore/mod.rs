//! Restoring pictures: tiling and blending, jobs, batch, cancel, events.
