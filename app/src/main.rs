//! `serpent`: restores photographs, from a window or from the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    serpent::cli::main_from(std::env::args_os())
}
