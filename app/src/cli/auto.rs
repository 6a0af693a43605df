//! `serpent auto`: what ails pictures, and which model to take.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rayon::prelude::*;
use serde_json::json;
use serpent_engine::checkpoint::{Checkpoint, Task};
use serpent_engine::estimate::{Ailment, Diagnosis, diagnose, propose};
use serpent_engine::image::{ColourTransform, Picture};
use serpent_engine::restore::batch::{BatchRequest, Destination, plan_batch};
use serpent_engine::train::degrade::{Chroma, Degradation, Purpose, Sensor, apply_all, rng};

use super::common::{Global, Outcome, library};
use super::table::table;

/// Tell what pictures suffer from, and propose a model
///
/// Noise, blur and JPEG quality are estimated from the pixels (the quality from the file, where it
/// is a JPEG). Nothing is restored.
#[derive(Debug, clap::Args)]
pub(super) struct AutoArgs {
    /// Pictures and folders
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Degrade these clean pictures in known ways and count how often the proposal is right
    #[arg(long)]
    confusion: bool,
}

/// Runs the command.
pub(super) fn run(args: &AutoArgs, global: &Global) -> anyhow::Result<Outcome> {
    let plan = plan_batch(&BatchRequest {
        inputs: args.files.clone(),
        // Nothing is written; the plan only lists.
        destination: Destination::At(PathBuf::from("nowhere/")),
        ..BatchRequest::default()
    })?;
    let paths: Vec<PathBuf> = plan.entries.into_iter().map(|e| e.item.input).collect();
    if args.confusion {
        return confusion(&paths, global);
    }
    let models = models();
    let (mut rows, mut lines, mut failed) = (Vec::new(), Vec::new(), false);
    for path in &paths {
        let found = match examine(path) {
            Ok(found) => found,
            Err(error) => {
                eprintln!("{error:#}");
                failed = true;
                continue;
            }
        };
        let proposal = propose(&found, &models);
        let model = match (&proposal.model, proposal.ailment) {
            (Some(model), _) => model.clone(),
            (None, Ailment::None) => "-".to_owned(),
            (None, _) => "no such model here".to_owned(),
        };
        rows.push(vec![
            path.display().to_string(),
            proposal.ailment.to_string(),
            model,
            proposal.reason.clone(),
        ]);
        lines
            .push(json!({"picture": path.to_string_lossy(), "found": found, "proposal": proposal}));
    }
    match global.json {
        true => println!("{}", serde_json::to_string_pretty(&lines)?),
        false => println!(
            "{}",
            table(&["picture", "suffers from", "model", "why"], &rows)
        ),
    }
    Ok(match failed {
        true => Outcome::SomeFailed,
        false => Outcome::Done,
    })
}

fn examine(path: &Path) -> anyhow::Result<Diagnosis> {
    let picture = Picture::open(path)?;
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let seen = ColourTransform::of(&picture).seen(&picture);
    Ok(diagnose(&seen, Some(&bytes)))
}

/// Names and tasks of the models there are; damaged ones are passed over.
fn models() -> Vec<(String, Task)> {
    let all = library().list().into_iter();
    all.filter_map(|m| Some((m.name, Checkpoint::load(&m.path).ok()?.task)))
        .collect()
}

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
fn confusion(paths: &[PathBuf], global: &Global) -> anyhow::Result<Outcome> {
    let clean: Vec<_> = paths
        .iter()
        .map(|path| Ok(Picture::open(path)?.to_rgb()))
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
    if global.json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
        return Ok(Outcome::Done);
    }
    let mut head = vec!["pictures".to_owned(), "right is".to_owned()];
    head.extend(AILMENTS.map(|a| a.to_string()));
    head.extend(["noise", "coarse", "blur", "quality"].map(str::to_owned));
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    println!(
        "{}\n{}",
        line(&head),
        line(&vec!["---".to_owned(); head.len()])
    );
    rows.iter().for_each(|row| println!("{}", line(row)));
    println!("\n{right} of {all} right; the last columns are medians of what was measured");
    Ok(Outcome::Done)
}
