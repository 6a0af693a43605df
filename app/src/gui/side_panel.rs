//! The panel at the right: what to restore with, how strongly, what came out.

use egui::{
    Align, ComboBox, CornerRadius, Frame, Layout, Margin, RichText, ScrollArea, Sense, Ui, vec2,
};
use serpent_engine::checkpoint::Task;

use super::cards::{Card, task_name};
use super::command::Command;
use super::queue::Outcome;
use super::theme::strong;
use super::tokens::{palette, size, space, text};
use super::widgets;
use super::window::{Page, Window};
use super::words;

impl Window {
    pub(super) fn side_panel(&mut self, ui: &mut Ui) {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().combo_width = ui.available_width();
            widgets::accent_sliders(ui);
            self.choice(ui);
            ui.add_space(space::NEAR);
            self.actions(ui);
            ui.add_space(space::WIDE);
            self.outcomes(ui);
        });
    }

    /// Task and model.
    fn choice(&mut self, ui: &mut Ui) {
        let entry = self.queue.current();
        let proposed = entry.and_then(|e| self.card_for(e));
        let (card, why) = match proposed {
            Some((card, why)) => (Some(card.clone()), why),
            None => (None, None),
        };
        let label = widgets::title(ui, "Task");
        let automatic = match &why {
            Some(why) => format!("Automatic: {why}"),
            None => "Automatic".to_owned(),
        };
        let now = self.task;
        let shown = now.map_or_else(|| automatic.clone(), |(t, s)| task_name(t, s));
        let mut chosen: Option<Option<(Task, usize)>> = None;
        ComboBox::from_id_salt("task")
            .selected_text(shown)
            .truncate()
            .show_ui(ui, |ui| {
                if ui.selectable_label(now.is_none(), automatic).clicked() {
                    chosen = Some(None);
                }
                for (task, scale) in self.cards.tasks() {
                    let on = now == Some((task, scale));
                    if ui.selectable_label(on, task_name(task, scale)).clicked() {
                        chosen = Some(Some((task, scale)));
                    }
                }
            })
            .response
            .labelled_by(label.id);
        if let Some(task) = chosen {
            self.choose_task(task);
        }
        ui.add_space(space::TIGHT);

        let label = widgets::title(ui, "Model");
        let shown = card.as_ref().map_or("No model", |c| c.title.as_str());
        let mut model = None;
        ComboBox::from_id_salt("model")
            .selected_text(shown)
            .truncate()
            .show_ui(ui, |ui| {
                ui.set_min_width(size::SIDE_PANEL + 40.0);
                for other in &self.cards.list {
                    let on = card.as_ref().is_some_and(|c| c.name == other.name);
                    if model_row(ui, other, on) {
                        model = Some(other.name.clone());
                    }
                }
            })
            .response
            .labelled_by(label.id);
        if let Some(model) = model {
            self.choose_model(&model);
        }
        if let Some(card) = card {
            widgets::explain(ui, &card.good_for);
            widgets::explain(ui, card.facts());
        }
    }

    /// Restore, preview, cancel, and how far it is.
    fn actions(&mut self, ui: &mut Ui) {
        let width = ui.available_width();
        let selected = self.queue.selected().len();
        if let Some((fraction, left)) = self.worker.total() {
            let percent = format!("{:.0} %", fraction * 100.0);
            ui.horizontal(|ui| {
                let doing = if self.worker.previews() {
                    "Previewing"
                } else {
                    "Restoring"
                };
                ui.label(RichText::new(format!("{doing}, {percent}")).font(strong(text::BODY)));
                if let Some(left) = left {
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        widgets::explain(ui, words::time_left(left));
                    });
                }
            });
            widgets::progress(ui, fraction, "Progress");
            let cancel = widgets::secondary(ui, true, Command::Cancel.name(), width);
            let keys = Command::Cancel.keys(&self.ctx).unwrap_or_default();
            if cancel.on_hover_text(keys).clicked() {
                self.run(Command::Cancel);
            }
            return;
        }
        let label = match selected {
            0 | 1 => Command::Restore.name().to_owned(),
            n => format!("Restore {}", words::count(n, "photo")),
        };
        self.primary(ui, Command::Restore, &label, width);
        let preview = Command::Preview;
        let button = widgets::secondary(ui, self.can(preview), preview.name(), width);
        let keys = preview.keys(&self.ctx).unwrap_or_default();
        if button.on_hover_text(keys).clicked() {
            self.run(preview);
        }
    }

    /// Strength, results and saving.
    fn outcomes(&mut self, ui: &mut Ui) {
        if self.preview.is_some() {
            ui.horizontal(|ui| {
                widgets::explain(ui, "A preview is on screen");
                if widgets::close(ui, "Remove the preview").clicked() {
                    self.preview = None;
                }
            });
        }
        let Some(entry) = self.queue.current_mut() else {
            return;
        };
        if entry.outcomes.is_empty() {
            return;
        }
        let mut keep = false;
        if let Some(outcome) = entry.outcome_mut() {
            let mut percent = outcome.strength * 100.0;
            ui.horizontal(|ui| {
                widgets::title(ui, "Strength");
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.label(format!("{percent:.0} %"));
                });
            });
            ui.spacing_mut().slider_width = ui.available_width();
            let slider = egui::Slider::new(&mut percent, 0.0..=100.0)
                .show_value(false)
                .step_by(1.0);
            let slider = ui.add(slider);
            slider.widget_info(|| {
                egui::WidgetInfo::slider(true, f64::from(percent), "Strength in percent")
            });
            if slider.changed() {
                outcome.strength = percent / 100.0;
            }
            keep = outcome.strength < 1.0
                && outcome.restored
                && ui.link("Keep this strength as a result").clicked();
            ui.add_space(space::NEAR);
        }
        widgets::title(ui, "Results");
        let (mut show, mut remove) = (None, None);
        let one = entry.outcomes.len() == 1;
        for outcome in &entry.outcomes {
            let on = entry.shown == Some(outcome.id);
            match outcome_row(ui, outcome, on, one) {
                Some(Act::Show) => show = Some(outcome.id),
                Some(Act::Remove) => remove = Some(outcome.id),
                None => {}
            }
        }
        if show.is_some() {
            entry.shown = show;
        }
        if let Some(id) = remove {
            entry.outcomes.retain(|o| o.id != id);
            if entry.shown == Some(id) {
                entry.shown = entry.outcomes.last().map(|o| o.id);
            }
        }
        let several = entry.outcomes.len() > 1;
        if keep {
            self.keep_strength();
        }
        ui.add_space(space::NEAR);
        let width = ui.available_width();
        if several && widgets::secondary(ui, true, "Compare results", width).clicked() {
            self.page = Page::Compare;
        }
        let save = Command::Save;
        let button = widgets::secondary(ui, self.can(save), save.name(), width);
        let keys = save.keys(&self.ctx).unwrap_or_default();
        if button.on_hover_text(keys).clicked() {
            self.run(save);
        }
    }
}

