//! Finding models by name or path.

use std::path::{Path, PathBuf};

use super::shipped::{Shipped, sha256};
use crate::checkpoint::{Checkpoint, CheckpointError, read_file};

/// Extension of a model's file.
const EXTENSION: &str = "safetensors";

/// Names looked for, in this order, when no model is asked for.
const DEFAULTS: [&str; 3] = ["denoise", "denoise-base", "denoise-tiny"];

/// No such model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Neither a file nor the name of a model.
    #[error("no model is called {wanted:?}; {}", known(names, folders))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Names there are.
        names: Vec<String>,
        /// Where they were looked for.
        folders: Vec<PathBuf>,
    },
    /// There is no denoiser to take when none is named.
    #[error(
        "no model was named and there is no denoiser to take instead; {}",
        known(names, folders)
    )]
    NoDefault {
        /// Names there are.
        names: Vec<String>,
        /// Where they were looked for.
        folders: Vec<PathBuf>,
    },
    /// A file with the name of a model that comes with the program, and other content.
    #[error(
        "{}: not the model {name} of this version: its SHA-256 is {found}, not {expected}; copy or download it again, or give it another name if it is your own",
        path.display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// SHA-256 of the file.
        found: String,
        /// SHA-256 of the one that comes with the program.
        expected: String,
    },
    /// The file is there but cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

fn known(names: &[String], folders: &[PathBuf]) -> String {
    if names.is_empty() {
        let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
        return format!(
            "give a .safetensors file, or put one in {}",
            folders.join(" or ")
        );
    }
    format!(
        "there are {}, or give a .safetensors file",
        names.join(", ")
    )
}

/// A model that can be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// Its name: the file's without extension.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

impl ModelEntry {
    /// Loads it; if it is named like one that comes with the program, it must be that one.
    ///
    /// # Errors
    /// [`ModelError::Altered`] and [`ModelError::Checkpoint`].
    pub fn load(&self) -> Result<Checkpoint, ModelError> {
        load(&self.path, Shipped::built_in(), Some(&self.name))
    }
}

/// Loads any file of weights. If it is that of a model that comes with the program, by whatever
/// name, its tiles share what was measured for it.
///
/// # Errors
/// As [`Checkpoint::load`].
pub fn load_any(path: &Path) -> Result<Checkpoint, ModelError> {
    load(path, Shipped::built_in(), None)
}

fn load(path: &Path, shipped: &Shipped, name: Option<&str>) -> Result<Checkpoint, ModelError> {
    let bytes = read_file(path)?;
    let found = sha256(&bytes);
    let named = name.and_then(|name| Some((name, shipped.models.get(name)?)));
    if let Some((name, model)) = named
        && model.sha256 != found
    {
        return Err(ModelError::Altered {
            path: path.to_owned(),
            name: name.to_owned(),
            found,
            expected: model.sha256.clone(),
        });
    }
    let mut model = Checkpoint::from_bytes(&bytes, path)?;
    if let Some(known) = shipped.with_hash(&found) {
        model.overlap = Some(known.overlap);
    }
    Ok(model)
}

/// The folders models are looked for in, the first having precedence.
#[derive(Clone, Debug, Default)]
pub struct ModelLibrary {
    folders: Vec<PathBuf>,
}

