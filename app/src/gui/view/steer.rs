//! Pointer, wheel and wishes of keys and buttons move a camera.

use egui::{CursorIcon, MouseWheelSource, Pos2, Response, Ui};

use super::camera::Camera;

/// Points of scrolling that zoom by a factor of e.
const WHEEL: f64 = 200.0;

/// A change of zoom or place that keys or buttons asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wish {
    /// Fit the picture to the view.
    Fit,
    /// Screen pixels a picture pixel.
    Zoom(f64),
    /// A factor to zoom by.
    Times(f64),
    /// Screen pixels to move the picture by.
    Pan([f64; 2]),
}

/// The sizes a camera works with, in screen and picture pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sizes {
    pub viewport: [f64; 2],
    pub picture: [f64; 2],
}

/// Moves `camera`; `place` gives a point of the window in screen pixels of the viewport.
pub(super) fn steer(
    camera: &mut Camera,
    wish: Option<Wish>,
    ui: &Ui,
    response: &Response,
    sizes: Sizes,
    place: impl Fn(Pos2) -> [f64; 2],
) {
    let Sizes { viewport, picture } = sizes;
    let middle = viewport.map(|v| v / 2.0);
    let pointer = response.hover_pos().map_or(middle, place);
    let zoom = camera.scale(viewport, picture);
    match wish {
        Some(Wish::Fit) => camera.fit(),
        Some(Wish::Zoom(zoom)) => camera.zoom_around(middle, zoom, viewport, picture),
        Some(Wish::Times(factor)) => camera.zoom_around(middle, zoom * factor, viewport, picture),
        Some(Wish::Pan(by)) => camera.pan(by, viewport, picture),
        None => {}
    }
    let per_point = f64::from(ui.ctx().pixels_per_point());
    let pixels = |v: egui::Vec2| [v.x, v.y].map(|v| f64::from(v) * per_point);
    if response.dragged() {
        camera.pan(pixels(response.drag_delta()), viewport, picture);
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    }
    if response.double_clicked() {
        if camera.is_fit() {
            camera.zoom_around(pointer, 1.0, viewport, picture);
        } else {
            camera.fit();
        }
    }
    if !response.contains_pointer() {
        return;
    }
    let (scroll, pinch, source) =
        ui.input(|i| (i.smooth_scroll_delta(), i.zoom_delta(), i.scroll_source()));
    // Fingers on a trackpad move what they touch; a wheel has no other use than zooming.
    let fingers = matches!(
        source,
        Some(MouseWheelSource::Trackpad | MouseWheelSource::Momentum)
    );
    let mut factor = f64::from(pinch);
    if fingers {
        camera.pan(pixels(scroll), viewport, picture);
    } else {
        factor *= (f64::from(scroll.y) / WHEEL).exp();
    }
    if factor != 1.0 {
        let zoom = camera.scale(viewport, picture) * factor;
        camera.zoom_around(pointer, zoom, viewport, picture);
    }
}