/// A model in the list: its name, what it is good for, its size.
fn model_row(ui: &mut Ui, card: &Card, on: bool) -> bool {
    let p = palette(ui);
    let inner = Frame::new()
        .fill(if on {
            p.selected
        } else {
            egui::Color32::TRANSPARENT
        })
        .corner_radius(CornerRadius::same(size::RADIUS))
        .inner_margin(Margin::symmetric(10, 8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 2.0;
            // The row is the widget: its lines are no labels to be selected.
            let line = |text: RichText| egui::Label::new(text).selectable(false);
            ui.add(line(RichText::new(&card.title).font(strong(text::BODY))));
            let small = |t: &str| RichText::new(t.to_owned()).size(text::SMALL).color(p.weak);
            ui.add(line(small(&card.good_for)).wrap());
            ui.add(line(small(&card.facts())));
        });
    let response = ui.interact(
        inner.response.rect,
        ui.scope_id().with(&card.name),
        Sense::click(),
    );
    let info = || egui::WidgetInfo::selected(egui::Role::RadioButton, true, on, &card.title);
    response.widget_info(info);
    if response.hovered() || response.has_focus() {
        let line = egui::Stroke::new(1.0, p.accent);
        let round = CornerRadius::same(size::RADIUS);
        ui.painter()
            .rect_stroke(response.rect, round, line, egui::StrokeKind::Inside);
    }
    if response.clicked() {
        ui.close();
    }
    response.clicked()
}

enum Act {
    Show,
    Remove,
}

/// A result in the list.
fn outcome_row(ui: &mut Ui, outcome: &Outcome, on: bool, only: bool) -> Option<Act> {
    let p = palette(ui);
    let mut act = None;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 44.0), Sense::click());
    let name = format!("Show {}", outcome.title);
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::RadioButton, true, on, &name));
    let fill = match (on, response.hovered()) {
        (true, _) => p.selected,
        (false, true) => p.hover,
        (false, false) => p.raised,
    };
    let round = CornerRadius::same(size::RADIUS);
    ui.painter().rect_filled(rect, round, fill);
    if response.has_focus() {
        let line = egui::Stroke::new(1.5, p.accent);
        ui.painter()
            .rect_stroke(rect, round, line, egui::StrokeKind::Inside);
    }
    let inner = rect.shrink2(vec2(10.0, 4.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(inner), |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if !only && widgets::close(ui, &format!("Remove {}", outcome.title)).clicked() {
                act = Some(Act::Remove);
            }
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                let line = |text: RichText| egui::Label::new(text).selectable(false).truncate();
                ui.add(line(RichText::new(&outcome.title).font(strong(text::BODY))));
                let small = RichText::new(&outcome.summary)
                    .size(text::SMALL)
                    .color(p.weak);
                ui.add(line(small));
            });
        });
    });
    if response.clicked() {
        act = Some(Act::Show);
    }
    act
}
