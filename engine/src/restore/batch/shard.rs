//! One part of a batch that several machines share.

use std::path::Path;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Part `number` of `of`: which pictures it has follows from their paths alone, so that calls
/// with the same inputs share them without talking to each other, and a file that comes or goes
/// meanwhile moves no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `of`.
    number: u32,
    of: u32,
}

impl Shard {
    /// Whether this part has the picture with this path from its input folder (for a single
    /// file: with this name).
    pub fn has(&self, inner: &Path) -> bool {
        share(inner) % u64::from(self.of) == u64::from(self.number - 1)
    }
}

impl FromStr for Shard {
    type Err = String;

    /// `K/N`, such as `3/16`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            let shard = Self {
                number: number.trim().parse().ok()?,
                of: of.trim().parse().ok()?,
            };
            (1..=shard.of).contains(&shard.number).then_some(shard)
        });
        parts.ok_or_else(|| "give K/N, such as 3/16 for the third of sixteen parts".to_owned())
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// A number that only the path decides, the same on every system.
fn share(inner: &Path) -> u64 {
    let mut hash = Sha256::new();
    for part in inner {
        hash.update(part.as_encoded_bytes());
        hash.update(b"/");
    }
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_path_is_in_one_shard_and_shards_are_alike() {
        let paths: Vec<String> = (0..4000)
            .map(|i| format!("deep/{}/{i}.png", i % 7))
            .collect();
        let shards: Vec<Shard> = (1..=8).map(|k| format!("{k}/8").parse().unwrap()).collect();
        let mut counts = [0; 8];
        for path in &paths {
            let has: Vec<usize> = (0..8).filter(|&k| shards[k].has(Path::new(path))).collect();
            assert_eq!(has.len(), 1, "{path}");
            counts[has[0]] += 1;
        }
        // 500 each, give or take 20.9 (a binomial's standard deviation) five times.
        assert!(counts.iter().all(|c| (395..605).contains(c)), "{counts:?}");
        // The rule must never change: shards of two versions may run at once.
        assert_eq!(share(Path::new("a.png")) % 1000, A_PNG);
        let all: Shard = "1/1".parse().unwrap();
        assert!(paths.iter().all(|p| all.has(Path::new(p))));
    }

    /// `share` of `a.png`, last three digits: SHA-256 of `a.png/`.
    const A_PNG: u64 = 623;

    #[test]
    fn nonsense_is_no_shard() {
        for text in ["", "3", "0/4", "5/4", "1/0", "-1/2", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("3/16".parse::<Shard>().unwrap().to_string(), "3/16");
    }
}
