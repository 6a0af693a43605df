//! The rooms around the engine: the command line and the window.

pub mod cli;
pub mod gui;
