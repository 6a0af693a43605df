//! What a batch is asked to do.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::shard::Shard;
use super::template::Template;
use crate::image::Format;

/// What to do with outputs that exist.
///
/// Whether one was made with the same settings, from the same source, is known from the
/// [`Journal`](super::Journal). A source is never replaced, whatever this says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Existing {
    /// Pass over what was made with the same settings; leave every other file and fail that
    /// picture.
    #[default]
    Refuse,
    /// Pass over what was made with the same settings; replace every other file.
    Update,
    /// Leave the file, whatever it is, and pass that picture over.
    Skip,
    /// Replace the file, whatever it is.
    Overwrite,
}

/// Where outputs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A folder, in which the tree of an input folder is mirrored; for one input file, and if
    /// no template is given, also the file itself.
    At(PathBuf),
    /// The folder each input is in. The template must make other names than the inputs have.
    Beside,
}

impl Default for Destination {
    fn default() -> Self {
        Self::At(PathBuf::new())
    }
}

/// What templates say about the restoring.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// Name of the model.
    pub model: String,
    /// How many times it enlarges.
    pub scale: usize,
    /// Strength, 0 to 1.
    pub strength: f32,
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            model: "restored".to_owned(),
            scale: 1,
            strength: 1.0,
        }
    }
}

/// What is to be restored where.
#[derive(Clone, Debug, Default)]
pub struct BatchRequest {
    /// Files and folders.
    pub inputs: Vec<PathBuf>,
    /// Where outputs go.
    pub destination: Destination,
    /// Names of outputs; absent, `{name}`, and beside the originals `{name}-{model}`.
    pub template: Option<Template>,
    /// What the template may say.
    pub labels: Labels,
    /// Whether folders inside the input folders are searched too; their tree is mirrored.
    pub recursive: bool,
    /// Format of the outputs; the input's, or the one the output's name says, when absent.
    pub format: Option<Format>,
    /// What to do with outputs that exist.
    pub existing: Existing,
    /// The settings' fingerprint ([`settings_of`](super::settings_of)). With it, a call with a
    /// folder or several files keeps a journal; without, everything that exists was made by
    /// others.
    pub settings: Option<String>,
    /// The only files of the input folders to take, if not all.
    pub only: Option<HashSet<PathBuf>>,
    /// The only part to plan, if others do the rest.
    pub shard: Option<Shard>,
}

/// The request as a whole makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// An input is not there.
    #[error("{}: there is no such file or folder; check the name", path.display())]
    Missing {
        /// The input.
        path: PathBuf,
    },
    /// A folder cannot be listed.
    #[error("{}: cannot list this folder: {reason}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No input is a picture.
    #[error("{}: no pictures in this folder (looked for {} files{})", path.display(), Format::listed(Format::extension), if *recursive { "" } else { "; -r looks into folders inside it too" })]
    NoPictures {
        /// The folder.
        path: PathBuf,
        /// Whether inner folders were searched.
        recursive: bool,
    },
    /// Several pictures, but the output is a file.
    #[error("{}: this is a file, but several pictures are to be written; name a folder", path.display())]
    OutputIsFile {
        /// The output.
        path: PathBuf,
    },
    /// The output's name and the format contradict each other, or the name says no format.
    #[error("{}: {problem}; {remedy}", path.display())]
    OutputFormat {
        /// The output.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A template gives two pictures one name.
    #[error(
        "the template {template} gives {} and {} the same name {}; add {{name}}, {{parent}} or {{n}} to it",
        first.display(), second.display(), output.display()
    )]
    Collision {
        /// The template.
        template: String,
        /// One picture.
        first: PathBuf,
        /// Another.
        second: PathBuf,
        /// Their output.
        output: PathBuf,
    },
}
