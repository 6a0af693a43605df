//! The page of one picture: the picture itself, or what to do without one.

use egui::{Align, Align2, CornerRadius, Frame, Layout, Margin, RichText, Stroke, StrokeKind, Ui};

use super::command::Command;
use super::opening::name;
use super::queue::State;
use super::theme::strong;
use super::tokens::{palette, size, space, text};
use super::view::fill;
use super::widgets;
use super::window::{Page, Window};

/// Recent files offered by the empty window.
const RECENT: usize = 5;

impl Window {
    pub(super) fn photos(&mut self, ui: &mut Ui) {
        if self.queue.entries().is_empty() {
            return self.empty(ui);
        }
        Frame::new()
            .inner_margin(Margin::symmetric(12, 6))
            .show(ui, |ui| self.view_bar(ui));
        let failed = self.queue.current().and_then(|e| match &e.state {
            State::Failed(reason) if e.original.is_none() => Some((e.name.clone(), reason.clone())),
            _ => None,
        });
        if let Some((name, reason)) = failed {
            self.ground(ui);
            return centred(ui, |ui| {
                ui.label(RichText::new(name).font(strong(text::TITLE)));
                ui.add_space(space::TIGHT);
                ui.label(RichText::new(reason).color(palette(ui).danger));
            });
        }
        let shown = self.on_screen.and_then(|id| self.queue.get(id));
        let Some(original) = shown.and_then(|e| e.original.clone()) else {
            self.ground(ui);
            return centred(ui, |ui| {
                ui.spinner();
            });
        };
        let outcome = shown.and_then(|e| e.outcome());
        let after = outcome.map(|o| (o.picture.clone(), o.strength));
        let preview = self.preview.as_ref();
        self.canvas.show(ui, &original, after.as_ref(), preview);
    }

    /// What is left of the page, as behind pictures.
    pub(super) fn ground(&self, ui: &Ui) {
        let room = ui.available_rect_before_wrap();
        fill(ui, self.canvas.gpu(), room, palette(ui).backdrop);
    }

    fn empty(&mut self, ui: &mut Ui) {
        self.ground(ui);
        let recent: Vec<_> = self.settings.recent.iter().take(RECENT).cloned().collect();
        centred(ui, |ui| {
            let p = palette(ui);
            picture_frame(ui);
            ui.add_space(space::WIDE);
            ui.label(RichText::new("Drop photos here").font(strong(text::DISPLAY)));
            ui.add_space(space::TIGHT);
            let line = "Noise goes, the picture stays. Your originals stay as they are.";
            ui.label(RichText::new(line).color(p.weak));
            ui.add_space(space::WIDE);
            let buttons = 306.0;
            ui.allocate_ui_with_layout(
                egui::vec2(buttons, size::CONTROL + 2.0),
                Layout::left_to_right(Align::Center),
                |ui| {
                    let width = (buttons - space::NEAR) / 2.0;
                    self.primary(ui, Command::OpenFiles, "Choose photos…", width);
                    let folder = widgets::secondary(ui, true, "Choose a folder…", width);
                    if folder.clicked() {
                        self.run(Command::OpenFolder);
                    }
                },
            );
            ui.add_space(space::NEAR);
            let paste = Command::Paste.keys(&self.ctx).unwrap_or_default();
            widgets::explain(ui, format!("or paste a picture with {paste}"));
            if !recent.is_empty() {
                ui.add_space(space::FAR);
                widgets::explain(ui, "Recent");
                for path in recent {
                    let file = ui
                        .link(name(&path))
                        .on_hover_text(path.display().to_string());
                    if file.clicked() {
                        self.sources.search(vec![path]);
                    }
                }
            }
        });
    }

    /// What happens if what hovers over the window is let go.
    pub(super) fn drop_hint(&mut self, ui: &mut Ui) {
        let hovered = ui.input(|i| i.raw.hovered_files.len());
        if hovered == 0 {
            return;
        }
        let p = palette(ui);
        let rect = ui.ctx().content_rect();
        let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop"));
        let painter = ui.ctx().layer_painter(layer);
        painter.rect_filled(rect, CornerRadius::ZERO, p.shade);
        let inner = rect.shrink(space::WIDE);
        let round = CornerRadius::same(size::RADIUS_LARGE);
        painter.rect_stroke(inner, round, Stroke::new(2.0, p.accent), StrokeKind::Inside);
        let what = match self.page {
            Page::Compare => "Let go to compare",
            Page::Batch => "Let go to restore these folders",
            Page::Photos | Page::Settings => "Let go to open",
        };
        let font = strong(text::DISPLAY);
        painter.text(
            inner.center(),
            Align2::CENTER_CENTER,
            what,
            font,
            egui::Color32::WHITE,
        );
    }
}

/// In the middle of what is left of the page.
pub fn centred(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let id = ui.scope_id().with("centred");
    let height = ui.data(|d| d.get_temp::<f32>(id)).unwrap_or(0.0);
    let room = ui.available_height();
    ui.vertical_centered(|ui| {
        ui.add_space(((room - height) * 0.46).max(space::NEAR));
        let top = ui.cursor().top();
        ui.scope(|ui| {
            ui.set_max_width((ui.available_width() - 2.0 * space::FAR).min(size::PAGE));
            ui.spacing_mut().item_spacing.y = space::NEAR;
            ui.vertical_centered(add);
        });
        let now = ui.cursor().top() - top;
        if (now - height).abs() > 0.5 {
            // Its height is known only now: the next frame is in the middle.
            ui.data_mut(|d| d.insert_temp(id, now));
            ui.ctx().request_discard("height of the page");
        }
    });
}

/// A quiet drawing of a picture: frame, hills, sun.
fn picture_frame(ui: &mut Ui) {
    let p = palette(ui);
    let (rect, _) = ui.allocate_exact_size(egui::vec2(92.0, 68.0), egui::Sense::hover());
    let painter = ui.painter();
    let line = Stroke::new(2.0, p.weak.gamma_multiply(0.8));
    let round = CornerRadius::same(size::RADIUS_LARGE);
    painter.rect_stroke(rect, round, line, StrokeKind::Inside);
    let at = |x: f32, y: f32| rect.lerp_inside(egui::vec2(x, y));
    let hills = [
        (0.1, 0.84),
        (0.34, 0.46),
        (0.5, 0.68),
        (0.64, 0.52),
        (0.9, 0.84),
    ];
    let points = hills.iter().map(|&(x, y)| at(x, y)).collect();
    painter.add(egui::Shape::line(points, line));
    painter.circle_filled(at(0.7, 0.28), 6.0, p.accent);
}
