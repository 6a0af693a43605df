//! Measured and published figures: `models/results.json` and `models/published.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::files::write_text;
use serpent_engine::network::size;

use super::task::EvalTask;

/// What was measured of our models and of the classical methods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The models the figures are of, by name.
    pub models: BTreeMap<String, Measured>,
    /// The figures.
    pub entries: Vec<Entry>,
}

/// A model that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Of its file, so that figures of an older one are known.
    pub fingerprint: String,
    pub parameters: usize,
    /// Cost at 256 × 256 of the result.
    pub gmac: f64,
    pub scan_gflop: f64,
    /// Whether it takes the noise level.
    pub noise_map: bool,
    /// On a graphics card, where one measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timed: Option<Timed>,
}

/// How long a network takes for 256 × 256 of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timed {
    /// Milliseconds of its kernels alone, median.
    pub ms: f64,
    /// The card.
    pub device: String,
}

/// One method on one set at one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Name of the model or of the classical method.
    pub method: String,
    pub task: EvalTask,
    pub set: String,
    pub level: f32,
    /// Whether the network was told the noise level instead of estimating it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    /// Whether it is the mean of eight turns.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ensemble: bool,
    /// Of a classical method: its setting, tuned on other pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    pub pictures: usize,
    pub input_psnr: f64,
    pub psnr: f64,
    pub ssim: Option<f64>,
    /// Where it was computed.
    pub device: String,
}

impl Entry {
    /// Whether both are figures of the same thing.
    pub fn same(&self, other: &Self) -> bool {
        let key = |e: &Self| (e.method.clone(), e.task, e.set.clone(), e.told, e.ensemble);
        key(self) == key(other) && self.level == other.level
    }
}

impl Measured {
    /// Of a checkpoint.
    pub fn of(model: &Checkpoint, path: &Path) -> anyhow::Result<Self> {
        let size = size(&model.config)?;
        Ok(Self {
            fingerprint: fingerprint(path)?,
            parameters: size.parameters,
            gmac: size.cost.dense_macs as f64 / 1e9,
            scan_gflop: size.cost.scan_flops as f64 / 1e9,
            noise_map: model.config.noise_map,
            timed: None,
        })
    }
}

/// FNV-1a (64 bits) of a file, as hexadecimal digits.
pub(crate) fn fingerprint(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    Ok(format!("{hash:016x}"))
}

impl Results {
    /// Reads a file; nothing measured where there is none.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Writes the file whole.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write_text(path, &text).with_context(|| path.display().to_string())
    }

    /// Takes a model in; figures of another file by that name are dropped, its time is kept.
    pub fn take_model(&mut self, name: &str, mut measured: Measured) {
        let known = self.models.remove(name);
        let same = |k: &Measured| k.fingerprint == measured.fingerprint;
        match known.as_ref().is_some_and(same) {
            true => measured.timed = measured.timed.or(known.and_then(|k| k.timed)),
            false => self.entries.retain(|e| e.method != name),
        }
        self.models.insert(name.to_owned(), measured);
    }

    /// Takes a figure in, in place of an older one of the same thing.
    pub fn take(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|e| e.same(&entry)) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    /// Whether such a figure is there.
    pub fn has(&self, entry: &Entry) -> bool {
        self.entries.iter().any(|e| e.same(entry))
    }
}

/// Figures others have published.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Published {
    #[serde(rename = "method")]
    pub methods: Vec<Method>,
}

/// A published method.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Method {
    pub name: String,
    pub task: EvalTask,
    /// Where the figures come from.
    pub source: String,
    /// Millions.
    pub parameters: Option<f64>,
    /// At 256 × 256 of the result; of super-resolution at the first of its levels.
    pub gmac: Option<f64>,
    /// Where the cost comes from.
    pub cost_source: Option<String>,
    /// Milliseconds for 256 × 256 on an NVIDIA H200, by `tests/reference/peers.py`.
    pub ms: Option<f64>,
    /// Of each set: level and PSNR in dB.
    pub psnr: BTreeMap<String, Vec<(f32, f64)>>,
}

impl Published {
    /// The file of this source tree.
    pub fn load() -> anyhow::Result<Self> {
        toml::from_str(include_str!("../../../../models/published.toml"))
            .context("models/published.toml")
    }
}

impl Method {
    pub fn psnr(&self, set: &str, level: f32) -> Option<f64> {
        let figures = self.psnr.get(set)?;
        figures.iter().find(|f| f.0 == level).map(|f| f.1)
    }
}

/// The folder of the models of this source tree.
pub(crate) fn models_folder() -> PathBuf {
    let app = Path::new(env!("CARGO_MANIFEST_DIR"));
    app.parent().unwrap_or(app).join("models")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn figures_replace_older_ones_of_the_same_thing_and_die_with_their_model() {
        let entry = |level: f32, psnr: f64| Entry {
            method: "a".to_owned(),
            task: EvalTask::Denoise,
            set: "S".to_owned(),
            level,
            told: false,
            ensemble: false,
            setting: None,
            pictures: 3,
            input_psnr: 20.0,
            psnr,
            ssim: None,
            device: "CPU".to_owned(),
        };
        let model = |fingerprint: &str| Measured {
            fingerprint: fingerprint.to_owned(),
            parameters: 1,
            gmac: 1.0,
            scan_gflop: 1.0,
            noise_map: false,
            timed: None,
        };
        let mut results = Results::default();
        results.take_model("a", model("1"));
        results.take(entry(15.0, 30.0));
        results.take(entry(25.0, 28.0));
        results.take(entry(15.0, 31.0));
        assert_eq!(results.entries, [entry(15.0, 31.0), entry(25.0, 28.0)]);
        results.take_model("a", model("1"));
        assert_eq!(results.entries.len(), 2);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        assert_eq!(Results::load(&path).unwrap(), Results::default());
        results.save(&path).unwrap();
        assert_eq!(Results::load(&path).unwrap(), results);
        results.take_model("a", model("2"));
        assert!(results.entries.is_empty());
    }

    #[test]
    fn published_figures_name_their_source() {
        let published = Published::load().unwrap();
        assert!(published.methods.len() > 10);
        for m in &published.methods {
            assert!(m.source.len() > 5 && !m.psnr.is_empty(), "{}", m.name);
            assert_eq!(m.gmac.is_some(), m.cost_source.is_some(), "{}", m.name);
            let figures = m.psnr.values().flatten();
            assert!(figures.into_iter().all(|f| (20.0..45.0).contains(&f.1)));
        }
        let drunet = published
            .methods
            .iter()
            .find(|m| m.name == "DRUNet")
            .unwrap();
        assert_eq!(drunet.psnr("CBSD68", 25.0), Some(31.69));
        assert_eq!(drunet.psnr("CBSD68", 26.0), None);
    }
}
