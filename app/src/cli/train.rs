//! `serpent train CONFIG.toml`: trains a network and shows how it goes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use serpent_engine::backend::Backend;
use serpent_engine::restore::Device;
use serpent_engine::train::{self, Event, Options, Stopped, TrainConfig};

use super::common::{Global, Outcome, interrupt_flag};

/// Train a network as a configuration file says
///
/// Photographs, task, network, steps and everything else are in the file; docs/training.md
/// describes it, models/recipes/ has those of the shipped models. The output folder gets the
/// model, the training state, a log and the curves. Ctrl-C stops with everything saved.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// Configuration file
    pub config: PathBuf,
    /// Go on from the state in the output folder
    #[arg(long)]
    pub resume: bool,
    /// Number of steps, in place of the configuration's
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Stop after this many seconds, with everything saved
    #[arg(long, value_name = "N")]
    pub seconds: Option<f64>,
    /// Do not train: read the photographs, and tell the network's cost and how fast one core makes crops
    #[arg(long, conflicts_with_all = ["resume", "seconds"])]
    pub dry: bool,
}

/// Trains; see [`TrainArgs`].
///
/// # Errors
/// Whatever stops the run; the last saved state is whole.
pub(super) fn run(args: &TrainArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let mut config = TrainConfig::load(&args.config)?;
    if let Some(steps) = args.steps {
        config.steps = steps;
        config
            .check()
            .map_err(|problem| anyhow!("--steps: {problem}"))?;
    }
    if args.dry {
        return dry(&config, global);
    }
    let time_limit = match args.seconds {
        Some(seconds) => Some(
            Duration::try_from_secs_f64(seconds)
                .map_err(|e| anyhow!("--seconds {seconds}: {e}"))?,
        ),
        None => None,
    };
    let backend = open(global)?;
    let stop = interrupt_flag()?;

    let options = Options {
        resume: args.resume,
        time_limit,
    };
    let mut screen = Screen::new(global.quiet);
    let done = train::run(&config, &options, backend.as_ref(), &stop, &mut |event| {
        screen.show(&event);
    });
    screen.bar.finish_and_clear();
    let done = done?;
    screen.line(&match done.stopped {
        Stopped::Done => format!("done after {} steps", done.step),
        Stopped::Asked => format!("stopped after {} steps; --resume goes on", done.step),
        Stopped::TimeLimit => format!("time is up after {} steps; --resume goes on", done.step),
    });
    screen.line(&format!("model:  {}", done.model.display()));
    if let Some((path, step, psnr)) = done.best.filter(|&(_, step, _)| step < done.step) {
        let path = path.display();
        screen.line(&format!(
            "best:   {path} (step {step}, {psnr:.2} dB in validation)"
        ));
    }
    if done.curves.exists() {
        screen.line(&format!("curves: {}", done.curves.display()));
    }
    Ok(match done.stopped {
        Stopped::Asked => Outcome::Interrupted.into(),
        _ => ExitCode::SUCCESS,
    })
}

/// What a run would be made of.
fn dry(config: &TrainConfig, global: &Global) -> anyhow::Result<ExitCode> {
    let seen = train::rehearse(config, Duration::from_secs(3))?;
    if global.json {
        println!("{}", serde_json::to_string_pretty(&seen)?);
        return Ok(ExitCode::SUCCESS);
    }
    for (path, reason) in &seen.skipped {
        global.say(&skipped(path, reason));
    }
    let (cost, parameters) = (seen.network.cost, seen.network.parameters);
    println!(
        "{} photographs, {:.0} megapixels\n{:.2} M parameters, {:.1} GMAC + {:.1} GFLOP of scans at 256 × 256\n{:.0} crops/s on one core",
        seen.photographs,
        seen.megapixels,
        parameters as f64 / 1e6,
        cost.dense_macs as f64 / 1e9,
        cost.scan_flops as f64 / 1e9,
        seen.crops_per_second()
    );
    Ok(ExitCode::SUCCESS)
}

/// The device to train on.
fn open(global: &Global) -> anyhow::Result<Arc<dyn Backend>> {
    let device = Device::open(&global.setup())?;
    Ok(match device.accelerator() {
        Some(accelerator) => accelerator.clone(),
        None => device.processor().clone(),
    })
}

/// Progress bar and lines above it.
struct Screen {
    bar: ProgressBar,
    quiet: bool,
    psnr: Option<f64>,
}

impl Screen {
    fn new(quiet: bool) -> Self {
        let bar = ProgressBar::hidden();
        Self {
            bar,
            quiet,
            psnr: None,
        }
    }

    /// A line above the bar; also where there is no terminal and so no bar.
    fn line(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| println!("{text}"));
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Skipped { path, reason } => self.line(&skipped(path, reason)),
            Event::Decoded {
                photographs,
                megapixels,
                seconds,
            } => self.line(&format!(
                "{photographs} photographs, {megapixels:.0} megapixels, decoded in {seconds:.1} s"
            )),
            Event::Begun { path, taken, of } => self.line(&format!(
                "begins with {taken} of {of} parameters of {}",
                path.display()
            )),
            Event::FellBack { reason } => {
                self.line(&format!("{reason}; going on from the state before it"));
            }
            Event::Started {
                device,
                parameters,
                memory_bytes,
                step,
                steps,
            } => {
                self.line(&format!(
                    "{parameters} parameters on {device}, {} MiB; step {step} of {steps}",
                    memory_bytes >> 20
                ));
                if !self.quiet {
                    self.start(*step, *steps);
                }
            }
            Event::Progress(p) => {
                let left = Duration::try_from_secs_f64(p.seconds_left).unwrap_or_default();
                let psnr = match self.psnr {
                    Some(psnr) => format!("{psnr:.2} dB, "),
                    None => String::new(),
                };
                let text = format!(
                    "loss {:.5}, {psnr}{:.1} crops/s, {} left",
                    p.loss,
                    p.samples_per_second,
                    HumanDuration(left)
                );
                self.bar.set_position(p.step);
                self.bar.set_message(text.clone());
                if self.bar.is_hidden() {
                    self.line(&format!("step {}: {text}", p.step));
                }
            }
            Event::Validated {
                step,
                psnr,
                input_psnr,
            } => {
                self.psnr = Some(*psnr);
                self.line(&format!(
                    "step {step}: validation {psnr:.3} dB (input {input_psnr:.3} dB)"
                ));
            }
            Event::Saved { step, .. } => self.line(&format!("step {step}: saved")),
        }
    }

    fn start(&mut self, step: u64, steps: u64) {
        self.bar = ProgressBar::new(steps).with_position(step);
        let template = "{wide_bar} {pos}/{len}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }
}

fn skipped(path: &Path, reason: &str) -> String {
    // Picture errors name the file themselves.
    let path = path.display().to_string();
    match reason.contains(&path) {
        true => format!("left out {reason}"),
        false => format!("left out {path}: {reason}"),
    }
}
