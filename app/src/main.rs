//! `serpent`: restores photographs, from a window or from the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "raw")]
    if let Some(code) = serpent_engine::image::raw_process::answer(std::env::args_os()) {
        return code;
    }
    serpent::cli::main_from(std::env::args_os())
}
