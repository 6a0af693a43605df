//! `serpent models --card`: a model's page, from its file's metadata and the measured figures.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde_json::Value;
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::files::write_text;
use serpent_engine::image::resize::{Factor, bicubic};
use serpent_engine::image::{Colour, Picture, Rgb32, SaveOptions};
use serpent_engine::network::size;
use serpent_engine::restore::tiles::OVERLAP;
use serpent_engine::restore::{Device, Options, Restorer, Shipped, ShippedModel, sha256};
use serpent_engine::train::TrainConfig;
use serpent_engine::train::degrade::{Purpose, apply_all, rng};

use super::common::{Global, Outcome, library};
use super::eval::results::{Published, Results, models_folder};
use super::eval::tables::{between, markdown};
use super::eval::task::EvalTask;
use super::models_tiles;

/// Heading of the part that people write, which stays as it is.
const BY_HAND: &str = "## Where it fails";

/// Side of the sample's crop in pixels of the clean picture; it is shown twice as large.
const CROP: usize = 192;

/// What is asked for.
pub(super) struct Wish<'a> {
    /// Whose cards are written.
    pub names: &'a [String],
    /// A clean picture to show.
    pub sample: Option<&'a Path>,
    /// Measure tiles again, though the file is the same.
    pub tiles: bool,
    /// Page to write the table of overlaps into.
    pub page: Option<&'a Path>,
}

/// Writes the cards of these models beside their files and, of models of the source tree, into
/// `models/shipped.toml` what the next build knows of them.
pub(super) fn run(wish: &Wish<'_>, global: &Global) -> anyhow::Result<Outcome> {
    let list = models_folder().join("shipped.toml");
    let text = std::fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    let mut shipped = Shipped::parse(&text).with_context(|| list.display().to_string())?;
    let results = Results::load(&models_folder().join("results.json"))?;
    let published = Published::load()?;
    for name in wish.names {
        let path = library().find(name)?;
        // Not as a model that comes with the program: the file may be newer than the program.
        let model = Arc::new(Checkpoint::load(&path)?);
        let hash = sha256(&std::fs::read(&path).with_context(|| path.display().to_string())?);
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let page = path.with_extension("md");
        let known = shipped.models.get(&stem);
        let same = known.is_some_and(|k| k.sha256 == hash && !k.tiles.is_empty());
        let ours = path.parent() == Some(models_folder().as_path());
        if ours && (!same || wish.tiles) {
            let photo = models_folder().with_file_name(models_tiles::PHOTO);
            let tiles = models_tiles::measure(&model, &photo, wish.tiles, global)?;
            let measured = ShippedModel::choose(hash.clone(), tiles);
            shipped.models.insert(stem.clone(), measured);
            write_text(&list, &shipped.to_text()?).with_context(|| list.display().to_string())?;
            global.say(&list.display().to_string());
        }
        let picture = match wish.sample {
            Some(sample) => Some(samples(&model, &path, &stem, sample, global)?),
            None => Some(path.with_file_name(format!("{stem}-sample.png"))).filter(|p| p.exists()),
        };
        let by_hand = std::fs::read_to_string(&page).ok();
        let by_hand = by_hand.and_then(|old| old.find(BY_HAND).map(|at| old[at..].to_owned()));
        let text = card(
            &stem,
            &model,
            &hash,
            shipped.with_hash(&hash),
            markdown(&results, &published, Some(&stem)),
            picture.as_deref(),
            by_hand.as_deref(),
        )?;
        write_text(&page, &text).with_context(|| page.display().to_string())?;
        global.say(&page.display().to_string());
    }
    if let Some(page) = wish.page {
        let at = || page.display().to_string();
        let old = std::fs::read_to_string(page).with_context(at)?;
        let new = between(&old, models_tiles::MARKERS, &models_tiles::table(&shipped));
        write_text(page, &new.with_context(at)?).with_context(at)?;
        global.say(&at());
    }
    Ok(Outcome::Done)
}

