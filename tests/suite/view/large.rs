//! Pictures larger than a texture may be.

use std::time::Instant;

use super::*;

/// Different everywhere, and smooth enough to be told apart when zoomed out.
fn value(x: usize, y: usize, c: usize) -> f32 {
    ((x / 5 + y / 3 * 2 + c * 60) % 256) as f32 / 255.0
}

#[test]
fn view_shows_the_far_corner_of_a_picture_larger_than_a_texture() {
    let (width, height) = (9001, 1203);
    let mut window = window(picture(width, height, value), None);
    window.state_mut().viewer.zoom_to(1.0);
    settle(&mut window);
    let pan = |window: &mut Window, x: f64| {
        let sizes = ([600.0, 400.0], [width as f64, height as f64]);
        window
            .state_mut()
            .viewer
            .camera
            .pan([x, x], sizes.0, sizes.1);
    };
    pan(&mut window, -1e6);
    let image = rendered(&mut window);
    let seen = window.state().seen.clone().unwrap();
    assert_eq!(seen.region, [width - 600, height - 400, width, height]);
    for (x, y) in [(0, 0), (599, 399), (599, 0), (300, 200), (87, 311)] {
        let expected = [0, 1, 2].map(|c| byte(value(width - 600 + x, height - 400 + y, c)));
        assert_eq!(rgb(&image, x as u32, y as u32), expected, "at {x} {y}");
    }
    // Back and forth again uploads nothing.
    pan(&mut window, 1e6);
    rendered(&mut window);
    let uploads = window.state().before.uploads();
    for x in [-1e6, 1e6] {
        pan(&mut window, x);
        rendered(&mut window);
    }
    assert_eq!(window.state().before.uploads(), uploads);
}

#[test]
fn a_large_picture_is_there_coarsely_before_it_is_there_sharply() {
    let before = picture(6000, 4000, |x, _, _| x as f32 / 6000.0);
    let mut window = unsettled(1.0, before, None);
    let start = Instant::now();
    while window.state().before.uploads() == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "no pixels");
        std::thread::sleep(Duration::from_millis(1));
        window.step();
    }
    assert!(
        !window.state().before.is_settled(),
        "the preview is not all"
    );
    window.step();
    let coarse = window.render().unwrap();
    let sharp = rendered(&mut window);
    for x in [50, 200, 400, 550] {
        let expected = [byte(x as f32 / 600.0); 3];
        assert_near(rgb(&coarse, x, 200), expected, 3, "preview");
        assert_near(rgb(&sharp, x, 200), expected, 1, "sharp");
    }
}
