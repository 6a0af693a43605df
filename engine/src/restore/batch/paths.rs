//! When two names are one file.

use std::ffi::OsString;
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

/// What two paths have in common exactly when they are one file. Where file systems take
/// `A.png` and `a.png` for one name, so does this.
pub(super) fn identity(path: &Path) -> PathBuf {
    let real = real_path(path);
    if cfg!(any(windows, target_vendor = "apple")) {
        return PathBuf::from(real.to_string_lossy().to_lowercase());
    }
    real
}

/// Device and number of a file that exists: the same for all its names, hard links and names in
/// other letters included. Nothing where the system does not tell.
#[cfg(unix)]
pub(super) fn file_number(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let data = std::fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

/// Device and number of a file that exists: the same for all its names, hard links and names in
/// other letters included. Nothing where the system does not tell.
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
