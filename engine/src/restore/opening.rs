//! Remembers that the program ended while it opened a graphics device.
//!
//! Some drivers take the whole program down when they are loaded: no error can be caught. So a
//! file is there while a device is opened, locked by the program that opens it. One that is there
//! and not locked was left by a program that ended meanwhile; the next start finds it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::files::cache_folder;

/// Begin of the names of files that are there while a device is opened.
const OPENING: &str = "opening-graphics-";
/// The file that remembers.
const CRASHED: &str = "graphics-crashed";
/// Drivers get new versions: after this time it is tried again.
const MEMORY: Duration = Duration::from_secs(24 * 3600);

/// What is known about earlier starts, in the user's cache folder; nothing where there is none.
pub(super) struct Openings(Option<PathBuf>);

/// There while a device is opened.
pub(super) struct Opening {
    /// Locked until the program ends.
    _file: File,
    path: PathBuf,
}

impl Drop for Opening {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Openings {
    /// In `SERPENT_CACHE`, else the user's cache folder.
    pub fn of_user() -> Self {
        Self(cache_folder())
    }

    /// Whether an earlier start ended while it opened a device, less than a day ago, and no
    /// device has opened since.
    pub fn have_crashed(&self) -> bool {
        let Some(folder) = &self.0 else {
            return false;
        };
        let left = folder.read_dir().into_iter().flatten().flatten();
        let left = left.filter(|e| e.file_name().to_string_lossy().starts_with(OPENING));
        let crashed = folder.join(CRASHED);
        // All of them: each is removed.
        if left.filter(|e| take_left(&e.path())).count() > 0 {
            let _ = File::create(&crashed);
        }
        let since = std::fs::metadata(&crashed).and_then(|m| m.modified()).ok();
        let age = since.and_then(|t| SystemTime::now().duration_since(t).ok());
        age.is_some_and(|age| age < MEMORY)
    }

    /// Forgets: a device has opened, or shall be tried again.
    pub fn forget(&self) {
        if let Some(folder) = &self.0 {
            let _ = std::fs::remove_file(folder.join(CRASHED));
        }
    }

    /// To be held while a device is opened; nothing where the file cannot be made.
    pub fn begin(&self) -> Option<Opening> {
        let folder = self.0.as_ref()?;
        std::fs::create_dir_all(folder).ok()?;
        let file = tempfile::NamedTempFile::new_in(folder).ok()?;
        file.as_file().try_lock().ok()?;
        // Under its name only once it is locked, or others would take it for left.
        let unique = file.path().file_name()?.to_string_lossy().into_owned();
        let path = folder.join(format!("{OPENING}{unique}"));
        let file = file.persist(&path).ok()?;
        Some(Opening { _file: file, path })
    }
}

/// Removes the file if the program that made it has ended.
fn take_left(path: &Path) -> bool {
    let file = OpenOptions::new().read(true).write(true).open(path);
    file.is_ok_and(|file| file.try_lock().is_ok()) && std::fs::remove_file(path).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_start_that_ended_while_it_opened_a_device_is_remembered_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let openings = || Openings(Some(folder.path().join("cache")));
        assert!(!openings().have_crashed());
        // One that opens now, and one that has opened, are no crash.
        let opening = openings().begin().unwrap();
        assert!(!openings().have_crashed());
        drop(opening);
        assert!(!openings().have_crashed());
        // What a program leaves that ended: the file, and no lock.
        let left = folder.path().join("cache").join(format!("{OPENING}x"));
        std::fs::write(&left, "").unwrap();
        assert!(openings().have_crashed() && !left.exists());
        assert!(openings().have_crashed(), "again and again");
        openings().forget();
        assert!(!openings().have_crashed());
        std::fs::write(&left, "").unwrap();
        assert!(openings().have_crashed());
        let crashed = File::options()
            .append(true)
            .open(folder.path().join("cache").join(CRASHED))
            .unwrap();
        crashed.set_modified(SystemTime::now() - MEMORY).unwrap();
        assert!(!openings().have_crashed());
    }

    #[test]
    fn without_a_folder_nothing_is_remembered() {
        assert!(!Openings(None).have_crashed() && Openings(None).begin().is_none());
    }
}
