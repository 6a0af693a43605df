//! Any number of results of one picture, side by side with one zoom and place.

use std::sync::Arc;

use egui::{Rect, Sense, Ui, UiBuilder, vec2};
use serpent_engine::image::Picture;

use super::bar::zoom_label;
use super::camera::{Camera, Ground};
use super::candidate::Candidate;
use super::fill::fill;
use super::gpu::Gpu;
use super::keys;
use super::metrics::{Measured, Meter};
use super::overlay;
use super::paint::{Over, Pane, Tone, Viewport, paint};
use super::picture_view::PictureView;
use super::steer::{Sizes, Wish, steer};
use super::viewer::backdrop;

/// Points between cells.
const GAP: f32 = 16.0;
/// Height of a cell's captions in points.
const CAPTION: f32 = 50.0;

/// Shows candidates, measures them against a reference and lets the user pick one.
pub struct CompareGrid {
    gpu: Gpu,
    candidates: Vec<Candidate>,
    original: Option<Arc<PictureView>>,
    reference: Option<Arc<PictureView>>,
    meter: Meter,
    camera: Camera,
    wish: Option<Wish>,
    /// The zoom that the bar told in this frame.
    told: Option<f64>,
    /// Sizes in the last frame.
    sizes: Option<Sizes>,
    winner: Option<u64>,
    next_id: u64,
    /// Shows how far each candidate is from the reference instead of the candidate.
    pub difference: bool,
    /// What differences are multiplied by.
    pub gain: f32,
}

impl CompareGrid {
    /// An empty grid.
    pub fn new(gpu: &Gpu) -> Self {
        Self {
            gpu: gpu.clone(),
            candidates: Vec::new(),
            original: None,
            reference: None,
            meter: Meter::start(gpu.ctx().clone()),
            camera: Camera::default(),
            wish: None,
            told: None,
            sizes: None,
            winner: None,
            next_id: 0,
            difference: false,
            gain: 4.0,
        }
    }

    /// The picture all candidates come from, shown while a key is held.
    pub fn set_original(&mut self, original: Option<Arc<PictureView>>) {
        self.original = original;
    }

    /// What candidates are measured against; they are measured anew.
    pub fn set_reference(&mut self, reference: Option<Arc<Picture>>) {
        self.reference = reference.map(|r| Arc::new(PictureView::new(&self.gpu, r)));
        for i in 0..self.candidates.len() {
            // Figures still under way belong to the old reference.
            self.candidates[i].id = self.new_id(self.candidates[i].id);
            self.measure(i);
        }
    }

    /// A new number for a candidate; the winner stays the winner.
    fn new_id(&mut self, old: u64) -> u64 {
        self.next_id += 1;
        if self.winner == Some(old) {
            self.winner = Some(self.next_id);
        }
        self.next_id
    }

    fn measure(&mut self, index: usize) {
        let Some(candidate) = self.candidates.get_mut(index) else {
            return;
        };
        candidate.measured = match &self.reference {
            None => Measured::None,
            Some(reference) => self.meter.measure(
                candidate.id,
                reference.picture().clone(),
                candidate.view.picture().clone(),
            ),
        };
    }

    /// Adds a result at the end.
    pub fn push(&mut self, view: Arc<PictureView>, title: &str, detail: &str) {
        self.next_id += 1;
        self.candidates.push(Candidate {
            view,
            title: title.to_owned(),
            detail: detail.to_owned(),
            id: self.next_id,
            measured: Measured::None,
        });
        self.measure(self.candidates.len() - 1);
    }

    /// Shows and measures other pixels in a result's place; picked, it stays so.
    pub fn replace(&mut self, index: usize, view: Arc<PictureView>, detail: &str) {
        let Some(old) = self.candidates.get(index).map(|c| c.id) else {
            return;
        };
        let id = self.new_id(old);
        let candidate = &mut self.candidates[index];
        (candidate.id, candidate.view) = (id, view);
        detail.clone_into(&mut candidate.detail);
        self.measure(index);
    }

    /// Takes a result out.
    pub fn remove(&mut self, index: usize) {
        if index < self.candidates.len() {
            let removed = self.candidates.remove(index);
            if self.winner == Some(removed.id) {
                self.winner = None;
            }
        }
    }

    /// Takes all results out.
    pub fn clear(&mut self) {
        self.candidates.clear();
        self.winner = None;
    }

    /// The results, in order.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Which result was picked.
    pub fn winner(&self) -> Option<usize> {
        let winner = self.winner?;
        self.candidates.iter().position(|c| c.id == winner)
    }

