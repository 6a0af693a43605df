//! `serpent bench`: what a device can do at most, what the network takes there, and the distance.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;
use serpent_engine::backend::BackendError;
use serpent_engine::backend::wgpu::{ProfileRow, Rung, Verdict, WgpuBackend};
use serpent_engine::bench::{
    self, Ceilings, CpuRestoring, Growth, Machine, Named, ProcessorCeilings, Restoring, Training,
    preset_named,
};
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::files::write_text;
use serpent_engine::network::Preset;
use serpent_engine::restore::{DeviceChoice, DeviceSetup};

use super::bench_start::{self, Starts};
use super::common::{Global, Outcome, library};
use super::{bench_markdown, bench_text};

/// Measure this machine
///
/// Times restoring, with a median of warm runs for each size, beside the least time that the
/// device's measured ceilings allow. `bench ceilings` measures only those. With --json
/// everything is machine-readable: please send it with a word about your card.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {
    /// What to measure [default: restoring]
    #[arg(value_enum)]
    what: Option<What>,
    /// Networks: tiny, base, large
    #[arg(long, value_delimiter = ',', value_parser = preset, default_value = "base", value_name = "PRESET,...")]
    preset: Vec<Preset>,
    /// Networks of models instead, by their names in `serpent models` or their files
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["preset", "all"], value_name = "MODEL,...")]
    models: Vec<String>,
    /// Pictures as they go in: a side in pixels, or WIDTHxHEIGHT
    #[arg(long, value_delimiter = ',', value_parser = size, default_value = "256,512,1024", value_name = "SIZE,...")]
    sizes: Vec<Size>,
    /// Repetitions that count, after warm ones; fewer of what takes long
    #[arg(long, default_value_t = 20, value_parser = count, value_name = "N")]
    runs: usize,
    /// Also time training steps of so many crops of that side
    #[arg(long, value_parser = size, value_name = "CROPSxSIDE")]
    train: Option<Size>,
    /// Also print the times by kernel, op and launch
    #[arg(long)]
    kernels: bool,
    /// Write every launch to a file that ui.perfetto.dev opens
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Also time the processor: tiny and base on a picture of 481 × 321
    #[arg(long)]
    cpu: bool,
    /// Also time a first start, to the first picture of 512 × 512, without and with caches
    #[arg(long)]
    first_start: bool,
    /// Also restore whole square pictures of these megapixels, tiles and all
    #[arg(long, value_delimiter = ',', value_name = "MP,...")]
    growth: Vec<f64>,
    /// Everything: all networks, training of 16x128, processor, first start, growth
    #[arg(long)]
    all: bool,
    /// Print the table of docs/performance.md
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// One first start in this process, as JSON (what --first-start starts)
    #[arg(long, hide = true)]
    first_start_once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// What the device can do at most: copies, products of matrices, arithmetic
    Ceilings,
    /// Pictures through the networks
    Restoring,
}

/// Two numbers with an x between, or one for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size(usize, usize);

fn size(text: &str) -> Result<Size, String> {
    let number = |t: &str| match t.trim().parse::<usize>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("{t:?} is no size; give 512 or 481x321")),
    };
    match text.split_once(['x', '×']) {
        Some((a, b)) => Ok(Size(number(a)?, number(b)?)),
        None => number(text).map(|n| Size(n, n)),
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=1000).contains(&n) => Ok(n),
        _ => Err("give 1 to 1000".to_owned()),
    }
}

fn preset(text: &str) -> Result<Preset, String> {
    preset_named(text).ok_or_else(|| "give tiny, base or large".to_owned())
}

/// All that was measured.
#[derive(Default, Serialize)]
pub(super) struct Report {
    pub machine: Option<Machine>,
    pub self_test: Vec<Verdict>,
    pub ceilings: Vec<Ceilings>,
    pub processor_ceilings: Option<ProcessorCeilings>,
    pub restoring: Vec<Restoring>,
    pub training: Vec<Training>,
    pub cpu: Vec<CpuRestoring>,
    pub growth: Vec<Growth>,
    pub first_start: Option<Starts>,
}

/// Repetitions of each ceiling: they hardly spread.
const CEILING_RUNS: usize = 5;

/// The picture of the processor's figures: the size of those of CBSD68.
const PHOTO: Size = Size(481, 321);

/// Runs the command.
pub(super) fn run(args: &BenchArgs, global: &Global) -> anyhow::Result<Outcome> {
    if args.first_start_once {
        return bench_start::once(&global.setup().request());
    }
    let mut report = Report::default();
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures say nothing; build with --release");
    }
    let ceilings_only = args.what == Some(What::Ceilings);
    // What is compared rung by rung, unless one is named.
    let rungs: Vec<Option<Rung>> = match global.rung {
        None if args.all || ceilings_only => Rung::ALL.map(Some).to_vec(),
        one => vec![one],
    };
    let mut seen = Vec::new();
    for rung in rungs {
        let Some(backend) = open(global, rung)? else {
            break;
        };
        // A device without a rung gives the one below again.
        if !seen.contains(&backend.rung()) {
            seen.push(backend.rung());
            report.machine = Some(Machine::this(Some(backend.info())));
            report.self_test.extend_from_slice(backend.verdicts());
            graphics(args, global, &Arc::new(backend), &mut report, ceilings_only)?;
        }
    }
    let no_device = seen.is_empty();
    if no_device {
        report.machine = Some(Machine::this(None));
    }
    let processor = !ceilings_only && (args.cpu || args.all || no_device);
    if processor || ceilings_only {
        progress(global, "ceilings of the processor");
        report.processor_ceilings = Some(ProcessorCeilings::measure(args.runs.min(CEILING_RUNS)));
    }
    if processor {
        for preset in [Preset::Tiny, Preset::Base] {
            let network = Named::from(preset);
            progress(global, &format!("{} on the processor", network.name));
            let size = (PHOTO.1, PHOTO.0);
            let done = bench::processor_time(
                &network,
                size,
                args.runs.min(7),
                args.kernels,
                report.processor_ceilings.as_ref(),
            )?;
            report.cpu.push(done);
        }
    }
    if !ceilings_only && (args.first_start || args.all) && !no_device {
        progress(global, "first starts");
        report.first_start = Some(bench_start::measure(global)?);
    }
    if let Some(path) = &args.trace {
        write_trace(path, &report)?;
    }
    if global.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else if args.markdown {
        println!("{}", bench_markdown::page(&report));
    } else {
        println!("{}", bench_text::page(&report, args.kernels));
    }
    Ok(Outcome::Done)
}

