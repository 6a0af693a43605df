//! `serpent restore --watch`: restores what comes into folders.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serpent_engine::restore::batch::{BatchRequest, WatchFolder, plan_batch};

use super::restore::Shop;

/// How often the folders are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Restores what is and what comes, until Ctrl-C. What was made earlier is not made again.
pub(super) fn run(request: &BatchRequest, shop: &mut Shop<'_>) -> anyhow::Result<()> {
    if let Some(file) = request.inputs.iter().find(|i| !i.is_dir()) {
        anyhow::bail!("{}: only folders can be watched", file.display());
    }
    if request.template.as_ref().is_some_and(|t| t.has_number()) {
        anyhow::bail!(
            "{{n}} begins again with every picture that comes; leave it out of the template to watch a folder"
        );
    }
    let mut watch = WatchFolder::new(request.inputs.clone(), request.recursive);
    shop.note(&format!("watching {}; Ctrl-C ends it", names(request)));
    while !shop.interrupted.load(Ordering::Relaxed) {
        let new = watch.poll(Instant::now());
        if new.is_empty() {
            std::thread::sleep(EVERY);
            continue;
        }
        let request = BatchRequest {
            only: Some(new.into_iter().collect()),
            ..request.clone()
        };
        match plan_batch(&request) {
            Ok(plan) => {
                for entry in &plan.entries {
                    watch.ignore(&entry.item.output);
                }
                shop.work(plan)?;
            }
            // A folder may go and come again; what cannot be planned now may be later.
            Err(error) => eprintln!("{error}"),
        }
    }
    Ok(())
}

fn names(request: &BatchRequest) -> String {
    let all: Vec<String> = request
        .inputs
        .iter()
        .map(|i: &std::path::PathBuf| Path::display(i).to_string())
        .collect();
    all.join(", ")
}
