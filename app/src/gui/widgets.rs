//! The few widgets that egui does not have in this form.

use egui::{
    Align2, Button, CornerRadius, CursorIcon, Frame, Margin, Rect, Response, RichText, Sense, Ui,
    WidgetInfo, WidgetText, pos2, vec2,
};

use super::theme::strong;
use super::tokens::{palette, size, space, text};

/// The main action of a place: filled with the accent.
pub fn primary(ui: &mut Ui, enabled: bool, label: &str, min_width: f32) -> Response {
    let p = palette(ui);
    let text = RichText::new(label)
        .font(strong(text::BODY))
        .color(p.on_accent);
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        for (state, fill) in [
            (&mut widgets.inactive, p.accent),
            (&mut widgets.hovered, p.accent_hover),
            (&mut widgets.active, p.accent),
        ] {
            (state.weak_bg_fill, state.bg_fill) = (fill, fill);
        }
        let button = Button::new(centred(text))
            .gap(0.0)
            .min_size(vec2(min_width, size::CONTROL + 2.0));
        ui.add_enabled(enabled, button)
    })
    .inner
}

/// A button as wide as `min_width` at least.
pub fn secondary(ui: &mut Ui, enabled: bool, label: &str, min_width: f32) -> Response {
    let button = Button::new(centred(RichText::new(label))).gap(0.0);
    ui.add_enabled(enabled, button.min_size(vec2(min_width, size::CONTROL)))
}

/// In the middle of a button, however wide it is.
fn centred<'a>(text: RichText) -> egui::Atoms<'a> {
    egui::Atoms::new((egui::Atom::grow(), text, egui::Atom::grow()))
}

/// Sliders are filled with the accent from here on.
pub fn accent_sliders(ui: &mut Ui) {
    ui.visuals_mut().selection.bg_fill = palette(ui).accent;
}

/// One of several, side by side on a common ground. Returns what was chosen.
pub fn segmented<T: PartialEq + Copy>(ui: &mut Ui, now: T, all: &[(T, &str)]) -> Option<T> {
    let p = palette(ui);
    let mut chosen = None;
    Frame::new()
        .fill(p.control)
        .corner_radius(CornerRadius::same(size::RADIUS + 2))
        .inner_margin(Margin::same(2))
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                // A row within one from right to left runs that way as well.
                let mut all: Vec<&(T, &str)> = all.iter().collect();
                if ui.layout().prefer_right_to_left() {
                    all.reverse();
                }
                ui.spacing_mut().item_spacing.x = 2.0;
                ui.spacing_mut().button_padding.y = 3.0;
                ui.spacing_mut().interact_size.y = size::CONTROL - 4.0;
                for (value, label) in all {
                    let on = *value == now;
                    let ink = if on { p.text } else { p.weak };
                    let fill = if on {
                        p.raised
                    } else {
                        egui::Color32::TRANSPARENT
                    };
                    let button = Button::new(RichText::new(*label).color(ink)).fill(fill);
                    let response = ui.add(button.selected(false));
                    let info = || WidgetInfo::selected(egui::Role::RadioButton, true, on, *label);
                    response.widget_info(info);
                    if response.clicked() {
                        chosen = Some(*value);
                    }
                }
            });
        });
    chosen.filter(|c| *c != now)
}

/// A raised area.
pub fn card<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let p = palette(ui);
    Frame::new()
        .fill(p.raised)
        .corner_radius(CornerRadius::same(size::RADIUS_LARGE))
        .inner_margin(Margin::same(12))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            add(ui)
        })
        .inner
}

/// Title of a group.
pub fn title(ui: &mut Ui, label: &str) -> Response {
    ui.label(RichText::new(label).font(strong(text::TITLE)))
}

/// What explains something: small and weak, in lines as wide as there is room.
pub fn explain(ui: &mut Ui, label: impl Into<String>) -> Response {
    let ink = palette(ui).weak;
    ui.label(RichText::new(label).size(text::SMALL).color(ink))
}

/// A bar of what is done, 0 to 1, with its text for screen readers.
pub fn progress(ui: &mut Ui, fraction: f32, label: &str) -> Response {
    let p = palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 6.0), Sense::hover());
    let round = CornerRadius::same(3);
    ui.painter().rect_filled(rect, round, p.control);
    let done = Rect::from_min_size(rect.min, vec2(rect.width() * fraction.clamp(0.0, 1.0), 6.0));
    ui.painter().rect_filled(done, round, p.accent);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(egui::Role::ProgressIndicator, true, label);
        info.value = Some(f64::from(fraction));
        info
    });
    response
}

/// A small flat button with a cross.
pub fn close(ui: &mut Ui, label: &str) -> Response {
    let p = palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(22.0, 22.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, label));
    if response.hovered() || response.has_focus() {
        ui.painter()
            .rect_filled(rect, CornerRadius::same(size::RADIUS), p.hover);
    }
    let ink = egui::Stroke::new(1.4, p.weak);
    let (c, r) = (rect.center(), 4.0);
    for side in [-1.0, 1.0] {
        let from = pos2(c.x - r * side, c.y - r);
        let to = pos2(c.x + r * side, c.y + r);
        ui.painter().line_segment([from, to], ink);
    }
    response
        .on_hover_text(label)
        .on_hover_cursor(CursorIcon::Default)
}

/// A row: what it is about at the left, the control at the right.
pub fn row(ui: &mut Ui, label: &str, add: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        let width = (ui.available_width() * 0.36).clamp(90.0, 190.0);
        let height = size::CONTROL;
        let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
        let ink = palette(ui).weak;
        let font = egui::FontId::proportional(text::BODY);
        ui.painter()
            .text(rect.left_center(), Align2::LEFT_CENTER, label, font, ink);
        ui.spacing_mut().item_spacing.x = space::NEAR;
        add(ui);
    });
}

/// A line of text that ends in an ellipsis where there is no room.
pub fn truncated(ui: &mut Ui, text: impl Into<WidgetText>) -> Response {
    ui.add(egui::Label::new(text).truncate())
}
