//! `serpent eval --all`: every table that a model and a test set are there for.
//!
//! Figures are kept in `models/results.json`, saved after each, so that a run can be cut off and
//! gone on with; tables are made from that file alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use serpent_engine::backend::wgpu::DeviceKind;
use serpent_engine::bench;
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::files::write_text;
use serpent_engine::metrics::{Point, quality_for_cost};
use serpent_engine::restore::load_any;

use super::super::bench::{of_model, open as graphics_device};
use super::super::common::{Global, Outcome, library};
use super::EvalArgs;
use super::bench::{Bench, Way, pictures};
use super::classical;
use super::results::{Entry, Measured, Published, Results, Timed, models_folder};
use super::tables::{all, fill_in, limit, markdown};
use super::task::EvalTask;

/// Side of the result that networks are timed on.
const SIDE: usize = 256;

/// Repetitions of it.
const RUNS: usize = 50;

/// Options of `--all`.
#[derive(Debug, clap::Args)]
pub(super) struct AllArgs {
    /// Measure every model on every test set it has a table for, then print the tables
    #[arg(long)]
    all: bool,
    /// Print the tables of what is already measured
    #[arg(long)]
    tables: bool,
    /// With --all: folder of the test sets CBSD68, BSD100, Set5, Classic5, LIVE1 [default: SERPENT_TEST_SETS]
    #[arg(long, value_name = "FOLDER")]
    test_sets: Option<PathBuf>,
    /// With --all: folder of pictures that classical methods are tuned on; without it they are left out
    #[arg(long, value_name = "FOLDER")]
    validation: Option<PathBuf>,
    /// Measure again what is already measured
    #[arg(long, requires = "all")]
    pub again: bool,
    /// Write the tables into this page, between its markers: those of the models, of the classical methods, or both
    #[arg(long, value_name = "PAGE")]
    write: Option<PathBuf>,
    /// Draw PSNR against cost at 256 × 256 (CBSD68, σ 25) into this PNG
    #[arg(long, value_name = "PNG")]
    plot: Option<PathBuf>,
    /// Draw PSNR against time on a graphics card (256 × 256; CBSD68, σ 25) into this PNG
    #[arg(long, value_name = "PNG")]
    plot_time: Option<PathBuf>,
    /// File of measured figures [default: models/results.json of the source tree]
    #[arg(long, value_name = "JSON")]
    results: Option<PathBuf>,
}

impl AllArgs {
    /// Whether tables are asked for instead of one model's figures.
    pub fn wanted(&self) -> bool {
        self.all || self.tables
    }
}

/// Measures what is not measured yet, then prints and writes the tables.
pub(super) fn run(args: &EvalArgs, global: &Global) -> anyhow::Result<Outcome> {
    let options = &args.all;
    let default = models_folder().join("results.json");
    let path = options.results.clone().unwrap_or(default);
    let mut results = Results::load(&path)?;
    let mut outcome = Outcome::Done;
    if options.all {
        let said = options.test_sets.clone();
        let Some(sets) = said.or_else(|| std::env::var_os("SERPENT_TEST_SETS").map(PathBuf::from))
        else {
            bail!("name the folder of the test sets with --test-sets or SERPENT_TEST_SETS");
        };
        outcome = measure(args, global, &sets, &mut results, &path)?;
    }
    let published = Published::load()?;
    let text = markdown(&results, &published, None);
    if let Some(page) = &options.write {
        let old = std::fs::read_to_string(page).with_context(|| page.display().to_string())?;
        let new =
            fill_in(&old, &results, &published).with_context(|| page.display().to_string())?;
        write_text(page, &new).with_context(|| page.display().to_string())?;
    }
    if let Some(plot) = &options.plot {
        draw(plot, Cost::Operations, &results, &published)?;
    }
    if let Some(plot) = &options.plot_time {
        draw(plot, Cost::Time, &results, &published)?;
    }
    match global.json {
        true => println!("{}", serde_json::to_string_pretty(&results)?),
        false => global.say(&text),
    }
    Ok(outcome)
}

/// What quality is drawn against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    Operations,
    Time,
}

