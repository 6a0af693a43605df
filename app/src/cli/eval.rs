//! `serpent eval`: a model's figures on a set of clean pictures.
//!
//! Each picture is rounded to 8 bits, degraded with a fixed seed (noise is not
//! clipped), restored, clipped and rounded to 8 bits, and compared: PSNR and
//! SSIM over red, green and blue, for super-resolution over BT.601 luma with
//! the scale factor cut from the border. Figures are means over the pictures.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serde::Serialize;
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::resize::{Factor, bicubic};
use serpent_engine::image::{Picture, Rgb32};
use serpent_engine::metrics::{Quality, compare, psnr};
use serpent_engine::restore::batch::{BatchRequest, Destination, plan_batch};
use serpent_engine::restore::{Engine, Event, Job, Options, Source};
use serpent_engine::train::degrade::{Purpose, apply_all, rng};

use super::common::{Global, Outcome, interrupt_flag, library};
use super::compare::finite;
use super::degrade::with_degraded;
use super::eval_task::EvalTask;
use super::screen::Screen;
use super::table::table;

/// Measure a model on folders of clean pictures
///
/// The pictures are degraded with a fixed seed, restored and compared with themselves: PSNR and
/// SSIM, means over the pictures. The input's PSNR stands beside it (of noise: not clipped).
#[derive(Debug, clap::Args)]
pub(super) struct EvalArgs {
    /// Folders of clean pictures, each a set of its own
    #[arg(required = true, value_name = "FOLDER")]
    sets: Vec<PathBuf>,
    /// Model: a name from `serpent models` or a .safetensors file [default: a denoiser]
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// What the pictures suffer [default: what the model was trained to undo]
    #[arg(long, value_enum)]
    task: Option<EvalTask>,
    /// How much of it: noise σ of 255, blur σ in pixels, JPEG quality [default: 15,25,50; 3; 10,20,30,40]
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
    /// Also print every picture's figures
    #[arg(long, short)]
    verbose: bool,
}

/// One picture's figures.
#[derive(Serialize)]
struct Row {
    picture: PathBuf,
    input_psnr: Option<f64>,
    psnr: Option<f64>,
    ssim: Option<f64>,
    seconds: f64,
}

/// One set's at one level.
#[derive(Serialize)]
struct Figures {
    set: PathBuf,
    level: f32,
    pictures: usize,
    failed: usize,
    input_psnr: Option<f64>,
    psnr: Option<f64>,
    ssim: Option<f64>,
    /// Mean wall time a picture.
    seconds: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<Row>,
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
    let mut bench = Bench::start(args, global, model, task, total)?;
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

/// The pictures of a set, by name.
fn pictures(set: &Path, limit: Option<usize>) -> anyhow::Result<Vec<PathBuf>> {
    let plan = plan_batch(&BatchRequest {
        inputs: vec![set.to_owned()],
        // Nothing is written; the plan only lists.
        destination: Destination::At(set.join("nowhere")),
        ..BatchRequest::default()
    })?;
    let all = plan.entries.into_iter().map(|e| e.item.input);
    Ok(all.take(limit.unwrap_or(usize::MAX)).collect())
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

/// The engine with what stays the same over an evaluation.
struct Bench<'a> {
    args: &'a EvalArgs,
    model: Arc<Checkpoint>,
    task: EvalTask,
    engine: Engine,
    events: Receiver<Event>,
    device: String,
    screen: Screen,
    interrupted: Arc<AtomicBool>,
    jobs: u64,
}

/// How one picture went.
enum Answer {
    Done(Arc<Picture>, f64),
    Failed(String),
    Interrupted,
}

impl<'a> Bench<'a> {
    fn start(
        args: &'a EvalArgs,
        global: &Global,
        model: Arc<Checkpoint>,
        task: EvalTask,
        total: usize,
    ) -> anyhow::Result<Self> {
        let (engine, events) = Engine::start(global.setup(), || ());
        Ok(Self {
            args,
            model,
            task,
            engine,
            events,
            device: String::new(),
            screen: Screen::new(total, !global.quiet),
            interrupted: interrupt_flag()?,
            jobs: 0,
        })
    }