impl ModelLibrary {
    /// Looks in `folders`; those that do not exist are passed over.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// The folders, the first having precedence.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// All models by name; of two with one name the first folder's.
    pub fn list(&self) -> Vec<ModelEntry> {
        let mut found: Vec<ModelEntry> = Vec::new();
        for folder in &self.folders {
            let Ok(entries) = std::fs::read_dir(folder) else {
                continue;
            };
            for path in entries.flatten().map(|e| e.path()) {
                let Some(name) = model_name(&path) else {
                    continue;
                };
                if path.is_file() && !found.iter().any(|m| m.name == name) {
                    found.push(ModelEntry { name, path });
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// The file of the model with this name or path.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] listing what there is.
    pub fn find(&self, wanted: &str) -> Result<PathBuf, ModelError> {
        let all = self.list();
        if let Some(model) = all.iter().find(|m| m.name == wanted) {
            return Ok(model.path.clone());
        }
        let path = Path::new(wanted);
        if path.is_file() {
            return Ok(path.to_owned());
        }
        Err(ModelError::Unknown {
            wanted: wanted.to_owned(),
            names: all.into_iter().map(|m| m.name).collect(),
            folders: self.folders.clone(),
        })
    }

    /// The denoiser taken when no model is named: `denoise`, `denoise-base`, `denoise-tiny`,
    /// else the first whose name starts with `denoise`.
    ///
    /// # Errors
    /// [`ModelError::NoDefault`].
    pub fn default_model(&self) -> Result<PathBuf, ModelError> {
        let all = self.list();
        let named = DEFAULTS
            .iter()
            .find_map(|d| all.iter().find(|m| m.name == *d));
        match named.or_else(|| all.iter().find(|m| m.name.starts_with("denoise"))) {
            Some(model) => Ok(model.path.clone()),
            None => Err(ModelError::NoDefault {
                names: all.into_iter().map(|m| m.name).collect(),
                folders: self.folders.clone(),
            }),
        }
    }

    /// Loads the model with this name or path, or the default one. A model that is named like one
    /// that comes with the program must be that one; a path may lead to any.
    ///
    /// # Errors
    /// Any [`ModelError`].
    pub fn load(&self, wanted: Option<&str>) -> Result<(String, Checkpoint), ModelError> {
        let path = match wanted {
            Some(wanted) => self.find(wanted)?,
            None => self.default_model()?,
        };
        let name = path.file_stem().map(|n| n.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let named = wanted.is_none_or(|wanted| wanted == name);
        let model = match named {
            true => ModelEntry {
                name: name.clone(),
                path,
            }
            .load()?,
            false => load_any(&path)?,
        };
        Ok((name, model))
    }
}

fn model_name(path: &Path) -> Option<String> {
    let right = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case(EXTENSION));
    let name = path.file_stem()?.to_str()?;
    (right && !name.starts_with('.')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::shipped::ShippedModel;
    use super::*;
    use crate::checkpoint::Precision;
    use crate::restore::tests::checkpoint;

    #[test]
    fn a_model_that_comes_with_the_program_is_known_by_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(format!("{name}.safetensors"));
        let own = Checkpoint {
            overlap: Some(40),
            ..(*checkpoint(|_| ())).clone()
        };
        own.save(at("own"), Precision::F32).unwrap();
        checkpoint(|_| ())
            .save(at("sharp"), Precision::F32)
            .unwrap();
        std::fs::copy(at("sharp"), at("copy")).unwrap();
        let mut shipped = Shipped::default();
        let known = ShippedModel {
            sha256: sha256(&std::fs::read(at("sharp")).unwrap()),
            overlap: 96,
            tiles: Vec::new(),
        };
        shipped.models.insert("sharp".to_owned(), known);
        let open = |name: &str, named: bool| load(&at(name), &shipped, named.then_some(name));
        assert_eq!(open("sharp", true).unwrap().overlap, Some(96));
        assert_eq!(open("copy", true).unwrap().overlap, Some(96));
        assert_eq!(open("own", true).unwrap().overlap, Some(40));
        // One bit of one weight.
        let mut bytes = std::fs::read(at("sharp")).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(at("sharp"), &bytes).unwrap();
        let message = open("sharp", true).unwrap_err().to_string();
        for part in [
            "sharp.safetensors",
            "SHA-256",
            &sha256(&bytes),
            "again",
            "another name",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(open("sharp", false).unwrap().overlap, None);
    }

    #[test]
    fn names_come_before_paths_and_the_first_folder_wins() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, name) in [
            (&a, "x.safetensors"),
            (&b, "x.safetensors"),
            (&b, "denoise-y.safetensors"),
            (&b, "notes.md"),
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let gone = a.path().join("missing");
        let library = ModelLibrary::new(vec![gone, a.path().to_owned(), b.path().to_owned()]);
        let names: Vec<_> = library.list().into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["denoise-y", "x"]);
        assert_eq!(library.find("x").unwrap(), a.path().join("x.safetensors"));
        let path = b.path().join("x.safetensors");
        assert_eq!(library.find(path.to_str().unwrap()).unwrap(), path);
        assert_eq!(
            library.default_model().unwrap(),
            b.path().join("denoise-y.safetensors")
        );
        let message = library.find("z").unwrap_err().to_string();
        assert!(
            message.contains("\"z\"") && message.contains("denoise-y, x"),
            "{message}"
        );
        let message = ModelLibrary::default().default_model().unwrap_err();
        assert!(message.to_string().contains("safetensors"));
    }
}
