//! What the viewer shows is what the pictures hold.

use serpent::gui::view::{Channel, Mode};
use serpent_engine::image::{Colour, Metadata, Picture};

use super::*;

#[test]
fn view_shows_every_pixel_at_100_percent() {
    let value = |x: usize, y: usize, c: usize| ((x * 7 + y * 3 + c * 50) % 256) as f32 / 255.0;
    let mut window = window(picture(600, 400, value), None);
    let image = rendered(&mut window);
    for (x, y) in [
        (0, 0),
        (599, 0),
        (0, 399),
        (599, 399),
        (123, 321),
        (511, 300),
        (512, 301),
    ] {
        let expected = [0, 1, 2].map(|c| byte(value(x, y, c)));
        assert_eq!(rgb(&image, x as u32, y as u32), expected, "at {x} {y}");
    }
    assert_eq!(
        window.state().seen.as_ref().unwrap().region,
        [0, 0, 600, 400]
    );
}

#[test]
fn view_shows_pixels_as_squares_above_200_percent() {
    let value = |x: usize, y: usize, _: usize| if (x + y).is_multiple_of(2) { 0.2 } else { 0.8 };
    let mut window = window(picture(60, 40, value), None);
    window.state_mut().viewer.zoom_to(8.0);
    let image = rendered(&mut window);
    // The picture is 480 x 320 on the screen, from (60, 40).
    for (x, y) in [(0usize, 0usize), (5, 7), (59, 39)] {
        let expected = [byte(value(x, y, 0)); 3];
        for (dx, dy) in [(0, 0), (7, 0), (0, 7), (7, 7), (3, 4)] {
            let at = (60 + 8 * x as u32 + dx, 40 + 8 * y as u32 + dy);
            assert_eq!(rgb(&image, at.0, at.1), expected, "at {x} {y}, {dx} {dy}");
        }
    }
}

#[test]
fn view_does_not_alias_when_zoomed_out() {
    // Single-pixel squares: any sampling that skips pixels shows patterns.
    let value = |x: usize, y: usize, _: usize| if (x + y).is_multiple_of(2) { 0.0 } else { 1.0 };
    let mut window = window(picture(1500, 1000, value), None);
    for zoom in [0.4, 0.33, 0.21] {
        window.state_mut().viewer.zoom_to(zoom);
        let image = rendered(&mut window);
        for x in 250..350 {
            assert_near(
                rgb(&image, x, 200),
                [127; 3],
                6,
                &format!("at {x}, zoom {zoom}"),
            );
        }
    }
}

#[test]
fn view_mixes_by_strength_without_any_upload() {
    let mut window = window(flat(600, 400, 0.2), Some(flat(600, 400, 0.8)));
    window.state_mut().viewer.mode = Mode::Flip;
    for strength in [1.0, 0.5, 0.25, 0.0] {
        window.state_mut().strength = strength;
        let image = rendered(&mut window);
        let expected = byte(0.2 + 0.6 * strength);
        assert_near(
            rgb(&image, 300, 200),
            [expected; 3],
            1,
            &format!("{strength}"),
        );
        let state = window.state();
        assert_eq!(
            (
                state.before.uploads(),
                state.after.as_ref().unwrap().uploads()
            ),
            (1, 1)
        );
    }
}

#[test]
fn view_of_16_bits_is_right_and_keeps_small_differences() {
    // A ramp over two 8-bit steps, and the same 100 / 65535 brighter.
    let ramp = |x: usize| 0.5 + x as f32 / 600.0 * 2.0 / 255.0;
    let step = 100.0 / 65535.0;
    let before = deep(picture(600, 400, |x, _, _| ramp(x)));
    let after = deep(picture(600, 400, |x, _, _| ramp(x) + step));
    let mut window = window(before, Some(after));
    window.state_mut().strength = 0.0;
    let image = rendered(&mut window);
    for x in [5u32, 100, 200, 280, 400, 595] {
        let value = ramp(x as usize) * 255.0;
        let got = f32::from(rgb(&image, x, 100)[0]);
        // 16-bit floats near one half are 1/2048 apart.
        assert!(
            (got - value).abs() <= 0.5 + 255.0 / 4096.0,
            "{got} for {value}"
        );
    }
    window.state_mut().strength = 1.0;
    window.state_mut().viewer.mode = Mode::Difference;
    window.state_mut().viewer.gain = 64.0;
    let image = rendered(&mut window);
    // 64 x 100 / 65535 = 0.098: the heat map's violet there, by its table (27, 12, 66) at 0.1.
    let mean = |c: usize| {
        let sum: u32 = (100..500).map(|x| u32::from(rgb(&image, x, 100)[c])).sum();
        (sum / 400) as u8
    };
    assert_near([mean(0), mean(1), mean(2)], [26, 11, 62], 9, "heat");
}

#[test]
fn view_of_equal_pictures_has_a_flat_heat_map() {
    let value = |x: usize, y: usize, c: usize| ((x * 31 + y * 17 + c * 5) % 256) as f32 / 255.0;
    let pictures = || picture(600, 400, value);
    let mut window = window(pictures(), Some(pictures()));
    window.state_mut().viewer.mode = Mode::Difference;
    window.state_mut().viewer.gain = 64.0;
    for zoom in [1.0, 0.37, 3.0] {
        window.state_mut().viewer.zoom_to(zoom);
        let image = rendered(&mut window);
        let dark = rgb(&image, 300, 200);
        assert!(dark.iter().all(|&v| v < 8), "{dark:?}");
        for (x, y) in [(200, 150), (250, 222), (333, 180), (390, 260)] {
            assert_eq!(rgb(&image, x, y), dark, "at {x} {y}, zoom {zoom}");
        }
    }
}

