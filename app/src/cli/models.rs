//! `serpent models`: what can be named after `-m`, and what is known of each.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::network::{COST_SIDE, size};
use serpent_engine::restore::tiles::OVERLAP;
use serpent_engine::restore::{Shipped, sha256};

use super::common::{Global, Outcome, library};
use super::models_card;
use super::table::table;

/// List the models, tell what is known of some, or write their cards
#[derive(Debug, clap::Args)]
pub(super) struct ModelsArgs {
    /// Tell all that the files of these say: network, size, cost, training
    #[arg(value_name = "MODEL", conflicts_with = "card")]
    names: Vec<String>,
    /// Write the page of each of these models beside its file, from its metadata and models/results.json
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    card: Vec<String>,
    /// A clean picture whose middle is degraded, restored and shown on the card
    #[arg(long, requires = "card", value_name = "PICTURE")]
    sample: Option<PathBuf>,
    /// With --card: measure tiles again at every overlap, though the files are the same
    #[arg(long, requires = "card")]
    tiles: bool,
    /// With --card: write the table of overlaps into this page, between its markers
    #[arg(long, requires = "card", value_name = "PAGE")]
    write: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &ModelsArgs, global: &Global) -> anyhow::Result<Outcome> {
    if !args.card.is_empty() {
        let wish = models_card::Wish {
            names: &args.card,
            sample: args.sample.as_deref(),
            tiles: args.tiles,
            page: args.write.as_deref(),
        };
        return models_card::run(&wish, global);
    }
    if !args.names.is_empty() {
        return details(&args.names, global);
    }
    let library = library();
    let chosen = library.default_model().ok();
    let (mut rows, mut lines, mut broken) = (Vec::new(), Vec::new(), false);
    for entry in library.list() {
        let model = match entry.load() {
            Ok(model) => model,
            Err(error) => {
                eprintln!("{error}");
                broken = true;
                continue;
            }
        };
        let default = chosen.as_ref() == Some(&entry.path);
        let parameters = parameters(&model);
        rows.push(vec![
            format!("{}{}", entry.name, if default { " (default)" } else { "" }),
            model.task.to_string(),
            format!("×{}", model.config.scale),
            format!("{:.2} M", parameters as f64 / 1e6),
            entry.path.display().to_string(),
        ]);
        let mut line = as_json(&entry.name, &entry.path, &model);
        line["default"] = default.into();
        lines.push(line);
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

/// What the files of these models say.
fn details(names: &[String], global: &Global) -> anyhow::Result<Outcome> {
    let library = library();
    let mut lines = Vec::new();
    for name in names {
        let path = library.find(name)?;
        let (_, model) = library.load(Some(name))?;
        let hash = sha256(&std::fs::read(&path)?);
        let cost = size(&model.config)?.cost;
        let mut line = as_json(name, &path, &model);
        line["sha256"] = hash.clone().into();
        line["overlap"] = model.overlap.unwrap_or(OVERLAP).into();
        line["cost"] = serde_json::to_value(cost)?;
        lines.push(line);
        let mut text = format!(
            "{name}\n  file        {}\n  SHA-256     {}{}\n  task        {}\n  network     {}\n  parameters  {:.2} M\n  cost        {:.1} GMAC + {:.1} GFLOP of scans at {COST_SIDE} × {COST_SIDE}",
            path.display(),
            hash,
            match Shipped::built_in().with_hash(&hash) {
                Some(_) => ", as it comes with this version",
                None => "",
            },
            model.task,
            model.config,
            parameters(&model) as f64 / 1e6,
            cost.dense_macs as f64 / 1e9,
            cost.scan_flops as f64 / 1e9,
        );
        text += &format!(
            "\n  tiles       share {} pixels of the input",
            model.overlap.unwrap_or(OVERLAP)
        );
        if let Some(training) = training(&model.recipe) {
            text += &format!("\n  trained     {training}");
        }
        if !global.json {
            println!("{text}");
        }
    }
    if global.json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
    }
    Ok(Outcome::Done)
}

fn parameters(model: &Checkpoint) -> usize {
    model.weights.iter().map(Vec::len).sum()
}

fn as_json(name: &str, path: &Path, model: &Checkpoint) -> Value {
    json!({
        "name": name,
        "path": path,
        "task": model.task,
        "parameters": parameters(model),
        "config": model.config,
        "recipe": model.recipe,
    })
}

/// Steps, minutes and device, as far as the file tells them.
fn training(recipe: &Value) -> Option<String> {
    let mut text = format!("{} steps", recipe["steps_done"].as_u64()?);
    if let Some(seconds) = recipe["seconds"].as_f64() {
        text += &format!(", {:.1} minutes", seconds / 60.0);
    }
    if let Some(device) = recipe["device"].as_str() {
        text += &format!(" on {device}");
    }
    if let Some(psnr) = recipe["validation_psnr"].as_f64() {
        text += &format!(", validation {psnr:.2} dB");
    }
    Some(text)
}
