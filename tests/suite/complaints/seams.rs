//! The models that ship, in tiles: no seams, no shift of tone.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serpent_engine::image::{Colour, Picture};
use serpent_engine::metrics::psnr;
use serpent_engine::restore::{
    Device, ModelLibrary, Options, Region, Restorer, Shipped, influence, load_any,
};

const LEVEL: f32 = 1.0 / 255.0;

fn source(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join(name)
}

fn shipped() -> Restorer {
    let model = load_any(&source("models/denoise-base.safetensors")).unwrap();
    Restorer::new(Arc::new(Device::cpu()), Arc::new(model)).unwrap()
}

/// What the network gives in tiles of at most `tile`, and how many those are.
fn in_tiles(restorer: &mut Restorer, picture: &Picture, tile: usize) -> (Picture, usize) {
    let options = Options {
        tile,
        memory: u64::MAX,
        // The network is what tiles may harm.
        keep_flat: false,
        ..Options::default()
    };
    let mut tiles = 0;
    let mut count = |_, total| {
        tiles = total;
        ControlFlow::Continue(())
    };
    let done = restorer.restore(picture, &options, &mut count).unwrap();
    (done.picture, tiles)
}

fn restore(restorer: &mut Restorer, picture: &Picture, tile: usize) -> Picture {
    in_tiles(restorer, picture, tile).0
}

fn rgb(width: usize, height: usize, sample: impl Fn(usize, usize, usize) -> f32) -> Picture {
    let samples = (0..width * height * 3).map(|i| sample(i / 3 % width, i / 3 / width, i % 3));
    Picture::new(width, height, Colour::Rgb, samples.collect()).unwrap()
}

/// A photograph's middle, the noisy one or the clean.
fn photo(name: &str, width: usize, height: usize) -> Picture {
    let all = Picture::open(source(name)).unwrap();
    Region::middle(&all, width, height).cut(&all).unwrap()
}

fn worst(a: &Picture, b: &Picture) -> f32 {
    let pairs = a.samples().iter().zip(b.samples());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn mean(p: &Picture) -> f64 {
    p.samples().iter().map(|&v| f64::from(v)).sum::<f64>() / p.samples().len() as f64
}

#[test]
fn tiles_of_the_shipped_model_stay_by_the_whole_on_gradients_flats_and_photographs() {
    let mut restorer = shipped();
    let (width, height) = (320, 200);
    let ramp = rgb(width, height, |x, y, c| {
        0.1 + 0.8 * [x as f32 / 320.0, y as f32 / 200.0, 1.0 - x as f32 / 320.0][c]
    });
    // Of 255, for the sample that is farthest off. In a noisy picture every pixel of the part that
    // a tile does not see has its small say.
    for (what, picture, bound) in [
        ("gradient", ramp, 1.0),
        (
            "flat",
            rgb(width, height, |_, _, c| [0.25, 0.5, 0.7][c]),
            1.0,
        ),
        (
            "noisy photograph",
            photo("assets/otters-noisy.png", width, height),
            4.0,
        ),
    ] {
        let whole = restore(&mut restorer, &picture, 0);
        let tiled = restore(&mut restorer, &picture, 240);
        let (off, change) = (worst(&whole, &tiled), worst(&whole, &picture));
        let shift = (mean(&whole) - mean(&tiled)).abs();
        let close = psnr(whole.samples(), tiled.samples(), 1.0);
        println!(
            "{what}: at most {:.3} of 255 from the whole, {close:.1} dB, mean {:.4}; the model changes up to {:.1}",
            255.0 * off,
            255.0 * shift,
            255.0 * change
        );
        assert!(off < bound * LEVEL, "{what}: {}", 255.0 * off);
        assert!(close > 55.0, "{what}: {close} dB");
        assert!(shift < 0.1 * f64::from(LEVEL), "{what}");
    }
}

#[test]
fn tiles_of_every_model_are_as_close_as_the_table_says() {
    // As `serpent models --card` measures, two tiles beside each other; of a gradient and a flat
    // colour the one that the table has as worse.
    let (width, tile) = (560, 512);
    let library = ModelLibrary::new(vec![source("models")]);
    for (name, known) in &Shipped::built_in().models {
        let (_, model) = library.load(Some(name)).unwrap();
        assert_eq!(model.overlap, Some(known.overlap), "{name}");
        let error = known.error().unwrap();
        let widest = known.tiles.last().unwrap().overlap == known.overlap;
        assert!(error.within_bounds() || widest, "{name}");
        // Half of that suffices where the result is largest, and with it the work.
        let height = if model.config.scale > 2 { 48 } else { 96 };
        let mut restorer = Restorer::new(Arc::new(Device::cpu()), Arc::new(model)).unwrap();
        let (what, picture, table) = match error.gradient > error.flat {
            true => {
                let ramp = rgb(width, height, |x, y, c| {
                    let (x, y) = (x as f32 / width as f32, y as f32 / height as f32);
                    0.1 + 0.8 * [x, y, 1.0 - x][c]
                });
                ("gradient", ramp, error.gradient)
            }
            false => {
                let flat = rgb(width, height, |_, _, c| [0.25, 0.5, 0.7][c]);
                ("flat", flat, error.flat)
            }
        };
        let (whole, one) = in_tiles(&mut restorer, &picture, width);
        let (tiled, two) = in_tiles(&mut restorer, &picture, tile);
        assert_eq!((one, two), (1, 2), "{name}");
        let off = 255.0 * f64::from(worst(&whole, &tiled));
        println!("{name}, {what}: at most {off:.2} of 255 from the whole, table {table}");
        assert!(off <= table + 0.05, "{name}, {what}: {off}, table {table}");
    }
}

#[test]
fn every_model_file_is_the_one_that_is_listed_and_its_card_says_so() {
    let library = ModelLibrary::new(vec![source("models")]);
    let there = library.list();
    let listed: Vec<&String> = Shipped::built_in().models.keys().collect();
    let names: Vec<&String> = there.iter().map(|m| &m.name).collect();
    assert_eq!(
        names, listed,
        "run serpent models --card NAME for what is new"
    );
    for entry in &there {
        let model = entry.load().unwrap();
        let known = &Shipped::built_in().models[&entry.name];
        assert_eq!(model.overlap, Some(known.overlap));
        let card = std::fs::read_to_string(entry.path.with_extension("md")).unwrap();
        let name = &entry.name;
        assert!(
            card.contains(&known.sha256),
            "the card of {name} has another hash"
        );
        let overlap = format!("| overlap of tiles | {} pixels", known.overlap);
        assert!(
            card.contains(&overlap),
            "the card of {name} has another overlap"
        );
    }
}

#[test]
fn a_pixel_reaches_no_further_than_tiles_overlap() {
    let mut restorer = shipped();
    let picture = photo("assets/otters-noisy.png", 176, 176);
    let mut go_on = |_, _| ControlFlow::Continue(());
    let found = influence(&mut restorer, &picture, &[(89, 87)], &mut go_on).unwrap();
    println!(
        "reach {}, {:.3} of 255 from 64 on",
        found.reach(),
        255.0 * found.beyond(64)
    );
    assert!(found.reach() > 4, "the model looks around: {found:?}");
    assert!(found.reach() <= 64, "{found:?}");
}
