//! `serpent devices`: what pictures can be restored on.

use serde_json::json;
use serpent_engine::backend::wgpu::{DeviceKind, list_devices};

use super::common::{Global, Outcome};
use super::table::table;

/// Runs the command.
pub(super) fn run(global: &Global) -> anyhow::Result<Outcome> {
    let devices = list_devices();
    // Listed best first; software devices are taken only when named.
    let chosen = devices.iter().position(|d| d.kind != DeviceKind::Software);
    if global.json {
        let graphics: Vec<_> = devices
            .iter()
            .enumerate()
            .map(|(i, d)| json!({"device": d, "auto": chosen == Some(i)}))
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
                d.name.clone(),
                format!("{:?}", d.kind).to_lowercase(),
                d.backend.clone(),
                d.driver.clone(),
                format!("{} MiB", d.max_binding_bytes >> 20),
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
        auto(chosen.is_none()),
    ]);
    let head = [
        "device",
        "kind",
        "backend",
        "driver",
        "largest binding",
        "chosen",
    ];
    println!("{}", table(&head, &rows));
    Ok(Outcome::Done)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
