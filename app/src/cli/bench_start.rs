//! First starts, each in a process of its own.

use std::ffi::OsStr;
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

/// First starts by what earlier starts have left on disk.
#[derive(Serialize)]
pub(super) struct Starts {
    /// Nothing: neither the driver's cache nor this program's.
    pub without_caches: Kind,
    /// This program's only.
    pub own_cache: Kind,
    /// Both, as on any day.
    pub with_caches: Kind,
}

impl Starts {
    /// The kinds with their names.
    pub fn kinds(&self) -> [(&'static str, &Kind); 3] {
        [
            ("without caches", &self.without_caches),
            ("with this program's cache", &self.own_cache),
            ("with the driver's too", &self.with_caches),
        ]
    }
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
    let folder = std::env::temp_dir().join(format!("serpent-bench-{}", std::process::id()));
    let own_cache = kind(global, Some(folder.as_os_str()), true);
    // Only this program writes there; a leftover would harm nobody.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(Starts {
        without_caches: kind(global, Some(OsStr::new("")), true)?,
        own_cache: own_cache?,
        with_caches: kind(global, None, false)?,
    })
}

/// Starts with this folder in place of the user's cache folder (empty: no cache), and with or
/// without the driver's cache.
fn kind(global: &Global, cache: Option<&OsStr>, no_driver_cache: bool) -> anyhow::Result<Kind> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let (mut process, mut first, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    // One start more fills the caches, where there are any.
    for i in 0..=STARTS {
        let mut command = Command::new(&program);
        command
            .args(["bench", "--first-start-once", "--device", &global.device])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        if global.checked_shaders {
            command.arg("--checked-shaders");
        }
        if let Some(rung) = global.rung {
            command.args(["--rung", &rung.to_string()]);
        }
        if no_driver_cache {
            command.envs(NO_DRIVER_CACHE);
        }
        if let Some(folder) = cache {
            command.env("SERPENT_CACHE", folder);
        }
        let start = Instant::now();
        let output = command.output().context("cannot start this program")?;
        let wall = 1e3 * start.elapsed().as_secs_f64();
        if !output.status.success() {
            bail!("a first start failed: {}", output.status);
        }
        let parts: FirstStart = serde_json::from_slice(&output.stdout)
            .context("a first start printed something else")?;
        if i > 0 {
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
const NO_DRIVER_CACHE: [(&str, &str); 2] = [
    ("__GL_SHADER_DISK_CACHE", "0"),
    ("MESA_SHADER_CACHE_DISABLE", "true"),
];
