//! A plan at work: jobs to the engine, its events back, a state for each file.
//!
//! It has no thread of its own: whoever owns the engine calls [`BatchRun::feed`] now and then and
//! [`BatchRun::take`] with each event, so that a window and a command line share it, and a batch
//! shares the engine with single pictures. Only a few jobs are with the engine at once, so that
//! memory does not follow the number of files.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::journal::Journal;
use super::plan::{BatchPlan, Decision, Entry, Item};
use super::progress::{Clock, Progress};
use super::report::Row;
use super::request::Existing;
use super::sizes::Sizes;
use crate::checkpoint::Checkpoint;
use crate::image::SaveOptions;
use crate::restore::{Engine, Event, Job, JobHandle, Options, Source};

/// Jobs with the engine at once: more than it opens, holds and saves.
const WITH_ENGINE: usize = 8;

/// How the pictures are restored and saved.
#[derive(Clone, Debug)]
pub struct Work {
    /// The model.
    pub model: Arc<Checkpoint>,
    /// How to restore.
    pub options: Options,
    /// How to save.
    pub save: SaveOptions,
}

/// Where a file of the batch stands.
#[derive(Clone, Debug, PartialEq)]
pub enum FileState {
    /// Its turn has not come.
    Waiting,
    /// It is on the device.
    Running {
        /// Tiles done.
        done: usize,
        /// Tiles of the picture.
        total: usize,
    },
    /// Restored and saved.
    Done {
        /// Opening, restoring and saving.
        seconds: f64,
        /// Device it was made on.
        device: String,
        /// What the user should know.
        notes: Vec<String>,
    },
    /// Passed over, for this reason; nothing is wrong.
    Skipped(&'static str),
    /// File, problem and remedy.
    Failed(String),
    /// The batch was cancelled before it was done; nothing was saved.
    Cancelled,
}

impl FileState {
    /// Whether nothing more happens to the file.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Running { .. })
    }
}

/// Files by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Restored and saved.
    pub done: usize,
    /// Passed over.
    pub skipped: usize,
    /// Failed.
    pub failed: usize,
    /// Cancelled.
    pub cancelled: usize,
    /// Waiting or on the device.
    pub left: usize,
}

/// A batch at work.
pub struct BatchRun {
    plan: BatchPlan,
    work: Work,
    first_id: u64,
    states: Vec<FileState>,
    /// Pixels of each file once known.
    pixels: Vec<Option<u64>>,
    handles: HashMap<usize, JobHandle>,
    /// Next entry to look at.
    next: usize,
    /// Rows given out so far.
    told: usize,
    cancelled: bool,
    clock: Clock,
    sizes: Sizes,
    trouble: Option<String>,
}

impl BatchRun {
    /// Ready to feed an engine. Its jobs have the ids from `first_id` on, one for each entry of
    /// the plan.
    ///
    /// What an earlier run that was killed left half written is removed first.
    pub fn new(mut plan: BatchPlan, work: Work, first_id: u64) -> Self {
        let states = plan.entries.iter().map(|e| match &e.decision {
            Decision::Restore => FileState::Waiting,
            Decision::Skip(reason) => FileState::Skipped(reason),
            Decision::Refuse(message) => FileState::Failed(message.clone()),
        });
        let states: Vec<FileState> = states.collect();
        if plan.settings.is_some() {
            sweep(&mut plan);
        }
        let restored = |(_, e): &(usize, &Entry)| e.decision == Decision::Restore;
        let files = plan.entries.iter().enumerate().filter(restored);
        let files = files.map(|(i, e)| (i, e.item.input.clone())).collect();
        Self {
            pixels: vec![None; states.len()],
            states,
            plan,
            work,
            first_id,
            handles: HashMap::new(),
            next: 0,
            told: 0,
            cancelled: false,
            clock: Clock::default(),
            sizes: Sizes::read(files),
            trouble: None,
        }
    }

    /// Gives the engine more to do, if it is time.
    pub fn feed(&mut self, engine: &Engine) {
        self.learn_sizes();
        while !self.cancelled && self.next < self.states.len() && self.handles.len() < WITH_ENGINE {
            let index = self.next;
            self.next += 1;
            if self.states[index] != FileState::Waiting {
                continue;
            }
            let item = self.plan.entries[index].item.clone();
            if self.plan.existing == Existing::Refuse && item.output.exists() {
                let message = "the output has come into being since the batch began; use --overwrite to replace it, --skip-existing to leave it";
                self.fail(index, format!("{}: {message}", item.output.display()));
                continue;
            }
            self.note(&item, |journal, settings| {
                journal.begin(&item.output, &item.input, settings)
            });
            let handle = engine.submit(Job {
                id: self.first_id + index as u64,
                source: Source::File(item.input.clone()),
                model: self.work.model.clone(),
                options: self.work.options.clone(),
                region: None,
                output: Some((item.output.clone(), self.work.save)),
            });
            self.handles.insert(index, handle);
        }
    }

