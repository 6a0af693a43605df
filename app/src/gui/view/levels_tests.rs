//! Every level is the mean of the pixels under it, and tiles fit each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn levels(width: usize, height: usize, value: impl Fn(usize, usize) -> f32) -> Levels {
    let samples = (0..width * height)
        .map(|i| value(i % width, i / width))
        .collect();
    let picture = Picture::new(width, height, Colour::Grey, samples)
        .unwrap()
        .with_depth(BitDepth::Sixteen);
    let mut levels = Levels::new(Arc::new(picture), ColourTransform::default());
    while !levels.complete() {
        levels.advance();
    }
    levels
}

#[test]
fn tiles_and_parents_cover_the_picture() {
    let grid = Grid {
        width: 12000,
        height: 9001,
    };
    assert_eq!(grid.top(), 4);
    assert_eq!(grid.size(4), (750, 563));
    for level in 0..grid.top() {
        let (width, height) = grid.size(level);
        let (columns, rows) = (width.div_ceil(SIDE), height.div_ceil(SIDE));
        for (x, y) in [(0, 0), (columns - 1, rows - 1), (columns / 2, rows / 3)] {
            let key = Key { level, x, y };
            let parent = grid.parent(key).unwrap();
            let (own, up) = (grid.bounds(key), grid.bounds(parent));
            assert!(own[0] < own[2] && own[1] < own[3]);
            assert!(2 * up[0] <= own[0] && 2 * up[1] <= own[1]);
            assert!(2 * up[2] >= own[2] && 2 * up[3] >= own[3]);
        }
    }
}

#[test]
fn every_level_keeps_the_mean_of_its_pixels() {
    // A ramp's mean over a block is its value in the block's middle.
    let ramp = |x: usize, y: usize| (x as f32 + 2.0 * y as f32) / 20000.0;
    let levels = levels(4501, 2300, ramp);
    assert_eq!(levels.grid().top(), 3);
    for level in 0..=3u32 {
        let side = (1 << level) as f32;
        let tile = levels.tile(Key { level, x: 0, y: 0 });
        for (x, y) in [(0usize, 0usize), (100, 40), (250, 200)] {
            let got = tile.data[(y + 1) * tile.width as usize + x + 1][1].to_f32();
            let middle = |v: usize| (v as f32 + 0.5) * side - 0.5;
            let expected = (middle(x) + 2.0 * middle(y)) / 20000.0;
            assert!(
                (got - expected).abs() < expected.max(0.01) * 2e-3,
                "level {level} at {x} {y}: {got} for {expected}"
            );
        }
    }
}

#[test]
fn the_edge_around_a_tile_is_its_neighbours() {
    let levels = levels(1300, 1100, |x, y| ((x * 7 + y * 13) % 1024) as f32 / 1024.0);
    let (left, right) = (
        levels.tile(Key {
            level: 0,
            x: 0,
            y: 1,
        }),
        levels.tile(Key {
            level: 0,
            x: 1,
            y: 1,
        }),
    );
    let row =
        |t: &Texels, y: usize| t.data[y * t.width as usize..(y + 1) * t.width as usize].to_vec();
    for y in [0, 5, 513] {
        let (l, r) = (row(&left, y), row(&right, y));
        assert_eq!(l[512..514], r[0..2]);
    }
    assert_eq!(
        row(&left, 1)[0],
        row(&left, 1)[1],
        "the picture's edge repeats"
    );
}

#[test]
fn transparent_pixels_lend_no_colour() {
    // White that cannot be seen beside black that can.
    let picture = Picture::new(2, 1, Colour::Grey, vec![1.0, 0.0])
        .unwrap()
        .with_alpha(Some(vec![0.0, 1.0]))
        .unwrap();
    let mean = averaged(&picture, 1, 0, 0);
    assert_eq!(mean, [0.0, 0.0, 0.0, 0.5]);
}
