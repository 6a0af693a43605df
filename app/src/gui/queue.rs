//! The pictures at hand: their order, what is selected, what became of each.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serpent_engine::image::Picture;

/// Where a picture comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// The clipboard.
    Clipboard(Arc<Picture>),
}

/// What is happening to a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nothing yet.
    Ready,
    /// Waits for its turn.
    Waiting,
    /// Is being restored; how much is done, 0 to 1.
    Restoring(f32),
    /// There is a result.
    Restored,
    /// The result is on disk.
    Saved,
    /// It cannot be opened or restored: file, problem and remedy.
    Failed(String),
}

impl State {
    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Waiting => "Waiting",
            Self::Restoring(_) => "Restoring",
            Self::Restored => "Restored",
            Self::Saved => "Saved",
            Self::Failed(_) => "Failed",
        }
    }
}

/// What a model made of a picture.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// A number of its own.
    pub id: u64,
    /// Its name for people: the model's, or the file's where it comes from elsewhere.
    pub title: String,
    /// The model's name, if one made it just now.
    pub model: String,
    /// The result at full strength.
    pub picture: Arc<Picture>,
    /// How much of it is shown and saved.
    pub strength: f32,
    /// How long it took and where.
    pub summary: String,
    /// Whether it is what the model gave, rather than a mix that is kept or a file.
    pub restored: bool,
}

/// One picture of the list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Lasts as long as the entry.
    pub id: u64,
    /// Where it comes from.
    pub origin: Origin,
    /// The file's name.
    pub name: String,
    /// Width and height, once known.
    pub size: Option<[usize; 2]>,
    /// Size of the file.
    pub bytes: Option<u64>,
    /// What is happening to it.
    pub state: State,
    /// The picture, while it is kept in memory.
    pub original: Option<Arc<Picture>>,
    /// Whether it is being read.
    pub opening: bool,
    /// Its noise, σ of 255, once estimated.
    pub noise: Option<f32>,
    /// What was made of it, oldest first.
    pub outcomes: Vec<Outcome>,
    /// Which outcome is on screen.
    pub shown: Option<u64>,
    /// What it should look like, if that is known.
    pub reference: Option<Arc<Picture>>,
}

impl Entry {
    /// The file, if it comes from one.
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) => Some(path),
            Origin::Clipboard(_) => None,
        }
    }

    /// The outcome on screen.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcomes.iter().find(|o| Some(o.id) == self.shown)
    }

    /// The outcome on screen, to change its strength.
    pub fn outcome_mut(&mut self) -> Option<&mut Outcome> {
        self.outcomes.iter_mut().find(|o| Some(o.id) == self.shown)
    }

    /// Pixels, as far as known.
    pub fn pixels(&self) -> u64 {
        self.size.map_or(0, |[w, h]| (w * h) as u64)
    }

    /// Bytes of pictures it holds in memory.
    pub fn held_bytes(&self) -> u64 {
        let one = |p: &Picture| 4 * (p.samples().len() + p.alpha().map_or(0, <[f32]>::len)) as u64;
        let outcomes: u64 = self.outcomes.iter().map(|o| one(&o.picture)).sum();
        outcomes + self.original.as_deref().map_or(0, one)
    }

    /// `photo.jpg` → `photo-restored.jpg`, beside the source.
    pub fn suggestion(&self) -> PathBuf {
        let source = self.path().unwrap_or(Path::new("clipboard.png"));
        let mut name = source.file_stem().unwrap_or_default().to_owned();
        name.push("-restored");
        if let Some(extension) = source.extension() {
            name.push(".");
            // Formats that are read but not written become PNG.
            let writable =
                serpent_engine::image::Format::from_path(source).is_some_and(|f| f.can_write());
            name.push(if writable { extension } else { "png".as_ref() });
        }
        source.with_file_name(name)
    }
}

