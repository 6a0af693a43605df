//! The page of settings.

use egui::{Align, Layout, RichText, ScrollArea, Slider, Ui, vec2};
use serpent_engine::backend::wgpu::DeviceKind;

use super::command::Command;
use super::devices::{self, facts, threads};
use super::theme::{ThemeChoice, strong};
use super::tokens::{size, space, text};
use super::widgets;
use super::window::Window;
use super::words::{EIGHT_TURNS, EIGHT_TURNS_WHY};

impl Window {
    pub(super) fn settings_page(&mut self, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.y = space::NEAR;
        self.devices.look(&self.ctx);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let width = (ui.available_width() - 2.0 * space::FAR).min(size::PAGE);
            ui.vertical_centered(|ui| {
                let column = Layout::top_down(Align::Min);
                ui.allocate_ui_with_layout(vec2(width, 0.0), column, |ui| {
                    widgets::accent_sliders(ui);
                    ui.add_space(space::FAR);
                    ui.label(RichText::new("Settings").font(strong(text::DISPLAY)));
                    ui.add_space(space::NEAR);
                    self.appearance(ui);
                    ui.add_space(space::NEAR);
                    self.device_choice(ui);
                    ui.add_space(space::NEAR);
                    self.quality(ui);
                    ui.add_space(space::NEAR);
                    self.memory(ui);
                    ui.add_space(space::NEAR);
                    self.saved_photos(ui);
                    ui.add_space(space::NEAR);
                    self.about(ui);
                    ui.add_space(space::FAR);
                });
            });
        });
    }

    fn appearance(&mut self, ui: &mut Ui) {
        widgets::title(ui, "Appearance");
        widgets::card(ui, |ui| {
            widgets::row(ui, "Theme", |ui| {
                if let Some(theme) = widgets::segmented(ui, self.settings.theme, &ThemeChoice::ALL)
                {
                    self.set_theme(theme);
                }
            });
            widgets::row(ui, "Interface size", |ui| {
                let less = ui.button("–");
                less.widget_info(|| button_info(Command::InterfaceSmaller));
                if less.clicked() {
                    self.run(Command::InterfaceSmaller);
                }
                ui.label(format!("{:.0} %", self.settings.scale * 100.0));
                let more = ui.button("+");
                more.widget_info(|| button_info(Command::InterfaceLarger));
                if more.clicked() {
                    self.run(Command::InterfaceLarger);
                }
                if self.settings.scale != 1.0 && ui.button("Back to normal").clicked() {
                    self.run(Command::InterfaceNormal);
                }
            });
        });
    }

    fn device_choice(&mut self, ui: &mut Ui) {
        widgets::title(ui, "Where pictures are restored");
        let mut chosen = None;
        widgets::card(ui, |ui| {
            // What explains a choice stands close below it.
            ui.spacing_mut().item_spacing.y = 0.0;
            let found = self.devices.found.as_deref();
            let best = found
                .and_then(|f| f.iter().find(|d| d.info.kind != DeviceKind::Software))
                .map_or("the processor", |d| d.info.name.as_str());
            let auto = match found {
                Some(_) => format!("now {best}"),
                None => "the best device there is".to_owned(),
            };
            let now = self.settings.device.clone();
            let mut option = |ui: &mut Ui, value: &str, name: &str, about: &str, able: bool| {
                let radio = egui::RadioButton::new(now == value, name);
                if ui.add_enabled(able, radio).clicked() {
                    chosen = Some(value.to_owned());
                }
                ui.indent(value, |ui| widgets::explain(ui, about));
                ui.add_space(space::NEAR);
            };
            option(ui, "auto", "Automatic", &auto, true);
            for device in found.unwrap_or_default() {
                let name = &device.info.name;
                option(ui, name, name, &facts(device), device.trouble.is_none());
            }
            let about = format!("{} threads; slower, always there", threads());
            option(ui, "cpu", "Processor", &about, true);
            if found.is_none() {
                ui.horizontal(|ui| {
                    ui.spinner();
                    widgets::explain(ui, "Looking for graphics devices and testing them");
                });
            }
        });
        if let Some(device) = chosen {
            self.settings.device = device;
            self.device_name = None;
            self.device = self.settings.choice();
            self.worker.use_device(self.device.clone());
        }
    }

    fn quality(&mut self, ui: &mut Ui) {
        widgets::title(ui, "Quality");
        widgets::card(ui, |ui| {
            ui.checkbox(&mut self.settings.ensemble, EIGHT_TURNS);
            widgets::explain(ui, EIGHT_TURNS_WHY);
        });
    }

    fn memory(&mut self, ui: &mut Ui) {
        widgets::title(ui, "Memory");
        widgets::card(ui, |ui| {
            widgets::row(ui, "At most", |ui| {
                let width = (ui.available_width() - 110.0).max(80.0);
                ui.spacing_mut().slider_width = width;
                let slider = Slider::new(&mut self.settings.memory_mib, 128..=16384)
                    .logarithmic(true)
                    .suffix(" MiB");
                ui.add(slider).widget_info(|| {
                    let mib = self.settings.memory_mib as f64;
                    egui::WidgetInfo::slider(true, mib, "Memory limit in MiB")
                });
            });
            widgets::explain(
                ui,
                "What one picture may take on the device while it is restored. With less, large \
                 pictures are restored in more and smaller tiles.",
            );
        });
    }

    fn saved_photos(&mut self, ui: &mut Ui) {
        widgets::title(ui, "Saved photos");
        widgets::card(ui, |ui| {
            let text = "Leave out where they were taken";
            ui.checkbox(&mut self.settings.strip_gps, text);
            widgets::explain(
                ui,
                "The GPS position in the photo's data. Everything else the camera noted is kept.",
            );
        });
    }

    fn about(&mut self, ui: &mut Ui) {
        widgets::title(ui, "About");
        widgets::card(ui, |ui| {
            ui.label(format!("Serpent {}", env!("CARGO_PKG_VERSION")));
            widgets::explain(ui, "Nothing leaves this computer.");
            ui.horizontal(|ui| {
                self.button(ui, Command::CopyDiagnostics);
                self.button(ui, Command::Help);
            });
        });
    }

    /// What a report of a problem needs, into the clipboard.
    pub(super) fn copy_diagnostics(&mut self) {
        let text = self.diagnostics();
        self.ctx.copy_text(text);
        self.notices.say("Diagnostics are in the clipboard");
    }

    fn diagnostics(&self) -> String {
        let mut lines = vec![
            format!("Serpent {}", env!("CARGO_PKG_VERSION")),
            format!(
                "System: {} {}",
                std::env::consts::OS,
                std::env::consts::ARCH
            ),
            format!("Processor threads: {}", threads()),
            format!("Device wanted: {}", self.settings.device),
            format!(
                "Device in use: {}",
                self.device_name.as_deref().unwrap_or("none yet")
            ),
            format!("Memory limit: {} MiB", self.settings.memory_mib),
            format!(
                "Interface: {:.2} pixels a point",
                self.ctx.pixels_per_point()
            ),
        ];
        for device in self.devices.found.iter().flatten() {
            let (name, driver) = (&device.info.name, &device.info.driver);
            lines.push(format!(
                "Device: {name} ({}; {driver})",
                devices::facts(device)
            ));
            for verdict in &device.verdicts {
                if let Some(trouble) = &verdict.trouble {
                    lines.push(format!("  rung {} is not used: {trouble}", verdict.rung));
                }
            }
        }
        for card in &self.cards.list {
            lines.push(format!("Model: {} ({})", card.name, card.facts()));
        }
        for problem in &self.cards.broken {
            lines.push(format!("Model that cannot be used: {problem}"));
        }
        lines.join("\n") + "\n"
    }
}

fn button_info(command: Command) -> egui::WidgetInfo {
    egui::WidgetInfo::labeled(egui::Role::Button, true, command.name())
}
