//! Settings under a name, kept as TOML files in the user's folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::batch::Existing;
use crate::files::write_text;
use crate::image::Format;

/// Extension of a preset's file.
const EXTENSION: &str = "toml";

/// Settings of a restoring; what is absent is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preset {
    /// Model: a name or a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How much of the restored picture to take, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f32>,
    /// Side of a tile in pixels, 0 for the largest that fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tile: Option<usize>,
    /// Noise of the pictures, σ of 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<f32>,
    /// Whether the mean of all eight turns is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<bool>,
    /// Format of the outputs, by its extension.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_format",
        deserialize_with = "read_format"
    )]
    pub format: Option<Format>,
    /// Quality of JPEG files, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// Whether outputs leave out where the pictures were taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip_gps: Option<bool>,
    /// Names of outputs ([`Template`](super::batch::Template)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Whether outputs go beside the originals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<bool>,
    /// Whether folders inside folders are searched too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recursive: Option<bool>,
    /// What to do with outputs that exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
}

fn write_format<S: Serializer>(format: &Option<Format>, to: S) -> Result<S::Ok, S::Error> {
    format.map(Format::extension).serialize(to)
}

fn read_format<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Format>, D::Error> {
    let text = String::deserialize(from)?;
    let format = Format::from_extension(&text).filter(|f| f.can_write());
    let wrong = || serde::de::Error::custom(format!("{text:?} is no format to write"));
    format.map(Some).ok_or_else(wrong)
}

/// A preset cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// No such preset.
    #[error("no preset is called {name:?}; {}", known(names))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names there are.
        names: Vec<String>,
    },
    /// The name is none that a file can have.
    #[error("{name:?} is no name for a preset; use letters, digits, spaces, - and _")]
    Name {
        /// The name.
        name: String,
    },
    /// The file is there but makes no sense.
    #[error("{}: this is no preset: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The system refused.
    #[error("{}: cannot {action} the preset: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// "read", "write", "remove".
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

fn known(names: &[String]) -> String {
    match names {
        [] => "there is none yet; save one first".to_owned(),
        names => format!("there are {}", names.join(", ")),
    }
}

/// The folder of the presets.
#[derive(Clone, Debug)]
pub struct PresetLibrary {
    folder: PathBuf,
}

impl PresetLibrary {
    /// Presets in `folder`, which is made when the first is saved.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The user's own: in the folder that `SERPENT_PRESETS` names, else `presets` in the user's
    /// configuration folder.
    pub fn of_user() -> Option<Self> {
        let named = std::env::var_os("SERPENT_PRESETS").map(PathBuf::from);
        let usual = || {
            let user = directories::ProjectDirs::from("", "", "serpent")?;
            Some(user.config_dir().join("presets"))
        };
        named.or_else(usual).map(Self::new)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of all presets, sorted.
    pub fn list(&self) -> Vec<String> {
        let entries = self.folder.read_dir().into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|e| e == EXTENSION))
            .filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned()))
            .filter(|name| is_name(name))
            .collect();
        names.sort();
        names
    }

    /// Reads a preset.
    ///
    /// # Errors
    /// [`PresetError`].
    pub fn load(&self, name: &str) -> Result<Preset, PresetError> {
        let path = self.path(name)?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(PresetError::Unknown {
                    name: name.to_owned(),
                    names: self.list(),
                });
            }
            Err(source) => return Err(io(path, "read", source)),
        };
        toml::from_str(&text).map_err(|e| PresetError::Content {
            path,
            reason: e.to_string(),
        })
    }

    /// Keeps a preset, in place of one of the same name.
    ///
    /// # Errors
    /// [`PresetError`]; what was there before is then as it was.
    pub fn save(&self, name: &str, preset: &Preset) -> Result<(), PresetError> {
        let path = self.path(name)?;
        let text = toml::to_string(preset).map_err(|e| PresetError::Content {
            path: path.clone(),
            reason: e.to_string(),
        })?;
        let write = || {
            std::fs::create_dir_all(&self.folder)?;
            write_text(&path, &text)
        };
        write().map_err(|e| io(path.clone(), "write", e))
    }

    /// Removes a preset.
    ///
    /// # Errors
    /// [`PresetError`].
    pub fn remove(&self, name: &str) -> Result<(), PresetError> {
        let path = self.path(name)?;
        std::fs::remove_file(&path).map_err(|e| io(path, "remove", e))
    }

    fn path(&self, name: &str) -> Result<PathBuf, PresetError> {
        if !is_name(name) {
            return Err(PresetError::Name {
                name: name.to_owned(),
            });
        }
        Ok(self.folder.join(format!("{name}.{EXTENSION}")))
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    !name.trim().is_empty() && name.len() <= 100 && name.chars().all(fits)
}

fn io(path: PathBuf, action: &'static str, source: std::io::Error) -> PresetError {
    PresetError::Io {
        path,
        action,
        source,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn presets_are_kept_listed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let presets = PresetLibrary::new(folder.path().join("deep/presets"));
        assert!(presets.list().is_empty());
        let message = presets.load("night").unwrap_err().to_string();
        assert!(message.contains("none yet"), "{message}");
        let night = Preset {
            model: Some("denoise-base".into()),
            strength: Some(0.75),
            ensemble: Some(true),
            format: Some(Format::Jpeg),
            quality: Some(90),
            template: Some("{name}-{strength}".into()),
            existing: Some(Existing::Update),
            ..Preset::default()
        };
        presets.save("night", &Preset::default()).unwrap();
        presets.save("night", &night).unwrap();
        presets.save("für Großmutter", &Preset::default()).unwrap();
        assert_eq!(presets.list(), ["für Großmutter", "night"]);
        assert_eq!(presets.load("night").unwrap(), night);
        assert_eq!(presets.load("für Großmutter").unwrap(), Preset::default());
        let message = presets.load("day").unwrap_err().to_string();
        assert!(message.contains("night"), "{message}");
        presets.remove("night").unwrap();
        assert_eq!(presets.list(), ["für Großmutter"]);
        let files = presets.folder().read_dir().unwrap().count();
        assert_eq!(files, 1, "no temporary files");
    }

    #[test]
    fn names_and_contents_that_make_no_sense_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let presets = PresetLibrary::new(folder.path().to_owned());
        for name in ["", " ", "../a", "a/b", "a.b", "c:d"] {
            assert!(presets.save(name, &Preset::default()).is_err(), "{name:?}");
        }
        for (text, word) in [
            ("strenth = 1", "strenth"),
            ("format = \"psd\"", "psd"),
            ("quality = 1000", "quality"),
            ("[", "no preset"),
        ] {
            std::fs::write(folder.path().join("x.toml"), text).unwrap();
            let message = presets.load("x").unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
