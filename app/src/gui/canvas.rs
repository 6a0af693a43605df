//! Where pictures are looked at: keeps what is on the graphics card for those looked at last.

use std::sync::Arc;

use eframe::egui_wgpu::RenderState;
use egui::{ComboBox, Context, Rect, Slider, Ui};
use serpent_engine::image::Picture;
use serpent_engine::restore::Region;

use super::command::Command;
use super::restoring::Preview;
use super::view::{self, Channel, CompareGrid, Gpu, Mode, PictureView, Scene, Viewer};
use super::widgets;
use super::window::Window;

/// Pictures kept ready to be drawn: flipping between a few is instant.
const KEPT: usize = 6;

/// The viewer with its pictures.
pub struct Canvas {
    gpu: Option<Gpu>,
    /// Zoom, place and divider; they outlive the pictures.
    pub viewer: Viewer,
    /// Those used last at the end.
    views: Vec<Arc<PictureView>>,
    visible: Option<Region>,
    settled: bool,
    blank: bool,
    /// Frames of the window until the warm-up.
    cold: u8,
    /// Where the pictures are in the window.
    pub rect: Rect,
}

impl Canvas {
    /// Draws on the window's own device.
    pub fn new(ctx: &Context, state: Option<&RenderState>) -> Self {
        Self {
            gpu: state.map(|s| Gpu::new(ctx, s)),
            viewer: Viewer::default(),
            views: Vec::new(),
            visible: None,
            settled: true,
            blank: true,
            cold: 2,
            rect: Rect::ZERO,
        }
    }

    /// The picture, ready to be drawn.
    pub fn view(&mut self, picture: &Arc<Picture>) -> Option<Arc<PictureView>> {
        let known = self
            .views
            .iter()
            .position(|v| Arc::ptr_eq(v.picture(), picture));
        let view = match known {
            Some(i) => self.views.remove(i),
            None => Arc::new(PictureView::new(self.gpu.as_ref()?, picture.clone())),
        };
        self.views.push(view.clone());
        if self.views.len() > KEPT {
            self.views.remove(0);
        }
        Some(view)
    }

    /// In the window's second frame, when it is there and most likely nothing moves yet, has the
    /// driver compile what draws pictures.
    pub fn warm_up(&mut self) {
        if self.cold == 1
            && let Some(gpu) = &self.gpu
        {
            gpu.warm_up();
        }
        self.cold = self.cold.saturating_sub(1);
    }

    /// The window's own device.
    pub fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// An empty grid on the window's device.
    pub fn grid(&self) -> Option<CompareGrid> {
        self.gpu.as_ref().map(CompareGrid::new)
    }

    /// Draws the pictures and follows the pointer.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        before: &Arc<Picture>,
        after: Option<&(Arc<Picture>, f32)>,
        preview: Option<&Preview>,
    ) {
        let Some(view) = self.view(before) else {
            return;
        };
        let after_view = after.and_then(|(picture, _)| self.view(picture));
        let part = preview.and_then(|p| Some((self.view(&p.picture)?, p.region)));
        let scene = Scene {
            after: after_view.as_deref(),
            preview: part.as_ref().map(|(view, r)| view::Preview {
                view,
                place: [r.x, r.y, r.x + r.width, r.y + r.height],
            }),
            strength: after.map_or(1.0, |(_, strength)| *strength),
            ..Scene::new(&view)
        };
        self.rect = ui.available_rect_before_wrap();
        self.blank = view.is_blank();
        let [left, top, right, bottom] = self.viewer.show(ui, &scene).region;
        self.settled = scene.is_settled();
        self.visible = (right > left && bottom > top).then(|| Region {
            x: left,
            y: top,
            width: right - left,
            height: bottom - top,
        });
    }

    /// What is on screen of the picture.
    pub fn visible(&self) -> Option<Region> {
        self.visible
    }

    /// Whether anything of the original could be drawn.
    pub fn shows_pixels(&self) -> bool {
        !self.blank
    }

    /// Whether everything on screen is there at its full sharpness.
    pub fn is_settled(&self) -> bool {
        self.settled
    }
}

impl Window {
    pub(super) fn change_view(&mut self, command: Command) {
        let viewer = &mut self.canvas.viewer;
        match command {
            Command::ViewSplit => viewer.mode = Mode::Split,
            Command::ViewSideBySide => viewer.mode = Mode::SideBySide,
            Command::ViewFlip => viewer.mode = Mode::Flip,
            Command::ViewDifference => viewer.mode = Mode::Difference,
            Command::Zoom100 => viewer.zoom_to(1.0),
            Command::Zoom200 => viewer.zoom_to(2.0),
            _ => viewer.fit(),
        }
    }

    /// How the picture is looked at, from right to left; what finds no room is left to the keys.
    pub(super) fn view_controls(&mut self, ui: &mut Ui) {
        widgets::accent_sliders(ui);
        let room = ui.available_width();
        for command in [Command::Zoom200, Command::Zoom100, Command::ZoomFit] {
            self.button(ui, command);
        }
        if room > 560.0 {
            let percent = format!("{:.0} %", self.canvas.viewer.zoom() * 100.0);
            ui.add_sized([48.0, 20.0], egui::Label::new(percent).selectable(false));
        }
        let entry = self.queue.current();
        let preview = self.preview.is_some();
        if !preview && entry.is_none_or(|e| e.outcome().is_none()) {
            return;
        }
        let viewer = &mut self.canvas.viewer;
        // A heat map has no channels, but a gain.
        let difference = viewer.mode == Mode::Difference;
        if room > 780.0 && !difference {
            channel(ui, viewer);
        }
        let modes = Mode::ALL.map(|m| (m, m.name()));
        if room > 640.0 {
            if let Some(mode) = widgets::segmented(ui, viewer.mode, &modes) {
                viewer.mode = mode;
            }
        } else {
            mode_list(ui, viewer);
        }
        if difference && room > 640.0 {
            ui.spacing_mut().slider_width = 80.0;
            let gain = f64::from(viewer.gain);
            let slider = Slider::new(&mut viewer.gain, 1.0..=64.0)
                .logarithmic(true)
                .max_decimals(0)
                .prefix("×");
            ui.add(slider)
                .on_hover_text("What differences are multiplied by")
                .widget_info(|| egui::WidgetInfo::slider(true, gain, "Gain of the difference"));
        }
    }
}

/// The modes where there is no room for all their names.
fn mode_list(ui: &mut Ui, viewer: &mut Viewer) {
    let name = viewer.mode.name();
    let combo = ComboBox::from_id_salt("mode")
        .selected_text(name)
        .width(96.0)
        .show_ui(ui, |ui| {
            for mode in Mode::ALL {
                ui.selectable_value(&mut viewer.mode, mode, mode.name());
            }
        });
    combo.response.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "View");
        info.current_text_value = Some(name.to_owned());
        info
    });
}

/// Which samples are shown.
fn channel(ui: &mut Ui, viewer: &mut Viewer) {
    let name = viewer.channel.name();
    let combo = ComboBox::from_id_salt("channel")
        .selected_text(name)
        .width(92.0)
        .show_ui(ui, |ui| {
            for channel in Channel::ALL {
                ui.selectable_value(&mut viewer.channel, channel, channel.name());
            }
        });
    combo.response.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Channel");
        info.current_text_value = Some(name.to_owned());
        info
    });
}
