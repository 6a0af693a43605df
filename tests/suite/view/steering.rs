//! Pointer, keys and assistive technology move the view.

use egui::{Key, pos2, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use serpent::gui::view::Mode;

use super::*;

const DIVIDER: &str = "Divider between before and after";

fn split() -> Window {
    window(flat(600, 400, 0.2), Some(flat(600, 400, 0.8)))
}

#[test]
fn dragging_the_divider_moves_the_border_between_the_pictures() {
    let mut window = split();
    let image = rendered(&mut window);
    assert_eq!(rgb(&image, 200, 50), [51; 3]);
    assert_eq!(rgb(&image, 400, 50), [204; 3]);
    // Anywhere on the line, not only on the handle.
    window.hover_at(pos2(302.0, 100.0));
    window.run_steps(2);
    window.drag_at(pos2(302.0, 100.0));
    window.step();
    for x in [280.0, 220.0, 150.0] {
        window.hover_at(pos2(x, 100.0));
        window.step();
    }
    window.drop_at(pos2(150.0, 100.0));
    window.step();
    let image = rendered(&mut window);
    assert_eq!(rgb(&image, 100, 50), [51; 3]);
    assert_eq!(rgb(&image, 200, 50), [204; 3]);
    assert!((window.state().viewer.divider - 0.25).abs() < 0.01);
}

#[test]
fn the_divider_moves_by_keyboard_and_assistive_technology() {
    let mut window = split();
    window.get_by_label(DIVIDER).focus();
    window.step();
    for _ in 0..10 {
        window.key_press(Key::ArrowLeft);
        window.step();
    }
    assert!((window.state().viewer.divider - 0.4).abs() < 1e-4);
    // The view's other keys work there too.
    window.key_press(Key::Num2);
    window.run_steps(2);
    assert_eq!(window.state().viewer.zoom(), 2.0);
    window.key_press(Key::OpenBracket);
    window.step();
    let slider = window.get_by_label(DIVIDER);
    assert_eq!(slider.accesskit_node().numeric_value(), Some(38.0));
}

#[test]
fn a_held_key_shows_the_original() {
    let mut window = split();
    window.state_mut().viewer.mode = Mode::Flip;
    assert_eq!(rgb(&rendered(&mut window), 300, 200), [204; 3]);
    window.key_down(Key::Backslash);
    assert_eq!(rgb(&rendered(&mut window), 300, 200), [51; 3]);
    window.key_up(Key::Backslash);
    assert_eq!(rgb(&rendered(&mut window), 300, 200), [204; 3]);
}

#[test]
fn keys_choose_mode_and_zoom() {
    let mut window = split();
    for (key, mode) in [
        (Key::D, Mode::SideBySide),
        (Key::F, Mode::Flip),
        (Key::H, Mode::Difference),
        (Key::S, Mode::Split),
    ] {
        window.key_press(key);
        window.step();
        assert_eq!(window.state().viewer.mode, mode);
    }
    for (key, zoom) in [(Key::Num2, 2.0), (Key::Num4, 4.0), (Key::Num0, 1.0)] {
        window.key_press(key);
        window.run_steps(2);
        assert_eq!(window.state().viewer.zoom(), zoom);
    }
}

#[test]
fn wheel_zooms_around_the_pointer_in_both_pictures_side_by_side() {
    let value = |x: usize, y: usize, c: usize| ((x * 3 + y * 5 + c * 40) % 256) as f32 / 255.0;
    let pictures = || picture(900, 700, value);
    let mut window = window(pictures(), Some(pictures()));
    window.state_mut().viewer.mode = Mode::SideBySide;
    window.run_steps(2);
    let before = window.state().viewer.zoom();
    let pointer = pos2(120.0, 260.0);
    window.hover_at(pointer);
    window.run_steps(2);
    let under = window.state().seen.as_ref().unwrap().under.clone().unwrap();
    window.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, 300.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: egui::Modifiers::NONE,
    });
    for _ in 0..30 {
        window.step();
    }
    let after = window.state().viewer.zoom();
    assert!(after > 2.0 * before, "{before} to {after}");
    let now = window.state().seen.as_ref().unwrap().under.clone().unwrap();
    for i in 0..2 {
        assert!(under.at[i].abs_diff(now.at[i]) <= 3, "{under:?} {now:?}");
    }
    assert_eq!(Some(&now.before), now.after.as_ref());
    window.remove_cursor();
    let image = rendered(&mut window);
    // 299 pixels, 2 between, 299 pixels; away from names and readout.
    for y in (60..340).step_by(7) {
        for x in (0..299).step_by(3) {
            assert_eq!(rgb(&image, x, y), rgb(&image, x + 301, y), "at {x} {y}");
        }
    }
}

