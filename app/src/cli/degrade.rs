//! `serpent degrade`: makes pictures worse in a known way.

use std::sync::atomic::Ordering;

use serde_json::json;
use serpent_engine::image::{Colour, Picture, Rgb32};
use serpent_engine::restore::RestoreError;
use serpent_engine::restore::batch::Item;
use serpent_engine::train::degrade::{Degradation, Purpose, apply_all, rng};

use super::batch::BatchArgs;
use super::common::{Global, Outcome, interrupt_flag, told};
use super::screen::Screen;

/// Make pictures worse in a known way: blur, shrink, add noise, compress, in this order
#[derive(Debug, clap::Args)]
pub(super) struct DegradeArgs {
    #[command(flatten)]
    files: BatchArgs,
    /// Gaussian blur, σ in pixels
    #[arg(long, value_name = "σ")]
    blur: Option<f32>,
    /// Antialiased bicubic shrinking: 2, 3, 4 or 8 times
    #[arg(long, value_name = "FACTOR")]
    downscale: Option<usize>,
    /// Gaussian noise, σ of 255
    #[arg(long, value_name = "σ")]
    noise: Option<f32>,
    /// JPEG compression, quality 1 to 100
    #[arg(long, value_name = "QUALITY")]
    jpeg: Option<f32>,
    /// Seed of the noise; each picture of a call has its own noise
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
}

impl DegradeArgs {
    fn steps(&self) -> anyhow::Result<Vec<Degradation>> {
        let steps: Vec<Degradation> = [
            self.blur.map(|sigma| Degradation::GaussianBlur {
                sigma: sigma.into(),
                taps: 61,
            }),
            self.downscale
                .map(|factor| Degradation::Downscale { factor }),
            self.noise.map(|sigma| Degradation::Noise {
                sigma: sigma.into(),
                clip: false,
            }),
            self.jpeg.map(|q| Degradation::jpeg(q.into())),
        ]
        .into_iter()
        .flatten()
        .collect();
        anyhow::ensure!(
            !steps.is_empty(),
            "nothing to do; give --blur, --downscale, --noise or --jpeg"
        );
        for step in &steps {
            step.check()?;
        }
        Ok(steps)
    }
}

/// Runs the command.
pub(super) fn run(args: &DegradeArgs, global: &Global) -> anyhow::Result<Outcome> {
    let steps = args.steps()?;
    let plan = args.files.plan("degraded")?;
    let interrupted = interrupt_flag()?;
    let mut failed = plan.refused().count();
    let mut screen = Screen::new(plan.items().count(), !global.quiet);
    for (i, item) in plan.items().enumerate() {
        screen.tick();
        if interrupted.load(Ordering::Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        screen.message(item.input.display().to_string());
        let result = one(item, args, &steps, i as u64);
        screen.advance();
        screen.around(|| match result {
            Ok(drawn) => {
                global.say(&format!("{}  {}", item.output.display(), drawn.join(", ")));
                if global.json {
                    println!(
                        "{}",
                        json!({"input": item.input.to_string_lossy(), "output": item.output.to_string_lossy(), "drawn": drawn})
                    );
                }
            }
            Err(error) => {
                failed += 1;
                eprintln!("{}", told(&error));
            }
        });
    }
    Ok(if failed > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
}

/// Degrades one file; says with what.
fn one(
    item: &Item,
    args: &DegradeArgs,
    steps: &[Degradation],
    index: u64,
) -> anyhow::Result<Vec<String>> {
    let picture = Picture::open(&item.input)?;
    let mut random = rng(args.seed, 0, index, Purpose::Evaluation);
    let degraded = apply_all(steps, &picture.to_rgb(), &mut random)
        .map_err(|e| anyhow::anyhow!("{}: {e}", item.input.display()))?;
    if let Some(folder) = item.output.parent() {
        std::fs::create_dir_all(folder).map_err(|source| RestoreError::Folder {
            path: folder.to_owned(),
            source,
        })?;
    }
    with_degraded(&picture, degraded.image).save(&item.output, &args.files.save_options())?;
    Ok(degraded.drawn.iter().map(ToString::to_string).collect())
}

/// The picture with degraded pixels. A grey picture takes one channel: the mean of three, with
/// noise of their own, would be less noisy than asked for.
pub(super) fn with_degraded(picture: &Picture, mut degraded: Rgb32) -> Picture {
    if picture.colour() == Colour::Grey {
        for pixel in degraded.samples_mut().as_chunks_mut::<3>().0 {
            *pixel = [pixel[0]; 3];
        }
    }
    picture.with_pixels(degraded)
}
