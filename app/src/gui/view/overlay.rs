//! What is drawn over pictures: names, the divider, the legend of the heat map.

use egui::{
    Align2, Color32, CursorIcon, FontId, Key, Pos2, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use super::camera::Ground;
use super::keys::keep_arrows;
use super::paint::Viewport;
use super::picture_view::PictureView;

/// How near the pointer must be to take the divider, in points.
const REACH: f32 = 9.0;
const HANDLE_RADIUS: f32 = 14.0;
const FONT: f32 = 13.0;
/// Around the text on a plate.
const PAD: Vec2 = vec2(8.0, 4.0);
/// From a view's edges to what lies over it.
pub(super) const MARGIN: f32 = 10.0;

/// On which side of a place a caption stands.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A name on a dark plate at the top of `shown`, beside `x`, if there is room for it.
pub(super) fn caption(ui: &mut Ui, shown: Rect, x: f32, text: &str, side: Side) {
    let width = ui
        .painter()
        .layout_no_wrap(text.to_owned(), FontId::proportional(FONT), Color32::WHITE)
        .size()
        .x;
    let needed = width + 2.0 * (PAD.x + MARGIN);
    let (anchor, at, room) = match side {
        Side::Left => (Align2::RIGHT_TOP, x - MARGIN, x - shown.left()),
        Side::Right => (Align2::LEFT_TOP, x + MARGIN, shown.right() - x),
    };
    if room >= needed && shown.height() > 60.0 {
        plate(ui, pos2(at, shown.top() + MARGIN), anchor, text, false);
    }
}

/// Text on a dark plate, in the accessibility tree too. Returns the plate's place.
pub(super) fn plate(ui: &mut Ui, at: Pos2, anchor: Align2, text: &str, figures: bool) -> Rect {
    let font = if figures {
        FontId::monospace(FONT - 1.0)
    } else {
        FontId::proportional(FONT)
    };
    let white = Color32::from_gray(245);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, white);
    let rect = anchor.anchor_size(at, galley.size() + 2.0 * PAD);
    let painter = ui.painter();
    painter.rect_filled(rect, 5.0, Color32::from_black_alpha(175));
    let corner = rect.min + PAD;
    let per_point = ui.ctx().pixels_per_point();
    let snap = |v: f32| (v * per_point).round() / per_point;
    painter.galley(pos2(snap(corner.x), snap(corner.y)), galley, white);
    let id = ui.scope_id().with(("plate", text));
    let response = ui.interact(rect, id, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, text));
    rect
}

/// Where the picture will be, until it is there.
pub(super) fn placeholder(ui: &Ui, viewport: &Viewport, ground: Ground, picture: &PictureView) {
    if !picture.is_blank() {
        return;
    }
    let rect = ground.on_screen(viewport, picture.size());
    let grey = if ui.visuals().dark_mode { 40 } else { 188 };
    ui.painter()
        .rect_filled(rect.intersect(viewport.rect), 0.0, Color32::from_gray(grey));
}

/// What the keyboard's focus knows the divider by.
pub(super) fn divider_id(ui: &Ui) -> egui::Id {
    ui.scope_id().with("divider")
}