#[test]
fn double_click_toggles_between_fit_and_100_percent() {
    let mut window = window(flat(1200, 800, 0.5), None);
    assert_eq!(window.state().viewer.zoom(), 0.5);
    for zoom in [1.0, 0.5] {
        let at = pos2(200.0, 150.0);
        window.hover_at(at);
        window.step();
        for _ in 0..2 {
            for pressed in [true, false] {
                window.event(egui::Event::PointerButton {
                    pos: at,
                    button: egui::PointerButton::Primary,
                    pressed,
                    modifiers: egui::Modifiers::NONE,
                });
                window.step();
            }
        }
        window.run_steps(3);
        assert_eq!(window.state().viewer.zoom(), zoom);
        // A third click soon after would be a triple click.
        window.remove_cursor();
        window.run_steps(60);
    }
}

#[test]
fn the_pixel_under_the_pointer_is_told_in_the_files_numbers() {
    let before = picture(150, 100, |x, _, c| (x + 10 * c) as f32 / 255.0);
    let after = deep(picture(300, 200, |x, _, c| (x * 100 + c) as f32 / 65535.0));
    let mut window = window(before, Some(after));
    // The picture fills 150 x 100 from (225, 150).
    window.hover_at(pos2(225.5 + 20.0, 150.5 + 30.0));
    window.run_steps(2);
    let under = window.state().seen.as_ref().unwrap().under.clone().unwrap();
    assert_eq!(under.at, [20, 30]);
    assert_eq!(under.before, [20, 30, 40]);
    assert_eq!(under.after, Some(vec![4100, 4101, 4102]));
    assert!(window.query_by_label_contains("20, 30").is_some());
}

#[test]
fn pinching_zooms_and_fingers_on_a_trackpad_move() {
    let mut window = window(flat(1200, 800, 0.5), None);
    window.state_mut().viewer.zoom_to(1.0);
    window.run_steps(2);
    let corner = |window: &Window| window.state().seen.as_ref().unwrap().region;
    assert_eq!(corner(&window), [300, 200, 900, 600]);
    window.hover_at(pos2(300.0, 200.0));
    window.step();
    window.event(egui::Event::Zoom(2.0));
    window.run_steps(2);
    assert_eq!(window.state().viewer.zoom(), 2.0);
    assert_eq!(corner(&window), [450, 300, 750, 500]);
    for phase in [
        egui::TouchPhase::Start,
        egui::TouchPhase::Move,
        egui::TouchPhase::End,
    ] {
        let moved = if phase == egui::TouchPhase::Move {
            40.0
        } else {
            0.0
        };
        window.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: vec2(moved, -moved),
            phase,
            source: egui::MouseWheelSource::Trackpad,
            modifiers: egui::Modifiers::NONE,
        });
        window.step();
    }
    window.run_steps(30);
    assert_eq!(window.state().viewer.zoom(), 2.0);
    let [left, top, ..] = corner(&window);
    assert!(left < 450 && top > 300, "{left} {top}");
}

#[test]
fn everything_in_the_bar_has_a_name_and_works() {
    let mut window = split();
    window.state_mut().bar = true;
    window.run_steps(2);
    // Running checks that every control has a name for assistive technology.
    window.run();
    window.get_by_label("Difference").click();
    window.run();
    assert_eq!(window.state().viewer.mode, Mode::Difference);
    let slider = window.query_by_role_and_label(egui::Role::Slider, "Gain");
    assert!(slider.is_some());
    window.get_by_label("200 %").click();
    window.run();
    assert_eq!(window.state().viewer.zoom(), 2.0);
    assert!(window.query_by_label("Zoom 200 %").is_some());
    window.get_by_label("Fit").click();
    window.run();
    assert!(window.state().viewer.zoom() < 1.0, "the bar takes room");
    window.get_by_label("Channel").click();
    window.run();
    window.get_by_label("Green").click();
    window.run();
    assert_eq!(window.state().viewer.channel.name(), "Green");
}
