//! Which file becomes which: files and folders in, one output file for each.
//!
//! Nothing is read or written here but folder listings. An output is never one
//! of the inputs, and never the output of another input.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::image::Format;

/// What to do with outputs that exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Leave the file and fail that picture.
    #[default]
    Refuse,
    /// Replace the file.
    Overwrite,
    /// Leave the file and pass that picture over.
    Skip,
}

/// What is to be restored where.
#[derive(Clone, Debug, Default)]
pub struct BatchRequest {
    /// Files and folders.
    pub inputs: Vec<PathBuf>,
    /// A file for one input file, else a folder.
    pub output: PathBuf,
    /// Whether folders inside the input folders are searched too; their tree is mirrored.
    pub recursive: bool,
    /// Format of the outputs; the input's, or the one the output's name says, when absent.
    pub format: Option<Format>,
    /// What to do with outputs that exist.
    pub existing: Existing,
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
    #[error("{}: no pictures in this folder (looked for .png, .jpg, .webp, .tif, .bmp and .gif files{})", path.display(), if *recursive { "" } else { "; -r looks into folders inside it too" })]
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
}

/// One picture of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// File to open.
    pub input: PathBuf,
    /// File to write.
    pub output: PathBuf,
}

/// What will be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchPlan {
    /// Pictures to restore, in the inputs' order, folders sorted by name.
    pub items: Vec<Item>,
    /// Pictures whose output exists and is to be left alone.
    pub skipped: Vec<Item>,
    /// Pictures that cannot be done, each with file, problem and remedy.
    pub refused: Vec<(Item, String)>,
}

/// Finds the pictures and names their outputs.
///
/// # Errors
/// [`BatchError`] when the request as a whole makes no sense; what concerns one picture is in
/// [`BatchPlan::refused`].
pub fn plan_batch(request: &BatchRequest) -> Result<BatchPlan, BatchError> {
    let mut named = Vec::new();
    for input in &request.inputs {
        if input.is_dir() {
            named.extend(folder_items(request, input)?);
        } else if input.exists() {
            named.push(file_item(request, input)?);
        } else {
            return Err(BatchError::Missing {
                path: input.clone(),
            });
        }
    }
    let sources: HashSet<PathBuf> = named.iter().map(|i| real_path(&i.input)).collect();
    let mut written = HashSet::new();
    let mut plan = BatchPlan::default();
    for item in named {
        let real = real_path(&item.output);
        if sources.contains(&real) {
            let reason = "the output would replace a source picture; choose another output";
            refuse(&mut plan, item, reason);
        } else if written.contains(&real) {
            let reason =
                "another picture of this call has the same output; rename it or leave -f out";
            refuse(&mut plan, item, reason);
        } else if item.output.exists() && request.existing == Existing::Skip {
            plan.skipped.push(item);
        } else if item.output.is_dir() {
            refuse(
                &mut plan,
                item,
                "the output is a folder; choose another output",
            );
        } else if item.output.exists() && request.existing == Existing::Refuse {
            let reason =
                "the output exists; use --overwrite to replace it, --skip-existing to leave it";
            refuse(&mut plan, item, reason);
        } else {
            written.insert(real);
            plan.items.push(item);
        }
    }
    Ok(plan)
}

fn refuse(plan: &mut BatchPlan, item: Item, reason: &str) {
    let message = format!("{}: {reason}", item.output.display());
    plan.refused.push((item, message));
}

