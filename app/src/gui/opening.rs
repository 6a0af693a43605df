//! Pictures in: from files, folders and the clipboard, into the list and onto the screen.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::ColorImage;
use serpent_engine::image::Picture;

use super::queue::{Entry, Origin, Select, State};
use super::sources::{self, Found, FoundFile, MixFor};
use super::thumbs::Of;
use super::window::{Page, Window};
use super::words;

/// Bytes of decoded pictures kept for the list; beyond that what was not looked at longest goes.
const MEMORY: u64 = 3 << 30;

/// A file's name for people.
pub fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// The path that a `file://` address stands for: `%20` is a space and so on.
fn decoded(address: &str) -> PathBuf {
    let bytes = address.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let code = address.get(i + 1..i + 3).filter(|_| bytes[i] == b'%');
        match code.and_then(|c| u8::from_str_radix(c, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                i += 3;
            }
            None => {
                plain.push(bytes[i]);
                i += 1;
            }
        }
    }
    PathBuf::from(String::from_utf8_lossy(&plain).into_owned())
}

impl Window {
    /// Files and folders were dropped on the window.
    pub(super) fn drop_files(&mut self, paths: Vec<PathBuf>) {
        let folders = paths.iter().all(|p| p.is_dir());
        if self.page == Page::Batch && folders {
            self.set_batch_folders(paths);
            return;
        }
        match (self.page, self.queue.current_id()) {
            (Page::Compare, Some(id)) => self.add_to_compare(id, paths),
            _ => {
                self.page = Page::Photos;
                self.sources.search(paths);
            }
        }
    }

    /// A picture was pasted.
    pub(super) fn paste_picture(&mut self, image: &ColorImage) {
        match sources::from_clipboard(image) {
            Err(error) => self.notices.problem(format!("The clipboard: {error}")),
            Ok(picture) => {
                let picture = Arc::new(picture);
                let origin = Origin::Clipboard(picture.clone());
                let (id, _) = self.queue.add(origin, "Pasted picture".to_owned());
                self.sources.paste(id, picture);
                self.queue.select(id, Select::One);
                self.page = Page::Photos;
            }
        }
    }

    /// Text was pasted: names of files, one a line, as file managers copy them.
    pub(super) fn paste_paths(&mut self, text: &str) {
        let plain = |line: &str| {
            let line = line.trim();
            match line.strip_prefix("file://") {
                Some(encoded) => decoded(encoded),
                None => PathBuf::from(line),
            }
        };
        let paths: Vec<PathBuf> = text
            .lines()
            .map(plain)
            .filter(|p| p.is_absolute())
            .collect();
        let there: Vec<PathBuf> = paths.into_iter().filter(|p| p.exists()).collect();
        if there.is_empty() {
            self.notices.say("There is no picture in the clipboard");
        } else {
            self.page = Page::Photos;
            self.sources.search(there);
        }
    }

    pub(super) fn take_in_found(&mut self, found: Found) {
        match found {
            Found::File(file) => self.add_file(file),
            Found::Nothing(text) => self.notices.problem(text),
            Found::SearchEnds => {
                let n = self.queue.entries().len();
                if n > 1 {
                    self.notices.say(words::count(n, "photo"));
                }
            }
            Found::Opened { id, picture } => self.opened(id, picture),
            Found::Read {
                id,
                path,
                usage,
                picture,
            } => self.read_for(id, path, usage, picture),
            Found::Mixed {
                id,
                outcome,
                strength,
                usage,
                picture,
            } => match usage {
                MixFor::Keeping => self.mixed(id, outcome, strength, picture),
                MixFor::Comparing => self.mixed_for_grid(id, outcome, strength, picture),
            },
        }
    }

