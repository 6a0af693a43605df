//! The Serpent engine: photographs in, restored photographs out.
//!
//! Pixels come in ([`image`]), become sequences at several scales, run through
//! one typed [`graph`] built from a [`network`] configuration, which a
//! [`backend`] executes, and go out as pixels ([`restore`]). [`train`] makes
//! the weights that [`checkpoint`] reads and writes; [`metrics`] measures.
//!
//! The crate knows no window and no command line.

pub mod backend;
pub mod bench;
pub mod checkpoint;
pub mod classical;
pub mod estimate;
pub mod files;
pub mod graph;
pub mod image;
mod matrix;
pub mod metrics;
pub mod network;
pub mod priority;
pub mod restore;
pub mod train;
