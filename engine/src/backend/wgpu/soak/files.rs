//! A folder of pictures of all kinds, broken ones among them, and what must become of each.

use std::path::{Path, PathBuf};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::image::{BitDepth, Colour, Format, Picture, SaveOptions};

/// What must become of a file, if nobody cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is restored: width and height.
    Good(usize, usize),
    /// It fails.
    Bad,
    /// Either: it is damaged, or went away at some moment.
    Either,
}

/// A file to restore.
pub(super) struct Source {
    pub path: PathBuf,
    pub fate: Fate,
    /// What is in it; nothing once it was taken away.
    pub bytes: Option<Vec<u8>>,
}

/// Makes `count` files in the folder and one inside it.
pub(super) fn make(folder: &Path, count: usize, rng: &mut ChaCha8Rng) -> Vec<Source> {
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    (0..count).map(|i| file(folder, i, rng)).collect()
}

fn file(folder: &Path, number: usize, rng: &mut ChaCha8Rng) -> Source {
    let inner = if rng.random_bool(0.3) { "deep" } else { "" };
    let format = any_format(rng);
    let name = format!("{number:02} ü.{}", format.extension());
    let path = folder.join(inner).join(name);
    let fate = whole(&path, rng);
    let bytes = std::fs::read(&path).unwrap();
    let (bytes, fate) = match rng.random_range(0..20) {
        0 => (Vec::new(), Fate::Bad),
        1 => (b"<html>no picture</html>".to_vec(), Fate::Bad),
        2 => {
            let kept = bytes.len() * rng.random_range(5..95) / 100;
            (bytes[..kept].to_vec(), Fate::Either)
        }
        3 => {
            let mut bytes = bytes;
            for _ in 0..rng.random_range(1..20) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            (bytes, Fate::Either)
        }
        _ => (bytes, fate),
    };
    std::fs::write(&path, &bytes).unwrap();
    Source {
        path,
        fate,
        bytes: Some(bytes),
    }
}

/// Saves a picture of any kind there.
fn whole(path: &Path, rng: &mut ChaCha8Rng) -> Fate {
    loop {
        let picture = picture(rng);
        // Where files may not be long, a smaller one.
        if picture.save(path, &SaveOptions::default()).is_ok() {
            return Fate::Good(picture.width(), picture.height());
        }
    }
}

/// A picture of any size, colour and depth, nowhere dark.
pub(super) fn picture(rng: &mut ChaCha8Rng) -> Picture {
    // Small ones mostly; some of a single pixel or line.
    let most: usize = [1, 12, 40, 40, 90, 90, 160][rng.random_range(0..7)];
    let (width, height) = (
        rng.random_range(1..=most),
        rng.random_range(1..=(2 * most).min(160)),
    );
    let colour = match rng.random_bool(0.2) {
        true => Colour::Grey,
        false => Colour::Rgb,
    };
    let (phase, noise) = (rng.random_range(0.0..6.0), rng.random_range(0.0..0.2));
    let samples = (0..width * height * colour.channels()).map(|i| {
        let wave = (i as f32 / (colour.channels() * width) as f32 * 0.1 + phase).sin();
        0.5 + 0.2 * wave + noise * (rng.random::<f32>() - 0.5)
    });
    let picture = Picture::new(width, height, colour, samples.collect()).unwrap();
    let picture = match rng.random_bool(0.2) {
        true => picture.with_depth(BitDepth::Sixteen),
        false => picture,
    };
    match rng.random_bool(0.15) {
        true => {
            let alpha = (0..width * height).map(|_| rng.random::<f32>()).collect();
            picture.with_alpha(Some(alpha)).unwrap()
        }
        false => picture,
    }
}

/// Any format to write, or that of each input.
pub(super) fn format(rng: &mut ChaCha8Rng) -> Option<Format> {
    rng.random_bool(0.4).then(|| any_format(rng))
}

fn any_format(rng: &mut ChaCha8Rng) -> Format {
    Format::WRITABLE[rng.random_range(0..Format::WRITABLE.len())]
}
