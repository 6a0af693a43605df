//! The options of `serpent restore`, and presets, which stand in for those not given.

use std::path::PathBuf;

use anyhow::Context;
use serpent_engine::image::Limits;
use serpent_engine::restore::batch::Shard;
use serpent_engine::restore::{Options, Preset, PresetLibrary};

use super::batch::BatchArgs;

/// Restore pictures
///
/// Alpha, colour profile, EXIF, XMP and bit depth are kept. A picture that fails does not stop the
/// others. Originals are never replaced. A folder that was cut off is finished by the same call:
/// what was made earlier with the same settings is known from a journal in the output folder.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    pub files: BatchArgs,
    /// Model: a name from `serpent models` or a .safetensors file [default: a denoiser]
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Side of a tile in pixels; 0 takes the whole picture where it fits the memory [default: 0]
    #[arg(short, long, value_name = "PIXELS")]
    pub tile: Option<usize>,
    /// How much of the restored picture to take, 0 to 1 [default: 1]
    #[arg(long, value_parser = unit, value_name = "0..1")]
    pub strength: Option<f32>,
    /// Noise of the pictures, σ of 255, for models that want to be told [default: estimated]
    #[arg(long, value_parser = levels, value_name = "σ")]
    pub noise: Option<f32>,
    /// Restore all eight turns of the picture and take the mean: a little better, eight times as long
    #[arg(short = 'x', long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub ensemble: Option<bool>,
    /// Memory that the intermediates of one tile may take: less makes smaller tiles, and leaves more for others [default: 1024]
    #[arg(long, value_parser = clap::value_parser!(u64).range(16..=1 << 20), value_name = "MIB")]
    pub memory: Option<u64>,
    /// Refuse pictures of more than this many million pixels, before memory is taken for them [default: 400]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000), value_name = "MILLIONS")]
    pub max_pixels: Option<u64>,
    /// Take the settings saved under this name; options given besides go first
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Save the settings of this call under this name, for --preset
    #[arg(long, value_name = "NAME")]
    pub save_preset: Option<String>,
    /// Write what became of each picture to a .csv or .json file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Do only part K of N; which pictures that is follows from their paths, so that N calls with the same inputs do all, on as many machines
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Only say what would be done: outputs, sizes, tiles and their memory
    #[arg(long, conflicts_with_all = ["watch", "report"])]
    pub plan: bool,
    /// Go on restoring what comes into the input folders, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

fn unit(text: &str) -> Result<f32, String> {
    between(text, 1.0)
}

fn levels(text: &str) -> Result<f32, String> {
    between(text, 255.0)
}

fn between(text: &str, high: f32) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|e| format!("{e}"))?;
    if (0.0..=high).contains(&value) {
        Ok(value)
    } else {
        Err(format!("must be 0 to {high}"))
    }
}

impl RestoreArgs {
    /// The options with those of the preset where none are given. Saves them as a preset, if so
    /// asked.
    pub fn settled(&self) -> anyhow::Result<Self> {
        let mut args = self.clone();
        if self.preset.is_none() && self.save_preset.is_none() {
            return Ok(args);
        }
        let presets = PresetLibrary::of_user().context("this user has no folder for presets")?;
        if let Some(name) = &self.preset {
            args.fill(presets.load(name)?)?;
        }
        if let Some(name) = &self.save_preset {
            presets.save(name, &args.as_preset())?;
        }
        Ok(args)
    }

    fn fill(&mut self, preset: Preset) -> anyhow::Result<()> {
        let template = preset.template.map(|t| t.parse()).transpose()?;
        self.model = self.model.take().or(preset.model);
        self.tile = self.tile.or(preset.tile);
        self.strength = self.strength.or(preset.strength);
        self.noise = self.noise.or(preset.noise);
        self.ensemble = self.ensemble.or(preset.ensemble);
        let files = &mut self.files;
        files.template = files.template.take().or(template);
        files.format = files.format.or(preset.format);
        files.quality = files.quality.or(preset.quality);
        files.strip_gps |= preset.strip_gps.unwrap_or(false);
        files.recursive |= preset.recursive.unwrap_or(false);
        files.beside |= files.output.is_none() && preset.beside.unwrap_or(false);
        if let (None, Some(existing)) = (files.existing(), preset.existing) {
            files.set_existing(existing);
        }
        // A hand-written file may hold anything.
        for (value, high, name) in [
            (self.strength, 1.0, "strength"),
            (self.noise, 255.0, "noise"),
        ] {
            if let Some(value) = value.filter(|v| !(0.0..=high).contains(v)) {
                anyhow::bail!("{name} is {value} in the preset, must be 0 to {high}");
            }
        }
        if let Some(quality) = files.quality.filter(|q| !(1..=100).contains(q)) {
            anyhow::bail!("quality is {quality} in the preset, must be 1 to 100");
        }
        Ok(())
    }

    fn as_preset(&self) -> Preset {
        let files = &self.files;
        Preset {
            model: self.model.clone(),
            strength: self.strength,
            tile: self.tile,
            noise: self.noise,
            ensemble: self.ensemble,
            format: files.format,
            quality: files.quality,
            strip_gps: files.strip_gps.then_some(true),
            template: files.template.as_ref().map(ToString::to_string),
            beside: files.beside.then_some(true),
            recursive: files.recursive.then_some(true),
            existing: files.existing(),
        }
    }

    /// How the engine is to restore.
    pub fn options(&self) -> Options {
        let usual = Options::default();
        Options {
            tile: self.tile.unwrap_or(usual.tile),
            strength: self.strength.unwrap_or(usual.strength),
            noise: self.noise.map(|n| n / 255.0),
            ensemble: self.ensemble.unwrap_or(usual.ensemble),
            keep_flat: usual.keep_flat,
            memory: self.memory.map_or(usual.memory, |mib| mib << 20),
            limits: Limits {
                max_pixels: self
                    .max_pixels
                    .map_or(usual.limits.max_pixels, |m| m * 1_000_000),
            },
        }
    }
}
