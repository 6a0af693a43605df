//! The page that compares results of one picture, and pictures from elsewhere with it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Align, Frame, Layout, Margin, RichText, Ui, vec2};
use serpent_engine::image::Picture;

use super::command::Command;
use super::photos::centred;
use super::queue::{Entry, Outcome};
use super::sources::{MixFor, Use};
use super::theme::strong;
use super::tokens::{size, space, text};
use super::view::CompareGrid;
use super::widgets;
use super::window::Window;

/// The number that stands for the original among the results.
const ORIGINAL: u64 = 0;

/// The grid, and which entry and results it shows.
#[derive(Default)]
pub struct Compare {
    grid: Option<CompareGrid>,
    entry: Option<u64>,
    /// Number and strength of the result in each cell.
    cells: Vec<(u64, f32)>,
    /// Results at less than full strength, by number, until they are in their cells.
    mixes: HashMap<u64, (f32, Mix)>,
    reference: Option<Arc<Picture>>,
}

/// A result mixed with its original.
enum Mix {
    Coming,
    There(Arc<Picture>),
    Failed,
}

impl Compare {
    /// Whether every figure and tile is there.
    pub fn is_settled(&self) -> bool {
        self.grid.as_ref().is_none_or(CompareGrid::is_settled)
    }
}

impl Window {
    pub(super) fn compare_page(&mut self, ui: &mut Ui) {
        let ready = self.queue.current().is_some_and(|e| e.original.is_some());
        if !ready {
            self.ground(ui);
            return centred(ui, |ui| {
                ui.label(RichText::new("Nothing to compare yet").font(strong(text::TITLE)));
                widgets::explain(ui, "Open a photo and restore it; its results come here.");
                ui.add_space(space::NEAR);
                self.button(ui, Command::OpenFiles);
            });
        }
        self.sync_grid();
        Frame::new()
            .inner_margin(Margin::symmetric(12, 6))
            .show(ui, |ui| self.compare_bar(ui));
        if let Some(grid) = &mut self.compare.grid {
            // Its captions are two lines over each picture.
            ui.spacing_mut().interact_size.y = 20.0;
            ui.spacing_mut().button_padding.y = 1.0;
            grid.show(ui);
        }
        self.take_pick();
    }

