//! `serpent auto --confusion`: how often the proposal is right, on pictures degraded in known ways.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rayon::prelude::*;
use serde_json::json;
use serpent_engine::estimate::{Ailment, Diagnosis, diagnose, propose};
use serpent_engine::image::Picture;
use serpent_engine::train::degrade::{Chroma, Degradation, Purpose, Sensor, apply_all, rng};

use super::common::{Global, Outcome};
use super::eval::tables::{Markers, between};

/// Where the table stands in a page.
const MARKERS: Markers = [
    "<!-- confusion: written by `serpent auto --confusion --write` -->",
    "<!-- end of confusion -->",
];

/// What is done to clean pictures and what should be found.
fn conditions() -> Vec<(&'static str, Ailment, Vec<Degradation>)> {
    let noise = |sigma: f32| Degradation::Noise {
        sigma: sigma.into(),
        clip: false,
    };
    let blur = |sigma: f32| Degradation::GaussianBlur {
        sigma: sigma.into(),
        taps: 61,
    };
    let jpeg = |quality: f32, chroma| Degradation::Jpeg {
        quality: quality.into(),
        chroma,
        shift: false,
    };
    let sensor = |shot: f32| {
        Degradation::Sensor(Sensor {
            shot: shot.into(),
            balance: 1.8.into(),
            matrix: 0.3.into(),
        })
    };
    let defocus = Degradation::Defocus { radius: 4.0.into() };
    vec![
        ("clean", Ailment::None, vec![]),
        ("JPEG 95", Ailment::None, vec![jpeg(95.0, Chroma::Half)]),
        ("noise σ 10", Ailment::Noise, vec![noise(10.0)]),
        ("noise σ 25", Ailment::Noise, vec![noise(25.0)]),
        ("noise σ 50", Ailment::Noise, vec![noise(50.0)]),
        (
            "blur 2 px, noise 2",
            Ailment::Blur,
            vec![blur(2.0), noise(2.0)],
        ),
        (
            "blur 2 px, noise 12.75",
            Ailment::Blur,
            vec![blur(2.0), noise(12.75)],
        ),
        (
            "blur 3 px, noise 12.75",
            Ailment::Blur,
            vec![blur(3.0), noise(12.75)],
        ),
        (
            "defocus 4 px, noise 2",
            Ailment::Blur,
            vec![defocus, noise(2.0)],
        ),
        ("JPEG 10", Ailment::Jpeg, vec![jpeg(10.0, Chroma::Half)]),
        ("JPEG 30", Ailment::Jpeg, vec![jpeg(30.0, Chroma::Half)]),
        ("JPEG 60", Ailment::Jpeg, vec![jpeg(60.0, Chroma::Full)]),
        ("sensor 0.004", Ailment::Camera, vec![sensor(0.004)]),
        ("sensor 0.016", Ailment::Camera, vec![sensor(0.016)]),
        (
            "sensor 0.016, JPEG 75",
            Ailment::Camera,
            vec![sensor(0.016), jpeg(75.0, Chroma::Half)],
        ),
        (
            "noise σ 20, JPEG 75",
            Ailment::Camera,
            vec![noise(20.0), jpeg(75.0, Chroma::Half)],
        ),
        (
            "blur 0.8 px, noise σ 15, JPEG 75",
            Ailment::Camera,
            vec![blur(0.8), noise(15.0), jpeg(75.0, Chroma::Half)],
        ),
        (
            "blur 2 px, noise 2, JPEG 90",
            Ailment::Blur,
            vec![blur(2.0), noise(2.0), jpeg(90.0, Chroma::Half)],
        ),
    ]
}

const AILMENTS: [Ailment; 5] = [
    Ailment::None,
    Ailment::Noise,
    Ailment::Blur,
    Ailment::Jpeg,
    Ailment::Camera,
];

/// Counts what is proposed for clean pictures degraded in known ways and saved with 8 bits, as
/// files that tell nothing of their history.
pub(super) fn run(
    paths: &[PathBuf],
    page: Option<&Path>,
    global: &Global,
) -> anyhow::Result<Outcome> {
    let clean: Vec<_> = paths
        .iter()
        .map(|path| Ok(Picture::open(path)?.in_srgb().to_rgb()))
        .collect::<anyhow::Result<_>>()?;
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    let (mut right, mut all) = (0, 0);
    for (name, truth, mut steps) in conditions() {
        steps.push(Degradation::Round);
        let found: Vec<Diagnosis> = clean
            .par_iter()
            .enumerate()
            .map(|(i, picture)| {
                let mut random = rng(0, 0, i as u64, Purpose::Evaluation);
                let degraded = apply_all(&steps, picture, &mut random)?;
                Ok(diagnose(&degraded.image, None))
            })
            .collect::<anyhow::Result<_>>()?;
        let proposed: Vec<Ailment> = found.iter().map(|f| propose(f, &[]).ailment).collect();
        let counts = AILMENTS.map(|a| proposed.iter().filter(|p| **p == a).count());
        right += proposed.iter().filter(|p| **p == truth).count();
        all += proposed.len();
        let median = |of: &dyn Fn(&Diagnosis) -> Option<f32>| {
            let mut values: Vec<f32> = found.iter().filter_map(of).collect();
            values.sort_by(f32::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let noise = median(&|f| Some(f.noise * 255.0));
        let coarse = median(&|f| Some(f.coarse_noise * 255.0));
        let blur = median(&|f| f.blur);
        let quality = median(&|f| f.jpeg.map(f32::from));
        let cell =
            |v: Option<f32>, digits: usize| v.map_or("-".to_owned(), |v| format!("{v:.digits$}"));
        let mut row = vec![name.to_owned(), truth.to_string()];
        row.extend(counts.iter().map(ToString::to_string));
        row.extend([
            cell(noise, 1),
            cell(coarse, 1),
            cell(blur, 2),
            cell(quality, 0),
        ]);
        rows.push(row);
        lines.push(json!({
            "condition": name, "truth": truth, "proposed": counts,
            "median": {"noise": noise, "coarse_noise": coarse, "blur": blur, "quality": quality},
        }));
    }
    let mut head = vec!["pictures".to_owned(), "right is".to_owned()];
    head.extend(AILMENTS.map(|a| a.to_string()));
    head.extend(["noise", "coarse", "blur", "quality"].map(str::to_owned));
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head) + &line(&vec!["---".to_owned(); head.len()]);
    text.extend(rows.iter().map(|row| line(row)));
    text += &format!(
        "\n{} pictures; {right} of {all} right. The last columns are medians of what was measured.",
        clean.len()
    );
    if let Some(page) = page {
        let name = || page.display().to_string();
        let old = std::fs::read_to_string(page).with_context(name)?;
        let new = between(&old, MARKERS, &text).with_context(name)?;
        std::fs::write(page, new).with_context(name)?;
    }
    match global.json {
        true => println!("{}", serde_json::to_string_pretty(&lines)?),
        false => println!("{text}"),
    }
    Ok(Outcome::Done)
}
