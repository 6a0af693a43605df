//! Files that only save time: what was found out about a device, and its compiled kernels.
//!
//! A file that is missing, cut off, changed, too large or of something else counts as absent.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::files::cache_folder;

/// First bytes of every file.
const MAGIC: &[u8; 8] = b"SERPENT1";
/// Magic, checksum, length.
const HEADER: usize = 24;
/// Largest file read or written.
pub(super) const MOST: usize = 64 << 20;

/// A folder of such files, or none.
#[derive(Clone, Debug)]
pub(super) struct DiskCache {
    folder: Option<PathBuf>,
}

impl DiskCache {
    /// The user's ([`cache_folder`]).
    pub fn user() -> Self {
        Self {
            folder: cache_folder(),
        }
    }

    /// This folder; it is made when something is written.
    #[cfg(test)]
    pub fn at(folder: PathBuf) -> Self {
        Self {
            folder: Some(folder),
        }
    }

    /// Whether files are kept at all.
    pub fn is_on(&self) -> bool {
        self.folder.is_some()
    }

    /// What was written under `name` with the same `key`.
    pub fn read(&self, name: &str, key: &str) -> Option<Vec<u8>> {
        let path = self.folder.as_ref()?.join(name);
        let bytes = fs::metadata(&path).ok()?.len();
        if bytes > (HEADER + MOST) as u64 {
            return None;
        }
        let mut file = fs::read(&path).ok()?;
        let header = file.get(..HEADER)?;
        let data = file.get(HEADER..)?;
        if header != head(key, data) {
            tracing::debug!("{}: not what was written for this device", path.display());
            return None;
        }
        Some(file.split_off(HEADER))
    }

    /// Keeps `data` in place of whatever `name` held, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, name: &str, key: &str, data: &[u8]) -> io::Result<()> {
        let Some(folder) = self.folder.as_ref().filter(|_| data.len() <= MOST) else {
            return Ok(());
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        // No fsync: what a crash damages, the checksum finds.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&head(key, data))?;
        file.write_all(data)?;
        file.persist(folder.join(name))?;
        Ok(())
    }
}

/// What comes before the data. The hash is the standard library's: another version of it only
/// makes files absent.
fn head(key: &str, data: &[u8]) -> [u8; HEADER] {
    let mut hasher = DefaultHasher::new();
    (key, data).hash(&mut hasher);
    let mut head = [0; HEADER];
    head[..8].copy_from_slice(MAGIC);
    head[8..16].copy_from_slice(&hasher.finish().to_le_bytes());
    head[16..].copy_from_slice(&(data.len() as u64).to_le_bytes());
    head
}

/// A file name for a key: `stem-` and a number.
pub(super) fn file_name(stem: &str, key: &str) -> String {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    format!("{stem}-{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_not_whole_or_not_ours_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::at(folder.path().join("new/deep"));
        assert_eq!(cache.read("a", "key"), None);
        cache.write("a", "key", b"some data").unwrap();
        assert_eq!(cache.read("a", "key").unwrap(), b"some data");
        assert_eq!(cache.read("a", "another device"), None);
        let path = folder.path().join("new/deep/a");
        let whole = fs::read(&path).unwrap();
        // Cut off anywhere, any byte changed, or grown.
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            assert_eq!(cache.read("a", "key"), None, "{len} bytes");
        }
        for i in 0..whole.len() {
            let mut bad = whole.clone();
            bad[i] ^= 0x10;
            fs::write(&path, bad).unwrap();
            assert_eq!(cache.read("a", "key"), None, "byte {i}");
        }
        fs::write(&path, [whole.as_slice(), b"x"].concat()).unwrap();
        assert_eq!(cache.read("a", "key"), None);
        cache.write("a", "key", b"").unwrap();
        assert_eq!(cache.read("a", "key").unwrap(), b"");
        // Nothing temporary stays.
        assert_eq!(
            fs::read_dir(folder.path().join("new/deep"))
                .unwrap()
                .count(),
            1
        );
    }

    #[test]
    fn too_much_is_neither_written_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::at(folder.path().to_owned());
        cache.write("a", "key", &vec![0; MOST + 1]).unwrap();
        assert!(!folder.path().join("a").exists());
        let file = fs::File::create(folder.path().join("b")).unwrap();
        file.set_len((HEADER + MOST + 1) as u64).unwrap();
        assert_eq!(cache.read("b", "key"), None);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let cache = DiskCache::at(file.join("below"));
        assert!(cache.write("a", "key", b"x").is_err());
        assert_eq!(cache.read("a", "key"), None);
    }
}
