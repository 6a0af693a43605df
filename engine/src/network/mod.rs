//! The Serpent network: configuration, presets, and the function that builds its graph.
//!
//! A U-shaped hierarchy over patch sequences whose core block is a selective
//! state space model that reads the patch grid in four directions (SS2D).
//! The layer table is a reconstruction from the paper's abstract
//! (Sepehri, Fabian, Soltanolkotabi, arXiv 2403.17902) and from its closest
//! relatives (VMamba, VM-UNet, HUMUS-Net, MambaIR).

mod blocks;
mod build;
mod config;
mod describe;
mod init;
mod size;
#[cfg(test)]
mod tests;

pub use build::{Network, NetworkError, ParameterSpec};
pub use config::{Ffn, NetworkConfig, Preset};
pub use init::{Initializer, initial_weights};
pub use size::{COST_SIDE, Size, size};