    /// Picks a result, or none.
    pub fn pick(&mut self, index: Option<usize>) {
        self.winner = index.and_then(|i| self.candidates.get(i)).map(|c| c.id);
    }

    /// Whether every tile in view and every figure is there.
    pub fn is_settled(&self) -> bool {
        self.candidates
            .iter()
            .all(|c| c.view.is_settled() && c.measured != Measured::Waiting)
    }

    /// Draws the grid into all the room there is.
    pub fn show(&mut self, ui: &mut Ui) {
        while let Some((id, measured)) = self.meter.poll() {
            if let Some(candidate) = self.candidates.iter_mut().find(|c| c.id == id) {
                candidate.measured = measured;
            }
        }
        let room = ui.available_rect_before_wrap();
        ui.allocate_rect(room, Sense::hover());
        fill(ui, Some(&self.gpu), room, backdrop(ui));
        let Some(first) = self.candidates.first() else {
            let text = "Nothing to compare yet: restore the picture in more than one way.";
            overlay::plate(ui, room.center(), egui::Align2::CENTER_CENTER, text, false);
            return;
        };
        let ratio = first.view.size();
        let aspect = (ratio[0] / ratio[1]) as f32;
        let (columns, rows) = arrangement(self.candidates.len(), room.size(), aspect);
        // Whole screen pixels, so that all cells are equally large.
        let per_point = ui.ctx().pixels_per_point();
        let whole = |v: f32| (v * per_point).floor() / per_point;
        let cell = vec2(
            whole((room.width() - GAP * (columns + 1) as f32) / columns as f32),
            whole((room.height() - GAP * (rows + 1) as f32) / rows as f32),
        );
        let gap = whole(GAP);
        let focused = ui.memory(|m| m.focused());
        let ours = focused.is_none_or(|id| {
            let mut cells = self.candidates.iter();
            cells.any(|c| id == cell_id(ui, c))
        });
        let showing_original = self.original.is_some() && ours && keys::peeks(ui);
        let best = self.best();
        for i in 0..self.candidates.len() {
            let place = vec2((i % columns) as f32, (i / columns) as f32);
            let corner = room.min + vec2(gap, gap) + place * (cell + vec2(gap, gap));
            self.cell(
                ui,
                i,
                Rect::from_min_size(corner, cell),
                showing_original,
                best,
            );
        }
    }

    /// The result with the highest PSNR, when there is more than one to choose from.
    fn best(&self) -> Option<usize> {
        let psnr = |c: &Candidate| match &c.measured {
            Measured::Done(quality) => Some(quality.psnr),
            _ => None,
        };
        let all: Option<Vec<f64>> = self.candidates.iter().map(psnr).collect();
        let all = all.filter(|a| a.len() > 1)?;
        (0..all.len()).max_by(|&a, &b| all[a].total_cmp(&all[b]))
    }