/// How a click changes the selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// This one alone.
    One,
    /// This one more, or no longer.
    Toggle,
    /// All from the current one to this.
    Range,
}

/// The list.
#[derive(Debug, Default)]
pub struct Queue {
    entries: Vec<Entry>,
    current: Option<u64>,
    selected: HashSet<u64>,
    last_id: u64,
}

impl Queue {
    /// Adds a picture at the end unless its file is there already; returns its number and
    /// whether it is new.
    pub fn add(&mut self, origin: Origin, name: String) -> (u64, bool) {
        if let Origin::File(path) = &origin
            && let Some(known) = self.entries.iter().find(|e| e.path() == Some(path))
        {
            return (known.id, false);
        }
        self.last_id += 1;
        let original = match &origin {
            Origin::File(_) => None,
            Origin::Clipboard(picture) => Some(picture.clone()),
        };
        self.entries.push(Entry {
            id: self.last_id,
            name,
            size: original.as_ref().map(|p| [p.width(), p.height()]),
            bytes: None,
            state: State::Ready,
            original,
            opening: false,
            noise: None,
            outcomes: Vec::new(),
            shown: None,
            reference: None,
            origin,
        });
        (self.last_id, true)
    }

    /// All pictures in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All pictures in order, to change them.
    pub fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    /// The picture with this number.
    pub fn get(&self, id: u64) -> Option<&Entry> {
        self.entries.iter().find(|e| e.id == id)
    }

