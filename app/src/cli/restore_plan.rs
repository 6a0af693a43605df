//! `serpent restore --plan`: what would be done.

use serde_json::{Value, json};
use serpent_engine::backend::wgpu::{DeviceKind, list_devices};
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::Picture;
use serpent_engine::restore::batch::{BatchPlan, Decision, Item};
use serpent_engine::restore::{DeviceChoice, Estimate, Estimator, Options};

use super::common::{Global, Outcome};

/// Prints the plan; nothing is opened but the pictures' headers, nothing is written.
pub(super) fn run(
    plan: &BatchPlan,
    model: &Checkpoint,
    options: &Options,
    global: &Global,
) -> anyhow::Result<Outcome> {
    let processor = match global.device() {
        DeviceChoice::Cpu => true,
        DeviceChoice::Named(_) => false,
        DeviceChoice::Auto => !list_devices()
            .iter()
            .any(|d| d.kind != DeviceKind::Software),
    };
    let estimator = Estimator::new(model, processor)?;
    let (mut count, mut failed, mut skipped, mut pixels, mut tiles, mut most) =
        (0, 0, 0, 0u64, 0, 0);
    let mut turns = 1;
    for entry in &plan.entries {
        let item = &entry.item;
        let fail = |message: &str| {
            eprintln!("{message}");
            line(
                global,
                item,
                &json!({"status": "failed", "message": message}),
            );
        };
        match &entry.decision {
            Decision::Refuse(message) => {
                failed += 1;
                fail(message);
            }
            Decision::Skip(reason) => {
                skipped += 1;
                global.say(&format!("{}  skipped: {reason}", item.input.display()));
                line(
                    global,
                    item,
                    &json!({"status": "skipped", "reason": reason}),
                );
            }
            Decision::Restore => match Picture::probe(&item.input) {
                Err(error) => {
                    failed += 1;
                    fail(&error.to_string());
                }
                Ok(size) => {
                    let (width, height) = (size.width as usize, size.height as usize);
                    let estimate = estimator.of(width, height, options);
                    count += 1;
                    pixels += u64::from(size.width) * u64::from(size.height);
                    tiles += estimate.tiles;
                    turns = estimate.turns;
                    most = most.max(estimate.bytes);
                    planned(global, item, (width, height), model.config.scale, &estimate);
                }
            },
        }
    }
    global.say(&format!(
        "{count} to restore, {failed} cannot be, {skipped} skipped: {:.1} megapixels in {tiles} tiles{}, up to {} for a tile",
        pixels as f64 / 1e6,
        each_in(turns),
        mebibytes(most),
    ));
    Ok(match failed {
        0 => Outcome::Done,
        _ => Outcome::SomeFailed,
    })
}

fn planned(
    global: &Global,
    item: &Item,
    (width, height): (usize, usize),
    scale: usize,
    estimate: &Estimate,
) {
    let Estimate {
        tiles,
        turns,
        tile_width,
        tile_height,
        bytes,
    } = *estimate;
    let larger = match scale {
        1 => String::new(),
        r => format!(" to {} x {}", width * r, height * r),
    };
    let each = match tiles {
        1 => "1 tile".to_owned(),
        n => format!("{n} tiles"),
    };
    global.say(&format!(
        "{} -> {}  {width} x {height}{larger}  {each} of {tile_width} x {tile_height}{}, {}",
        item.input.display(),
        item.output.display(),
        each_in(turns),
        mebibytes(bytes),
    ));
    line(
        global,
        item,
        &json!({
            "status": "planned",
            "width": width, "height": height, "scale": scale,
            "tiles": tiles, "turns": turns, "tile_width": tile_width, "tile_height": tile_height,
            "tile_bytes": bytes,
        }),
    );
}

/// How often each tile is restored, where it is more than once.
fn each_in(turns: usize) -> String {
    match turns {
        1 => String::new(),
        n => format!(", each in {n} turns"),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// One line of JSON for one picture.
fn line(global: &Global, item: &Item, more: &Value) {
    if global.json {
        let mut line =
            json!({"input": item.input.to_string_lossy(), "output": item.output.to_string_lossy()});
        if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
            line.extend(more.clone());
        }
        println!("{line}");
    }
}