    fn cell(&mut self, ui: &mut Ui, index: usize, rect: Rect, original: bool, best: Option<usize>) {
        let view = rect.with_min_y(rect.top() + CAPTION);
        let id = cell_id(ui, &self.candidates[index]);
        let response = ui.interact(view, id, Sense::click_and_drag());
        let title = self.candidates[index].title.clone();
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::Image, true, format!("Result, {title}"))
        });
        self.follow(ui, &response, view);
        self.picture(ui, index, view, original);
        let picked = self.winner == Some(self.candidates[index].id);
        if picked {
            let stroke = egui::Stroke::new(2.0, ui.visuals().selection.bg_fill);
            ui.painter()
                .rect_stroke(rect.expand(6.0), 6.0, stroke, egui::StrokeKind::Outside);
        }
        if response.has_focus() {
            overlay::focus(ui, view);
            if ui.input(|i| i.key_pressed(egui::Key::Enter)) {
                self.pick(Some(index));
            }
        }
        let header = rect.with_max_y(rect.top() + CAPTION - 4.0);
        let mut header = ui.new_child(UiBuilder::new().max_rect(header));
        let pressed = self.candidates[index].header(&mut header, picked, best == Some(index));
        if pressed {
            let winner = if picked { None } else { Some(index) };
            self.pick(winner);
        }
    }

    fn picture(&self, ui: &Ui, index: usize, view: Rect, original: bool) {
        let candidate = &self.candidates[index];
        let shown = self
            .original
            .as_ref()
            .filter(|_| original)
            .unwrap_or(&candidate.view);
        let viewport = Viewport::new(ui, view);
        // All share the first one's ground, whatever their number of pixels.
        let first = self.candidates[0].view.size();
        let ground = self.camera.ground(viewport.whole, first);
        let origin = [0, 1].map(|i| ground.origin[i] + viewport.offset[i]);
        let reference = self.reference.as_ref().filter(|_| self.difference);
        let base = reference.unwrap_or(shown);
        let [width, height] = base.size();
        let over = reference.map(|_| Over {
            view: shown,
            place: [0.0, 0.0, width, height],
            share: 1.0,
        });
        let ground = Ground {
            origin,
            scale: ground.scale * first[0] / width,
        };
        let pane = Pane {
            clip: [0.0, 0.0, viewport.size[0], viewport.size[1]],
            ground,
            first: base,
            over: over.into_iter().collect(),
            difference: reference.is_some(),
        };
        let tone = Tone {
            gain: self.gain,
            channel: 0,
        };
        overlay::placeholder(ui, &viewport, ground, base);
        paint(ui, &self.gpu, &viewport, tone, &[pane]);
    }

    fn follow(&mut self, ui: &Ui, response: &egui::Response, view: Rect) {
        let viewport = Viewport::new(ui, view);
        let sizes = Sizes {
            viewport: viewport.whole,
            picture: self.candidates[0].view.size(),
        };
        if self.sizes != Some(sizes) {
            self.camera.settle(sizes.viewport, sizes.picture);
            self.sizes = Some(sizes);
        }
        if response.clicked() || response.drag_started() {
            response.request_focus();
        }
        if response.has_focus() {
            keys::keep_arrows(ui, response.id);
            self.wish = keys::zoom_or_pan(ui, view.size()).or(self.wish);
        }
        let place = |p| {
            let p = viewport.pixel(p);
            [0, 1].map(|i| p[i] - viewport.offset[i])
        };
        let wish = self.wish.take();
        steer(&mut self.camera, wish, ui, response, sizes, place);
    }

    /// The zoom in force, in screen pixels a pixel of the first result.
    pub fn zoom(&self) -> f64 {
        let scale = |s: Sizes| self.camera.scale(s.viewport, s.picture);
        self.sizes.map_or(1.0, scale)
    }

    /// Fits the pictures to their cells.
    pub fn fit(&mut self) {
        self.camera.fit();
    }

    /// Shows `zoom` screen pixels a pixel of the first result.
    pub fn zoom_to(&mut self, zoom: f64) {
        self.wish = Some(Wish::Zoom(zoom));
    }

    /// Puts the grid's controls into a row.
    pub fn bar(&mut self, ui: &mut Ui) {
        if self.reference.is_some() {
            ui.checkbox(&mut self.difference, "Difference to the reference");
            if self.difference {
                let label = ui.label("Gain");
                let slider = egui::Slider::new(&mut self.gain, 1.0..=64.0)
                    .logarithmic(true)
                    .max_decimals(1)
                    .prefix("×");
                ui.add(slider).labelled_by(label.id);
            }
            ui.separator();
        }
        self.told = Some(self.zoom());
        zoom_label(ui, self.zoom());
        // What finds no room is left to the keys.
        if ui.available_width() > 60.0 && ui.button("Fit").on_hover_text("0").clicked() {
            self.fit();
        }
        for (label, zoom, key) in [("100 %", 1.0, "1"), ("200 %", 2.0, "2")] {
            if ui.available_width() < 84.0 {
                return;
            }
            if ui.button(label).on_hover_text(key).clicked() {
                self.zoom_to(zoom);
            }
        }
    }
}

/// What the keyboard's focus knows a cell by.
fn cell_id(ui: &Ui, candidate: &Candidate) -> egui::Id {
    ui.scope_id().with(("cell", candidate.id))
}

/// Columns and rows that show pictures of an aspect ratio largest.
fn arrangement(count: usize, room: egui::Vec2, aspect: f32) -> (usize, usize) {
    let shown = |columns: usize| {
        let rows = count.div_ceil(columns);
        let width = room.x / columns as f32 - GAP;
        let height = room.y / rows as f32 - GAP - CAPTION;
        width.min(height * aspect)
    };
    // Of equally large ones the fewest columns, which leave the fewest places empty.
    let columns = (1..=count.max(1))
        .rev()
        .max_by(|&a, &b| shown(a).total_cmp(&shown(b)))
        .unwrap_or(1);
    (columns, count.div_ceil(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_arranged_for_the_largest_pictures() {
        let wide = vec2(1600.0, 800.0);
        assert_eq!(arrangement(1, wide, 1.5), (1, 1));
        assert_eq!(arrangement(2, wide, 1.5), (2, 1));
        assert_eq!(arrangement(4, wide, 1.5), (2, 2));
        assert_eq!(arrangement(2, vec2(600.0, 1200.0), 1.5), (1, 2));
    }
}
