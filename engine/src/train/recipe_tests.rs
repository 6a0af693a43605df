//! The shipped recipes, tried out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::backend::cpu::CpuBackend;
use crate::checkpoint::{Checkpoint, Task};
use crate::image::{Colour, Picture, SaveOptions};
use crate::network::size;

fn recipes() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/recipes");
    let files = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = files.map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// Stripes and noise.
fn photograph(path: &Path, side: usize) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let samples = (0..side * side * 3).map(|i| {
        let (x, y) = (i / 3 % side, i / 3 / side);
        0.5 + 0.3 * (x as f32 * 0.3 + y as f32 * 0.1).sin()
            + 0.1 * ((i as f32 * 0.618_034).fract() - 0.5)
    });
    let picture = Picture::new(side, side, Colour::Rgb, samples.collect()).unwrap();
    picture.save(path, &SaveOptions::default()).unwrap();
}

#[test]
fn every_shipped_recipe_is_sound_and_names_its_command() {
    let drunet = 143e9;
    for path in recipes() {
        let name = name(&path);
        let config = TrainConfig::load(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!("serpent train models/recipes/{name}.toml")));
        assert_eq!(config.output.file_name().unwrap(), &*name);
        // Two directions, all four by turns, and tied decays (docs/training.md); widths that
        // tensor cores take; under a tenth of DRUNet's cost.
        let network = config.network.config();
        let switches = (network.directions, network.alternating, network.tied_decay);
        assert_eq!(switches, (2, true, true), "{name}");
        assert!(network.channels.is_multiple_of(16), "{name}");
        let size = size(&network).unwrap();
        assert!(
            (size.cost.dense_macs as f64) < drunet / 10.0,
            "{name}: {size:?}"
        );
        assert_eq!(
            network.scale > 1,
            config.task == Task::SuperResolve,
            "{name}"
        );
        assert!(config.validation.is_some(), "{name}");
    }
}

#[test]
fn every_shipped_recipe_trains() {
    // As shipped, but for a narrower network from random weights, small crops of made-up photographs and two steps.
    let desk = tempfile::tempdir().unwrap();
    photograph(&desk.path().join("photos/a.png"), 160);
    photograph(&desk.path().join("validation/b.png"), 160);
    let paths = recipes();
    assert!(paths.len() >= 8, "{paths:?}");
    for path in paths {
        let name = name(&path);
        let mut config = TrainConfig::load(&path).unwrap();
        // Weights to begin with are a wider network's: it is enough that they ship.
        if let Some(start) = config.start.take() {
            assert!(config.folder.join(start).is_file(), "{name}");
        }
        config.folder = desk.path().to_owned();
        config.output = PathBuf::from(&name);
        config.steps = 2;
        config.network.channels = Some(4);
        config.data.folders = vec!["photos".into()];
        config.data.crop = 8;
        config.data.batch = 2;
        config.data.margin = config.data.margin.min(4);
        config.data.threads = 1;
        let validation = config.validation.as_mut().unwrap();
        (validation.folder, validation.crop) = ("validation".into(), 16);
        let stop = AtomicBool::new(false);
        let options = Options::default();
        let done = run(&config, &options, &CpuBackend, &stop, &mut |_| ()).unwrap();
        assert_eq!((done.stopped, done.step), (Stopped::Done, 2), "{name}");
        assert!(done.validation_psnr.unwrap().is_finite(), "{name}");
        let model = Checkpoint::load(&done.model).unwrap();
        assert_eq!(model.task, config.task, "{name}");
        assert_eq!(model.config, config.network.config(), "{name}");
    }
}

#[test]
fn crops_without_colour_are_as_many_as_asked_for() {
    let mut config = super::tests::config();
    config.data.grey = 0.4;
    config.degradations = Vec::new();
    let rgb = (0..40 * 40 * 3).map(|i| (i * 37 % 251) as u8).collect();
    let photo = Photo {
        width: 40,
        height: 40,
        rgb,
    };
    let photos = Photos {
        photos: vec![photo],
        ..Photos::default()
    };
    let sampler = Sampler::new(&config, Arc::new(photos));
    let grey = (1..=100).flat_map(|step| {
        let target = sampler.batch(step).unwrap().target;
        let crops: Vec<bool> = target
            .chunks(16 * 16 * 3)
            .map(|crop| {
                crop.as_chunks::<3>()
                    .0
                    .iter()
                    .all(|p| p[0] == p[1] && p[1] == p[2])
            })
            .collect();
        crops
    });
    let share = grey.filter(|&g| g).count() as f64 / 300.0;
    assert!((share - 0.4).abs() < 0.1, "{share}");
}

#[test]
fn a_rehearsal_says_what_a_run_would_be() {
    let desk = tempfile::tempdir().unwrap();
    photograph(&desk.path().join("photos/a.png"), 64);
    std::fs::write(desk.path().join("photos/broken.png"), "no picture").unwrap();
    let mut config = super::tests::config();
    config.folder = desk.path().to_owned();
    let seen = rehearse(&config, std::time::Duration::ZERO).unwrap();
    assert_eq!(
        (seen.photographs, seen.skipped.len(), seen.crops),
        (1, 1, 3)
    );
    assert_eq!(seen.network, size(&config.network.config()).unwrap());
    assert!(seen.crops_per_second() > 0.0);
}
