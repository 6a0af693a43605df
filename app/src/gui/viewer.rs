//! Before and after under a draggable divider, with zoom and pan.

use egui::{
    Color32, CursorIcon, Painter, Pos2, Rect, Response, Sense, Stroke, Ui, Vec2, pos2, vec2,
};

use super::texture::TiledTexture;

/// Smallest and largest zoom, in screen pixels a picture pixel.
const ZOOM_RANGE: std::ops::RangeInclusive<f32> = 0.02..=32.0;
/// How near the pointer must be to take the divider, in points.
const DIVIDER_REACH: f32 = 10.0;
const HANDLE_RADIUS: f32 = 13.0;

/// Where the view stands; it outlives the pictures, so that flipping keeps zoom and place.
pub struct Viewer {
    /// Screen pixels a picture pixel; `None` fits the window.
    zoom: Option<f32>,
    /// The picture's point in the middle of the view, as a fraction of its sides.
    centre: Vec2,
    /// The divider, as a fraction of the view's width.
    divider: f32,
    dragging_divider: bool,
}

impl Default for Viewer {
    fn default() -> Self {
        Self {
            zoom: None,
            centre: vec2(0.5, 0.5),
            divider: 0.5,
            dragging_divider: false,
        }
    }
}

impl Viewer {
    /// Fits the picture to the window.
    pub fn fit(&mut self) {
        *self = Self {
            divider: self.divider,
            ..Self::default()
        };
    }

    /// Shows `zoom` screen pixels a picture pixel.
    pub fn zoom_to(&mut self, zoom: f32) {
        self.zoom = Some(zoom);
    }

    /// The zoom in force in `view`, in screen pixels a picture pixel.
    pub fn zoom(&self, view: Rect, size: Vec2, pixels_per_point: f32) -> f32 {
        self.zoom.unwrap_or_else(|| {
            let room = view.size() * pixels_per_point / size;
            // A small picture is not blown up just because there is room.
            room.min_elem().min(1.0).max(*ZOOM_RANGE.start())
        })
    }

    /// Draws the pictures and follows the pointer. Returns the zoom in force.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        before: &TiledTexture,
        after: Option<&TiledTexture>,
    ) -> f32 {
        let (view, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::Image, true, "Picture, before and after")
        });
        let per_point = ui.ctx().pixels_per_point();
        let size = before.size();
        self.follow_pointer(ui, &response, view, size, per_point, after.is_some());

        let zoom = self.zoom(view, size, per_point);
        let scale = zoom / per_point;
        let origin = origin(view, size, self.centre, scale, per_point);
        let painter = ui.painter().with_clip_rect(view);
        match after {
            None => before.paint(&painter, origin, scale),
            Some(after) => {
                let x = view.left() + view.width() * self.divider;
                let left = view.with_max_x(x);
                let right = view.with_min_x(x);
                before.paint(&painter.with_clip_rect(left), origin, scale);
                // After super-resolution the result has more pixels on the same ground.
                let after_scale = scale * size.x / after.size().x;
                after.paint(&painter.with_clip_rect(right), origin, after_scale);
                let shown = Rect::from_min_size(origin, size * scale).intersect(view);
                captions(&painter, shown, x);
                divider(&painter, view, x);
            }
        }
        zoom
    }

    fn follow_pointer(
        &mut self,
        ui: &Ui,
        response: &Response,
        view: Rect,
        size: Vec2,
        per_point: f32,
        divided: bool,
    ) {
        let x = view.left() + view.width() * self.divider;
        let near = |p: Pos2| divided && (p.x - x).abs() <= DIVIDER_REACH;
        if response.drag_started() {
            let start = ui.input(|i| i.pointer.press_origin());
            self.dragging_divider = start.is_some_and(near);
        }
        if response.hover_pos().is_some_and(near) || self.dragging_divider {
            ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
        }
        if response.dragged() {
            if let (true, Some(p)) = (self.dragging_divider, response.interact_pointer_pos()) {
                self.divider = ((p.x - view.left()) / view.width()).clamp(0.0, 1.0);
            } else {
                let scale = self.zoom(view, size, per_point) / per_point;
                self.centre -= response.drag_delta() / (size * scale);
            }
        }
        if response.drag_stopped() {
            self.dragging_divider = false;
        }
        if response.double_clicked() {
            match self.zoom {
                None => self.zoom_around(response.hover_pos(), view, size, per_point, 1.0),
                Some(_) => self.fit(),
            }
        }
        if response.hovered() {
            let (scroll, pinch) = ui.input(|i| (i.smooth_scroll_delta().y, i.zoom_delta()));
            let factor = (scroll / 200.0).exp() * pinch;
            if factor != 1.0 {
                let zoom = self.zoom(view, size, per_point) * factor;
                self.zoom_around(response.hover_pos(), view, size, per_point, zoom);
            }
        }
        self.centre = self.centre.clamp(Vec2::ZERO, Vec2::splat(1.0));
    }

    /// Changes the zoom while the picture's point under the pointer stays where it is.
    fn zoom_around(
        &mut self,
        pointer: Option<Pos2>,
        view: Rect,
        size: Vec2,
        per_point: f32,
        zoom: f32,
    ) {
        let old = self.zoom(view, size, per_point) / per_point;
        let zoom = zoom.clamp(*ZOOM_RANGE.start(), *ZOOM_RANGE.end());
        let new = zoom / per_point;
        let from_middle = pointer.map_or(Vec2::ZERO, |p| p - view.center());
        self.centre += from_middle / (size * old) - from_middle / (size * new);
        self.zoom = Some(zoom);
    }
}

/// Where the picture's top left corner is, on whole screen pixels so that 100 % is sharp.
fn origin(view: Rect, size: Vec2, centre: Vec2, scale: f32, per_point: f32) -> Pos2 {
    let p = view.center() - size * centre * scale;
    let snap = |v: f32| (v * per_point).round() / per_point;
    pos2(snap(p.x), snap(p.y))
}

fn divider(painter: &Painter, view: Rect, x: f32) {
    let shadow = Stroke::new(3.0, Color32::from_black_alpha(90));
    let line = Stroke::new(1.5, Color32::WHITE);
    painter.vline(x, view.y_range(), shadow);
    painter.vline(x, view.y_range(), line);
    let middle = pos2(x, view.center().y);
    painter.circle(middle, HANDLE_RADIUS, Color32::from_black_alpha(160), line);
    for side in [-1.0, 1.0] {
        let tip = middle + vec2(side * 8.0, 0.0);
        for y in [-4.0, 4.0] {
            painter.line_segment([tip, middle + vec2(side * 4.0, y)], line);
        }
    }
}

/// "Before" and "After" beside the divider at the top, as long as there is room for them.
fn captions(painter: &Painter, shown: Rect, x: f32) {
    let font = egui::FontId::proportional(13.0);
    for (text, side) in [("Before", -1.0), ("After", 1.0)] {
        let galley = painter.layout_no_wrap(text.to_owned(), font.clone(), Color32::WHITE);
        let pad = vec2(8.0, 4.0);
        let size = galley.size() + 2.0 * pad;
        let left = if side < 0.0 {
            x - 10.0 - size.x
        } else {
            x + 10.0
        };
        let rect = Rect::from_min_size(pos2(left, shown.top() + 10.0), size);
        if shown.contains_rect(rect) {
            painter.rect_filled(rect, 5.0, Color32::from_black_alpha(150));
            painter.galley(rect.min + pad, galley, Color32::WHITE);
        }
    }
}
