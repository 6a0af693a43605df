//! What is remembered between runs: a TOML file in the user's configuration folder.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use serpent_engine::files::write_text;
use serpent_engine::image::Format;
use serpent_engine::priority;
use serpent_engine::restore::batch::Existing;
use serpent_engine::restore::{DeviceChoice, MEMORY_BUDGET, Preset};

use super::theme::ThemeChoice;

/// Recent files kept.
const RECENT: usize = 12;

/// The settings. A file that lacks some of them, or has others, is read all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Dark, light or the desktop's.
    pub theme: ThemeChoice,
    /// Size of the interface, 1 for the desktop's own.
    pub scale: f32,
    /// As `--device` takes it: auto, cpu, or part of a name.
    pub device: String,
    /// MiB that a picture's intermediates may take.
    pub memory_mib: u64,
    /// Whether single photos are restored in all eight turns and the mean is taken.
    pub ensemble: bool,
    /// Whether saved photos leave out where they were taken.
    pub strip_gps: bool,
    /// Model chosen last.
    pub model: Option<String>,
    /// Whether the film strip is shown.
    pub strip: bool,
    /// Whether the panel is shown.
    pub panel: bool,
    /// Files opened last, newest first.
    pub recent: Vec<PathBuf>,
    /// The batch page as it was left.
    pub batch: BatchSettings,
}

/// How a batch is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchSettings {
    /// Model; the one chosen for single photos when absent.
    pub model: Option<String>,
    /// Whether folders inside the folders are searched.
    pub recursive: bool,
    /// Whether results lie beside the originals.
    pub beside: bool,
    /// Where they lie otherwise.
    pub output: Option<PathBuf>,
    /// Names of results without extension.
    pub template: String,
    /// Extension of the results' format; the original's when absent.
    pub format: Option<String>,
    /// JPEG quality.
    pub quality: u8,
    /// What to do with results that exist.
    pub existing: Existing,
    /// How much of the restored picture to take.
    pub strength: f32,
    /// Whether all eight turns are restored and the mean is taken.
    pub ensemble: bool,
    /// Whether a report is written with the results.
    pub report: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::System,
            scale: 1.0,
            device: "auto".to_owned(),
            memory_mib: MEMORY_BUDGET >> 20,
            ensemble: false,
            strip_gps: false,
            model: None,
            strip: true,
            panel: true,
            recent: Vec::new(),
            batch: BatchSettings::default(),
        }
    }
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            model: None,
            recursive: true,
            beside: false,
            output: None,
            template: "{name}-restored".to_owned(),
            format: None,
            quality: 95,
            existing: Existing::Update,
            strength: 1.0,
            ensemble: false,
            report: true,
        }
    }
}

impl BatchSettings {
    /// As a preset keeps them.
    pub fn to_preset(&self) -> Preset {
        Preset {
            model: self.model.clone(),
            strength: Some(self.strength),
            ensemble: Some(self.ensemble),
            format: self.format(),
            quality: Some(self.quality),
            template: Some(self.template.clone()),
            beside: Some(self.beside),
            recursive: Some(self.recursive),
            existing: Some(self.existing),
            ..Preset::default()
        }
    }

    /// Takes over what a preset says.
    pub fn take(&mut self, preset: Preset) {
        let old = self.clone();
        *self = Self {
            model: preset.model.or(old.model),
            strength: preset.strength.unwrap_or(old.strength).clamp(0.0, 1.0),
            ensemble: preset.ensemble.unwrap_or(old.ensemble),
            format: preset.format.map(|f| f.extension().to_owned()),
            quality: preset.quality.unwrap_or(old.quality).clamp(1, 100),
            template: preset.template.unwrap_or(old.template),
            beside: preset.beside.unwrap_or(old.beside),
            recursive: preset.recursive.unwrap_or(old.recursive),
            existing: preset.existing.unwrap_or(old.existing),
            ..old
        };
    }

    /// The results' format, unless the original's.
    pub fn format(&self) -> Option<Format> {
        let named = self.format.as_deref().and_then(Format::from_extension);
        named.filter(|f| f.can_write())
    }
}