/// Quality for its cost: what is published and ours.
fn draw(path: &Path, cost: Cost, results: &Results, published: &Published) -> anyhow::Result<()> {
    let (set, level) = ("CBSD68", 25.0);
    let mut points: Vec<Point> = published
        .methods
        .iter()
        .filter(|m| m.task == EvalTask::Denoise)
        .filter_map(|m| {
            Some(Point {
                label: m.name.clone(),
                cost: match cost {
                    Cost::Operations => m.gmac?,
                    Cost::Time => m.ms?,
                },
                quality: m.psnr(set, level)?,
                ours: false,
            })
        })
        .collect();
    for (name, model) in &results.models {
        let figure = results.entries.iter().find(|e| {
            let here = (e.task, e.set.as_str(), e.level) == (EvalTask::Denoise, set, level);
            here && e.method == *name && !e.ensemble && e.told == model.noise_map
        });
        let cost = match cost {
            Cost::Operations => Some(model.gmac),
            Cost::Time => model.timed.as_ref().map(|t| t.ms),
        };
        points.extend(figure.zip(cost).map(|(e, cost)| Point {
            label: format!("Serpent, {name}"),
            cost,
            quality: e.psnr,
            ours: true,
        }));
    }
    let across = match cost {
        Cost::Operations => "GMAC at 256 × 256 (scans apart)".to_owned(),
        Cost::Time => {
            let mut cards = results.models.values().filter_map(|m| m.timed.as_ref());
            let card = cards.next().map_or("", |t| t.device.as_str());
            format!("ms for 256 × 256 on an {card}, kernels alone, 16 bits")
        }
    };
    let axes = [across.as_str(), "PSNR in dB"];
    let title = "Colour denoising of CBSD68, noise of σ 25: quality for its cost";
    Ok(quality_for_cost(path, title, axes, &points)?)
}

/// Something to measure.
struct Piece {
    model: Arc<Checkpoint>,
    way: Way,
    folder: PathBuf,
    /// The figure, but for its values.
    entry: Entry,
}

fn measure(
    args: &EvalArgs,
    global: &Global,
    sets: &Path,
    results: &mut Results,
    path: &Path,
) -> anyhow::Result<Outcome> {
    if let (false, Some(left_out)) = (global.quiet, left_out(args, sets)?) {
        eprintln!("{left_out}");
    }
    let pieces = pieces(args, sets, results)?;
    time(args, global, results)?;
    results.save(path)?;
    let taken = |p: &Piece| args.limit.or(limit(p.entry.task));
    let counts = pieces
        .iter()
        .map(|p| Ok(pictures(&p.folder, taken(p))?.len()));
    let total = counts.sum::<anyhow::Result<usize>>()?;
    let mut bench = Bench::start(global, total)?;
    for piece in pieces {
        let pictures = pictures(&piece.folder, taken(&piece))?;
        let mut entry = piece.entry;
        bench.set(piece.model, entry.task, piece.way);
        let Some(figures) = bench.figures(&piece.folder, &pictures, entry.level)? else {
            return Ok(Outcome::Interrupted);
        };
        let (Some(input_psnr), Some(psnr)) = (figures.input_psnr, figures.psnr) else {
            bail!("{}: no picture could be measured", piece.folder.display());
        };
        entry.pictures = figures.pictures;
        entry.input_psnr = input_psnr;
        entry.psnr = psnr;
        entry.ssim = figures.ssim;
        entry.device = bench.device.clone();
        results.take(entry);
        results.save(path)?;
    }
    drop(bench);
    if let Some(validation) = &args.all.validation {
        classical::measure(args, sets, validation, results, path)?;
    }
    Ok(Outcome::Done)
}