    fn compare_bar(&mut self, ui: &mut Ui) {
        widgets::accent_sliders(ui);
        let row = vec2(ui.available_width(), size::CONTROL + 4.0);
        ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| {
            if let Some(entry) = self.queue.current() {
                let name = RichText::new(&entry.name).font(strong(text::BODY));
                widgets::truncated(ui, name);
            }
            self.button(ui, Command::AddToCompare);
            self.button(ui, Command::ChooseReference);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let picked = self.compare.grid.as_ref().and_then(CompareGrid::winner);
                let save = "Save the pick…";
                let able = picked
                    .and_then(|i| self.compare.cells.get(i))
                    .is_some_and(|(id, _)| *id != ORIGINAL);
                if widgets::primary(ui, able, save, 0.0).clicked() {
                    self.run(Command::Save);
                }
                if let Some(grid) = &mut self.compare.grid {
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| grid.bar(ui));
                }
            });
        });
    }

    /// Brings the grid up to date with the current entry's results.
    fn sync_grid(&mut self) {
        let Some(entry) = self.queue.current() else {
            return;
        };
        let Some(original) = entry.original.clone() else {
            return;
        };
        let fresh = self.compare.entry != Some(entry.id);
        if fresh || self.compare.grid.is_none() {
            self.compare = Compare {
                grid: self.canvas.grid(),
                entry: Some(entry.id),
                ..Compare::default()
            };
        }
        let Compare {
            grid,
            cells,
            mixes,
            reference,
            ..
        } = &mut self.compare;
        let Some(grid) = grid else { return };
        if let (true, Some(view)) = (cells.is_empty(), self.canvas.view(&original)) {
            grid.set_original(Some(view.clone()));
            grid.push(view, "Original", "as it was opened");
            cells.push((ORIGINAL, 1.0));
        }
        if entry.reference.as_ref().map(Arc::as_ptr) != reference.as_ref().map(Arc::as_ptr) {
            reference.clone_from(&entry.reference);
            grid.set_reference(entry.reference.clone());
        }
        for i in (0..cells.len()).rev() {
            let id = cells[i].0;
            let there = id == ORIGINAL || entry.outcomes.iter().any(|o| o.id == id);
            if !there {
                grid.remove(i);
                cells.remove(i);
            }
        }
        for outcome in &entry.outcomes {
            let (id, strength) = (outcome.id, outcome.strength);
            let cell = cells.iter().position(|(other, _)| *other == id);
            if cell.is_some_and(|i| cells[i].1 == strength) {
                continue;
            }
            let mix = mixes.get(&id).filter(|(of, _)| *of == strength);
            let picture = match mix {
                _ if strength >= 1.0 => outcome.picture.clone(),
                Some((_, Mix::There(picture))) => picture.clone(),
                Some((_, Mix::Failed)) => continue,
                // Results keep their order: later ones wait for it.
                Some((_, Mix::Coming)) => break,
                None => {
                    mixes.insert(id, (strength, Mix::Coming));
                    let ids = [entry.id, id];
                    let (original, restored) = (original.clone(), outcome.picture.clone());
                    let usage = MixFor::Comparing;
                    self.sources.mix(ids, original, restored, strength, usage);
                    break;
                }
            };
            let Some(view) = self.canvas.view(&picture) else {
                break;
            };
            mixes.remove(&id);
            let detail = match strength {
                s if s >= 1.0 => outcome.summary.clone(),
                s => format!("{:.0} %, {}", s * 100.0, outcome.summary),
            };
            match cell {
                Some(i) => {
                    grid.replace(i, view, &detail);
                    cells[i].1 = strength;
                }
                None => {
                    grid.push(view, &outcome.title, &detail);
                    cells.push((id, strength));
                }
            }
        }
    }

    /// A result is there as strong as it is shown.
    pub(super) fn mixed_for_grid(
        &mut self,
        id: u64,
        outcome: u64,
        strength: f32,
        picture: Result<Arc<Picture>, String>,
    ) {
        let mix = match picture {
            Ok(picture) => Mix::There(picture),
            Err(problem) => {
                self.notices.problem(problem);
                Mix::Failed
            }
        };
        let wanted = self.compare.mixes.get_mut(&outcome);
        let wanted = wanted.filter(|(of, _)| *of == strength && self.compare.entry == Some(id));
        if let Some(place) = wanted {
            place.1 = mix;
        }
    }

    /// The first picture's result, whole and at 60 %, measured against the second picture.
    pub(super) fn compare_with_second(&mut self) {
        let second = self.queue.entries().get(1);
        let reference = second.and_then(|e| e.path()).map(Path::to_owned);
        self.queue.step(isize::MIN);
        if let Some(outcome) = self.queue.current_mut().and_then(Entry::outcome_mut) {
            outcome.strength = 0.6;
        }
        self.keep_strength();
        if let Some(outcome) = self.queue.current_mut().and_then(Entry::outcome_mut) {
            outcome.strength = 1.0;
        }
        if let (Some(id), Some(path)) = (self.queue.current_id(), reference) {
            self.read_reference(id, path);
        }
    }

    /// The result picked in the grid is the one on screen and saved.
    fn take_pick(&mut self) {
        let winner = self.compare.grid.as_ref().and_then(CompareGrid::winner);
        let id = winner.and_then(|i| self.compare.cells.get(i)).map(|c| c.0);
        if let (Some(id), Some(entry)) = (id.filter(|id| *id != ORIGINAL), self.queue.current_mut())
        {
            entry.shown = Some(id);
        }
    }

    /// Reads pictures from elsewhere to stand beside the entry's results.
    pub(super) fn add_to_compare(&mut self, id: u64, paths: Vec<PathBuf>) {
        for path in paths {
            self.sources.read(id, path, Use::Compare);
        }
    }

    /// Reads what the entry should look like.
    pub(super) fn read_reference(&mut self, id: u64, path: PathBuf) {
        self.sources.read(id, path, Use::Reference);
    }

    /// A picture for the grid has been read.
    pub(super) fn read_for(
        &mut self,
        id: u64,
        path: PathBuf,
        usage: Use,
        picture: Result<Arc<Picture>, String>,
    ) {
        let picture = match picture {
            Ok(picture) => picture,
            Err(problem) => return self.notices.problem(problem),
        };
        let name = super::opening::name(&path);
        self.last_outcome += 1;
        let number = self.last_outcome;
        let Some(entry) = self.queue.get_mut(id) else {
            return;
        };
        match usage {
            Use::Reference => {
                entry.reference = Some(picture);
                self.notices.say(format!("Compared with {name}"));
            }
            Use::Compare => match fits(entry, &picture) {
                true => entry.outcomes.push(Outcome {
                    id: number,
                    title: name,
                    model: String::new(),
                    picture,
                    strength: 1.0,
                    summary: "from a file".to_owned(),
                    restored: false,
                }),
                false => self.notices.problem(format!(
                    "{name}: its size is no multiple of the original's; choose a version of the same picture"
                )),
            },
        }
    }
}

/// Whether the picture lies on the same ground: the entry's size, or a whole multiple of it.
fn fits(entry: &Entry, picture: &Picture) -> bool {
    entry.size.is_some_and(|[w, h]| {
        let factor = picture.width() / w.max(1);
        factor > 0 && (w * factor, h * factor) == (picture.width(), picture.height())
    })
}