    /// Figures of one set at one level; none when interrupted.
    fn figures(
        &mut self,
        set: &Path,
        pictures: &[PathBuf],
        level: f32,
    ) -> anyhow::Result<Option<Figures>> {
        let (mut rows, mut failed) = (Vec::new(), 0);
        for (index, path) in pictures.iter().enumerate() {
            let name = path.display();
            self.screen.message(format!("{name} at {level}"));
            match self.row(path, index as u64, level) {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => return Ok(None),
                Err(error) => {
                    failed += 1;
                    let shown = format!("{error:#}");
                    self.screen.around(|| eprintln!("{shown}"));
                }
            }
            self.screen.advance();
        }
        let mean = |value: fn(&Row) -> Option<f64>| {
            let values: Vec<f64> = rows.iter().filter_map(value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Ok(Some(Figures {
            set: set.to_owned(),
            level,
            pictures: rows.len(),
            failed,
            input_psnr: mean(|r| r.input_psnr),
            psnr: mean(|r| r.psnr),
            ssim: mean(|r| r.ssim),
            seconds: mean(|r| Some(r.seconds)).unwrap_or(0.0),
            rows: if self.args.verbose { rows } else { Vec::new() },
        }))
    }

    /// Degrades, restores and compares one picture; none when interrupted.
    fn row(&mut self, path: &Path, index: u64, level: f32) -> anyhow::Result<Option<Row>> {
        let at = |e: &dyn std::fmt::Display| anyhow::anyhow!("{}: {e}", path.display());
        let picture = Picture::open(path)?;
        let clean = eight_bits(&picture.to_rgb(), self.model.config.scale)?;
        let mut random = rng(self.args.seed, 0, index, Purpose::Evaluation);
        let steps = self.task.degradations(level);
        let degraded = apply_all(&steps, &clean, &mut random).map_err(|e| at(&e))?;
        let input = with_degraded(&picture, degraded.image);
        let input_psnr = self.input_psnr(&clean, &input, level)?;
        let options = Options {
            tile: self.args.tile,
            // Blind models ignore it; the others are told, as their papers do.
            noise: Some(degraded.sigma),
            ..Options::default()
        };
        let (restored, seconds) = match self.restore(input, options)? {
            Answer::Done(picture, seconds) => (picture, seconds),
            Answer::Failed(message) => return Err(at(&message)),
            Answer::Interrupted => return Ok(None),
        };
        let Quality { psnr, ssim } =
            compare(&clean, &restored.to_rgb(), self.task.protocol(level)).map_err(|e| at(&e))?;
        Ok(Some(Row {
            picture: path.to_owned(),
            input_psnr: finite(input_psnr),
            psnr: finite(psnr),
            ssim,
            seconds,
        }))
    }

    /// What doing nothing gives: the degraded picture as it is, of small ones the bicubic enlargement.
    fn input_psnr(&self, clean: &Rgb32, input: &Picture, level: f32) -> anyhow::Result<f64> {
        let input = input.to_rgb();
        if self.task != EvalTask::SuperResolve {
            return Ok(psnr(clean.samples(), input.samples(), 1.0));
        }
        let (width, height) = (input.width(), input.height());
        let large = bicubic(
            input.samples(),
            width,
            height,
            3,
            Factor::Up(level as usize),
        );
        let large = Rgb32::new(clean.width(), clean.height(), large)?;
        Ok(compare(clean, &large, self.task.protocol(level))?.psnr)
    }

    /// One picture through the engine.
    fn restore(&mut self, input: Picture, options: Options) -> anyhow::Result<Answer> {
        self.jobs += 1;
        let handle = self.engine.submit(Job {
            id: self.jobs,
            source: Source::Picture(Arc::new(input)),
            model: self.model.clone(),
            options,
            region: None,
            output: None,
        });
        loop {
            self.screen.tick();
            if self.interrupted.load(Ordering::Relaxed) {
                handle.cancel();
            }
            match self.events.recv_timeout(Duration::from_millis(100)) {
                Ok(Event::Finished {
                    picture,
                    seconds,
                    device,
                    notes,
                    ..
                }) => {
                    if self.device != device {
                        self.device = device;
                        let say = || notes.iter().for_each(|n| eprintln!("{n}"));
                        self.screen.around(say);
                    }
                    return Ok(Answer::Done(picture, seconds));
                }
                Ok(Event::Failed { message, .. }) => return Ok(Answer::Failed(message)),
                Ok(Event::Cancelled { .. }) => return Ok(Answer::Interrupted),
                Ok(Event::NoDevice { message }) => anyhow::bail!(message),
                Ok(Event::Ready { .. } | Event::Started { .. } | Event::Progress { .. })
                | Err(RecvTimeoutError::Timeout) => (),
                Err(gone @ RecvTimeoutError::Disconnected) => return Err(gone.into()),
            }
        }
    }
}

/// Rounded to 8 bits, right and bottom cropped to multiples of `scale`.
fn eight_bits(rgb: &Rgb32, scale: usize) -> anyhow::Result<Rgb32> {
    let (width, height) = (rgb.width() / scale * scale, rgb.height() / scale * scale);
    let bytes = rgb.to_bytes();
    let rows = bytes.chunks_exact(rgb.width() * 3).take(height);
    let cropped: Vec<u8> = rows.flat_map(|r| &r[..width * 3]).copied().collect();
    Ok(Rgb32::from_bytes(width, height, &cropped)?)
}
