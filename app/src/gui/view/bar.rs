//! The bar of a view: mode, channel, gain, zoom.

use egui::{ComboBox, Slider, Ui};

use super::scene::{Channel, Mode, Scene};
use super::viewer::Viewer;

impl Viewer {
    /// Puts the view's controls into a row; `horizontal_wrapped` suits narrow windows.
    pub fn bar(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        if scene.after.is_some() || scene.preview.is_some() {
            for (mode, key) in Mode::ALL.into_iter().zip(["S", "D", "F", "H"]) {
                let button = egui::Button::selectable(self.mode == mode, mode.name());
                if ui.add(button).on_hover_text(hint(mode, key)).clicked() {
                    self.mode = mode;
                }
            }
            if self.mode == Mode::Difference {
                let label = ui.label("Gain");
                let slider = Slider::new(&mut self.gain, 1.0..=64.0)
                    .logarithmic(true)
                    .max_decimals(1)
                    .prefix("×");
                ui.add(slider).labelled_by(label.id);
            }
            if self.mode == Mode::Flip {
                let held = ui
                    .button("Hold for the original")
                    .on_hover_text("or hold \\ or Space")
                    .is_pointer_button_down_on();
                self.show_original = held;
            }
            ui.separator();
        }
        let channels = ComboBox::new("view channel", "")
            .selected_text(self.channel.name())
            .width(96.0)
            .show_ui(ui, |ui| {
                for channel in Channel::ALL {
                    ui.selectable_value(&mut self.channel, channel, channel.name());
                }
            });
        channels.response.widget_info(|| {
            let mut info = egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Channel");
            info.current_text_value = Some(self.channel.name().to_owned());
            info
        });
        ui.separator();
        self.zoom_buttons(ui);
    }

    /// Zooming alone, with the zoom in force.
    pub fn zoom_buttons(&mut self, ui: &mut Ui) {
        if ui.button("−").on_hover_text("Zoom out (−)").clicked() {
            self.zoom_by(0.8);
        }
        // The view comes after the bar and may change the zoom: then there is another frame.
        self.told = Some(self.zoom());
        zoom_label(ui, self.zoom());
        if ui.button("+").on_hover_text("Zoom in (+)").clicked() {
            self.zoom_by(1.25);
        }
        if ui.button("Fit").on_hover_text("0").clicked() {
            self.fit();
        }
        for (label, zoom, key) in [("100 %", 1.0, "1"), ("200 %", 2.0, "2")] {
            if ui.button(label).on_hover_text(key).clicked() {
                self.zoom_to(zoom);
            }
        }
    }
}

/// The zoom in force, in a place of fixed width.
pub(super) fn zoom_label(ui: &mut Ui, zoom: f64) {
    let text = percent(zoom);
    let label = egui::Label::new(&text).selectable(false);
    let response = ui.add_sized([52.0, 18.0], label);
    response
        .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, format!("Zoom {text}")));
}

/// Whole per cent; below 10 with a decimal.
fn percent(zoom: f64) -> String {
    let percent = zoom * 100.0;
    if percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

fn hint(mode: Mode, key: &str) -> String {
    let what = match mode {
        Mode::Split => "Before and after under a divider",
        Mode::SideBySide => "Both whole, moved together",
        Mode::Flip => "The result; the original while a key is held",
        Mode::Difference => "A heat map of what changed",
    };
    format!("{what} ({key})")
}
