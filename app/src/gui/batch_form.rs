//! What a batch is to do: folders, names, format, presets.

use egui::{ComboBox, RichText, ScrollArea, Slider, TextEdit, Ui, vec2};
use serpent_engine::restore::batch::Existing;

use super::command::Command;
use super::opening::name;
use super::theme::strong;
use super::tokens::{size, space, text};
use super::widgets;
use super::window::Window;
use super::words::{self, EIGHT_TURNS, EIGHT_TURNS_WHY};

/// Formats that can be chosen, by extension.
const FORMATS: [(Option<&str>, &str); 5] = [
    (None, "As the original"),
    (Some("png"), "PNG"),
    (Some("jpg"), "JPEG"),
    (Some("webp"), "WebP"),
    (Some("tif"), "TIFF"),
];

/// What can be done with results that exist.
const EXISTING: [(Existing, &str); 4] = [
    (Existing::Update, "Skip if up to date"),
    (Existing::Skip, "Always skip"),
    (Existing::Overwrite, "Replace"),
    (Existing::Refuse, "Count as failed"),
];

impl Window {
    pub(super) fn batch_form(&mut self, ui: &mut Ui) {
        let able = !self.batch_is_running();
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.add_enabled_ui(able, |ui| {
                widgets::accent_sliders(ui);
                self.batch_places(ui);
                ui.add_space(space::NEAR);
                self.batch_how(ui);
                ui.add_space(space::NEAR);
                self.batch_names(ui);
                ui.add_space(space::NEAR);
                self.batch_presets(ui);
            });
        });
    }

    /// From where to where.
    fn batch_places(&mut self, ui: &mut Ui) {
        widgets::title(ui, "From");
        let inputs = match self.batch.inputs.as_slice() {
            [one] => name(one),
            many => words::count(many.len(), "folder"),
        };
        let all: Vec<String> = self
            .batch
            .inputs
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        ui.horizontal(|ui| {
            if ui.button("Choose…").clicked() {
                self.run(Command::BatchFolder);
            }
            widgets::truncated(ui, RichText::new(inputs).font(strong(text::BODY)))
                .on_hover_text(all.join("\n"));
        });
        ui.checkbox(&mut self.settings.batch.recursive, "With folders inside");
        ui.checkbox(&mut self.batch.watch, "Watch for new pictures afterwards");
        ui.add_space(space::TIGHT);
        widgets::title(ui, "To");
        let beside = self.settings.batch.beside || self.settings.batch.output.is_none();
        if ui.radio(beside, "Beside the originals").clicked() {
            self.settings.batch.beside = true;
        }
        ui.horizontal(|ui| {
            if ui.radio(!beside, "A folder").clicked() {
                match self.settings.batch.output {
                    Some(_) => self.settings.batch.beside = false,
                    None => self.run(Command::BatchOutput),
                }
            }
            if ui.button("Choose…").clicked() {
                self.run(Command::BatchOutput);
            }
            if let Some(output) = self.settings.batch.output.as_ref().filter(|_| !beside) {
                widgets::truncated(ui, RichText::new(name(output)).font(strong(text::BODY)))
                    .on_hover_text(output.display().to_string());
            }
        });
    }

    /// Model, strength, turns.
    fn batch_how(&mut self, ui: &mut Ui) {
        widgets::title(ui, "Restoring");
        let settings = &mut self.settings.batch;
        let chosen = settings.model.as_deref().or(self.model.as_deref());
        let card = chosen.and_then(|m| self.cards.get(m));
        let card = card.or_else(|| self.cards.first());
        let shown = card.map_or("No model", |c| c.title.as_str());
        widgets::row(ui, "Model", |ui| {
            list(ui, "Model of the batch", shown, |ui| {
                for other in &self.cards.list {
                    let on = card.is_some_and(|c| c.name == other.name);
                    let row = ui.selectable_label(on, &other.title);
                    if row.on_hover_text(&other.good_for).clicked() {
                        settings.model = Some(other.name.clone());
                    }
                }
            });
        });
        widgets::row(ui, "Strength", |ui| {
            let mut percent = settings.strength * 100.0;
            ui.spacing_mut().slider_width = ui.available_width() - 70.0;
            let slider = Slider::new(&mut percent, 0.0..=100.0);
            let slider = slider.step_by(1.0).fixed_decimals(0).suffix(" %");
            let slider = ui.add(slider);
            let label = "Strength of the batch in percent";
            slider.widget_info(|| egui::WidgetInfo::slider(true, f64::from(percent), label));
            if slider.changed() {
                settings.strength = percent / 100.0;
            }
        });
        ui.checkbox(&mut settings.ensemble, EIGHT_TURNS)
            .on_hover_text(EIGHT_TURNS_WHY);
    }

    /// What results are called and how they are written.
    fn batch_names(&mut self, ui: &mut Ui) {
        let settings = &mut self.settings.batch;
        widgets::title(ui, "Results");
        widgets::row(ui, "Name", |ui| {
            let field = TextEdit::singleline(&mut settings.template);
            let field = field.margin(vec2(8.0, 6.0)).desired_width(f32::INFINITY);
            let field = ui.add(field);
            let label = "Name of results";
            field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, label));
            field.on_hover_text("May say {name}, {parent}, {model}, {scale}, {strength}, {n}");
        });
        let mut chosen: Option<Option<String>> = None;
        widgets::row(ui, "Format", |ui| {
            let now = settings.format.as_deref();
            let named = FORMATS.iter().find(|(e, _)| *e == now);
            list(
                ui,
                "Format of results",
                named.map_or("Other", |(_, n)| *n),
                |ui| {
                    for (extension, label) in FORMATS {
                        if ui.selectable_label(now == extension, label).clicked() {
                            chosen = Some(extension.map(str::to_owned));
                        }
                    }
                },
            );
        });
        if let Some(format) = chosen {
            settings.format = format;
        }
        if matches!(settings.format.as_deref(), None | Some("jpg")) {
            widgets::row(ui, "JPEG quality", |ui| {
                ui.spacing_mut().slider_width = ui.available_width() - 84.0;
                let slider = ui.add(Slider::new(&mut settings.quality, 1..=100));
                let quality = f64::from(settings.quality);
                slider.widget_info(|| egui::WidgetInfo::slider(true, quality, "JPEG quality"));
            });
        }
        widgets::row(ui, "If it exists", |ui| {
            let shown = EXISTING.iter().find(|(e, _)| *e == settings.existing);
            list(
                ui,
                "Results that exist",
                shown.map_or("", |(_, n)| *n),
                |ui| {
                    for (existing, label) in EXISTING {
                        ui.selectable_value(&mut settings.existing, existing, label);
                    }
                },
            );
        });
        ui.checkbox(&mut settings.report, "Write a report (CSV and JSON)");
    }

    /// Settings under a name.
    fn batch_presets(&mut self, ui: &mut Ui) {
        let Some(library) = &self.batch.presets else {
            return;
        };
        let names = self
            .batch
            .preset_names
            .get_or_insert_with(|| library.list());
        widgets::title(ui, "Presets");
        let (mut load, mut remove) = (None, None);
        for preset in names.iter() {
            ui.horizontal(|ui| {
                if ui.button(preset).on_hover_text("Use this preset").clicked() {
                    load = Some(preset.clone());
                }
                if widgets::close(ui, &format!("Remove the preset {preset}")).clicked() {
                    remove = Some(preset.clone());
                }
            });
        }
        let mut save = false;
        ui.horizontal(|ui| {
            let field = TextEdit::singleline(&mut self.batch.preset_name)
                .hint_text("Name")
                .margin(vec2(8.0, 6.0))
                .desired_width(ui.available_width() - 90.0);
            ui.add(field).widget_info(|| {
                egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Name of a new preset")
            });
            let able = !self.batch.preset_name.trim().is_empty();
            let keep = egui::Button::new("Keep").min_size(vec2(60.0, size::CONTROL));
            save = ui.add_enabled(able, keep).clicked();
        });
        let result = if save {
            let name = self.batch.preset_name.trim().to_owned();
            library.save(&name, &self.settings.batch.to_preset())
        } else if let Some(name) = remove {
            library.remove(&name)
        } else if let Some(name) = load {
            library
                .load(&name)
                .map(|preset| self.settings.batch.take(preset))
        } else {
            return;
        };
        match result {
            Ok(()) if save => self.batch.preset_name.clear(),
            Ok(()) => {}
            Err(problem) => self.notices.problem(problem.to_string()),
        }
        self.batch.preset_names = None;
    }
}

/// A list to choose from, as wide as there is room.
fn list(ui: &mut Ui, label: &str, now: &str, add: impl FnOnce(&mut Ui)) {
    let combo = ComboBox::from_id_salt(label)
        .selected_text(now)
        .width(ui.available_width())
        .truncate()
        .show_ui(ui, add);
    combo.response.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ComboBox, true, label);
        info.current_text_value = Some(now.to_owned());
        info
    });
}
