//! Small files that are there whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

/// Puts what `fill` writes in place of `path`, by way of a temporary file beside it that is on
/// disk before it takes the name. The file is readable by its owner alone.
///
/// For settings and reports; pictures and models have their own ways, with errors that tell the
/// user what to do and permissions like any new file's.
///
/// # Errors
/// When `fill` fails or the folder cannot be written; `path` is then as it was.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    fill(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

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
}