/// Everything that a graphics device is measured for.
fn graphics(
    args: &BenchArgs,
    global: &Global,
    backend: &Arc<WgpuBackend>,
    report: &mut Report,
    ceilings_only: bool,
) -> anyhow::Result<()> {
    let rung = backend.rung();
    progress(global, &format!("ceilings of {}", backend.info().name));
    let ceilings = Ceilings::measure(backend, args.runs.min(CEILING_RUNS))?;
    report.ceilings.push(ceilings.clone());
    if ceilings_only {
        return Ok(());
    }
    let networks = networks(args)?;
    for network in &networks {
        for &Size(width, height) in &args.sizes {
            let name = &network.name;
            progress(global, &format!("{name}, {width} × {height}, {rung}"));
            let size = (height, width);
            let done = bench::restoring(backend, network, size, args.runs, Some(&ceilings));
            report.restoring.push(done?);
        }
    }
    let train = args.train.or(args.all.then_some(Size(16, 128)));
    if let Some(Size(batch, side)) = train {
        let trained = if args.all {
            &networks[1..2]
        } else {
            &networks[..]
        };
        for network in trained {
            let name = &network.name;
            progress(
                global,
                &format!("training {name}, {batch} crops of {side}, {rung}"),
            );
            let size = (batch, side);
            let done = bench::training(backend, network, size, args.runs, Some(&ceilings));
            report.training.push(done?);
        }
    }
    let growth: &[f64] = match (args.growth.is_empty(), args.all) {
        (true, true) => &[1.0, 10.0, 100.0],
        _ => &args.growth,
    };
    if !growth.is_empty() {
        progress(global, &format!("growing pictures, {rung}"));
        let sides: Vec<usize> = growth
            .iter()
            .map(|mp| (mp.max(0.0) * 1e6).sqrt().round().max(1.0) as usize)
            .collect();
        let network = &networks[usize::from(args.all)];
        report
            .growth
            .extend(bench::growth(backend.clone(), network, &sides)?);
    }
    Ok(())
}

/// What to measure on a graphics device.
fn networks(args: &BenchArgs) -> anyhow::Result<Vec<Named>> {
    let presets = match args.all {
        true => vec![Preset::Tiny, Preset::Base, Preset::Large],
        false => args.preset.clone(),
    };
    if args.models.is_empty() {
        return Ok(presets.into_iter().map(Named::from).collect());
    }
    args.models.iter().map(|name| of_model(name)).collect()
}

/// The network of a model that is called so or is this file.
pub(super) fn of_model(name: &str) -> anyhow::Result<Named> {
    Ok(Named {
        name: name.to_owned(),
        config: Checkpoint::load(&library().find(name)?)?.config,
    })
}

/// The graphics device; none where the processor was asked for or is all there is.
pub(super) fn open(global: &Global, rung: Option<Rung>) -> anyhow::Result<Option<WgpuBackend>> {
    if global.device() == DeviceChoice::Cpu {
        return Ok(None);
    }
    let setup = DeviceSetup {
        rung,
        ..global.setup()
    };
    match WgpuBackend::open_tested(&setup.request()) {
        Ok(backend) => Ok(Some(backend)),
        Err(BackendError::NoDevice { .. }) if global.device() == DeviceChoice::Auto => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A line of what is being done, on standard error.
fn progress(global: &Global, line: &str) {
    if !global.quiet {
        eprintln!("{line} ...");
    }
}

/// Every measured launch as a trace.
fn write_trace(path: &Path, report: &Report) -> anyhow::Result<()> {
    let restoring = report.restoring.iter().map(|r| {
        let name = format!("{} {}x{} {}", r.network, r.width, r.height, r.rung);
        (name, r.rows.as_slice())
    });
    let training = report.training.iter().map(|t| {
        let name = format!("training {} {}x{} {}", t.network, t.batch, t.side, t.rung);
        (name, t.rows.as_slice())
    });
    let all: Vec<(String, &[ProfileRow])> = restoring.chain(training).collect();
    if all.iter().all(|(_, rows)| rows.is_empty()) {
        bail!("--trace: no launch was timed; a graphics device with timestamps is needed");
    }
    let text = serde_json::to_string(&bench::trace(&all)).map_err(|e| anyhow!(e))?;
    write_text(path, &text).with_context(|| format!("{}: cannot write", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes_are_sides_or_both() {
        assert_eq!(size("512"), Ok(Size(512, 512)));
        assert_eq!(size("481x321"), Ok(Size(481, 321)));
        assert!(size("0").is_err() && size("12x").is_err() && size("a").is_err());
    }
}
