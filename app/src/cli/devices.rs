//! `serpent devices`: what pictures can be restored on, and how.

use serde_json::json;
use serpent_engine::backend::wgpu::{DeviceKind, Examined, examine_devices};

use super::common::{Global, Outcome};
use super::table::table;

/// Runs the command.
pub(super) fn run(global: &Global) -> anyhow::Result<Outcome> {
    let devices = examine_devices();
    // Listed best first; software devices are taken only when named.
    let chosen = devices
        .iter()
        .position(|d| d.info.kind != DeviceKind::Software);
    if global.json {
        let graphics: Vec<_> = devices
            .iter()
            .enumerate()
            .map(|(i, d)| {
                json!({
                    "device": d.info,
                    "auto": chosen == Some(i),
                    "rung": d.rung,
                    "self_test": d.verdicts,
                    "trouble": d.trouble,
                })
            })
            .collect();
        let all =
            json!({"graphics": graphics, "cpu": {"threads": threads(), "auto": chosen.is_none()}});
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(Outcome::Done);
    }
    let auto = |yes: bool| if yes { "auto" } else { "" }.to_owned();
    let mut rows: Vec<Vec<String>> = devices
        .iter()
        .enumerate()
        .map(|(i, d)| {
            vec![
                d.info.name.clone(),
                format!("{:?}", d.info.kind).to_lowercase(),
                d.info.backend.clone(),
                d.info.driver.clone(),
                format!("{} MiB", d.info.max_binding_bytes >> 20),
                d.rung.map_or("none".to_owned(), |r| r.to_string()),
                self_test(d),
                auto(chosen == Some(i)),
            ]
        })
        .collect();
    rows.push(vec![
        "cpu".to_owned(),
        "processor".to_owned(),
        String::new(),
        format!("{} threads", threads()),
        String::new(),
        "full".to_owned(),
        String::new(),
        auto(chosen.is_none()),
    ]);
    let head = [
        "device",
        "kind",
        "backend",
        "driver",
        "largest binding",
        "rung",
        "self-test",
        "chosen",
    ];
    println!("{}", table(&head, &rows));
    // Reasons are too long for a table.
    for device in &devices {
        let name = &device.info.name;
        for verdict in &device.verdicts {
            if let Some(reason) = &verdict.trouble {
                println!("{name}: rung {} is not used: {reason}", verdict.rung);
            }
        }
        if let Some(reason) = &device.trouble {
            println!("{name}: does not open: {reason}");
        }
    }
    Ok(Outcome::Done)
}

/// The verdict on the rung in use, in a word or two.
fn self_test(device: &Examined) -> String {
    match device.verdicts.last() {
        Some(v) if v.passed() => format!("passed ({:.1e})", v.error.unwrap_or_default()),
        Some(v) => format!("{} failed", v.rung),
        None => String::new(),
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
