//! The command line.
//!
//! Results go to standard output, everything else to standard error. Exit codes:
//! 0 all done, 1 the command makes no sense, 2 some files failed, 130 interrupted.

mod auto;
mod auto_confusion;
mod batch;
mod bench;
mod bench_markdown;
mod bench_start;
mod bench_text;
mod common;
mod compare;
mod degrade;
mod devices;
mod eval;
mod influence;
mod models;
mod models_card;
mod models_tiles;
mod report;
mod report_merge;
mod restore;
mod restore_plan;
mod restore_settings;
mod restore_watch;
mod screen;
mod table;
mod train;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serpent_engine::image::ImageError;

use crate::gui;
use common::{Global, Outcome};

/// Restores photographs: noisy, blurred or small pictures in, clean, sharp or larger ones out
///
/// Without a command it opens the window, with the files given.
#[derive(Debug, Parser)]
#[command(
    name = "serpent",
    version,
    override_usage = "serpent [FILE]...\n       serpent COMMAND [OPTIONS]"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Pictures and folders to open in the window
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Restore FILE in the window, save what the window shows as a PNG, and close it
    #[arg(long, hide = true, value_name = "PNG")]
    screenshot: Option<PathBuf>,
    /// What the window is to show on that picture
    #[arg(long, hide = true, value_enum, default_value_t)]
    scene: gui::Scene,
    /// Move the picture about, write the times of all frames of the window into a CSV file, and
    /// close it
    #[arg(long, hide = true, value_name = "CSV")]
    frame_log: Option<PathBuf>,
    /// Restore FILE meanwhile
    #[arg(long, hide = true, requires = "frame_log")]
    restoring: bool,
    /// For how long; until all is done when absent
    #[arg(long, hide = true, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Restore FILE, folders, into this one as a batch of the window, and close it
    #[arg(long, hide = true, value_name = "FOLDER")]
    batch_to: Option<PathBuf>,
    /// Theme of the window, whatever the settings say
    #[arg(long, hide = true, value_enum)]
    theme: Option<gui::ThemeChoice>,
    /// Width and height of the window
    #[arg(long, hide = true, num_args = 2, value_names = ["WIDTH", "HEIGHT"])]
    window_size: Option<Vec<f32>>,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Restore(restore::RestoreArgs),
    Eval(eval::EvalArgs),
    Auto(auto::AutoArgs),
    Degrade(degrade::DegradeArgs),
    Compare(compare::CompareArgs),
    Train(train::TrainArgs),
    Bench(bench::BenchArgs),
    Influence(influence::InfluenceArgs),
    Models(models::ModelsArgs),
    Report(report_merge::ReportArgs),
    /// List the devices pictures can be restored on
    Devices,
}

/// Runs the program with its arguments (the first is its own name).
pub fn main_from(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; clap's own code for bad usage is 2.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    common::start_log();
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", common::told(&error));
            let file = error.chain().any(|e| e.is::<ImageError>());
            let outcome = if file {
                Outcome::SomeFailed
            } else {
                Outcome::Usage
            };
            outcome.into()
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let global = &cli.global;
    Ok(match &cli.command {
        None => return window(cli),
        Some(Command::Restore(args)) => restore::run(args, global)?.into(),
        Some(Command::Eval(args)) => eval::run(args, global)?.into(),
        Some(Command::Auto(args)) => auto::run(args, global)?.into(),
        Some(Command::Degrade(args)) => degrade::run(args, global)?.into(),
        Some(Command::Compare(args)) => compare::run(args, global)?.into(),
        Some(Command::Train(args)) => return train::run(args, global),
        Some(Command::Bench(args)) => bench::run(args, global)?.into(),
        Some(Command::Influence(args)) => influence::run(args, global)?.into(),
        Some(Command::Models(args)) => models::run(args, global)?.into(),
        Some(Command::Report(args)) => report_merge::run(args, global)?.into(),
        Some(Command::Devices) => devices::run(global)?.into(),
    })
}

/// Opens the window.
fn window(cli: &Cli) -> anyhow::Result<ExitCode> {
    if let Some(gone) = cli.files.iter().find(|f| !f.exists()) {
        // A mistyped command arrives here as well.
        anyhow::bail!(
            "{}: there is no such file or command; `serpent --help` lists the commands",
            gone.display()
        );
    }
    let observed = cli.screenshot.is_some() || cli.frame_log.is_some() || cli.batch_to.is_some();
    let batch = cli.batch_to.clone().map(|to| (cli.files.clone(), to));
    let setup = gui::Setup {
        files: match batch {
            Some(_) => Vec::new(),
            None => cli.files.clone(),
        },
        // Not said on the command line, it is as the settings say.
        device: (cli.global.device != "auto").then(|| cli.global.device()),
        library: common::library(),
        model: None,
        theme: cli.theme,
        // A window without a user leaves the user's settings alone.
        settings: gui::Settings::user_file().filter(|_| !observed),
        devices: None,
    };
    let observe = gui::Observe {
        screenshot: cli.screenshot.clone(),
        scene: cli.scene,
        frame_log: cli.frame_log.clone(),
        part: observed.then(|| gui::Part {
            restore: cli.restoring,
            batch,
            length: cli.seconds.map(std::time::Duration::from_secs),
        }),
        size: cli.window_size.as_deref().and_then(|s| s.try_into().ok()),
    };
    gui::run(setup, observe)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_of_all_commands_fit_together() {
        Cli::command().debug_assert();
        for args in [
            &["serpent", "train", "x.toml", "--device", "cpu"][..],
            &["serpent", "--device", "cpu", "train", "x.toml"],
        ] {
            let cli = Cli::try_parse_from(args).unwrap();
            assert!(matches!(cli.command, Some(Command::Train(_))));
            assert_eq!(cli.global.device, "cpu");
        }
        let cli = Cli::try_parse_from(["serpent", "a.png", "b.png"]).unwrap();
        assert!(cli.command.is_none() && cli.files.len() == 2);
        let cli = Cli::try_parse_from(["serpent", "models", "--json"]).unwrap();
        assert!(cli.global.json);
    }
}