/// The pictures of a folder with their places in the output folder.
fn folder_items(request: &BatchRequest, folder: &Path) -> Result<Vec<Item>, BatchError> {
    if request.output.is_file() {
        return Err(BatchError::OutputIsFile {
            path: request.output.clone(),
        });
    }
    let output = real_path(&request.output);
    let inside = output != real_path(folder);
    let depth = if request.recursive { usize::MAX } else { 1 };
    let walk = walkdir::WalkDir::new(folder)
        .min_depth(1)
        .max_depth(depth)
        .sort_by_file_name()
        .into_iter()
        // What an earlier call put into an output folder inside the input folder is no input.
        .filter_entry(|e| {
            let hidden = e.file_name().to_string_lossy().starts_with('.');
            let own = e.file_type().is_dir() && inside && real_path(e.path()) == output;
            !hidden && !own
        });
    let mut items = Vec::new();
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
        let inner = path.strip_prefix(folder).unwrap_or(path);
        items.push(Item {
            input: path.to_owned(),
            output: with_format(&request.output.join(inner), request.format),
        });
    }
    if items.is_empty() {
        return Err(BatchError::NoPictures {
            path: folder.to_owned(),
            recursive: request.recursive,
        });
    }
    Ok(items)
}

/// A single file: into a folder under its own name, or to the file named.
fn file_item(request: &BatchRequest, input: &Path) -> Result<Item, BatchError> {
    let output = &request.output;
    let several = request.inputs.len() > 1;
    if several && output.is_file() {
        return Err(BatchError::OutputIsFile {
            path: output.clone(),
        });
    }
    let output = if several || output.is_dir() || ends_in_separator(output) {
        let name = input.file_name().unwrap_or(input.as_os_str());
        with_format(&output.join(name), request.format)
    } else {
        check_name(output, request.format)?
    };
    Ok(Item {
        input: input.to_owned(),
        output,
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

/// The name with the format's extension; formats that cannot be written become PNG.
fn with_format(path: &Path, format: Option<Format>) -> PathBuf {
    let own = Format::from_path(path);
    match format.or(own.filter(|f| f.can_write())) {
        Some(format) if own == Some(format) => path.to_owned(),
        Some(format) => path.with_extension(format.extension()),
        None => path.with_extension(Format::Png.extension()),
    }
}

fn ends_in_separator(path: &Path) -> bool {
    path.to_string_lossy().ends_with(std::path::is_separator)
}

/// The path without links and dots, also for a file or folder that does not exist yet.
fn real_path(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => {
            real_path(parent).join(name)
        }
        (_, Some(name)) => std::env::current_dir().unwrap_or_default().join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[&str]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for file in files {
                let path = folder.at(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "x").unwrap();
            }
            folder
        }

        fn at(&self, file: &str) -> PathBuf {
            self.0.path().join(file)
        }

        fn plan(
            &self,
            inputs: &[&str],
            output: &str,
            change: impl Fn(&mut BatchRequest),
        ) -> Result<BatchPlan, BatchError> {
            let mut request = BatchRequest {
                inputs: inputs.iter().map(|i| self.at(i)).collect(),
                output: self.at(output),
                ..BatchRequest::default()
            };
            change(&mut request);
            plan_batch(&request)
        }

        fn outputs(&self, plan: &BatchPlan) -> Vec<String> {
            let inner = |i: &Item| {
                i.output
                    .strip_prefix(self.0.path())
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/")
            };
            plan.items.iter().map(inner).collect()
        }
    }

    #[test]
    fn a_folder_is_mirrored_and_foreign_files_are_left_out() {
        let f = Folder::with(&[
            "in/b.PNG",
            "in/a.jpg",
            "in/desktop.ini",
            "in/.c.png",
            "in/deep/d.gif",
        ]);
        let flat = f.plan(&["in"], "out", |_| ()).unwrap();
        assert_eq!(f.outputs(&flat), ["out/a.jpg", "out/b.PNG"]);
        let deep = f.plan(&["in"], "out", |r| r.recursive = true).unwrap();
        assert_eq!(
            f.outputs(&deep),
            ["out/a.jpg", "out/b.PNG", "out/deep/d.png"]
        );
        let webp = f
            .plan(&["in"], "out", |r| r.format = Some(Format::WebP))
            .unwrap();
        assert_eq!(f.outputs(&webp), ["out/a.webp", "out/b.webp"]);
    }

    #[test]
    fn a_source_is_never_an_output() {
        let f = Folder::with(&["a.png", "b.png", "in/a.png"]);
        let overwrite = |r: &mut BatchRequest| r.existing = Existing::Overwrite;
        for (inputs, output) in [
            (&["a.png"][..], "a.png"),
            (&["a.png"], "./in/../a.png"),
            (&["a.png"], "."),
            (&["in"], "in"),
        ] {
            let plan = f.plan(inputs, output, overwrite).unwrap();
            assert_eq!(
                (plan.items.len(), plan.refused.len()),
                (0, 1),
                "{inputs:?} {output}"
            );
        }
        // Nor is another picture of the call, nor one reached through a link.
        let plan = f.plan(&["in/a.png", "a.png"], ".", overwrite).unwrap();
        assert_eq!(plan.items.len(), 0);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(f.at("a.png"), f.at("link.png")).unwrap();
            let plan = f.plan(&["a.png"], "link.png", overwrite).unwrap();
            assert_eq!(plan.items.len(), 0);
        }
    }

    #[test]
    fn existing_outputs_are_refused_replaced_or_skipped() {
        let f = Folder::with(&["in/a.png", "in/b.png", "out/a.png"]);
        let counts = |existing| {
            let plan = f.plan(&["in"], "out", |r| r.existing = existing).unwrap();
            (plan.items.len(), plan.skipped.len(), plan.refused.len())
        };
        assert_eq!(counts(Existing::Refuse), (1, 0, 1));
        assert_eq!(counts(Existing::Overwrite), (2, 0, 0));
        assert_eq!(counts(Existing::Skip), (1, 1, 0));
    }

    #[test]
    fn two_pictures_never_share_an_output() {
        let f = Folder::with(&["in/a.png", "in/a.jpg"]);
        let plan = f
            .plan(&["in"], "out", |r| r.format = Some(Format::Png))
            .unwrap();
        assert_eq!((plan.items.len(), plan.refused.len()), (1, 1));
    }

    #[test]
    fn an_output_folder_inside_the_input_is_not_searched() {
        let f = Folder::with(&["in/a.png", "in/out/a.png"]);
        let plan = f.plan(&["in"], "in/out", |r| {
            r.recursive = true;
            r.existing = Existing::Overwrite;
        });
        assert_eq!(f.outputs(&plan.unwrap()), ["in/out/a.png"]);
    }

    #[test]
    fn one_file_goes_to_a_file_or_into_a_folder() {
        let f = Folder::with(&["a.gif", "b.png"]);
        fs::create_dir(f.at("there")).unwrap();
        let one = |output, format| {
            f.plan(&["a.gif"], output, |r| r.format = format)
                .map(|p| f.outputs(&p))
        };
        assert_eq!(one("there", None).unwrap(), ["there/a.png"]);
        assert_eq!(one("new/", Some(Format::Tiff)).unwrap(), ["new/a.tif"]);
        assert_eq!(one("x.jpg", None).unwrap(), ["x.jpg"]);
        assert_eq!(one("x", Some(Format::Jpeg)).unwrap(), ["x.jpg"]);
        assert!(one("x.jpg", Some(Format::Png)).is_err());
        assert!(one("x", None).is_err());
        assert!(f.plan(&["a.gif", "b.png"], "b.png", |_| ()).is_err());
        assert!(f.plan(&["gone.png"], "x.png", |_| ()).is_err());
        let several = f.plan(&["a.gif", "b.png"], "new", |_| ()).unwrap();
        assert_eq!(f.outputs(&several), ["new/a.png", "new/b.png"]);
    }

    #[test]
    fn a_folder_without_pictures_says_so() {
        let f = Folder::with(&["in/notes.txt"]);
        let message = f.plan(&["in"], "out", |_| ()).unwrap_err().to_string();
        assert!(
            message.contains("no pictures") && message.contains("-r"),
            "{message}"
        );
    }
}