    fn add_file(&mut self, file: FoundFile) {
        let shown = name(&file.path);
        let (id, new) = self.queue.add(Origin::File(file.path.clone()), shown);
        let fails = file.about.is_err();
        if let Some(entry) = self.queue.get_mut(id).filter(|_| new) {
            match file.about {
                Ok((size, bytes)) => (entry.size, entry.bytes) = (Some(size), Some(bytes)),
                Err(problem) => entry.state = State::Failed(problem),
            }
        }
        if !fails {
            self.settings.remember(&file.path);
        }
        // The first good one comes on screen; later ones join the list.
        let current = self.queue.current();
        let better = current.is_none_or(|c| matches!(c.state, State::Failed(_)) && !fails);
        if better || !new {
            self.queue.select(id, Select::One);
        }
    }

    fn opened(&mut self, id: u64, picture: Result<(Arc<Picture>, f32), String>) {
        let Some(entry) = self.queue.get_mut(id) else {
            return;
        };
        entry.opening = false;
        match picture {
            Ok((picture, noise)) => {
                entry.size = Some([picture.width(), picture.height()]);
                entry.original = Some(picture);
                entry.noise = Some(noise);
            }
            Err(problem) => entry.state = State::Failed(problem),
        }
    }

    /// Has the current picture read if it is not in memory, and brings it on screen once it is.
    pub(super) fn load_current(&mut self) {
        let Some(entry) = self.queue.current_mut() else {
            self.on_screen = None;
            return;
        };
        let id = entry.id;
        if entry.original.is_some() {
            if self.on_screen != Some(id) {
                self.on_screen = Some(id);
                self.preview = None;
                self.canvas.viewer.fit();
            }
            return;
        }
        let failed = matches!(entry.state, State::Failed(_));
        if failed {
            // Its reason is shown instead.
            self.on_screen = None;
        }
        if let (false, false, Origin::File(path)) = (entry.opening, failed, &entry.origin) {
            let path = path.clone();
            entry.opening = true;
            self.sources.open(id, path);
        }
    }

    /// Restores everything once files and models are there, if that was asked for.
    pub(super) fn restore_if_asked(&mut self) {
        let there = self.queue.current().is_some_and(|e| e.original.is_some());
        if self.restore_when_loaded && there && !self.cards.is_busy() && !self.sources.is_busy() {
            self.restore_when_loaded = false;
            self.restore_all();
        }
    }

    /// Lets go of originals, then of results on disk, that are not on screen when too much is held.
    pub(super) fn free_memory(&mut self) {
        let keep = [self.queue.current_id(), self.on_screen];
        let mut held: u64 = self.queue.entries().iter().map(Entry::held_bytes).sum();
        if held <= MEMORY {
            return;
        }
        for saved_only in [true, false] {
            for entry in self.queue.entries_mut() {
                let busy = matches!(entry.state, State::Waiting | State::Restoring(_));
                if held <= MEMORY || busy || keep.contains(&Some(entry.id)) {
                    continue;
                }
                held -= entry.held_bytes();
                if entry.path().is_some() {
                    entry.original = None;
                }
                if saved_only && entry.state == State::Saved {
                    entry.outcomes.clear();
                    entry.shown = None;
                }
                held += entry.held_bytes();
            }
        }
    }

    /// Takes what is selected off the list.
    pub(super) fn remove_selected(&mut self) {
        for id in self.queue.remove_selected() {
            self.worker.cancel(|order| order.entry == id);
            self.thumbs.forget(id);
        }
    }

    /// What an entry's thumbnail is made of, when that can be told.
    pub(super) fn thumb_source(entry: &Entry) -> Option<Of> {
        match (&entry.original, &entry.origin) {
            (Some(picture), _) => Some(Of::Picture(picture.clone())),
            // Being read anyway: not twice.
            _ if entry.opening || matches!(entry.state, State::Failed(_)) => None,
            (None, Origin::File(path)) => Some(Of::File(path.clone())),
            (None, Origin::Clipboard(picture)) => Some(Of::Picture(picture.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_paths() {
        let path = decoded("/home/a%20b/gr%C3%BCn%.png");
        assert_eq!(path, Path::new("/home/a b/grün%.png"));
    }
}