    /// Takes an event in; answers which file it was about, if it was one of this batch.
    pub fn take(&mut self, event: &Event) -> Option<usize> {
        let id = match event {
            Event::Started { id }
            | Event::Progress { id, .. }
            | Event::Finished { id, .. }
            | Event::Failed { id, .. }
            | Event::Cancelled { id } => *id,
            Event::Ready { .. } | Event::NoDevice { .. } => return None,
        };
        let index = usize::try_from(id.checked_sub(self.first_id)?).ok()?;
        // Only what was submitted and has not ended: ids of others may follow on this batch's.
        self.handles.get(&index)?;
        match event {
            Event::Progress {
                done,
                total,
                pixels,
                ..
            } => {
                self.clock.start(Instant::now());
                self.pixels[index] = Some(*pixels);
                self.states[index] = FileState::Running {
                    done: *done,
                    total: *total,
                };
            }
            Event::Finished {
                seconds,
                device,
                notes,
                ..
            } => {
                let item = self.plan.entries[index].item.clone();
                self.note(&item, |journal, settings| {
                    journal.done(&item.output, &item.input, settings)
                });
                self.end(
                    index,
                    FileState::Done {
                        seconds: *seconds,
                        device: device.clone(),
                        notes: notes.clone(),
                    },
                );
            }
            Event::Failed { message, .. } => self.fail(index, message.clone()),
            Event::Cancelled { .. } => self.end(index, FileState::Cancelled),
            Event::Started { .. } | Event::Ready { .. } | Event::NoDevice { .. } => (),
        }
        Some(index)
    }

    /// Ends the batch: what is on the device ends within one tile, what is restored is saved,
    /// the rest is not begun.
    pub fn cancel(&mut self) {
        self.cancelled = true;
        self.handles.values().for_each(JobHandle::cancel);
        for (i, state) in self.states.iter_mut().enumerate() {
            if *state == FileState::Waiting && !self.handles.contains_key(&i) {
                *state = FileState::Cancelled;
            }
        }
    }

    /// Tells the clock of a pause, so that it does not count. The engine is paused by
    /// [`Engine::set_paused`].
    pub fn set_paused(&mut self, paused: bool) {
        let now = Instant::now();
        match paused {
            true => self.clock.stop(now),
            false => self.clock.start(now),
        }
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.handles.is_empty() && self.states.iter().skip(self.told).all(FileState::is_final)
    }

    /// The files, in the plan's order.
    pub fn entries(&self) -> &[Entry] {
        &self.plan.entries
    }

    /// Where each file stands, in the plan's order.
    pub fn states(&self) -> &[FileState] {
        &self.states
    }

    /// Pixels of a file, once known.
    pub fn pixels(&self, index: usize) -> Option<u64> {
        self.pixels.get(index).copied().flatten()
    }

    /// Files by their state.
    pub fn summary(&self) -> Summary {
        let mut sum = Summary::default();
        for state in &self.states {
            *match state {
                FileState::Waiting | FileState::Running { .. } => &mut sum.left,
                FileState::Done { .. } => &mut sum.done,
                FileState::Skipped(_) => &mut sum.skipped,
                FileState::Failed(_) => &mut sum.failed,
                FileState::Cancelled => &mut sum.cancelled,
            } += 1;
        }
        sum
    }

    /// How far it is. Files that are passed over or fail are no work.
    pub fn progress(&mut self) -> Progress {
        self.learn_sizes();
        let (mut done, mut left, mut sized, mut unknown) = (0, 0, 0, 0);
        for (state, pixels) in self.states.iter().zip(&self.pixels) {
            let known = pixels.unwrap_or(0);
            let part = match state {
                FileState::Done { .. } => known,
                FileState::Running { done, total } => {
                    (known as f64 * *done as f64 / (*total).max(1) as f64) as u64
                }
                FileState::Waiting => 0,
                _ => continue,
            };
            done += part;
            left += known - part;
            match pixels {
                Some(_) => sized += 1,
                None => unknown += 1,
            }
        }
        let mean = (done + left).checked_div(sized).unwrap_or(0);
        left += unknown * mean;
        Progress {
            done,
            total: done + left,
            left: self.clock.forecast(done, left, Instant::now()),
        }
    }

    /// Rows for a report, of the files that ended since the last call, in the plan's order.
    pub fn rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        while let Some(state) = self.states.get(self.told).filter(|s| s.is_final()) {
            let item = &self.plan.entries[self.told].item;
            rows.push(Row::new(item, state, self.pixels[self.told]));
            self.told += 1;
        }
        rows
    }

    /// Why the journal cannot be written, if so: the batch goes on, but a next call will not
    /// know what this one has done.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn learn_sizes(&mut self) {
        for (index, pixels) in self.sizes.news() {
            self.pixels[index].get_or_insert(pixels);
        }
    }

    fn fail(&mut self, index: usize, message: String) {
        let item = self.plan.entries[index].item.clone();
        self.note(&item, |journal, settings| {
            journal.failed(&item.output, &item.input, settings, &message)
        });
        self.end(index, FileState::Failed(message));
    }

    fn end(&mut self, index: usize, state: FileState) {
        self.handles.remove(&index);
        self.states[index] = state;
    }

    /// Writes a line of the item's journal, if one is kept.
    fn note(&mut self, item: &Item, write: impl FnOnce(&mut Journal, &str) -> std::io::Result<()>) {
        let Some(settings) = &self.plan.settings else {
            return;
        };
        if let Err(error) = write(self.plan.journals.of(&item.root), settings) {
            let folder = item.root.display();
            self.trouble.get_or_insert(format!(
                "{folder}: cannot note what is done ({error}); a batch that is cut off will not know where to go on"
            ));
        }
    }
}

/// Removes what a killed run left half written in the output folders.
fn sweep(plan: &mut BatchPlan) {
    let mut folders: HashMap<Arc<Path>, Vec<&Path>> = HashMap::new();
    for item in plan.entries.iter().map(|e| &e.item) {
        let known = folders.entry(item.root.clone()).or_default();
        match item.output.parent() {
            // Neighbours in the plan are mostly neighbours on the disk.
            Some(folder) if known.last() != Some(&folder) => known.push(folder),
            _ => (),
        }
    }
    for (root, mut inner) in folders {
        inner.sort_unstable();
        inner.dedup();
        if Journal::is_in(&root) {
            let inner = inner.into_iter().map(Path::to_owned);
            plan.journals.of(&root).sweep(inner);
        }
    }
}
