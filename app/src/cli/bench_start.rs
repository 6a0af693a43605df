//! First starts, each in a process of its own.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use serde::Serialize;
use serpent_engine::backend::wgpu::{DeviceRequest, Rung};
use serpent_engine::bench::{FirstStart, Spread, first_start};
use serpent_engine::network::Preset;

use super::common::{Global, Outcome};

/// Side of the first picture.
const SIDE: usize = 512;
/// Starts of each kind.
const STARTS: usize = 3;

/// First starts with every cache off, and with the caches that starts before them filled.
#[derive(Serialize)]
pub(super) struct Starts {
    pub without_caches: Kind,
    pub with_caches: Kind,
}

/// Some starts, medians and all.
#[derive(Serialize)]
pub(super) struct Kind {
    /// From starting the process to its end.
    pub process_ms: Spread,
    /// From opening the device to the first picture.
    pub first_picture_ms: Spread,
    /// Each start's parts.
    pub starts: Vec<FirstStart>,
}

impl Kind {
    /// The rung of the starts.
    pub fn rung(&self) -> Rung {
        self.starts.first().map_or(Rung::Full, |s| s.rung)
    }
}

/// One start in this process, printed as JSON.
pub(super) fn once(request: &DeviceRequest) -> anyhow::Result<Outcome> {
    let first = first_start(request, Preset::Base, SIDE)?;
    println!("{}", serde_json::to_string(&first)?);
    Ok(Outcome::Done)
}

/// Starts this program again and again.
pub(super) fn measure(global: &Global) -> anyhow::Result<Starts> {
    Ok(Starts {
        without_caches: kind(global, false)?,
        with_caches: kind(global, true)?,
    })
}

fn kind(global: &Global, caches: bool) -> anyhow::Result<Kind> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let (mut process, mut first, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    // With caches, one start more fills them.
    for i in 0..STARTS + usize::from(caches) {
        let mut command = Command::new(&program);
        command
            .args(["bench", "--first-start-once", "--device", &global.device])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        if global.checked_shaders {
            command.arg("--checked-shaders");
        }
        if let Some(rung) = global.rung() {
            command.args(["--rung", &rung.to_string()]);
        }
        if !caches {
            command.envs(NO_CACHES);
        }
        let start = Instant::now();
        let output = command.output().context("cannot start this program")?;
        let wall = 1e3 * start.elapsed().as_secs_f64();
        if !output.status.success() {
            bail!("a first start failed: {}", output.status);
        }
        let parts: FirstStart = serde_json::from_slice(&output.stdout)
            .context("a first start printed something else")?;
        if i >= usize::from(caches) {
            process.push(wall);
            first.push(parts.total_ms);
            starts.push(parts);
        }
    }
    Ok(Kind {
        process_ms: Spread::of(process),
        first_picture_ms: Spread::of(first),
        starts,
    })
}

/// Turns off what NVIDIA's and Mesa's drivers keep on disk.
const NO_CACHES: [(&str, &str); 2] = [
    ("__GL_SHADER_DISK_CACHE", "0"),
    ("MESA_SHADER_CACHE_DISABLE", "true"),
];
