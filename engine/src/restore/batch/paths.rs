//! When two names are one file.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::image::Format;

/// The path without links and dots, also for a file or folder that does not exist yet.
pub(super) fn real_path(path: &Path) -> PathBuf {
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

/// What two paths have in common exactly when they are one file, whatever the letters' case
/// where the file system does not look at it.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// By the folder as it was named: what is asked of the system once for all of its files.
    folders: HashMap<PathBuf, Folder>,
}

#[derive(Debug)]
struct Folder {
    real: PathBuf,
    /// Whether names in it are taken for one that differ in case only.
    ignores_case: bool,
}

impl Folder {
    fn of(real: PathBuf) -> Self {
        let ignores_case = ignores_case(&real);
        Self { real, ignores_case }
    }
}

impl Identities {
    /// Of a file that may not exist yet.
    pub fn of(&mut self, path: &Path) -> PathBuf {
        // Elsewhere a file has names that only the system knows to be one (8.3).
        let plain = cfg!(unix) && !path.is_symlink();
        let named = path.parent().zip(path.file_name()).filter(|_| plain);
        let (folder, name) = match named {
            Some((folder, name)) if !folder.as_os_str().is_empty() => (folder.to_owned(), name),
            _ => {
                let real = real_path(path);
                let folder = real.parent().unwrap_or(&real).to_owned();
                let name = real.file_name().unwrap_or_default();
                return self.inside(folder, name);
            }
        };
        self.inside(folder, name)
    }

    fn inside(&mut self, folder: PathBuf, name: &OsStr) -> PathBuf {
        let folder = match self.folders.get(&folder) {
            Some(known) => known,
            None => {
                let new = Folder::of(real_path(&folder));
                &*self.folders.entry(folder).or_insert(new)
            }
        };
        let path = folder.real.join(name);
        match path.to_str() {
            Some(text) if folder.ignores_case => PathBuf::from(text.to_lowercase()),
            _ => path,
        }
    }
}

/// Whether names in this folder, which may not exist yet, that differ in case only are one file:
/// on Linux, too, memory cards and network shares are such. Told by the names that are there;
/// where there are none, by what is usual on this system.
fn ignores_case(folder: &Path) -> bool {
    let usual = cfg!(any(windows, target_vendor = "apple"));
    let Some(there) = folder.ancestors().find(|f| f.is_dir()) else {
        return usual;
    };
    let by_own_name = || {
        // A folder that another disk is mounted at says nothing about names on it.
        let above = there.parent().filter(|above| same_disk(above, there))?;
        told_by([there.file_name()?.to_owned()], above)
    };
    told_by(names(there).take(FEW), there)
        .or_else(by_own_name)
        .unwrap_or(usual)
}

/// Names of a folder that are looked at for letters.
const FEW: usize = 64;

fn names(folder: &Path) -> impl Iterator<Item = OsString> {
    let all = folder.read_dir().into_iter().flatten().flatten();
    all.map(|entry| entry.file_name())
}

/// Whether one of these names of a folder is there in other letters, too, though the folder does
/// not list those. Nothing if none has letters.
fn told_by(some: impl IntoIterator<Item = OsString>, folder: &Path) -> Option<bool> {
    let other = some.into_iter().find_map(|name| {
        let other: String = name.to_str()?.chars().map(in_other_case).collect();
        (name != *other).then_some(other)
    })?;
    let there = folder.join(&other).symlink_metadata().is_ok();
    Some(there && !names(folder).any(|listed| listed == *other))
}

fn in_other_case(letter: char) -> char {
    match letter.is_ascii_lowercase() {
        true => letter.to_ascii_uppercase(),
        false => letter.to_ascii_lowercase(),
    }
}

#[cfg(unix)]
fn same_disk(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let disk = |path: &Path| std::fs::metadata(path).ok().map(|m| m.dev());
    disk(a) == disk(b)
}

#[cfg(not(unix))]
fn same_disk(_: &Path, _: &Path) -> bool {
    true
}

/// Device and number of a file that exists: the same for all its names, hard links included.
/// Nothing where the system does not tell.
#[cfg(unix)]
pub(super) fn file_number(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let data = std::fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

/// Device and number of a file that exists: the same for all its names, hard links included.
/// Nothing where the system does not tell.
#[cfg(not(unix))]
pub(super) fn file_number(_: &Path) -> Option<(u64, u64)> {
    None
}

pub(super) fn ends_in_separator(path: &Path) -> bool {
    path.to_string_lossy().ends_with(std::path::is_separator)
}

/// Extension of an output: the input's own where that is its format, else the format's; formats
/// that cannot be written become PNG.
pub(super) fn output_extension(input: &Path, format: Option<Format>) -> OsString {
    let own = Format::from_path(input);
    let format = format
        .or(own.filter(|f| f.can_write()))
        .unwrap_or(Format::Png);
    match input.extension() {
        Some(extension) if own == Some(format) => extension.to_owned(),
        _ => format.extension().into(),
    }
}

/// `name.extension`, whatever dots the name has.
pub(super) fn with_extension(name: PathBuf, extension: &std::ffi::OsStr) -> PathBuf {
    let mut name = name.into_os_string();
    name.push(".");
    name.push(extension);
    name.into()
}