    /// The picture with this number, to change it.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|e| e.id == id)
    }

    /// The picture on screen.
    pub fn current(&self) -> Option<&Entry> {
        self.current.and_then(|id| self.get(id))
    }

    /// The picture on screen, to change it.
    pub fn current_mut(&mut self) -> Option<&mut Entry> {
        self.current.and_then(|id| self.get_mut(id))
    }

    /// Number of the picture on screen.
    pub fn current_id(&self) -> Option<u64> {
        self.current
    }

    /// Whether it is selected.
    pub fn is_selected(&self, id: u64) -> bool {
        self.selected.contains(&id)
    }

    /// Numbers of what is selected, in order.
    pub fn selected(&self) -> Vec<u64> {
        let ids = self.entries.iter().map(|e| e.id);
        ids.filter(|id| self.is_selected(*id)).collect()
    }

    fn place(&self, id: u64) -> Option<usize> {
        self.entries.iter().position(|e| e.id == id)
    }

    /// A click on a picture.
    pub fn select(&mut self, id: u64, how: Select) {
        let Some(place) = self.place(id) else { return };
        match how {
            Select::One => self.selected = HashSet::from([id]),
            Select::Toggle if self.selected.len() > 1 && self.selected.contains(&id) => {
                self.selected.remove(&id);
                if self.current == Some(id) {
                    self.current = self.selected().first().copied();
                }
                return;
            }
            Select::Toggle => {
                self.selected.insert(id);
            }
            Select::Range => {
                let from = self.current.and_then(|c| self.place(c)).unwrap_or(place);
                let range = from.min(place)..=from.max(place);
                self.selected = self.entries[range].iter().map(|e| e.id).collect();
                // The picture on screen stays: it is where the range began.
                return;
            }
        }
        self.current = Some(id);
    }

    /// Selects everything; the picture on screen stays.
    pub fn select_all(&mut self) {
        self.selected = self.entries.iter().map(|e| e.id).collect();
    }

    /// The picture before (−1) or after (1) the one on screen.
    pub fn step(&mut self, by: isize) {
        let Some(place) = self.current.and_then(|c| self.place(c)) else {
            return;
        };
        let to = place.saturating_add_signed(by).min(self.entries.len() - 1);
        self.select(self.entries[to].id, Select::One);
    }

    /// Takes what is selected off the list; the next picture comes on screen.
    pub fn remove_selected(&mut self) -> Vec<u64> {
        let gone = self.selected();
        let first = gone.first().and_then(|id| self.place(*id)).unwrap_or(0);
        self.entries.retain(|e| !self.selected.contains(&e.id));
        self.selected.clear();
        self.current = None;
        let next = first.min(self.entries.len().saturating_sub(1));
        if let Some(entry) = self.entries.get(next) {
            self.select(entry.id, Select::One);
        }
        gone
    }

    /// Moves what is selected one place earlier (−1) or later (1), as one block where it can.
    pub fn move_selected(&mut self, by: isize) {
        let chosen: Vec<bool> = self
            .entries
            .iter()
            .map(|e| self.is_selected(e.id))
            .collect();
        let last = self.entries.len().saturating_sub(1);
        let at_edge = if by < 0 {
            chosen.first()
        } else {
            chosen.last()
        };
        if at_edge.copied().unwrap_or(true) {
            return;
        }
        let mut places: Vec<usize> = (0..=last).filter(|i| chosen[*i]).collect();
        if by > 0 {
            places.reverse();
        }
        for place in places {
            self.entries
                .swap(place, place.saturating_add_signed(by.signum()));
        }
    }

    /// Moves one picture before the one now at `place`.
    pub fn move_to(&mut self, id: u64, place: usize) {
        let Some(from) = self.place(id) else { return };
        let entry = self.entries.remove(from);
        let to = if from < place { place - 1 } else { place };
        self.entries.insert(to.min(self.entries.len()), entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(names: &[&str]) -> Queue {
        let mut queue = Queue::default();
        for name in names {
            queue.add(Origin::File(name.into()), (*name).to_owned());
        }
        queue
    }

    fn names(queue: &Queue) -> String {
        queue.entries().iter().map(|e| e.name.as_str()).collect()
    }

    #[test]
    fn a_file_is_listed_once() {
        let mut queue = queue(&["a", "b"]);
        assert_eq!(queue.add(Origin::File("a".into()), "a".into()), (1, false));
        assert_eq!(names(&queue), "ab");
    }

    #[test]
    fn clicks_select_as_everywhere() {
        let mut queue = queue(&["a", "b", "c", "d"]);
        queue.select(2, Select::One);
        queue.select(4, Select::Range);
        assert_eq!(
            (queue.selected(), queue.current_id()),
            (vec![2, 3, 4], Some(2))
        );
        queue.select(3, Select::Toggle);
        assert_eq!(
            (queue.selected(), queue.current_id()),
            (vec![2, 4], Some(2))
        );
        queue.select(2, Select::Toggle);
        assert_eq!((queue.selected(), queue.current_id()), (vec![4], Some(4)));
        // The last one cannot be deselected: something is always on screen.
        queue.select(4, Select::Toggle);
        assert_eq!(queue.selected(), [4]);
        queue.select_all();
        assert_eq!(queue.selected().len(), 4);
    }

    #[test]
    fn order_changes_and_removal_moves_on() {
        let mut queue = queue(&["a", "b", "c", "d"]);
        queue.select(2, Select::One);
        queue.select(3, Select::Toggle);
        queue.move_selected(1);
        assert_eq!(names(&queue), "adbc");
        queue.move_selected(1);
        assert_eq!(names(&queue), "adbc");
        queue.move_selected(-1);
        queue.move_selected(-1);
        queue.move_selected(-1);
        assert_eq!(names(&queue), "bcad");
        queue.move_to(1, 0);
        assert_eq!(names(&queue), "abcd");
        queue.move_to(1, 4);
        assert_eq!(names(&queue), "bcda");
        assert_eq!(queue.remove_selected(), [2, 3]);
        assert_eq!(
            (names(&queue).as_str(), queue.current_id()),
            ("da", Some(4))
        );
        queue.step(1);
        queue.step(1);
        assert_eq!(queue.current_id(), Some(1));
        queue.select_all();
        queue.remove_selected();
        assert!(queue.current().is_none() && queue.entries().is_empty());
    }
}