#[test]
fn view_lines_up_after_super_resolution() {
    // Each pixel became 4 x 4 equal ones: nothing differs but where pixels are mixed on edges.
    let value = |x: usize, y: usize, c: usize| ((x * 31 + y * 17 + c * 5) % 64) as f32 / 63.0;
    let before = picture(150, 100, value);
    let after = picture(600, 400, |x, y, c| value(x / 4, y / 4, c));
    let mut window = window(before, Some(after));
    window.state_mut().viewer.mode = Mode::Difference;
    window.state_mut().viewer.zoom_to(4.0);
    let image = rendered(&mut window);
    let dark = rgb(&image, 1, 1);
    assert!(dark.iter().all(|&v| v < 8), "{dark:?}");
    for y in 0..340 {
        for x in 0..600 {
            assert_eq!(rgb(&image, x, y), dark, "at {x} {y}");
        }
    }
}

#[test]
fn view_shows_one_channel_as_grey() {
    let mut window = window(picture(600, 400, |_, _, c| [0.2, 0.4, 0.8][c]), None);
    for (channel, value) in [
        (Channel::Red, 0.2),
        (Channel::Green, 0.4),
        (Channel::Blue, 0.8),
    ] {
        window.state_mut().viewer.channel = channel;
        let image = rendered(&mut window);
        assert_eq!(rgb(&image, 50, 50), [byte(value); 3], "{channel:?}");
    }
}

#[test]
fn view_follows_the_colour_profile() {
    let profile = moxcms::ColorProfile::new_gray_with_gamma(1.0);
    let metadata = Metadata {
        icc: Some(profile.encode().unwrap()),
        ..Metadata::default()
    };
    let linear = Picture::new(600, 400, Colour::Grey, vec![0.2; 600 * 400]).unwrap();
    let mut window = window(linear.with_metadata(metadata), None);
    let image = rendered(&mut window);
    let expected = byte(1.055 * 0.2f32.powf(1.0 / 2.4) - 0.055);
    assert_near(rgb(&image, 300, 200), [expected; 3], 1, "linear grey");
    let under = window.state().before.profile_problem();
    assert_eq!(under, None);
}

#[test]
fn view_shows_paper_under_transparent_pixels() {
    let alpha = (0..600 * 400)
        .map(|i| if i % 600 < 300 { 0.0 } else { 1.0 })
        .collect();
    let see_through = flat(600, 400, 1.0).with_alpha(Some(alpha)).unwrap();
    let mut window = window(see_through, None);
    let image = rendered(&mut window);
    assert_eq!(rgb(&image, 450, 200), [255; 3]);
    let (a, b) = (rgb(&image, 4, 104), rgb(&image, 12, 104));
    assert!(a != b && a[0] < 240 && b[0] < 240, "{a:?} {b:?}");
}

#[test]
fn view_shows_a_preview_of_a_part_over_the_old_result() {
    let mut window = window(flat(600, 400, 0.2), Some(flat(600, 400, 0.8)));
    // Twice as many pixels on 100..300 x 50..150, as after super-resolution.
    let preview = picture(400, 200, |x, _, _| if x < 200 { 0.4 } else { 0.6 });
    let gpu = window.state().gpu.clone();
    let state = window.state_mut();
    state.viewer.mode = Mode::Flip;
    state.preview = Some((
        PictureView::new(&gpu, Arc::new(preview)),
        [100, 50, 300, 150],
    ));
    let image = rendered(&mut window);
    for (x, y, value) in [
        (99, 100, 0.8),
        (100, 100, 0.4),
        (199, 149, 0.4),
        (200, 50, 0.6),
        (299, 149, 0.6),
        (300, 100, 0.8),
        (200, 150, 0.8),
        (150, 49, 0.8),
    ] {
        assert_near(rgb(&image, x, y), [byte(value); 3], 0, &format!("{x} {y}"));
    }
    window.state_mut().strength = 0.5;
    let image = rendered(&mut window);
    assert_near(rgb(&image, 150, 100), [byte(0.3); 3], 1, "half a preview");
}

#[test]
fn view_shows_every_pixel_at_100_percent_of_an_enlarged_window() {
    let value = |x: usize, y: usize, c: usize| ((x * 7 + y * 3 + c * 50) % 256) as f32 / 255.0;
    let mut window = window_at(1.25, picture(700, 460, value), None);
    window.state_mut().viewer.zoom_to(1.0);
    let image = rendered(&mut window);
    // 750 x 500 screen pixels with the picture in the middle.
    for (x, y) in [(0, 0), (699, 459), (350, 17), (511, 300), (512, 301)] {
        let expected = [0, 1, 2].map(|c| byte(value(x, y, c)));
        assert_eq!(
            rgb(&image, x as u32 + 25, y as u32 + 20),
            expected,
            "at {x} {y}"
        );
    }
}
