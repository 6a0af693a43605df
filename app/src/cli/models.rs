//! `serpent models`: what can be named after `-m`.

use std::path::PathBuf;

use serde_json::json;
use serpent_engine::checkpoint::Checkpoint;

use super::common::{Global, Outcome, library};
use super::models_card;
use super::table::table;

/// List the models, or write their cards
#[derive(Debug, clap::Args)]
pub(super) struct ModelsArgs {
    /// Write the page of each of these models beside its file, from its metadata and models/results.json
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    card: Vec<String>,
    /// A clean picture whose middle is degraded, restored and shown on the card
    #[arg(long, requires = "card", value_name = "PICTURE")]
    sample: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &ModelsArgs, global: &Global) -> anyhow::Result<Outcome> {
    if !args.card.is_empty() {
        return models_card::run(&args.card, args.sample.as_deref(), global);
    }
    let library = library();
    let chosen = library.default_model().ok();
    let (mut rows, mut lines, mut broken) = (Vec::new(), Vec::new(), false);
    for entry in library.list() {
        let model = match Checkpoint::load(&entry.path) {
            Ok(model) => model,
            Err(error) => {
                eprintln!("{error}");
                broken = true;
                continue;
            }
        };
        let default = chosen.as_ref() == Some(&entry.path);
        let parameters: usize = model.weights.iter().map(Vec::len).sum();
        rows.push(vec![
            format!("{}{}", entry.name, if default { " (default)" } else { "" }),
            model.task.to_string(),
            format!("×{}", model.config.scale),
            format!("{:.2} M", parameters as f64 / 1e6),
            entry.path.display().to_string(),
        ]);
        lines.push(json!({
            "name": entry.name,
            "path": entry.path,
            "default": default,
            "task": model.task,
            "parameters": parameters,
            "config": model.config,
            "recipe": model.recipe,
        }));
    }
    if global.json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
    } else if rows.is_empty() {
        let folders: Vec<_> = library
            .folders()
            .iter()
            .map(|f| f.display().to_string())
            .collect();
        println!(
            "no models; put .safetensors files in {}",
            folders.join(" or ")
        );
    } else {
        println!(
            "{}",
            table(&["model", "task", "scale", "parameters", "file"], &rows)
        );
    }
    Ok(if broken {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
}