/// The divider at `fraction` of the view's width, with a handle; pointer, arrow keys and
/// assistive technology move it.
pub(super) fn divider(ui: &mut Ui, view: Rect, fraction: &mut f32) {
    let id = divider_id(ui);
    let x = view.left() + view.width() * *fraction;
    let reach = Rect::from_x_y_ranges(x - REACH..=x + REACH, view.y_range());
    let response = ui.interact(reach.intersect(view), id, Sense::click_and_drag());
    if response.hovered() || response.dragged() {
        ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
    if let (true, Some(p)) = (response.dragged(), response.interact_pointer_pos()) {
        *fraction = (p.x - view.left()) / view.width();
    }
    if response.clicked() || response.drag_started() {
        response.request_focus();
    }
    if response.double_clicked() {
        *fraction = 0.5;
    }
    *fraction += nudges(ui, &response);
    *fraction = fraction.clamp(0.0, 1.0);
    let percent = f64::from(*fraction * 100.0).round();
    response.widget_info(|| WidgetInfo::slider(true, percent, "Divider between before and after"));
    let active = response.hovered() || response.dragged() || response.has_focus();
    draw_divider(ui, view, *fraction, active, response.has_focus());
}

/// How far keys and assistive technology move the divider this frame.
fn nudges(ui: &Ui, response: &egui::Response) -> f32 {
    use egui::accesskit::Action;
    let mut by = ui.input(|i| {
        let count = |action| i.num_accesskit_action_requests(response.id, action) as f32;
        0.02 * (count(Action::Increment) - count(Action::Decrement))
    });
    if response.has_focus() {
        keep_arrows(ui, response.id);
        by += ui.input(|i| {
            let step = if i.modifiers.shift { 0.1 } else { 0.01 };
            let presses = |key| i.num_presses(key) as f32;
            step * (presses(Key::ArrowRight) - presses(Key::ArrowLeft))
        });
    }
    by
}

fn draw_divider(ui: &Ui, view: Rect, fraction: f32, active: bool, focused: bool) {
    let painter = ui.painter();
    let per_point = ui.ctx().pixels_per_point();
    let x = ((view.left() + view.width() * fraction) * per_point).round() / per_point;
    let white = Color32::from_gray(if active { 255 } else { 235 });
    let line = Stroke::new(1.5, white);
    painter.vline(
        x,
        view.y_range(),
        Stroke::new(3.5, Color32::from_black_alpha(80)),
    );
    painter.vline(x, view.y_range(), line);
    let middle = pos2(x, view.center().y);
    let plate = Color32::from_black_alpha(if active { 215 } else { 175 });
    painter.circle(middle, HANDLE_RADIUS, plate, line);
    for side in [-1.0, 1.0] {
        let tip = middle + vec2(side * 8.0, 0.0);
        for y in [-4.0, 4.0] {
            painter.line_segment([tip, middle + vec2(side * 4.0, y)], line);
        }
    }
    if focused {
        let ring = Stroke::new(2.0, ui.visuals().selection.bg_fill);
        painter.circle_stroke(middle, HANDLE_RADIUS + 3.0, ring);
    }
}

/// What the colours of the heat map stand for, at the bottom right.
pub(super) fn legend(ui: &mut Ui, view: Rect, gain: f32) {
    let size = vec2(200.0, 40.0);
    let rect = Align2::RIGHT_BOTTOM.anchor_size(view.right_bottom() - Vec2::splat(MARGIN), size);
    let painter = ui.painter();
    painter.rect_filled(rect, 5.0, Color32::from_black_alpha(215));
    let inner = rect.shrink2(PAD);
    let bar = inner
        .with_max_y(inner.top() + 10.0)
        .translate(vec2(0.0, 2.0));
    let mut mesh = egui::Mesh::default();
    const STEPS: u32 = 48;
    for i in 0..=STEPS {
        let t = i as f32 / STEPS as f32;
        let x = bar.left() + bar.width() * t;
        for y in [bar.top(), bar.bottom()] {
            mesh.colored_vertex(pos2(x, y), heat(t));
        }
        if i > 0 {
            let n = 2 * i;
            mesh.add_triangle(n - 2, n - 1, n);
            mesh.add_triangle(n - 1, n, n + 1);
        }
    }
    painter.add(mesh);
    let font = FontId::proportional(FONT - 1.0);
    let most = format!("{:.1} %", 100.0 / gain);
    for (text, at, anchor) in [
        ("equal", inner.left_bottom(), Align2::LEFT_BOTTOM),
        (&most, inner.right_bottom(), Align2::RIGHT_BOTTOM),
    ] {
        painter.text(at, anchor, text, font.clone(), Color32::from_gray(235));
    }
    let label = format!("Heat map: black is equal, white differs by {most} or more");
    let response = ui.interact(rect, ui.scope_id().with("legend"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, &label));
}

/// A thin neutral line around the view that keys go to.
pub(super) fn focus(ui: &Ui, view: Rect) {
    let stroke = Stroke::new(1.0, Color32::from_gray(128));
    ui.painter()
        .rect_stroke(view, 0.0, stroke, egui::StrokeKind::Inside);
}

/// The heat map's colour for 0 to 1; `heat` in `picture.wgsl`.
fn heat(t: f32) -> Color32 {
    const C: [[f32; 3]; 7] = [
        [0.000_218_94, 0.001_651, -0.019_480_9],
        [0.106_513_42, 0.563_956_4, 3.932_712_4],
        [11.602_493, -3.972_854, -15.942_394],
        [-41.704, 17.4364, 44.354_145],
        [77.162_94, -33.402_36, -81.807_31],
        [-71.319_43, 32.626_064, 73.209_52],
        [25.131_126, -12.242_669, -23.070_325],
    ];
    let channel = |i: usize| {
        let value = C.iter().rev().fold(0.0, |sum, c| sum * t + c[i]);
        (value.clamp(0.0, 1.0) * 255.0).round() as u8
    };
    Color32::from_rgb(channel(0), channel(1), channel(2))
}
