//! `serpent influence`: how far a change of one pixel reaches in a model.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use serpent_engine::image::{Colour, Picture};
use serpent_engine::restore::{Device, Influence, Region, Restorer, influence};

use super::common::{Global, Outcome, library};
use super::table::table;

/// Distances at which the change is told.
const DISTANCES: [usize; 6] = [8, 16, 32, 48, 64, 96];

/// Measure how far a change of one pixel reaches
///
/// Makes single pixels black and white in a gradient, a flat picture and the pictures given, and
/// tells how far away the result changes by 1 of 255: what tiles must overlap by.
#[derive(Debug, clap::Args)]
pub(super) struct InfluenceArgs {
    /// Pictures, of which the middle is taken
    #[arg(value_name = "PICTURE")]
    pictures: Vec<PathBuf>,
    /// Model: a name from `serpent models` or a .safetensors file [default: a denoiser]
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Side of what is restored, in pixels
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(32..=1024), value_name = "PIXELS")]
    side: u32,
}

/// Runs the command.
pub(super) fn run(args: &InfluenceArgs, global: &Global) -> anyhow::Result<Outcome> {
    let (name, model) = library().load(args.model.as_deref())?;
    let side = args.side as usize;
    let device = Arc::new(Device::open(&global.setup())?);
    let mut restorer = Restorer::new(device, Arc::new(model))?;
    let mut subjects = vec![
        ("a gradient".to_owned(), gradient(side)?),
        ("flat grey".to_owned(), flat(side)?),
    ];
    for path in &args.pictures {
        let picture = Picture::open(path)?;
        let middle = Region::middle(&picture, side, side).cut(&picture)?;
        subjects.push((path.display().to_string(), middle));
    }
    let mut all = Influence::default();
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    for (subject, picture) in &subjects {
        let (w, h) = (picture.width(), picture.height());
        // The middle, near an edge, near a corner: off the grid of patches.
        let probes = [
            (w / 2 + 1, h / 2 + 1),
            (5.min(w - 1), h / 2),
            (w - 3, h - 3),
        ];
        let mut go_on = |_, _| ControlFlow::Continue(());
        let found = influence(&mut restorer, picture, &probes, &mut go_on)?;
        let far = DISTANCES.map(|d| 255.0 * found.beyond(d));
        let mut row = vec![subject.clone(), found.reach().to_string()];
        row.extend(far.iter().map(|f| format!("{f:.3}")));
        rows.push(row);
        lines.push(json!({"picture": subject, "reach": found.reach(), "beyond": DISTANCES.iter().zip(far).collect::<Vec<_>>()}));
        all.merge(&found);
    }
    if global.json {
        let all = json!({"model": name, "reach": all.reach(), "pictures": lines});
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(Outcome::Done);
    }
    let head: Vec<String> = ["picture".to_owned(), "reach".to_owned()]
        .into_iter()
        .chain(DISTANCES.map(|d| format!("from {d}")))
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    global.say(&table(&head, &rows));
    global.say(&format!(
        "{name}: a pixel reaches {} pixels; the other columns are the largest change from so far away on, of 255",
        all.reach()
    ));
    Ok(Outcome::Done)
}

fn gradient(side: usize) -> anyhow::Result<Picture> {
    let sample = |i: usize| {
        let (x, y, c) = (i / 3 % side, i / 3 / side, i % 3);
        let t = [x, y, side - 1 - x][c] as f32 / (side - 1) as f32;
        0.1 + 0.8 * t
    };
    let samples = (0..side * side * 3).map(sample).collect();
    Ok(Picture::new(side, side, Colour::Rgb, samples)?)
}

fn flat(side: usize) -> anyhow::Result<Picture> {
    Ok(Picture::new(
        side,
        side,
        Colour::Rgb,
        vec![0.5; side * side * 3],
    )?)
}