/// The page.
fn card(
    name: &str,
    model: &Checkpoint,
    hash: &str,
    shipped: Option<&ShippedModel>,
    tables: String,
    picture: Option<&Path>,
    by_hand: Option<&str>,
) -> anyhow::Result<String> {
    let (size, config, recipe) = (size(&model.config)?, &model.config, &model.recipe);
    let mut text = format!("# {name}\n\n{}\n\n", purpose(model));
    writeln!(text, "| | |\n|---|---|")?;
    writeln!(text, "| network | {config} |")?;
    writeln!(
        text,
        "| parameters | {:.2} M |",
        size.parameters as f64 / 1e6
    )?;
    writeln!(
        text,
        "| cost at 256 × 256{} | {:.1} GMAC + {:.1} GFLOP of scans |",
        if config.scale > 1 {
            " of the result"
        } else {
            ""
        },
        size.cost.dense_macs as f64 / 1e9,
        size.cost.scan_flops as f64 / 1e9
    )?;
    writeln!(
        text,
        "| file | `{name}.safetensors`: matrices and kernels in 16 bits, the rest in 32 |"
    )?;
    writeln!(text, "| SHA-256 | `{hash}` |")?;
    writeln!(text, "| overlap of tiles | {} |", overlap(model, shipped))?;
    data(&mut text, recipe)?;
    training(&mut text, name, model)?;
    writeln!(text, "\n## Figures\n\n{tables}")?;
    if let Some(file) = picture.and_then(Path::file_name) {
        writeln!(
            text,
            "\n## Sample\n\nAt 200 %, from a photograph not trained on: the input, what the model makes of it, the original.\n\n![input, result, original]({})",
            file.to_string_lossy()
        )?;
    }
    let by_hand =
        by_hand.unwrap_or("## Where it fails\n\nNobody has looked and written it down yet.");
    writeln!(text, "\n{}", by_hand.trim_end())?;
    Ok(text)
}

/// What tiles share, and how close to the whole picture that keeps them.
fn overlap(model: &Checkpoint, shipped: Option<&ShippedModel>) -> String {
    let Some((known, error)) = shipped.and_then(|s| Some((s, s.error()?))) else {
        let pixels = model.overlap.unwrap_or(OVERLAP);
        return format!("{pixels} pixels of the input; not measured");
    };
    let bound = match error.within_bounds() {
        true => "",
        false => ", which is more than the bounds allow",
    };
    format!(
        "{} pixels of the input: tiles are at most {:.2} of 255 from the whole on a gradient, {:.2} on a flat colour, {:.2} on a photograph ({:.1} dB){bound} ([reliability](../docs/reliability.md))",
        known.overlap, error.gradient, error.flat, error.photo, error.photo_db
    )
}

fn purpose(model: &Checkpoint) -> String {
    match EvalTask::of(model) {
        EvalTask::Denoise => "Removes white noise from colour photographs.".to_owned(),
        EvalTask::Deblur => "Sharpens soft photographs with much noise.".to_owned(),
        EvalTask::Defocus | EvalTask::Motion => {
            "Sharpens photographs that are out of focus or shaken, or from soft lenses.".to_owned()
        }
        EvalTask::SuperResolve => {
            let scale = model.config.scale;
            format!("Enlarges photographs {scale} times on each side.")
        }
        EvalTask::Jpeg => "Removes what JPEG compression left in a photograph.".to_owned(),
        EvalTask::Photo => {
            "Cleans photographs as they come from cameras and phones: noise, slight blur, JPEG."
                .to_owned()
        }
    }
}

fn data(text: &mut String, recipe: &Value) -> anyhow::Result<()> {
    writeln!(text, "\n## Data\n")?;
    if let (Some(photographs), Some(megapixels)) = (
        recipe["photographs"].as_u64(),
        recipe["megapixels"].as_f64(),
    ) {
        write!(
            text,
            "{photographs} photographs, {megapixels:.0} megapixels. "
        )?;
    }
    writeln!(
        text,
        "By their sources' word they are in the public domain or under Creative Commons (more than half of them CC BY-SA) or Unsplash licences, but for 12 that were not checked one by one. Every one is credited in [CREDITS.md](CREDITS.md), which says what that means for the weights: they are under the project's licence, MIT or Apache 2.0. Faces, text and indoor scenes are few among them. No picture of a test set was trained on: the trainer refuses them by name and by look."
    )?;
    Ok(())
}

