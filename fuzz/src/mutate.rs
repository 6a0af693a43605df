//! Damage to files, the same for the same seed.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers at which programs go wrong.
const EDGES: [u32; 10] = [
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
];

/// Largest file made.
const MOST: usize = 1 << 16;

/// Makes damaged files out of whole ones.
pub struct Mutator {
    corpus: Vec<Vec<u8>>,
    rng: ChaCha8Rng,
}

impl Mutator {
    /// Of these files, which must not be none.
    pub fn new(corpus: Vec<Vec<u8>>, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { corpus, rng }
    }

    /// The next file.
    pub fn next_file(&mut self) -> Vec<u8> {
        let rng = &mut self.rng;
        let mut bytes = self.corpus[rng.random_range(0..self.corpus.len())].clone();
        for _ in 0..rng.random_range(1..8) {
            let other = &self.corpus[rng.random_range(0..self.corpus.len())];
            damage(&mut bytes, other, rng);
        }
        bytes.truncate(MOST);
        if rng.random_ratio(3, 4) {
            repair_png(&mut bytes);
        }
        bytes
    }
}

/// One piece of damage. Most of it near the beginning, where headers are.
fn damage(bytes: &mut Vec<u8>, other: &[u8], rng: &mut impl Rng) {
    let length = bytes.len().max(1);
    let near = rng.random_range(0..length).min(rng.random_range(0..length));
    let at = if rng.random() {
        near
    } else {
        rng.random_range(0..length)
    };
    let end = (at + rng.random_range(1..=16)).min(bytes.len());
    match rng.random_range(0..9) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at.min(end)..end)),
        2 => {
            let piece = bytes[at.min(end)..end].to_vec();
            bytes.splice(end..end, piece);
        }
        3 => {
            let from = rng.random_range(0..=other.len());
            let to = (from + rng.random_range(0..=64)).min(other.len());
            let place = at.min(bytes.len());
            bytes.splice(place..place, other[from..to].iter().copied());
        }
        4 => {
            let edge = EDGES[rng.random_range(0..EDGES.len())];
            let width = [1, 2, 4][rng.random_range(0..3)];
            let word = match rng.random() {
                true => edge.to_be_bytes()[4 - width..].to_vec(),
                false => edge.to_le_bytes()[..width].to_vec(),
            };
            for (byte, new) in bytes.iter_mut().skip(at).zip(word) {
                *byte = new;
            }
        }
        5 => {
            // Digits of JSON and TOML.
            let digit = bytes.iter().skip(at).position(u8::is_ascii_digit);
            if let Some(place) = digit {
                bytes[at + place] = b"0123456789-e."[rng.random_range(0..13)];
            }
        }
        6 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.random_range(0..8);
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.random();
            }
        }
    }
}

/// Sets the checksums of a PNG's chunks right, so that damage gets past them.
fn repair_png(bytes: &mut [u8]) {
    if !bytes.starts_with(b"\x89PNG") {
        return;
    }
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 4) {
        let length = head.iter().fold(0, |n, &b| n << 8 | usize::from(b));
        let end = at + 8 + length;
        let Some(covered) = bytes.get(at + 4..end) else {
            return;
        };
        let sum = crc(covered).to_be_bytes();
        match bytes.get_mut(end..end + 4) {
            Some(place) => place.copy_from_slice(&sum),
            None => return,
        }
        at = end + 4;
    }
}

/// CRC-32 of a PNG chunk (PNG specification, annex D).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut crc, &b| {
        crc ^= u32::from(b);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
        crc
    })
}
