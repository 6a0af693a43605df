//! What tiles of a model must overlap by: restored in two tiles and whole, at several overlaps.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::{Colour, Picture, Rgb32};
use serpent_engine::metrics::psnr;
use serpent_engine::restore::tiles::reflect;
use serpent_engine::restore::{Device, Options, Restorer, Shipped, TileError};
use serpent_engine::train::degrade::{Purpose, apply_all, rng};

use super::common::Global;
use super::eval::tables::Markers;
use super::eval::task::EvalTask;

/// Overlaps that are measured, in pixels of the network's input.
const OVERLAPS: [usize; 4] = [32, 64, 96, 128];

/// Long and short side of what is restored. The long one is two tiles with any of the overlaps:
/// smaller ones than are used, so that each sees less of the whole.
const SIDES: (usize, usize) = (560, 96);

/// Room for one of two tiles with the widest overlap.
const TILE: usize = 512;

/// Photograph that is measured on, of the source tree.
pub(super) const PHOTO: &str = "assets/otters.png";

/// Where docs/reliability.md has the table.
pub(super) const MARKERS: Markers = [
    "<!-- tiles: written by `serpent models --card --write` -->",
    "<!-- end of tiles -->",
];

/// Restores a gradient, a flat colour, a photograph and a glaring pixel, lying and upright, in
/// tiles and whole; by ascending overlap, up to the first that is close enough or, with `all`, to
/// the widest.
pub(super) fn measure(
    model: &Arc<Checkpoint>,
    photo: &Path,
    all: bool,
    global: &Global,
) -> anyhow::Result<Vec<TileError>> {
    let device = Arc::new(Device::open(&global.setup())?);
    let mut restorer = Restorer::new(device, model.clone())?;
    let photo = degraded(model, &Picture::open(photo)?.in_srgb().to_rgb())?;
    let mut subjects = Vec::new();
    for upright in [false, true] {
        for kind in ["gradient", "flat", "photo", "glare"] {
            let picture = subject(kind, upright, &photo)?;
            let whole = restored(&mut restorer, &picture, SIDES.0)?;
            subjects.push((kind, picture, whole));
        }
    }
    let mut errors = Vec::new();
    for overlap in OVERLAPS {
        restorer.set_overlap(overlap);
        let mut error = TileError {
            overlap,
            gradient: 0.0,
            flat: 0.0,
            photo: 0.0,
            photo_db: f64::INFINITY,
            glare: 0.0,
        };
        for (kind, picture, whole) in &subjects {
            let tiled = restored(&mut restorer, picture, TILE)?;
            let off = rounded(255.0 * worst(whole, &tiled));
            let most = match *kind {
                "gradient" => &mut error.gradient,
                "flat" => &mut error.flat,
                "photo" => &mut error.photo,
                _ => &mut error.glare,
            };
            *most = most.max(off);
            if *kind == "photo" {
                let close = rounded(psnr(whole.samples(), tiled.samples(), 1.0));
                error.photo_db = error.photo_db.min(close);
            }
        }
        global.say(&format!("  {error:?}"));
        errors.push(error);
        if error.within_bounds() && !all {
            break;
        }
    }
    Ok(errors)
}

/// In tiles of at most `tile` a side; whole if that is the picture's.
fn restored(restorer: &mut Restorer, picture: &Picture, tile: usize) -> anyhow::Result<Picture> {
    let options = Options {
        tile,
        memory: u64::MAX,
        // The network is what tiles may harm.
        keep_flat: false,
        ..Options::default()
    };
    let mut tiles = 0;
    let mut count = |_, total| {
        tiles = total;
        ControlFlow::Continue(())
    };
    let done = restorer.restore(picture, &options, &mut count)?;
    let expected = if tile < SIDES.0 { 2 } else { 1 };
    anyhow::ensure!(
        tiles == expected && done.notes.is_empty(),
        "{tiles} tiles instead of {expected}: {}",
        done.notes.join("; ")
    );
    Ok(done.picture)
}

fn subject(kind: &str, upright: bool, photo: &Rgb32) -> anyhow::Result<Picture> {
    let (width, height) = match upright {
        true => (SIDES.1, SIDES.0),
        false => SIDES,
    };
    let sample = |i: usize| {
        let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
        let ramp = || {
            let t = [
                x as f32 / width as f32,
                y as f32 / height as f32,
                1.0 - x as f32 / width as f32,
            ];
            0.1 + 0.8 * t[c]
        };
        match kind {
            "gradient" => ramp(),
            "flat" => [0.25, 0.5, 0.7][c],
            "glare" if (x, y) == (width / 8, height / 8) => 1.0,
            "glare" => ramp(),
            _ => {
                let row = reflect(y, photo.height()) * photo.width();
                photo.samples()[3 * (row + reflect(x, photo.width())) + c]
            }
        }
    };
    let samples = (0..width * height * 3).map(sample).collect();
    Ok(Picture::new(width, height, Colour::Rgb, samples)?)
}

/// The photograph with what the model undoes, at the middle of the levels it is measured at. What
/// is to be enlarged is taken as it is.
fn degraded(model: &Checkpoint, clean: &Rgb32) -> anyhow::Result<Rgb32> {
    let task = EvalTask::of(model);
    if task == EvalTask::SuperResolve {
        return Ok(clean.clone());
    }
    let levels = task.levels(model);
    let steps = task.degradations(levels[levels.len() / 2]);
    let mut random = rng(0, 0, 0, Purpose::Evaluation);
    Ok(apply_all(&steps, clean, &mut random)?.image)
}

fn worst(a: &Picture, b: &Picture) -> f64 {
    let pairs = a.samples().iter().zip(b.samples());
    f64::from(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max))
}

/// To two digits after the point, as it is written; infinity, where nothing differs, to 999.
fn rounded(value: f64) -> f64 {
    (value.min(999.0) * 100.0).round() / 100.0
}

/// The table of docs/reliability.md.
pub(super) fn table(shipped: &Shipped) -> String {
    let mut lines = vec![
        "| model | overlap | gradient | flat | photograph | photograph, dB | white pixel |"
            .to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (name, model) in &shipped.models {
        for t in &model.tiles {
            let used = t.overlap == model.overlap;
            let bold = |text: String| if used { format!("**{text}**") } else { text };
            lines.push(format!(
                "| {} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.2} |",
                bold(name.clone()),
                bold(t.overlap.to_string()),
                t.gradient,
                t.flat,
                t.photo,
                t.photo_db,
                t.glare
            ));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::eval::results::models_folder;
    use super::super::eval::tables::between;
    use super::*;

    #[test]
    fn the_page_shows_what_tiles_were_measured_to_do() {
        let page = models_folder().with_file_name("docs/reliability.md");
        let old = std::fs::read_to_string(page).unwrap();
        let new = between(&old, MARKERS, &table(Shipped::built_in())).unwrap();
        assert_eq!(
            old, new,
            "run serpent models --card NAME --write docs/reliability.md"
        );
    }
}
