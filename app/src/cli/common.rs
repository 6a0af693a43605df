//! What all commands share.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use serpent_engine::backend::wgpu::Rung;
use serpent_engine::restore::{DeviceChoice, DeviceSetup, ModelLibrary};
use tracing_subscriber::EnvFilter;

/// Options that every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of all commands")]
pub(super) struct Global {
    /// Where to compute: auto (a hardware graphics device, else the processor), cpu, or part of a device's name (NAME#2: the second that has it)
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// How a graphics device keeps and multiplies numbers: full (32 bits), half (kept in 16 bits) or tensor (and multiplied on tensor cores); one it lacks means the one before [default: the highest that passes a self-test]
    #[arg(long, global = true, value_name = "RUNG")]
    pub rung: Option<Rung>,
    /// Let shaders check every index (slower; for finding errors in drivers and shaders)
    #[arg(long, global = true)]
    pub checked_shaders: bool,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl Global {
    /// The device asked for.
    pub fn device(&self) -> DeviceChoice {
        match self.device.parse() {
            Ok(choice) => choice,
            Err(never) => match never {},
        }
    }

    /// The device asked for and how to use it.
    pub fn setup(&self) -> DeviceSetup {
        DeviceSetup {
            choice: self.device(),
            checked_shaders: self.checked_shaders.then_some(true),
            rung: self.rung,
        }
    }

    /// Prints a line of a result, unless that is not wanted.
    pub fn say(&self, line: &str) {
        if !self.quiet && !self.json {
            println!("{line}");
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything was done.
    Done,
    /// The command makes no sense as given.
    Usage,
    /// Some files failed, the others were done.
    SomeFailed,
    /// Ctrl-C.
    Interrupted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Usage => 1,
            Outcome::SomeFailed => 2,
            Outcome::Interrupted => 130,
        })
    }
}

/// Log lines on standard error; `RUST_LOG` says which.
pub(super) fn start_log() {
    // What the user must know is printed; the log is for looking inside.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("error,wgpu=warn,wgpu_core=warn,wgpu_hal=error,naga=warn")
    });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second call in one process (tests) keeps the first log.
    let _ = log.try_init();
}

/// A flag that Ctrl-C raises.
pub(super) fn interrupt_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed))
        .context("cannot listen for Ctrl-C")?;
    Ok(flag)
}

/// The models of this installation: `SERPENT_MODELS`, beside the program, in its share folder,
/// in the source tree it was built from, in the user's data folder.
pub(super) fn library() -> ModelLibrary {
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(std::env::var_os("SERPENT_MODELS").map(PathBuf::from));
    let program = std::env::current_exe().and_then(|p| p.canonicalize());
    if let Some(folder) = program.ok().as_deref().and_then(Path::parent) {
        folders.push(folder.join("models"));
        folders.extend(folder.parent().map(|f| f.join("share/serpent/models")));
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    folders.extend(source.map(|f| f.join("models")));
    let user = directories::ProjectDirs::from("", "", "serpent");
    folders.extend(user.map(|d| d.data_dir().join("models")));
    ModelLibrary::new(folders)
}

/// An error with its causes; those that a message before them tells already are left out.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += ": ";
            text += &cause;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_is_told_twice() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        let said = missing.to_string();
        let twice = anyhow::Error::new(missing).context(format!("a.png: cannot open: {said}"));
        assert_eq!(told(&twice), format!("a.png: cannot open: {said}"));
        let more = anyhow::anyhow!("the inner one").context("the outer one");
        assert_eq!(told(&more), "the outer one: the inner one");
    }
}
