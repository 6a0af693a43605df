//! The models that come with the program: what their files must be, what their tiles must share.
//!
//! `models/shipped.toml` is compiled in. `serpent models --card` writes it, from the files
//! themselves and from measuring; nothing in it is typed by hand.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How far tiles are from the whole picture at one overlap; errors in levels of 255.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileError {
    /// Pixels of the network's input that tiles share.
    pub overlap: usize,
    /// Of a gradient, the sample that is farthest off.
    pub gradient: f64,
    /// Of a flat colour.
    pub flat: f64,
    /// Of a photograph with what the model undoes.
    pub photo: f64,
    /// PSNR of the tiled photograph against the whole one, in dB.
    pub photo_db: f64,
    /// Of a gradient with one white pixel, far from where tiles meet.
    pub glare: f64,
}

impl TileError {
    /// What gradients and flat colours may be off.
    pub const SMOOTH_BOUND: f64 = 1.0;
    /// What a sample of a photograph may be off.
    pub const PHOTO_BOUND: f64 = 4.0;
    /// How close a photograph must be as a whole, in dB.
    pub const PHOTO_DB_BOUND: f64 = 55.0;

    /// Whether this is close enough to the whole. A white pixel in something smooth is not asked
    /// for: some models feel it across the whole picture, at any overlap.
    pub fn within_bounds(&self) -> bool {
        self.gradient <= Self::SMOOTH_BOUND
            && self.flat <= Self::SMOOTH_BOUND
            && self.photo <= Self::PHOTO_BOUND
            && self.photo_db >= Self::PHOTO_DB_BOUND
    }
}

/// One model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippedModel {
    /// SHA-256 of its file, as hexadecimal digits.
    pub sha256: String,
    /// Pixels of the network's input that its tiles share.
    pub overlap: usize,
    /// What was measured, by ascending overlap.
    pub tiles: Vec<TileError>,
}

impl ShippedModel {
    /// The smallest overlap within the bounds; the widest measured where none is.
    pub fn choose(sha256: String, tiles: Vec<TileError>) -> Self {
        let enough = tiles.iter().find(|t| t.within_bounds()).or(tiles.last());
        Self {
            sha256,
            overlap: enough.map_or(super::tiles::OVERLAP, |t| t.overlap),
            tiles,
        }
    }

    /// What was measured at the overlap that is used.
    pub fn error(&self) -> Option<&TileError> {
        self.tiles.iter().find(|t| t.overlap == self.overlap)
    }
}

/// All of them, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shipped {
    /// By the name of the file without extension.
    pub models: BTreeMap<String, ShippedModel>,
}

impl Shipped {
    /// What this program was built with.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<Shipped> = OnceLock::new();
        // A test reads the file; were it damaged, no model would be known, and none refused.
        BUILT_IN.get_or_init(|| {
            Self::parse(include_str!("../../../models/shipped.toml")).unwrap_or_default()
        })
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// What the text has wrong.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The file's text.
    ///
    /// # Errors
    /// A number that TOML cannot hold.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        let head = "# The models that come with the program: SHA-256 of their files, and how far tiles are from the whole\n\
            # picture at several overlaps (levels of 255, dB). Written by `serpent models --card`; docs/reliability.md.\n\n";
        Ok(head.to_owned() + &toml::to_string(self)?)
    }

    /// The model that a file with this hash is.
    pub fn with_hash(&self, sha256: &str) -> Option<&ShippedModel> {
        self.models.values().find(|m| m.sha256 == sha256)
    }
}

/// SHA-256 as hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(overlap: usize, gradient: f64, photo: f64) -> TileError {
        TileError {
            overlap,
            gradient,
            flat: 0.1,
            photo,
            photo_db: 60.0,
            glare: 9.0,
        }
    }

    #[test]
    fn the_smallest_overlap_within_the_bounds_is_taken() {
        let choose = |tiles: &[TileError]| ShippedModel::choose(String::new(), tiles.to_vec());
        let three = [at(32, 0.9, 4.1), at(64, 0.8, 3.9), at(96, 0.1, 0.1)];
        assert_eq!(choose(&three).overlap, 64);
        assert_eq!(choose(&three).error(), Some(&three[1]));
        let none = [at(32, 1.1, 1.0), at(64, 1.2, 1.0)];
        assert_eq!(choose(&none).overlap, 64);
        let blurred = TileError {
            photo_db: 54.9,
            ..at(32, 0.1, 0.1)
        };
        assert_eq!(choose(&[blurred, at(48, 0.1, 0.1)]).overlap, 48);
    }

    #[test]
    fn what_is_built_in_can_be_read_and_was_chosen_by_the_bounds() {
        let text = include_str!("../../../models/shipped.toml");
        let all = Shipped::parse(text).unwrap();
        assert_eq!(&all, Shipped::built_in());
        assert_eq!(all.to_text().unwrap(), text);
        for (name, model) in &all.models {
            let again = ShippedModel::choose(model.sha256.clone(), model.tiles.clone());
            assert_eq!(model, &again, "{name}");
            assert!(model.sha256.len() == 64, "{name}: {}", model.sha256);
        }
    }

    #[test]
    fn sha256_is_that_of_the_standard() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
    }
}
