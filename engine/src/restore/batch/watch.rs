//! Which files have come into a folder and are whole.
//!
//! The folder is listed again and again. Messages from the system would not do: they do not come
//! from network shares, differ between systems, get lost when there are many, and say that a file
//! was written to, not that its writer is done. Whether it is done can only be told by looking
//! twice, and who looks every second or two needs no messages.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::journal::Stamp;
use crate::image::Format;

/// How long length and time of a file must stand still before it counts as whole.
const SETTLED: Duration = Duration::from_secs(2);

/// Folders that are looked at for new pictures.
#[derive(Debug)]
pub struct WatchFolder {
    folders: Vec<PathBuf>,
    recursive: bool,
    settled: Duration,
    /// What was seen of files not given out yet, and since when it is so.
    coming: HashMap<PathBuf, (Stamp, Instant)>,
    /// Files given out, as they were then.
    taken: HashMap<PathBuf, Stamp>,
    /// Outputs, which are no inputs.
    own: HashSet<PathBuf>,
}

impl WatchFolder {
    /// Watches `folders`, with those inside them if so asked. Everything in them is new.
    pub fn new(folders: Vec<PathBuf>, recursive: bool) -> Self {
        Self {
            folders,
            recursive,
            settled: SETTLED,
            coming: HashMap::new(),
            taken: HashMap::new(),
            own: HashSet::new(),
        }
    }

    /// With another time that files must stand still.
    pub fn settled(self, settled: Duration) -> Self {
        Self { settled, ..self }
    }

    /// Counts the file as seen: it is new only when it changes.
    pub fn known(&mut self, input: &Path) {
        if let Some(stamp) = Stamp::of(input) {
            self.taken.insert(input.to_owned(), stamp);
        }
    }

    /// Never gives this file out: it is an output.
    pub fn ignore(&mut self, output: &Path) {
        self.own.insert(output.to_owned());
    }

    /// The files that are new or changed since they were given out, and stand still, by name.
    /// A folder that is away for a while (an unplugged disk) counts as empty.
    pub fn poll(&mut self, now: Instant) -> Vec<PathBuf> {
        let mut whole = Vec::new();
        let mut there = HashSet::new();
        for path in self.list() {
            let Some(stamp) = Stamp::of(&path).filter(|s| s.bytes > 0) else {
                continue;
            };
            if self.own.contains(&path) || self.taken.get(&path) == Some(&stamp) {
                continue;
            }
            there.insert(path.clone());
            match self.coming.get(&path) {
                Some((seen, since)) if *seen == stamp => {
                    if now.saturating_duration_since(*since) >= self.settled {
                        self.taken.insert(path.clone(), stamp);
                        whole.push(path);
                    }
                }
                // Once is not enough, however short the time.
                _ => {
                    self.coming.insert(path, (stamp, now));
                }
            }
        }
        let taken = &self.taken;
        self.coming
            .retain(|path, (stamp, _)| there.contains(path) && taken.get(path) != Some(stamp));
        whole
    }

    fn list(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let depth = if self.recursive { usize::MAX } else { 1 };
        let folders = self.folders.clone();
        folders.into_iter().flat_map(move |folder| {
            walkdir::WalkDir::new(folder)
                .min_depth(1)
                .max_depth(depth)
                .sort_by_file_name()
                .into_iter()
                .filter_entry(|e| !e.file_name().to_string_lossy().starts_with('.'))
                .flatten()
                .map(walkdir::DirEntry::into_path)
                .filter(|path| Format::from_path(path).is_some())
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_given_out_once_they_stand_still_and_again_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut watch = WatchFolder::new(vec![folder.path().to_owned()], false);
        let start = Instant::now();
        let mut poll = |s: u64| watch.poll(start + Duration::from_secs(s));
        assert!(poll(0).is_empty());
        std::fs::write(at("b.png"), "half").unwrap();
        std::fs::write(at("a.jpg"), "whole").unwrap();
        std::fs::write(at("empty.png"), "").unwrap();
        std::fs::write(at(".hidden.png"), "x").unwrap();
        std::fs::write(at("notes.txt"), "x").unwrap();
        assert!(poll(1).is_empty(), "nobody knows whether they are whole");
        std::fs::write(at("b.png"), "half and the rest").unwrap();
        assert_eq!(poll(3), [at("a.jpg")]);
        assert!(poll(4).is_empty());
        assert_eq!(poll(5), [at("b.png")]);
        assert!(poll(9).is_empty(), "each once");
        std::fs::write(at("a.jpg"), "another picture").unwrap();
        assert!(poll(10).is_empty());
        assert_eq!(poll(12), [at("a.jpg")]);
        std::fs::remove_file(at("b.png")).unwrap();
        assert!(poll(20).is_empty());
    }

    #[test]
    fn outputs_and_what_is_known_are_not_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("deep")).unwrap();
        for name in ["a.png", "a-restored.png", "deep/b.png"] {
            std::fs::write(at(name), "x").unwrap();
        }
        let folders = vec![folder.path().to_owned()];
        let mut watch = WatchFolder::new(folders, true).settled(Duration::ZERO);
        watch.ignore(&at("a-restored.png"));
        watch.known(&at("a.png"));
        let start = Instant::now();
        assert!(watch.poll(start).is_empty());
        assert_eq!(watch.poll(start), [at("deep/b.png")]);
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert!(watch.poll(start).is_empty(), "a folder may be away");
    }
}
