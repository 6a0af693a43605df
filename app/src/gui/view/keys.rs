//! What the keyboard does to a view.

use egui::{EventFilter, Id, Key, Modifiers, Response, Ui};

use super::overlay;
use super::scene::{Mode, Scene};
use super::steer::Wish;
use super::viewer::Viewer;

/// Keys and what they do, for the help.
pub const KEYS: &[(&str, &str)] = &[
    ("+ and −", "Zoom in and out"),
    ("0", "Fit the picture to the window"),
    ("1, 2, 4, 8", "100 %, 200 %, 400 %, 800 %"),
    ("Arrows", "Move the picture; with Shift by a whole view"),
    ("[ and ]", "Move the divider"),
    ("\\ or Space (hold)", "Show the original"),
    (
        "S, D, F, H",
        "Split, side by side, flip, heat map of the difference",
    ),
];

/// Keys of the compare grid besides those that zoom and move.
pub const GRID_KEYS: &[(&str, &str)] = &[
    ("Tab", "Next result"),
    ("Enter", "Pick the result"),
    ("\\ or Space (hold)", "Show the original"),
];

/// Screen pixels an arrow key moves the picture.
const STEP: f64 = 64.0;

/// Follows the keys that are meant for the view: it or its divider has the
/// focus, or nothing has.
pub(super) fn follow(viewer: &mut Viewer, ui: &Ui, response: &Response, scene: &Scene<'_>) {
    let focused = ui.memory(|m| m.focused());
    if response.clicked() || response.drag_started() {
        response.request_focus();
    }
    if response.has_focus() {
        keep_arrows(ui, response.id);
    }
    let on_divider = focused == Some(overlay::divider_id(ui));
    if focused.is_some_and(|id| id != response.id) && !on_divider {
        viewer.peeking = false;
        return;
    }
    let asked = zoom_or_pan(ui, response.rect.size());
    // On the divider the arrows move the divider.
    let asked = asked.filter(|w| !(on_divider && matches!(w, Wish::Pan(_))));
    viewer.wish = asked.or(viewer.wish);
    viewer.peeking = scene.has_result() && peeks(ui);
    for (key, mode) in [
        (Key::S, Mode::Split),
        (Key::D, Mode::SideBySide),
        (Key::F, Mode::Flip),
        (Key::H, Mode::Difference),
    ] {
        if pressed(ui, key) {
            viewer.mode = mode;
        }
    }
    for (key, by) in [(Key::OpenBracket, -0.02), (Key::CloseBracket, 0.02)] {
        if pressed(ui, key) {
            viewer.move_divider(by);
        }
    }
}

/// Zooming and panning by keys; `view` is the view's size in points.
pub(super) fn zoom_or_pan(ui: &Ui, view: egui::Vec2) -> Option<Wish> {
    if pressed(ui, Key::Num0) {
        return Some(Wish::Fit);
    }
    for (key, zoom) in [
        (Key::Num1, 1.0),
        (Key::Num2, 2.0),
        (Key::Num4, 4.0),
        (Key::Num8, 8.0),
    ] {
        if pressed(ui, key) {
            return Some(Wish::Zoom(zoom));
        }
    }
    for (key, factor) in [(Key::Plus, 1.25), (Key::Equals, 1.25), (Key::Minus, 0.8)] {
        if pressed(ui, key) {
            return Some(Wish::Times(factor));
        }
    }
    let whole = ui.input(|i| i.modifiers.shift);
    let view = [view.x, view.y].map(|v| f64::from(v * ui.ctx().pixels_per_point()));
    let step = |axis: usize| if whole { view[axis] * 0.9 } else { STEP };
    [
        (Key::ArrowLeft, [step(0), 0.0]),
        (Key::ArrowRight, [-step(0), 0.0]),
        (Key::ArrowUp, [0.0, step(1)]),
        (Key::ArrowDown, [0.0, -step(1)]),
    ]
    .into_iter()
    .find(|&(key, _)| pressed(ui, key))
    .map(|(_, by)| Wish::Pan(by))
}

/// Whether a key is held that shows the original. Not every keyboard has a plain backslash.
pub(super) fn peeks(ui: &Ui) -> bool {
    ui.input(|i| i.key_down(Key::Backslash) || i.key_down(Key::Space))
}

/// Arrow keys stay with the widget instead of moving the focus.
pub(super) fn keep_arrows(ui: &Ui, id: Id) {
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..Default::default()
    };
    ui.memory_mut(|m| m.set_focus_lock_filter(id, filter));
}

/// Whether a key was pressed alone or with Shift.
fn pressed(ui: &Ui, key: Key) -> bool {
    ui.input(|i| {
        let plain = Modifiers {
            shift: false,
            ..i.modifiers
        };
        plain.is_none() && i.key_pressed(key)
    })
}
