//! Wiener and Richardson–Lucy beside the networks: tuned on validation pictures, measured on the
//! test's.

use std::path::Path;

use rayon::prelude::*;
use serpent_engine::classical::{Blur, restore, tune};
use serpent_engine::image::{Picture, Rgb32};
use serpent_engine::metrics::compare;
use serpent_engine::train::degrade::{Purpose, apply_all, rng};

use super::EvalArgs;
use super::bench::{eight_bits, pictures, untreated};
use super::results::{Entry, Results};
use super::tables::{all, limit};
use super::task::EvalTask;

/// Side of the middle of each validation picture that classical methods are tuned on.
const TUNED_ON: usize = 256;

/// Wiener and Richardson–Lucy with the kernel known, each with the best setting of the validation
/// pictures at that blur.
///
/// Saved into `path` after each blur.
pub(super) fn measure(
    args: &EvalArgs,
    sets: &Path,
    validation: &Path,
    results: &mut Results,
    path: &Path,
) -> anyhow::Result<()> {
    let task = EvalTask::Deblur;
    for table in all().iter().filter(|t| t.task == task) {
        for &(set, level) in &table.columns {
            let folder = sets.join(set);
            let done = results
                .entries
                .iter()
                .any(|e| e.setting.is_some() && e.set == set && e.level == level);
            if !folder.is_dir() || done && !args.all.again {
                continue;
            }
            let blur = Blur::gaussian(level);
            let tuning = pairs(validation, None, 1, level, Some(TUNED_ON))?;
            let tuning: Vec<(Rgb32, Rgb32)> =
                tuning.into_iter().map(|p| (p.clean, p.blurred)).collect();
            let tuned = tune(&tuning, &blur);
            let test = pairs(&folder, args.limit.or(limit(task)), args.seed, level, None)?;
            for (method, setting) in [
                ("Wiener filter, kernel known", tuned.wiener.0),
                ("Richardson–Lucy, kernel known", tuned.richardson_lucy.0),
            ] {
                let scores: Vec<(f64, f64)> = test
                    .par_iter()
                    .map(|p| {
                        let out = restore(&p.blurred, &blur, setting);
                        let quality = compare(&p.clean, &out, task.protocol(level))?;
                        Ok((quality.psnr, quality.ssim.unwrap_or(0.0)))
                    })
                    .collect::<anyhow::Result<_>>()?;
                let mean = |of: &dyn Fn(usize) -> f64| {
                    (0..test.len()).map(of).sum::<f64>() / test.len() as f64
                };
                results.take(Entry {
                    method: method.to_owned(),
                    task,
                    set: set.to_owned(),
                    level,
                    told: false,
                    ensemble: false,
                    setting: Some(setting.to_string()),
                    pictures: test.len(),
                    input_psnr: mean(&|i| test[i].input_psnr),
                    psnr: mean(&|i| scores[i].0),
                    ssim: Some(mean(&|i| scores[i].1)),
                    device: "CPU".to_owned(),
                });
            }
            results.save(path)?;
        }
    }
    Ok(())
}

/// A clean picture and the blurred one.
struct Pair {
    clean: Rgb32,
    blurred: Rgb32,
    input_psnr: f64,
}

fn pairs(
    folder: &Path,
    limit: Option<usize>,
    seed: u64,
    level: f32,
    side: Option<usize>,
) -> anyhow::Result<Vec<Pair>> {
    let task = EvalTask::Deblur;
    let paths = pictures(folder, limit)?;
    paths
        .into_iter()
        .enumerate()
        .map(|(index, path)| {
            let picture = Picture::open(&path)?.in_srgb();
            let whole = eight_bits(&picture.to_rgb(), 1)?;
            let clean = match side {
                Some(side) => middle(&whole, side)?,
                None => whole,
            };
            let mut random = rng(seed, 0, index as u64, Purpose::Evaluation);
            let blurred = apply_all(&task.degradations(level), &clean, &mut random)?.image;
            let seen = picture.with_pixels(blurred.clone());
            let input_psnr = match side {
                Some(_) => 0.0,
                None => untreated(task, &clean, &seen, level)?,
            };
            Ok(Pair {
                clean,
                blurred,
                input_psnr,
            })
        })
        .collect()
}

/// The middle of a picture, at most `side` pixels a side.
fn middle(picture: &Rgb32, side: usize) -> anyhow::Result<Rgb32> {
    let (width, height) = (picture.width().min(side), picture.height().min(side));
    let (x, y) = (
        (picture.width() - width) / 2,
        (picture.height() - height) / 2,
    );
    let rows = picture.samples().chunks_exact(picture.width() * 3);
    let rows = rows.skip(y).take(height);
    let samples = rows.flat_map(|row| &row[x * 3..(x + width) * 3]).copied();
    Ok(Rgb32::new(width, height, samples.collect())?)
}
