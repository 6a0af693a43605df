//! `serpent auto`: what ails pictures, and which model to take.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use serpent_engine::checkpoint::{Checkpoint, Task};
use serpent_engine::estimate::{Ailment, Diagnosis, diagnose, propose};
use serpent_engine::image::{ColourTransform, Picture};
use serpent_engine::restore::batch::{BatchRequest, Destination, plan_batch};

use super::auto_confusion;
use super::common::{Global, Outcome, library, told};
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
    /// With --confusion: write the table into this page, between its markers
    #[arg(long, requires = "confusion", value_name = "PAGE")]
    write: Option<PathBuf>,
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
        return auto_confusion::run(&paths, args.write.as_deref(), global);
    }
    let models = models();
    let (mut rows, mut lines, mut failed) = (Vec::new(), Vec::new(), false);
    for path in &paths {
        let found = match examine(path) {
            Ok(found) => found,
            Err(error) => {
                eprintln!("{}", told(&error));
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
