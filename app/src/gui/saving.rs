//! Results to disk, off the window's thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use egui::Context;
use serpent_engine::image::{Format, Picture, SaveOptions};
use serpent_engine::priority;
use serpent_engine::restore::blend;

use super::notice::Weight;
use super::opening::name;
use super::queue::{Entry, State};
use super::window::Window;

/// What is to be written.
struct Work {
    entry: u64,
    original: Result<Arc<Picture>, PathBuf>,
    restored: Arc<Picture>,
    strength: f32,
    target: PathBuf,
    /// Whether an existing file stays and another name is found.
    new_name: bool,
    /// Whether the file leaves out where the photo was taken.
    strip_gps: bool,
}

/// What was written, or why not.
pub struct Saved {
    /// The list's entry.
    pub entry: u64,
    /// The file, or file, problem and remedy.
    pub result: Result<PathBuf, String>,
    /// What the file's format could not keep, a sentence each; of single pictures.
    pub losses: Vec<String>,
}

/// The thread that writes.
pub struct Saver {
    work: Sender<Work>,
    saved: Receiver<Saved>,
    open: usize,
}

impl Saver {
    /// Starts the thread; it ends with this value, after what it was given.
    pub fn new(ctx: Context) -> Self {
        let (work, todo) = channel::<Work>();
        let (send, saved) = channel();
        priority::spawn(move || {
            for work in todo {
                let entry = work.entry;
                let (result, losses) = match write(work) {
                    Ok((path, losses)) => (Ok(path), losses),
                    Err(problem) => (Err(problem), Vec::new()),
                };
                let saved = Saved {
                    entry,
                    result,
                    losses,
                };
                // The window may be gone by now; the file is written all the same.
                let _ = send.send(saved);
                ctx.request_repaint();
            }
        });
        Self {
            work,
            saved,
            open: 0,
        }
    }

    /// Whether anything is still to be written.
    pub fn is_busy(&self) -> bool {
        self.open > 0
    }

    fn save(&mut self, work: Work) {
        self.open += 1;
        // The thread lives as long as this does.
        let _ = self.work.send(work);
    }

    /// What has been written since.
    pub fn poll(&mut self) -> Vec<Saved> {
        let saved: Vec<Saved> = self.saved.try_iter().collect();
        self.open -= saved.len();
        saved
    }
}

/// Writes the file; says where and, of a single picture, what its format could not keep.
fn write(work: Work) -> Result<(PathBuf, Vec<String>), String> {
    let picture = if work.strength >= 1.0 {
        work.restored
    } else {
        let original = match work.original {
            Ok(picture) => picture,
            Err(path) => Arc::new(Picture::open(path).map_err(|e| e.to_string())?),
        };
        let mixed = blend(&original, &work.restored, work.strength);
        Arc::new(mixed.map_err(|e| format!("{}: {e}", work.target.display()))?)
    };
    let target = match work.new_name {
        true => free_name(&work.target),
        false => work.target,
    };
    let options = SaveOptions {
        strip_gps: work.strip_gps,
        ..SaveOptions::default()
    };
    picture.save(&target, &options).map_err(|e| e.to_string())?;
    let losses = match Format::from_path(&target) {
        // Of many pictures nobody reads it.
        Some(format) if !work.new_name => picture.losses(format),
        _ => Vec::new(),
    };
    Ok((target, losses))
}

/// `a.png`, or `a-2.png` and so on when that is taken.
fn free_name(target: &Path) -> PathBuf {
    let stem = target.file_stem().unwrap_or_default().to_owned();
    let numbered = |n: usize| {
        let mut name = stem.clone();
        name.push(format!("-{n}"));
        if let Some(extension) = target.extension() {
            name.push(".");
            name.push(extension);
        }
        target.with_file_name(name)
    };
    let names = std::iter::once(target.to_owned()).chain((2..).map(numbered));
    let mut free = names.filter(|p| !p.exists());
    free.next().unwrap_or_else(|| target.to_owned())
}

/// Whether two paths lead to one existing file.
fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn work(entry: &Entry, target: PathBuf, new_name: bool, strip_gps: bool) -> Option<Work> {
    let outcome = entry.outcome()?;
    let from_disk = || entry.path().map(Path::to_owned).unwrap_or_default();
    Some(Work {
        entry: entry.id,
        original: entry.original.clone().ok_or_else(from_disk),
        restored: outcome.picture.clone(),
        strength: outcome.strength,
        target,
        new_name,
        strip_gps,
    })
}

impl Window {
    /// Saves what is on screen, as strong as it is shown.
    pub(super) fn save(&mut self, id: u64, mut target: PathBuf) {
        let Some(entry) = self.queue.get(id) else {
            return;
        };
        if target.extension().is_none() {
            let suggested = entry.suggestion();
            target.set_extension(suggested.extension().unwrap_or("png".as_ref()));
        }
        // None of the list's originals is ever written over, whichever it is.
        let original = |e: &Entry| e.path().is_some_and(|p| same_file(p, &target));
        if self.queue.entries().iter().any(original) {
            self.notices.problem(format!(
                "{}: that is the original; choose another name, originals are never replaced",
                name(&target)
            ));
            return;
        }
        if let Some(work) = work(entry, target, false, self.settings.strip_gps) {
            self.notices.say(format!("Saving {}…", name(&work.target)));
            self.saver.save(work);
        }
    }

    /// Saves every restored picture into a folder, under names that are free there.
    pub(super) fn save_all(&mut self, folder: &Path) {
        for entry in self.queue.entries() {
            let target = folder.join(entry.suggestion().file_name().unwrap_or_default());
            if let Some(work) = work(entry, target, true, self.settings.strip_gps) {
                self.saver.save(work);
            }
        }
        self.notices
            .say(format!("Saving into {}…", folder.display()));
    }

    pub(super) fn take_in_saved(&mut self, saved: Saved) {
        match saved.result {
            Ok(path) => {
                if let Some(entry) = self.queue.get_mut(saved.entry) {
                    entry.state = State::Saved;
                }
                self.notices.say(format!("Saved {}", path.display()));
                if !saved.losses.is_empty() {
                    let losses = saved.losses.join("; ");
                    let text = format!("{}: {losses}", name(&path));
                    self.notices.tell(Weight::Warning, text);
                }
            }
            Err(problem) => self.notices.problem(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn taken_names_get_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(free_name(&at("a.png")), at("a.png"));
        for taken in ["a.png", "a-2.png"] {
            std::fs::write(at(taken), "").unwrap();
        }
        assert_eq!(free_name(&at("a.png")), at("a-3.png"));
    }
}
