//! A result in the grid, and what stands above it.

use std::sync::Arc;

use egui::{Align, Button, Layout, RichText, Ui, vec2};

use super::metrics::Measured;
use super::picture_view::PictureView;

/// A result in the grid.
pub struct Candidate {
    /// Its pixels.
    pub view: Arc<PictureView>,
    /// What made it: the model's or the file's name.
    pub title: String,
    /// With which settings: task, strength, device.
    pub detail: String,
    pub(super) id: u64,
    pub(super) measured: Measured,
}

impl Candidate {
    /// How it compares with the reference.
    pub fn measured(&self) -> &Measured {
        &self.measured
    }

    /// Name, settings and figures; true when the pick button was pressed.
    pub(super) fn header(&self, ui: &mut Ui, picked: bool, best: bool) -> bool {
        let mut pressed = false;
        ui.spacing_mut().item_spacing = vec2(6.0, 2.0);
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let text = if picked { "Picked" } else { "Pick" };
                let button = ui.add(Button::new(text).selected(picked));
                button.widget_info(|| {
                    let label = format!("{text} {}", self.title);
                    egui::WidgetInfo::selected(egui::Role::Button, true, picked, label)
                });
                pressed = button.clicked();
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add(egui::Label::new(RichText::new(&self.title).strong()).truncate());
                });
            });
        });
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if let Some(text) = figures(&self.measured) {
                    let text = RichText::new(text).monospace().size(12.0);
                    let text = if best { text.strong() } else { text };
                    let label = ui.label(text);
                    if let Measured::Failed(problem) = &self.measured {
                        label.on_hover_text(problem);
                    }
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let text = RichText::new(&self.detail).size(12.0);
                    ui.add(egui::Label::new(text).truncate());
                });
            });
        });
        pressed
    }
}

/// The figures as shown.
fn figures(measured: &Measured) -> Option<String> {
    match measured {
        Measured::None => None,
        Measured::Waiting => Some("measuring…".to_owned()),
        Measured::Failed(_) => Some("cannot be compared".to_owned()),
        Measured::Done(quality) => {
            let psnr = if quality.psnr.is_finite() {
                format!("{:.2} dB", quality.psnr)
            } else {
                "identical".to_owned()
            };
            let ssim = quality.ssim.map(|s| format!("   SSIM {s:.4}"));
            Some(format!("PSNR {psnr}{}", ssim.unwrap_or_default()))
        }
    }
}