fn training(text: &mut String, name: &str, model: &Checkpoint) -> anyhow::Result<()> {
    let recipe = &model.recipe;
    let history = recipe["history"].as_array();
    let Some(last) = history.and_then(|h| h.last()).map(|c| &c["training"]) else {
        return Ok(());
    };
    let file = models_folder().join(format!("recipes/{name}.toml"));
    let now = TrainConfig::load(&file).ok();
    let same = now.is_some_and(|now| now.network.config() == model.config);
    let command = match same {
        true => format!("`serpent train models/recipes/{name}.toml`"),
        false => format!("An earlier `models/recipes/{name}.toml`, whose network was another"),
    };
    writeln!(
        text,
        "\n## Recipe\n\n{command}. What it had in the end is in the file's metadata (`serpent.recipe`).\n\n| | |\n|---|---|"
    )?;
    let o = &last["optimiser"];
    writeln!(
        text,
        "| degradations | {} |",
        degradations(&last["degradations"])
    )?;
    writeln!(
        text,
        "| crops | {} of {} × {} a step |",
        last["data"]["batch"], last["data"]["crop"], last["data"]["crop"]
    )?;
    writeln!(
        text,
        "| optimiser | AdamW, learning rate {} down a cosine to {}, average of the weights {} |",
        o["learning_rate"], o["final_learning_rate"], o["ema"]
    )?;
    if let Some(steps) = recipe["steps_done"].as_u64() {
        writeln!(text, "| steps | {steps} |")?;
    }
    if let Some(seconds) = recipe["seconds"].as_f64() {
        let device = recipe["device"].as_str().unwrap_or("an unnamed device");
        writeln!(
            text,
            "| training time | {:.1} minutes on {device} |",
            seconds / 60.0
        )?;
    }
    if let Some(psnr) = recipe["validation_psnr"].as_f64() {
        writeln!(text, "| validation | {psnr:.2} dB |")?;
    }
    Ok(())
}

/// Degradations in a line, as a recipe writes them.
fn degradations(value: &Value) -> String {
    match value {
        Value::Array(steps) => {
            let parts: Vec<String> = steps.iter().map(degradations).collect();
            if parts.is_empty() {
                "nothing".to_owned()
            } else {
                parts.join(", then ")
            }
        }
        Value::Object(step) => {
            let kind = step.get("kind").and_then(Value::as_str).unwrap_or_default();
            if let Some(Value::Array(of)) = step.get("of") {
                let parts: Vec<String> = of.iter().map(degradations).collect();
                return format!("one of ({})", parts.join(" or "));
            }
            let settings = step.iter().filter(|(key, _)| *key != "kind");
            let settings = settings.map(|(key, value)| {
                let value = value.to_string().replace('"', "").replace(',', " to ");
                format!(" {key} {}", value.trim_matches(['[', ']']))
            });
            format!("{}{}", kind.replace('_', " "), settings.collect::<String>())
        }
        other => other.to_string(),
    }
}

/// Input, result and original of the middle of a clean picture, side by side at 200 %.
fn samples(
    model: &Arc<Checkpoint>,
    path: &Path,
    stem: &str,
    sample: &Path,
    global: &Global,
) -> anyhow::Result<PathBuf> {
    let task = EvalTask::of(model);
    let levels = task.levels(model);
    let level = levels[levels.len() / 2];
    let scale = model.config.scale;
    let whole = Picture::open(sample)?.in_srgb().to_rgb();
    let side = CROP.min(whole.width()).min(whole.height()) / scale * scale;
    let clean = crop(&whole, side)?;
    let mut random = rng(0, 0, 0, Purpose::Evaluation);
    let degraded = apply_all(&task.degradations(level), &clean, &mut random)?;
    let input = &degraded.image;
    let device = Arc::new(Device::open(&global.setup())?);
    let mut restorer = Restorer::new(device, model.clone())?;
    let picture = Picture::new(
        input.width(),
        input.height(),
        Colour::Rgb,
        input.samples().to_vec(),
    )?;
    let options = Options {
        noise: Some(degraded.sigma),
        ..Options::default()
    };
    let restored = restorer.restore(&picture, &options, &mut |_, _| ControlFlow::Continue(()))?;
    // Small inputs are shown as a viewer would: enlarged.
    let shown = bicubic(
        input.samples(),
        input.width(),
        input.height(),
        3,
        Factor::Up(scale),
    );
    let shown = Rgb32::new(side, side, shown)?;
    let row = [shown, restored.picture.to_rgb(), clean];
    let out = path.with_file_name(format!("{stem}-sample.png"));
    side_by_side(&row, side)?.save(&out, &SaveOptions::default())?;
    Ok(out)
}

/// The middle square.
fn crop(picture: &Rgb32, side: usize) -> anyhow::Result<Rgb32> {
    let (x, y) = ((picture.width() - side) / 2, (picture.height() - side) / 2);
    let rows = picture.samples().chunks_exact(picture.width() * 3);
    let samples = rows
        .skip(y)
        .take(side)
        .flat_map(|row| &row[x * 3..(x + side) * 3]);
    Ok(Rgb32::new(side, side, samples.copied().collect())?)
}

