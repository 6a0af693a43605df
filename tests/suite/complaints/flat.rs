//! Flat in, flat out, and no shift of tone: every model that ships, on both executors. What is
//! exactly flat is kept as it was; how far the networks themselves are off is told, too, since
//! it is what nearly flat areas get.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serpent_engine::backend::Backend;
use serpent_engine::backend::wgpu::{DeviceRequest, WgpuBackend};
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::{Colour, Format, Picture};
use serpent_engine::metrics::psnr;
use serpent_engine::restore::{Device, ModelLibrary, Options, Region, Restorer, Shipped};

/// What flat colours may be off, of 255: the mean of three equal samples may round.
const FLAT_BOUND: f32 = 1e-4;

/// What a network by itself may be off on flat colours, of 255.
const NETWORK_BOUND: f32 = 1.0;

/// Models whose training left them further off, and how far they are let be: what was measured at
/// 16 levels, with some room. Trained anew, they should leave this list.
const SHORT_OF_IT: [(&str, f32); 4] = [
    ("deblur", 2.0),
    ("denoise-tiny", 1.5),
    ("jpeg", 1.8),
    ("photo", 1.8),
];

fn network_bound(name: &str) -> f32 {
    let known = SHORT_OF_IT.iter().find(|(model, _)| *model == name);
    known.map_or(NETWORK_BOUND, |(_, bound)| *bound)
}

/// What the mean of a photograph may be off, of 255.
const SHIFT_BOUND: f64 = 0.25;

/// What a graphics device may be off from the processor, of 255.
const DEVICE_BOUND: f32 = 0.5;

/// What keeping flat areas may cost on a slope that JPEG has made flat stairs of, in dB. It is less
/// where no stair reaches further than what counts as flat, so that of some slopes nothing is kept.
const STAIRS_BOUND: f64 = 0.7;

/// How far the slope climbs, and on how many pixels.
const SLOPE: (f32, usize) = (0.1, 256);

/// Side of flat pictures, where networks are measured, and where they have no say.
const SIDE: usize = 48;
const SMALL: usize = 16;

/// Side of what photographs become once they are restored.
const PHOTO: usize = 96;

/// A file or folder of the source tree.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join(name)
}

/// How many levels of grey: `SERPENT_LEVELS`, which 256 makes all of them.
fn levels(usual: usize) -> Vec<u8> {
    let asked = std::env::var("SERPENT_LEVELS").ok();
    let count = asked.map_or(usual, |n| n.parse().unwrap());
    (0..count).map(|i| (255 * i / (count - 1)) as u8).collect()
}

/// The result and the device that it was made on.
fn restored_on(restorer: &mut Restorer, picture: &Picture, options: &Options) -> (Picture, String) {
    let mut go_on = |_, _| ControlFlow::Continue(());
    let done = restorer.restore(picture, options, &mut go_on).unwrap();
    assert!(done.notes.is_empty(), "{:?}", done.notes);
    (done.picture, done.device)
}

fn restored(restorer: &mut Restorer, picture: &Picture) -> Picture {
    restored_on(restorer, picture, &Options::default()).0
}

/// What the network gives, also where the picture is flat.
fn by_network(restorer: &mut Restorer, picture: &Picture) -> Picture {
    let options = Options {
        keep_flat: false,
        ..Options::default()
    };
    restored_on(restorer, picture, &options).0
}

fn mean(p: &Picture) -> f64 {
    p.samples().iter().map(|&v| f64::from(v)).sum::<f64>() / p.samples().len() as f64
}

/// A photograph's middle.
pub fn middle(path: &Path, side: usize) -> Picture {
    let whole = Picture::open(path).unwrap();
    Region::middle(&whole, side, side).cut(&whole).unwrap()
}

/// Photographs: those of the source tree, or all of the folder `SERPENT_PHOTOS`.
fn photos() -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os("SERPENT_PHOTOS") else {
        return vec![
            source("assets/otters.png"),
            source("assets/otters-noisy.png"),
        ];
    };
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "png"))
        .collect();
    all.sort();
    all
}

fn flat(grey: u8, side: usize) -> Picture {
    let samples = vec![f32::from(grey) / 255.0; side * side * 3];
    Picture::new(side, side, Colour::Rgb, samples).unwrap()
}

/// The sample that is farthest from a level, of 255.
fn off(picture: &Picture, grey: u8) -> f32 {
    let level = f32::from(grey) / 255.0;
    let off = picture.samples().iter().map(|v| (v - level).abs());
    255.0 * off.fold(0.0, f32::max)
}

/// Models that are tried on a graphics device: software compiles the others' shaders for half a
/// minute each, so they come with `SERPENT_ALL_MODELS=1`.
fn on_graphics() -> Vec<(String, Arc<Checkpoint>)> {
    let all = std::env::var_os("SERPENT_ALL_MODELS").is_some();
    let mut models = models();
    models.retain(|(name, _)| all || name == "denoise-tiny");
    assert!(!models.is_empty());
    models
}

/// Every model that ships.
pub fn models() -> Vec<(String, Arc<Checkpoint>)> {
    let library = ModelLibrary::new(vec![source("models")]);
    let names = Shipped::built_in().models.keys();
    let load = |name: &String| Arc::new(library.load(Some(name)).unwrap().1);
    names.map(|name| (name.clone(), load(name))).collect()
}

/// The level of grey that is farthest off, and how far.
fn farthest(greys: &[u8], side: usize, mut restore: impl FnMut(&Picture) -> Picture) -> (f32, u8) {
    let mut most = (0f32, 0);
    for &grey in greys {
        let off = off(&restore(&flat(grey, side)), grey);
        most = if off > most.0 { (off, grey) } else { most };
    }
    most
}

