//! `serpent eval`: a model's figures on a set of clean pictures.
//!
//! Each picture is rounded to 8 bits, degraded with a fixed seed (noise is not
//! clipped), restored, clipped and rounded to 8 bits, and compared: PSNR and
//! SSIM over red, green and blue, for super-resolution over BT.601 luma with
//! the scale factor cut from the border. Figures are means over the pictures.

mod all;
mod bench;
mod classical;
pub(crate) mod results;
pub(crate) mod tables;
pub(crate) mod task;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serpent_engine::checkpoint::Checkpoint;

use super::common::{Global, Outcome, library};
use super::table::table;
use bench::{Bench, Figures, Way, pictures};
use task::EvalTask;

/// Measure a model on folders of clean pictures
///
/// The pictures are degraded with a fixed seed, restored and compared with themselves: PSNR and
/// SSIM, means over the pictures. The input's PSNR stands beside it (of noise: not clipped).
#[derive(Debug, clap::Args)]
pub(super) struct EvalArgs {
    /// Folders of clean pictures, each a set of its own
    #[arg(required_unless_present_any = ["all", "tables"], value_name = "FOLDER")]
    sets: Vec<PathBuf>,
    /// Model: a name from `serpent models` or a .safetensors file [default: a denoiser; with --all every model]
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// What the pictures suffer [default: what the model was trained to undo]
    #[arg(long, value_enum)]
    task: Option<EvalTask>,
    /// How much of it: noise σ of 255, blur σ in pixels, JPEG quality [default: what the field publishes]
    #[arg(long, value_delimiter = ',', value_name = "LEVEL,...")]
    levels: Vec<f32>,
    /// Seed of the noise
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Only the first pictures of each set
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Side of a tile in pixels; 0 takes the whole picture where it fits the memory
    #[arg(short, long, default_value_t = 0, value_name = "PIXELS")]
    tile: usize,
    /// Mean of the results for all eight turns of each picture: eight times as long
    #[arg(short = 'x', long)]
    ensemble: bool,
    /// Let models that want to be told the noise estimate it
    #[arg(long)]
    blind: bool,
    /// Also print every picture's figures
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    all: all::AllArgs,
}

/// Everything, for `--json`.
#[derive(Serialize)]
struct Evaluation {
    model: String,
    task: EvalTask,
    seed: u64,
    device: String,
    figures: Vec<Figures>,
}

/// Runs the command.
pub(super) fn run(args: &EvalArgs, global: &Global) -> anyhow::Result<Outcome> {
    if args.all.wanted() {
        return all::run(args, global);
    }
    let (name, model) = library().load(args.model.as_deref())?;
    let model = Arc::new(model);
    let task = args.task.unwrap_or(EvalTask::of(&model));
    let levels = if args.levels.is_empty() {
        task.levels(&model)
    } else {
        args.levels.clone()
    };
    check(task, &levels, &model)?;
    let sets: Vec<(PathBuf, Vec<PathBuf>)> = args
        .sets
        .iter()
        .map(|set| Ok((set.clone(), pictures(set, args.limit)?)))
        .collect::<anyhow::Result<_>>()?;
    let total = levels.len() * sets.iter().map(|(_, p)| p.len()).sum::<usize>();
    let way = Way {
        seed: args.seed,
        tile: args.tile,
        ensemble: args.ensemble,
        told: !args.blind,
        verbose: args.verbose,
    };
    let mut bench = Bench::start(global, total)?;
    bench.set(model, task, way);
    let mut figures = Vec::new();
    for (set, pictures) in &sets {
        for &level in &levels {
            match bench.figures(set, pictures, level)? {
                Some(done) => figures.push(done),
                None => return Ok(Outcome::Interrupted),
            }
        }
    }
    let device = std::mem::take(&mut bench.device);
    drop(bench);
    let failed = figures.iter().any(|f| f.failed > 0);
    if global.json {
        let all = Evaluation {
            model: name,
            task,
            seed: args.seed,
            device,
            figures,
        };
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("{name} on {device}\n{}", show(&figures));
    }
    Ok(if failed {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
}

fn check(task: EvalTask, levels: &[f32], model: &Checkpoint) -> anyhow::Result<()> {
    let scale = model.config.scale;
    for &level in levels {
        for step in task.degradations(level) {
            step.check()?;
        }
        let shrunk = if task == EvalTask::SuperResolve {
            level as usize
        } else {
            1
        };
        anyhow::ensure!(
            shrunk == scale,
            "this model enlarges {scale} times, the pictures would be shrunk {shrunk} times; name another model, --task or --levels"
        );
    }
    Ok(())
}

fn show(figures: &[Figures]) -> String {
    let db = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.2}"));
    let ssim = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.4}"));
    let mut rows = Vec::new();
    for f in figures {
        for row in &f.rows {
            rows.push(vec![
                row.picture.display().to_string(),
                f.level.to_string(),
                String::new(),
                db(row.input_psnr),
                db(row.psnr),
                ssim(row.ssim),
                format!("{:.2}", row.seconds),
            ]);
        }
        rows.push(vec![
            f.set.display().to_string(),
            f.level.to_string(),
            f.pictures.to_string(),
            db(f.input_psnr),
            db(f.psnr),
            ssim(f.ssim),
            format!("{:.2}", f.seconds),
        ]);
    }
    let head = [
        "set",
        "level",
        "pictures",
        "input dB",
        "PSNR dB",
        "SSIM",
        "s a picture",
    ];
    table(&head, &rows)
}