/// Squares in a row with a white gap, every pixel twice as wide and high.
fn side_by_side(squares: &[Rgb32], side: usize) -> anyhow::Result<Picture> {
    const GAP: usize = 8;
    let mut samples = Vec::new();
    for y in 0..2 * side {
        for (i, square) in squares.iter().enumerate() {
            if i > 0 {
                samples.extend([1.0; 3 * GAP]);
            }
            for x in 0..2 * side {
                let at = (y / 2 * side + x / 2) * 3;
                samples.extend_from_slice(&square.samples()[at..at + 3]);
            }
        }
    }
    let width = squares.len() * 2 * side + (squares.len() - 1) * GAP;
    Ok(Picture::new(width, 2 * side, Colour::Rgb, samples)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serpent_engine::checkpoint::Task;

    use super::*;
    use serde_json::json;
    use serpent_engine::network::{Network, Preset, initial_weights};
    use serpent_engine::restore::TileError;

    fn model() -> Checkpoint {
        let mut config = Preset::Tiny.config();
        config.noise_map = true;
        (config.directions, config.alternating) = (2, true);
        let network = Network::build(&config, 1, 8, 8).unwrap();
        let training = json!({
            "degradations": [
                {"kind": "one_of", "of": [[], [{"kind": "gaussian_blur", "sigma": [0.0, 3.0], "taps": 61}]]},
                {"kind": "noise", "sigma": 12.5, "clip": false},
            ],
            "data": {"batch": 16, "crop": 128},
            "optimiser": {"learning_rate": 0.001, "final_learning_rate": 1e-6, "ema": 0.999},
        });
        Checkpoint {
            weights: initial_weights(&network.parameters, 1),
            config,
            task: Task::Denoise,
            overlap: None,
            recipe: json!({
                "device": "Some GPU", "photographs": 381, "megapixels": 301.2, "steps_done": 26000,
                "seconds": 966.0, "validation_psnr": 33.43, "history": [{"from_step": 0, "training": training}],
            }),
        }
    }

    fn measured() -> ShippedModel {
        let at = |overlap, gradient| TileError {
            overlap,
            gradient,
            flat: 0.1,
            photo: 2.0,
            photo_db: 58.0,
            glare: 7.0,
        };
        ShippedModel::choose("abc123".to_owned(), vec![at(64, 1.5), at(96, 0.5)])
    }

    #[test]
    fn a_card_tells_what_the_file_and_the_figures_say() {
        let file = Path::new("models/mine-sample.png");
        let text = card(
            "mine",
            &model(),
            "abc123",
            Some(&measured()),
            "TABLES".to_owned(),
            Some(file),
            None,
        )
        .unwrap();
        for part in [
            "# mine",
            "16 channels, depths 1 1 1 1, 8 states, 2 directions, alternating, free decays, expansion 2, told the noise level",
            "| parameters | 0.50 M |",
            "GMAC + ",
            "381 photographs, 301 megapixels",
            "CREDITS.md",
            "models/recipes/mine.toml",
            "one of (nothing or gaussian blur sigma 0.0 to 3.0 taps 61), then noise",
            "| steps | 26000 |",
            "16.1 minutes on Some GPU",
            "33.43 dB",
            "TABLES",
            "](mine-sample.png)",
            BY_HAND,
            "| SHA-256 | `abc123` |",
            "| 96 pixels of the input: tiles are at most 0.50 of 255 from the whole on a gradient, 0.10 on a flat colour, 2.00 on a photograph (58.0 dB) (",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn what_people_wrote_stays() {
        let by_hand = "## Where it fails\n\nOn gravel.";
        let text = card(
            "mine",
            &model(),
            "",
            None,
            String::new(),
            None,
            Some(by_hand),
        )
        .unwrap();
        assert!(text.trim_end().ends_with("On gravel.") && !text.contains("Nobody"));
        assert!(!text.contains("## Sample"));
        assert!(text.contains("| 64 pixels of the input; not measured |"));
    }

    #[test]
    fn squares_stand_side_by_side_at_twice_their_size() {
        let square = |v: f32| Rgb32::new(2, 2, vec![v; 12]).unwrap();
        let row = side_by_side(&[square(0.25), square(0.75)], 2).unwrap();
        assert_eq!((row.width(), row.height()), (16, 4));
        let red = |x: usize| row.samples()[(3 * 16 + x) * 3];
        assert_eq!(
            [red(0), red(3), red(4), red(11), red(12), red(15)],
            [0.25, 0.25, 1.0, 1.0, 0.75, 0.75]
        );
    }
}