impl Settings {
    /// The user's settings file.
    pub fn user_file() -> Option<PathBuf> {
        let folders = directories::ProjectDirs::from("", "", "serpent")?;
        Some(folders.config_dir().join("settings.toml"))
    }

    /// Reads `path`. What is not there is as it is by default; what cannot be read as well,
    /// with the reason.
    pub fn load(path: &Path) -> (Self, Option<String>) {
        let trouble = |e: &dyn std::fmt::Display| {
            let text = format!("{}: {e}; settings start anew", path.display());
            (Self::default(), Some(text))
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (Self::default(), None),
            Err(e) => return trouble(&e),
        };
        match toml::from_str::<Self>(&text) {
            Ok(settings) => (settings.in_range(), None),
            Err(e) => trouble(&e.message()),
        }
    }

    /// Values that somebody wrote by hand, within what the window offers.
    fn in_range(mut self) -> Self {
        self.scale = self.scale.clamp(0.75, 3.0);
        self.memory_mib = self.memory_mib.clamp(64, 1 << 20);
        self.batch.quality = self.batch.quality.clamp(1, 100);
        self.batch.strength = self.batch.strength.clamp(0.0, 1.0);
        self.recent.truncate(RECENT);
        self
    }

    /// The device as the engine takes it.
    pub fn choice(&self) -> DeviceChoice {
        match self.device.parse() {
            Ok(choice) => choice,
            Err(never) => match never {},
        }
    }

    /// Puts `path` first among the recent files.
    pub fn remember(&mut self, path: &Path) {
        self.recent.retain(|p| p != path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(RECENT);
    }
}

/// Writes settings on a thread of its own: the window waits for no disk.
pub struct Keeper {
    kept: Settings,
    out: Option<(Sender<Settings>, JoinHandle<()>)>,
}

impl Keeper {
    /// Keeps in `path`, or nowhere.
    pub fn new(path: Option<PathBuf>, kept: Settings) -> Self {
        let out = path.map(|path| {
            let (send, receive) = channel::<Settings>();
            let thread = priority::spawn(move || {
                while let Ok(mut settings) = receive.recv() {
                    while let Ok(newer) = receive.try_recv() {
                        settings = newer;
                    }
                    if let Err(error) = write(&path, &settings) {
                        tracing::error!("{}: cannot keep the settings: {error}", path.display());
                    }
                }
            });
            (send, thread)
        });
        Self { kept, out }
    }

    /// Writes them if they have changed.
    pub fn keep(&mut self, settings: &Settings) {
        if *settings != self.kept {
            self.kept = settings.clone();
            if let Some((out, _)) = &self.out {
                // The thread lives as long as this does.
                let _ = out.send(settings.clone());
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some((out, thread)) = self.out.take() {
            drop(out);
            // What was sent is written first.
            let _ = thread.join();
        }
    }
}

/// Writes the file whole or not at all.
fn write(path: &Path, settings: &Settings) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let text = toml::to_string_pretty(settings).map_err(std::io::Error::other)?;
    write_text(path, &text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn settings_come_back_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/settings.toml");
        assert_eq!(Settings::load(&path), (Settings::default(), None));
        let mut settings = Settings {
            theme: ThemeChoice::Light,
            device: "cpu".to_owned(),
            ..Settings::default()
        };
        settings.remember(Path::new("/a.png"));
        settings.remember(Path::new("/b.png"));
        settings.remember(Path::new("/a.png"));
        assert_eq!(
            settings.recent,
            [Path::new("/a.png"), Path::new("/b.png")].map(Path::to_owned)
        );
        let mut keeper = Keeper::new(Some(path.clone()), Settings::default());
        keeper.keep(&settings);
        drop(keeper);
        assert_eq!(Settings::load(&path), (settings, None));
        // Only the file itself is left behind.
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);

        std::fs::write(&path, "scale = 90.0\nnews = 1\n").unwrap();
        let (read, trouble) = Settings::load(&path);
        assert_eq!((read.scale, trouble), (3.0, None));
        std::fs::write(&path, "scale = [").unwrap();
        let (read, trouble) = Settings::load(&path);
        assert_eq!(read, Settings::default());
        assert!(trouble.unwrap().contains("settings.toml"));
    }
}
