//! Small models and pictures for tests.

use std::path::Path;

use serpent_engine::checkpoint::{Checkpoint, Precision, Task};
use serpent_engine::image::{Colour, Picture, SaveOptions};
use serpent_engine::network::{Network, NetworkConfig, Preset, initial_weights};

/// A few hundred weights, not trained but not the identity either.
pub fn small(change: impl Fn(&mut NetworkConfig)) -> Checkpoint {
    let mut model = identity(change);
    let size = model.config.size_multiple();
    let network = Network::build(&model.config, 1, size, size).unwrap();
    let last = network
        .parameters
        .iter()
        .position(|p| p.name == "head.conv.weight")
        .unwrap();
    for (i, w) in model.weights[last].iter_mut().enumerate() {
        *w = 0.02 * ((i as f32 * 0.618_034).fract() - 0.5);
    }
    model
}

/// The same, untrained: its last layer is zero, so it gives its input back.
pub fn identity(change: impl Fn(&mut NetworkConfig)) -> Checkpoint {
    let mut config = Preset::Tiny.config();
    config.channels = 8;
    config.depths = vec![1, 1, 1];
    config.states = 4;
    change(&mut config);
    let size = config.size_multiple();
    let network = Network::build(&config, 1, size, size).unwrap();
    Checkpoint {
        weights: initial_weights(&network.parameters, 5),
        task: if config.scale > 1 {
            Task::SuperResolve
        } else {
            Task::Denoise
        },
        config,
        recipe: serde_json::json!({"by": "a test"}),
        overlap: None,
    }
}

/// Saves a model in 32 bits.
pub fn save(model: &Checkpoint, path: &Path) {
    model.save(path, Precision::F32).unwrap();
}

/// A picture with smooth and rough parts.
pub fn picture(width: usize, height: usize) -> Picture {
    let samples = (0..width * height * 3).map(|i| {
        let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
        let wave = ((x as f32 * 0.07).sin() + (y as f32 * 0.05 + c as f32).cos()) * 0.2;
        0.5 + wave + 0.1 * ((i as f32 * 0.618_034).fract() - 0.5)
    });
    Picture::new(width, height, Colour::Rgb, samples.collect()).unwrap()
}

/// Saves a picture, making its folder.
pub fn save_picture(picture: &Picture, path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save(path, &SaveOptions::default()).unwrap();
}