/// Times the networks of the models that have no time yet, where there is a graphics card that
/// tells it.
fn time(args: &EvalArgs, global: &Global, results: &mut Results) -> anyhow::Result<()> {
    let asked = |name: &String| args.model.as_ref().is_none_or(|m| m == name);
    let mut left: Vec<(&String, &mut Measured)> = (results.models.iter_mut())
        .filter(|(name, m)| asked(name) && (args.all.again || m.timed.is_none()))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let Some(backend) = graphics_device(global, None)? else {
        return Ok(());
    };
    if !backend.has_timestamps() || backend.info().kind == DeviceKind::Software {
        return Ok(());
    }
    for (name, measured) in &mut left {
        let network = of_model(name)?;
        let side = SIDE / network.config.scale;
        let done = bench::restoring(&backend, &network, (side, side), RUNS, None)?;
        measured.timed = done.kernel_ms.map(|spread| Timed {
            ms: spread.median,
            device: backend.info().name.clone(),
        });
    }
    Ok(())
}

/// What is to be measured of our models.
fn pieces(args: &EvalArgs, sets: &Path, results: &mut Results) -> anyhow::Result<Vec<Piece>> {
    let library = library();
    let mut pieces = Vec::new();
    for found in library.list() {
        if args.model.as_ref().is_some_and(|m| *m != found.name) {
            continue;
        }
        let model = Arc::new(load_any(&found.path)?);
        let measured = Measured::of(&model, &found.path)?;
        let told: &[bool] = if measured.noise_map {
            &[true, false]
        } else {
            &[false]
        };
        let before = pieces.len();
        let tasks = EvalTask::all_of(&model);
        for table in all().iter().filter(|t| tasks.contains(&t.task)) {
            for &(set, level) in &table.columns {
                let folder = sets.join(set);
                let fits =
                    table.task != EvalTask::SuperResolve || model.config.scale as f32 == level;
                if !fits || !folder.is_dir() {
                    continue;
                }
                for &told in told {
                    let entry = Entry {
                        method: found.name.clone(),
                        task: table.task,
                        set: set.to_owned(),
                        level,
                        told,
                        ensemble: args.ensemble,
                        setting: None,
                        pictures: 0,
                        input_psnr: 0.0,
                        psnr: 0.0,
                        ssim: None,
                        device: String::new(),
                    };
                    let way = Way {
                        seed: args.seed,
                        tile: args.tile,
                        ensemble: args.ensemble,
                        told,
                        verbose: false,
                    };
                    pieces.push(Piece {
                        model: model.clone(),
                        way,
                        folder: folder.clone(),
                        entry,
                    });
                }
            }
        }
        if pieces.len() > before {
            results.take_model(&found.name, measured);
        }
    }
    pieces.retain(|p| args.all.again || !results.has(&p.entry));
    Ok(pieces)
}

/// What cannot be measured because it is not there: models that have a recipe but no file yet,
/// test sets, pictures to tune on.
///
/// # Errors
/// The one model that was asked for is not there.
fn left_out(args: &EvalArgs, sets: &Path) -> anyhow::Result<Option<String>> {
    let library = library();
    let there = library.list();
    let mut lines = Vec::new();
    match &args.model {
        Some(name) if there.iter().any(|m| m.name == *name) => {}
        Some(name) => {
            library.find(name)?;
            bail!("{name}: --all takes models by their names in `serpent models`");
        }
        None => {
            let mut missing = recipes()?;
            missing.retain(|name| !there.iter().any(|m| m.name == *name));
            if !missing.is_empty() {
                let names = missing.join(", ");
                lines.push(format!("not trained yet, so not measured: {names}"));
            }
        }
    }
    let mut wanted: Vec<&str> = all().iter().flat_map(|table| table.sets()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted.retain(|set| !sets.join(set).is_dir());
    if !wanted.is_empty() {
        let (names, folder) = (wanted.join(", "), sets.display());
        lines.push(format!("not in {folder}, so not measured: {names}"));
    }
    if args.all.validation.is_none() {
        lines.push(
            "without --validation the classical methods stay as they were measured".to_owned(),
        );
    }
    Ok((!lines.is_empty()).then(|| lines.join("\n")))
}

/// Names of the models that ship, by their recipes.
fn recipes() -> anyhow::Result<Vec<String>> {
    let folder = models_folder().join("recipes");
    // A program that was installed has none beside it.
    let Ok(files) = std::fs::read_dir(&folder) else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for file in files {
        let path = file.with_context(|| folder.display().to_string())?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            names.extend(path.file_stem().map(|s| s.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}
