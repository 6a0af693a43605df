#![allow(clippy::unwrap_used, clippy::panic)]
//! The bounded loops: few runs in everyday tests, as many as `SERPENT_FUZZ_RUNS` says by hand,
//! from the seed `SERPENT_FUZZ_SEED`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serpent_engine::checkpoint::Precision;
use serpent_engine::image::{BitDepth, Colour, Picture, SaveOptions};

use super::*;

fn number(variable: &str, usual: u64) -> u64 {
    let said = std::env::var(variable).ok();
    said.map_or(usual, |text| text.parse().unwrap())
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = folder(target)
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|p| std::fs::read(p).unwrap()).collect()
}

/// Runs a target over damaged files; a panic names the file that shows it.
fn run(target: &str, function: fn(&[u8]), usual: u64, mut sound: impl FnMut(&[u8]) -> bool) {
    let runs = number("SERPENT_FUZZ_RUNS", usual);
    let seed = number("SERPENT_FUZZ_SEED", 1);
    let corpus = corpus(target);
    for whole in &corpus {
        function(whole);
        assert!(sound(whole), "every file of the corpus is whole");
    }
    let mut mutator = Mutator::new(corpus, seed);
    // Panics inside decoders are caught and no news.
    std::panic::set_hook(Box::new(|_| ()));
    let (start, mut taken) = (Instant::now(), 0u64);
    for i in 0..runs {
        let bytes = mutator.next_file();
        let ran = std::panic::catch_unwind(|| function(&bytes));
        if let Err(panic) = ran {
            let path = std::env::temp_dir().join(format!("serpent-fuzz-{target}-{seed}-{i}"));
            std::fs::write(&path, &bytes).unwrap();
            let said = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            let _ = std::panic::take_hook();
            panic!(
                "{target}: run {i} of seed {seed}: {said:?}; see {}",
                path.display()
            );
        }
        // How many get past the first check: damage that is refused at once tests little.
        if i % 16 == 0 {
            taken += u64::from(sound(&bytes));
        }
    }
    let _ = std::panic::take_hook();
    let share = 1600.0 * taken as f64 / runs as f64;
    println!(
        "{target}: {runs} runs in {:.1} s, {share:.1} % of the files were taken",
        start.elapsed().as_secs_f64()
    );
    assert!(share > 1.0, "the damage is too great to test anything");
}

#[test]
fn damaged_model_files_do_no_harm() {
    let sound = |b: &[u8]| Checkpoint::from_bytes(b, Path::new("x")).is_ok();
    run("checkpoint", checkpoint, 6_000, sound);
}

#[test]
fn damaged_configurations_do_no_harm() {
    let sound = |b: &[u8]| {
        let text = std::str::from_utf8(b).unwrap_or_default();
        serde_json::from_str::<NetworkConfig>(text).is_ok()
            || toml::from_str::<TrainConfig>(text).is_ok()
    };
    run("configuration", configuration, 20_000, sound);
}

#[test]
fn damaged_pictures_do_no_harm_from_decoding_to_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let sound = |b: &[u8]| {
        std::fs::write(&path, b).unwrap();
        Picture::open(&path).is_ok()
    };
    run("picture", picture, 2_000, sound);
}

/// Not a test: writes the corpus anew, when `SERPENT_FUZZ_CORPUS` is set. AVIF, which is not written
/// here, comes from the engine's tests.
#[test]
fn write_corpus() {
    if std::env::var_os("SERPENT_FUZZ_CORPUS").is_none() {
        return;
    }
    for target in ["checkpoint", "configuration", "picture"] {
        std::fs::create_dir_all(folder(target)).unwrap();
    }
    let model = tiny().unwrap();
    for (name, precision) in [("f16", Precision::F16), ("f32", Precision::F32)] {
        model
            .save(folder("checkpoint").join(name), precision)
            .unwrap();
    }
    let json = serde_json::to_string(&model.config).unwrap();
    std::fs::write(folder("configuration").join("network.json"), json).unwrap();
    let avif = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/src/image/tests/avif");
    for name in ["420-8.avif", "alpha-10.avif", "pq.avif", "told.avif"] {
        std::fs::copy(avif.join(name), folder("picture").join(name)).unwrap();
    }
    for format in ["png", "jpg", "webp", "tif", "bmp"] {
        for (name, colour, alpha, depth) in [
            ("grey", Colour::Grey, false, BitDepth::Eight),
            ("rgba16", Colour::Rgb, true, BitDepth::Sixteen),
        ] {
            let (width, height) = (9, 6);
            let samples =
                (0..width * height * colour.channels()).map(|i| (i as f32 * 0.618).fract());
            let alpha = alpha.then(|| (0..width * height).map(|i| i as f32 / 54.0).collect());
            let picture = Picture::new(width, height, colour, samples.collect())
                .unwrap()
                .with_alpha(alpha)
                .unwrap()
                .with_depth(depth);
            let path = folder("picture").join(format!("{name}.{format}"));
            picture.save(path, &SaveOptions::default()).unwrap();
        }
    }
}
