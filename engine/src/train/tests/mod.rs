//! Trainings of a few steps on a device that is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod data;
mod ends;
mod fake;
mod resumed;
mod starts;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::*;
use fake::Fake;

pub(super) fn config() -> super::TrainConfig {
    toml::from_str(
        r#"
        task = "denoise"
        steps = 30
        seed = 5
        output = "run"
        degradations = [{ kind = "noise", sigma = [0.0, 50.0] }]
        [network]
        channels = 4
        depths = [1, 1]
        states = 2
        [data]
        folders = ["photos"]
        crop = 16
        batch = 3
        threads = 2
        [intervals]
        log = 4
        validate = 10
        [validation]
        folder = "validation"
        crop = 32
        "#,
    )
    .unwrap()
}

/// A folder with a few small photographs, an unusable file, and a configuration for it.
fn scene() -> (tempfile::TempDir, TrainConfig) {
    let folder = tempfile::tempdir().unwrap();
    for (name, count) in [("photos", 3u32), ("validation", 2)] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        for i in 0..count {
            let picture = image::RgbImage::from_fn(40 + i, 37, |x, y| {
                image::Rgb([(x * 5 + i * 40) as u8, (y * 6) as u8, ((x * y) % 256) as u8])
            });
            picture
                .save(folder.path().join(format!("{name}/{i}.png")))
                .unwrap();
        }
    }
    std::fs::write(folder.path().join("photos/broken.jpg"), b"not a picture").unwrap();
    let mut config = config();
    config.folder = folder.path().to_owned();
    (folder, config)
}

fn train(
    config: &TrainConfig,
    resume: bool,
    backend: &Fake,
    mut on_event: impl FnMut(&Event, &AtomicBool),
) -> Result<Finished, TrainError> {
    let stop = AtomicBool::new(false);
    let options = Options {
        resume,
        time_limit: None,
    };
    run(config, &options, backend, &stop, &mut |e| {
        on_event(&e, &stop)
    })
}

/// The log without clocks.
fn losses(path: &Path) -> Vec<(u64, u32, u32, u32)> {
    let log = Log::open(path, u64::MAX).unwrap();
    let lines = log.lines.iter().filter_map(|line| match *line {
        LogLine::Step {
            step,
            loss,
            gradient_norm,
            learning_rate,
            ..
        } => Some((
            step,
            loss.to_bits(),
            gradient_norm.to_bits(),
            learning_rate.to_bits(),
        )),
        LogLine::Validation { .. } => None,
    });
    lines.collect()
}