#[test]
fn every_flat_grey_stays_what_it_is_with_every_model() {
    for (name, model) in models() {
        let mut restorer = Restorer::new(Arc::new(Device::cpu()), model).unwrap();
        let greys = levels(5);
        let most = farthest(&greys, SMALL, |p| restored(&mut restorer, p));
        println!(
            "{name}, {} levels: at most {:.6} of 255 off, at grey {}",
            greys.len(),
            most.0,
            most.1
        );
        assert!(most.0 <= FLAT_BOUND, "{name}: {most:?}");
    }
}

#[test]
fn networks_miss_flat_greys_by_no_more_than_is_told_and_shift_no_tone() {
    let mut wrong = Vec::new();
    for (name, model) in models() {
        let scale = model.config.scale;
        let mut restorer = Restorer::new(Arc::new(Device::cpu()), model).unwrap();
        let most = farthest(&levels(5), SIDE, |p| by_network(&mut restorer, p));
        let mut shift = (0f64, String::new());
        for path in photos() {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            // Noise is nothing that those are asked to enlarge.
            if scale > 1 && file.contains("noisy") {
                continue;
            }
            let picture = middle(&path, PHOTO / scale);
            let by = 255.0 * (mean(&by_network(&mut restorer, &picture)) - mean(&picture));
            if by.abs() > shift.0.abs() {
                shift = (by, file);
            }
        }
        println!(
            "{name}: at most {:.2} of 255 off, at grey {}; the mean shifts by at most {:.3}, of {}",
            most.0, most.1, shift.0, shift.1
        );
        if most.0 > network_bound(&name) || shift.0.abs() > SHIFT_BOUND {
            wrong.push(format!("{name}: {most:?}, {shift:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("; "));
}

/// Greys at which slopes begin, and the quality of JPEG: where keeping flat areas costs most, or all
/// by `SERPENT_ALL_SLOPES=1`. At quality 5 stairs are 0.078 high.
fn slopes() -> Vec<(f32, u8)> {
    if std::env::var_os("SERPENT_ALL_SLOPES").is_none() {
        return vec![(0.36, 5)];
    }
    let starts = [0.33, 0.345, 0.36, 0.375, 0.39];
    let all = |quality| starts.map(|start| (start, quality));
    [5, 10, 20].into_iter().flat_map(all).collect()
}

#[test]
fn keeping_flat_areas_costs_little_on_the_stairs_that_jpeg_makes_of_a_slope() {
    let library = ModelLibrary::new(vec![source("models")]);
    let model = Arc::new(library.load(Some("jpeg")).unwrap().1);
    let mut restorer = Restorer::new(Arc::new(Device::cpu()), model).unwrap();
    let (climb, side) = SLOPE;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slope.jpg");
    for (start, quality) in slopes() {
        let row = (0..side).map(|x| start + climb * x as f32 / (side - 1) as f32);
        let row: Vec<f32> = row.flat_map(|v| [v; 3]).collect();
        let slope = Picture::new(side, side, Colour::Rgb, row.repeat(side)).unwrap();
        std::fs::write(&path, slope.to_encoded(Format::Jpeg, quality).unwrap()).unwrap();
        let stairs = Picture::open(&path).unwrap();
        let near = |p: &Picture| psnr(p.samples(), slope.samples(), 1.0);
        let kept = near(&restored(&mut restorer, &stairs));
        let network = near(&by_network(&mut restorer, &stairs));
        println!(
            "quality {quality}, from {start}: {:.2} dB as it is, {kept:.2} restored, \
            {network:.2} by the network",
            near(&stairs)
        );
        // Else nothing is undone, and all would cost little.
        assert!(kept > near(&stairs) + 1.0, "quality {quality}, {start}");
        assert!(kept > network - STAIRS_BOUND, "quality {quality}, {start}");
    }
}

#[test]
fn every_model_gives_the_same_on_a_graphics_device() {
    let request = DeviceRequest {
        name: std::env::var("SERPENT_TEST_DEVICE").ok(),
        allow_software: true,
        ..Default::default()
    };
    let backend = WgpuBackend::open(&request).expect("the tests need a graphics device");
    let graphics = backend.name().to_owned();
    let device = Arc::new(Device::with(Arc::new(backend)));
    let otters = middle(&source("assets/otters.png"), SIDE);
    for (name, model) in on_graphics() {
        let mut there = Restorer::new(device.clone(), model.clone()).unwrap();
        let mut here = Restorer::new(Arc::new(Device::cpu()), model).unwrap();
        let network = Options {
            keep_flat: false,
            ..Options::default()
        };
        for (what, picture) in [
            ("grey", flat(128, SIDE)),
            ("white", flat(255, SIDE)),
            ("otters", otters.clone()),
        ] {
            let (a, made_on) = restored_on(&mut there, &picture, &network);
            assert_eq!(made_on, graphics, "{name}, {what}");
            let b = by_network(&mut here, &picture);
            let pairs = a.samples().iter().zip(b.samples());
            let apart = 255.0 * pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{name}, {what}: {apart:.6} of 255 from the processor");
            assert!(apart < DEVICE_BOUND, "{name}, {what}: {apart}");
        }
        let most = farthest(&levels(5), SIDE, |p| restored(&mut there, p));
        assert!(most.0 <= FLAT_BOUND, "{name}: {most:?}");
    }
}
