//! Files that are there whole or not at all: pictures, models, reports, settings, pages.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How the names of temporary files begin and end: by it a later run knows what a killed one left.
pub const TEMPORARY: (&str, &str) = (".serpent-", ".tmp");

/// Where the program keeps what only saves time or trouble: `SERPENT_CACHE` (empty: nowhere), else
/// the user's cache folder. It may not exist yet.
pub fn cache_folder() -> Option<PathBuf> {
    match std::env::var_os("SERPENT_CACHE") {
        Some(folder) if folder.is_empty() => None,
        Some(folder) => Some(folder.into()),
        None => directories::ProjectDirs::from("", "", "serpent").map(|d| d.cache_dir().to_owned()),
    }
}

/// Puts what `fill` writes in place of `path`, by way of a temporary file beside it that is on
/// disk before it takes the name.
///
/// The file has the permissions of the one it replaces, else those that the user's mask gives
/// any new file.
///
/// # Errors
/// When `fill` fails or the folder cannot be written; `path` is then as it was, and nothing is
/// beside it.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    write_whole_or(path, fill, |_, error| error)
}

/// [`write_whole`] with a text.
///
/// # Errors
/// As [`write_whole`].
pub fn write_text(path: &Path, text: &str) -> io::Result<()> {
    write_whole(path, |file| file.write_all(text.as_bytes()))
}

/// [`write_whole`] with an error of the caller's own, made by `failed` from what could not be
/// done (such as "write the file") and what the system said.
///
/// # Errors
/// As [`write_whole`].
pub fn write_whole_or<E>(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
    failed: impl Fn(&'static str, io::Error) -> E,
) -> Result<(), E> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1);
    let replaced = std::fs::metadata(path).ok().map(|m| m.permissions());
    let wanted = replaced.clone().or_else(usual);
    // Read-only is for afterwards: it could not be written to.
    if let Some(permissions) = wanted.filter(|p| !p.readonly()) {
        builder.permissions(permissions);
    }
    let mut temporary = builder
        .tempfile_in(folder)
        .map_err(|e| failed("create a file in this folder", e))?;
    fill(temporary.as_file_mut())?;
    // The user's mask does not hold for what was there with other permissions.
    #[cfg(unix)]
    if let Some(permissions) = replaced.filter(|p| !p.readonly()) {
        let _ = temporary.as_file().set_permissions(permissions);
    }
    temporary
        .as_file()
        .sync_all()
        .map_err(|e| failed("write the file", e))?;
    temporary
        .persist(path)
        .map_err(|e| failed("put the finished file in place", e.error))?;
    // The rename itself must survive a power cut; folders cannot be opened everywhere.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Temporary files are private by default; these are like any new file.
#[cfg(unix)]
fn usual() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666)) // less the user's mask
}

#[cfg(not(unix))]
fn usual() -> Option<Permissions> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_failure_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings");
        write_whole(&path, |f| f.write_all(b"old")).unwrap();
        let failed = write_whole(&path, |f| {
            f.write_all(b"half")?;
            Err(io::Error::other("full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "full");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        write_whole(&path, |f| f.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_any_new_file_or_of_the_one_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let data = std::fs::metadata(folder.path().join(name)).unwrap();
            data.permissions().mode() & 0o777
        };
        File::create(folder.path().join("plain")).unwrap();
        let path = folder.path().join("page");
        write_whole(&path, |f| f.write_all(b"new")).unwrap();
        assert_eq!(mode("page"), mode("plain"));
        for kept in [0o600, 0o664, 0o755] {
            std::fs::set_permissions(&path, Permissions::from_mode(kept)).unwrap();
            write_whole(&path, |f| f.write_all(b"newer")).unwrap();
            assert_eq!(mode("page"), kept);
        }
    }
}
