//! From inputs to pictures with the names of their outputs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::journal::Journals;
use super::paths::{ends_in_separator, output_extension, real_path, with_extension};
use super::plan::Item;
use super::request::{BatchError, BatchRequest, Destination};
use super::template::Template;
use crate::image::Format;

/// A picture that was found, and where its output goes but for its name.
pub(super) struct Found {
    input: PathBuf,
    place: Place,
    /// Folder of the journal.
    root: Arc<Path>,
    /// Whether it is of the shard that is asked for.
    wanted: bool,
}

enum Place {
    /// The file as the user named it.
    File(PathBuf),
    /// In this folder.
    Folder(PathBuf),
}

/// All pictures of the request, in the inputs' order, folders sorted by name. `tell` hears how
/// many there are so far.
pub(super) fn find(
    request: &BatchRequest,
    journals: &mut Journals,
    tell: &mut dyn FnMut(usize),
) -> Result<Vec<Found>, BatchError> {
    let mut found = Vec::new();
    for input in &request.inputs {
        if input.is_dir() {
            folder(request, input, journals, &mut found, tell)?;
        } else if input.exists() {
            found.push(file(request, input)?);
            tell(found.len());
        } else {
            return Err(BatchError::Missing {
                path: input.clone(),
            });
        }
    }
    Ok(found)
}

/// The name in force.
pub(super) fn template(request: &BatchRequest) -> Template {
    let usual = || match request.destination {
        Destination::At(_) => Template::default(),
        Destination::Beside => "{name}-{model}".parse().unwrap_or_default(),
    };
    request.template.clone().unwrap_or_else(usual)
}

/// Names the outputs; the answer beside each says whether it is of the shard that is asked for.
pub(super) fn name(request: &BatchRequest, found: Vec<Found>) -> Vec<(Item, bool)> {
    let (template, count) = (template(request), found.len());
    let item = |(i, found): (usize, Found)| {
        let output = match found.place {
            Place::File(file) => file,
            Place::Folder(folder) => {
                let name = template.name(&found.input, &request.labels, i + 1, count);
                let extension = output_extension(&found.input, request.format);
                folder.join(with_extension(name, &extension))
            }
        };
        let item = Item {
            input: found.input,
            output,
            root: found.root,
        };
        (item, found.wanted)
    };
    found.into_iter().enumerate().map(item).collect()
}

/// Adds the pictures of a folder.
fn folder(
    request: &BatchRequest,
    folder: &Path,
    journals: &mut Journals,
    found: &mut Vec<Found>,
    tell: &mut dyn FnMut(usize),
) -> Result<(), BatchError> {
    let (root, own): (Arc<Path>, _) = match &request.destination {
        Destination::At(output) if output.is_file() => {
            return Err(BatchError::OutputIsFile {
                path: output.clone(),
            });
        }
        Destination::At(output) => {
            let real = real_path(output);
            let apart = real != real_path(folder);
            (Arc::from(output.as_path()), apart.then_some(real))
        }
        Destination::Beside => (Arc::from(folder), None),
    };
    let depth = if request.recursive { usize::MAX } else { 1 };
    let walk = walkdir::WalkDir::new(folder)
        .min_depth(1)
        .max_depth(depth)
        .sort_by_file_name()
        .into_iter()
        // What an earlier call put into an output folder inside the input folder is no input.
        .filter_entry(|e| {
            let hidden = e.file_name().to_string_lossy().starts_with('.');
            let output = || own.as_ref().is_some_and(|o| real_path(e.path()) == *o);
            !hidden && (!e.file_type().is_dir() || !output())
        });
    let mut any = false;
    for entry in walk {
        let entry = entry.map_err(|e| BatchError::Unreadable {
            path: e.path().unwrap_or(folder).to_owned(),
            reason: e
                .io_error()
                .map_or_else(|| "a loop of links".to_owned(), ToString::to_string),
        })?;
        let path = entry.path();
        if !path.is_file() || Format::from_path(path).is_none() {
            continue;
        }
        any = true;
        if request
            .only
            .as_ref()
            .is_some_and(|only| !only.contains(path))
        {
            continue;
        }
        // Nor is what an earlier call put beside the originals.
        let beside = request.destination == Destination::Beside;
        if beside && journals.of(&root).is_ours(path) {
            continue;
        }
        let parent = path.parent().unwrap_or(folder);
        let place = match &request.destination {
            Destination::At(output) => {
                output.join(parent.strip_prefix(folder).unwrap_or(Path::new("")))
            }
            Destination::Beside => parent.to_owned(),
        };
        let inner = path.strip_prefix(folder).unwrap_or(path);
        found.push(Found {
            wanted: request.shard.is_none_or(|shard| shard.has(inner)),
            input: path.to_owned(),
            place: Place::Folder(place),
            root: root.clone(),
        });
        tell(found.len());
    }
    if !any {
        return Err(BatchError::NoPictures {
            path: folder.to_owned(),
            recursive: request.recursive,
        });
    }
    Ok(())
}

/// A single file: into a folder, or to the file named.
fn file(request: &BatchRequest, input: &Path) -> Result<Found, BatchError> {
    let several = request.inputs.len() > 1;
    let parent = match input.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let output = match &request.destination {
        Destination::Beside => parent,
        Destination::At(output) => output,
    };
    if output.is_file() && (several || request.template.is_some()) {
        return Err(BatchError::OutputIsFile {
            path: output.to_owned(),
        });
    }
    let folder = several
        || request.template.is_some()
        || request.destination == Destination::Beside
        || output.is_dir()
        || ends_in_separator(output);
    let name = Path::new(input.file_name().unwrap_or_default());
    Ok(Found {
        wanted: request.shard.is_none_or(|shard| shard.has(name)),
        input: input.to_owned(),
        root: Arc::from(output),
        place: if folder {
            Place::Folder(output.to_owned())
        } else {
            Place::File(check_name(output, request.format)?)
        },
    })
}

/// The output file as named, with the format's extension when it has none.
fn check_name(output: &Path, format: Option<Format>) -> Result<PathBuf, BatchError> {
    let bad = |problem: String, remedy| BatchError::OutputFormat {
        path: output.to_owned(),
        problem,
        remedy,
    };
    let by_name = Format::from_path(output);
    match (by_name, format) {
        (Some(a), Some(b)) if a != b => Err(bad(
            format!("the name says {a}, but {b} was asked for"),
            "change one of them",
        )),
        (Some(_), _) => Ok(output.to_owned()),
        (None, Some(format)) if output.extension().is_none() => {
            Ok(output.with_extension(format.extension()))
        }
        _ => Err(bad(
            "the name says no picture format".to_owned(),
            "name it .png, .jpg, .webp, .tif or .bmp; a folder ends in a slash",
        )),
    }
}
