//! Pictures of the field's test sets, which must never be trained on.
//!
//! A photograph is refused by its name, where that is one of BSDS500's validation pictures (BSD100
//! and CBSD68 are among them) or lies in a test or validation folder of that data set, and by its
//! look: a perceptual hash close to that of a picture of CBSD68, BSD100, Set5, Classic5 or LIVE1,
//! turned or mirrored any way, small, recompressed or without colour. A crop of a test picture is
//! not recognised.

use std::path::Path;
use std::sync::LazyLock;

/// A line a picture: set, name, hash. Test sets themselves have no free licence; hashes are no copy.
const LIST: &str = include_str!("held_out.txt");

/// Side of the grid of cells whose neighbours are compared.
const GRID: usize = 17;

/// Bits of the 544 of two hashes of one picture that may differ; of different photographs about
/// half do.
const CLOSE: u32 = 80;

/// A difference hash (Krawetz 2013): whether each cell of a grid is brighter than the one before
/// it in its row, a word a row. Whether in its column, likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    rows: [u16; GRID],
    columns: [u16; GRID],
}

/// A picture of a test set.
struct HeldOut {
    set: &'static str,
    name: &'static str,
    look: Look,
}

static HELD_OUT: LazyLock<Vec<HeldOut>> =
    LazyLock::new(|| LIST.lines().filter_map(parse).collect());

fn parse(line: &'static str) -> Option<HeldOut> {
    let mut words = line.split_whitespace();
    let (set, name, hash) = (words.next()?, words.next()?, words.next()?);
    let word = |i: usize| u16::from_str_radix(hash.get(4 * i..4 * i + 4)?, 16).ok();
    let mut look = Look {
        rows: [0; GRID],
        columns: [0; GRID],
    };
    for i in 0..GRID {
        look.rows[i] = word(i)?;
        look.columns[i] = word(GRID + i)?;
    }
    Some(HeldOut { set, name, look })
}

/// Why a photograph must not be trained on, if so: 8-bit `rgb` of `width` columns.
pub(super) fn held_out(path: &Path, rgb: &[u8], width: usize) -> Option<String> {
    by_name(path).or_else(|| by_look(Look::of(rgb, width)?))
}

fn by_name(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let lower = path.to_string_lossy().to_lowercase();
    let folders: Vec<&str> = lower.split(['/', '\\']).collect();
    let berkeley = folders
        .iter()
        .any(|f| f.starts_with("bsd") || f.starts_with("cbsd"));
    let held = ["test", "val"];
    if berkeley && folders.iter().any(|f| held.contains(f)) {
        return Some("a picture of BSDS for testing, which is never trained on".to_owned());
    }
    let id = |word: &str| HELD_OUT.iter().any(|h| h.set == "BSD100" && h.name == word);
    let words = || stem.split(|c: char| !c.is_ascii_alphanumeric());
    (id(stem) || berkeley && words().any(id)).then(|| {
        format!("named as picture {stem} of BSDS, which is for testing and never trained on")
    })
}

fn by_look(look: Look) -> Option<String> {
    let turns = look.turns();
    let found = HELD_OUT
        .iter()
        .find(|h| turns.iter().any(|turn| turn.distance(&h.look) <= CLOSE))?;
    Some(format!(
        "looks like {} of the test set {}, which is never trained on",
        found.name, found.set
    ))
}

impl Look {
    /// Of an 8-bit picture; none for one smaller than the grid.
    pub(super) fn of(rgb: &[u8], width: usize) -> Option<Self> {
        let height = rgb.len() / (3 * width).max(1);
        let side = GRID;
        if width < side || height < side {
            return None;
        }
        let luma = |p: &[u8]| 2 * u64::from(p[0]) + 5 * u64::from(p[1]) + u64::from(p[2]);
        let mut cells = vec![0f64; side * side];
        for (i, cell) in cells.iter_mut().enumerate() {
            let (cx, cy) = (i % side, i / side);
            let (x0, x1) = (cx * width / side, (cx + 1) * width / side);
            let (y0, y1) = (cy * height / side, (cy + 1) * height / side);
            let rows = (y0..y1).map(|y| {
                let row = &rgb[(y * width + x0) * 3..(y * width + x1) * 3];
                row.chunks_exact(3).map(luma).sum::<u64>()
            });
            *cell = rows.sum::<u64>() as f64 / ((x1 - x0) * (y1 - y0)) as f64;
        }
        let at = |x: usize, y: usize| cells[y * side + x];
        let bits = |bit: &dyn Fn(usize) -> bool| {
            (0..GRID - 1).fold(0u16, |word, i| word | u16::from(bit(i)) << i)
        };
        Some(Self {
            rows: std::array::from_fn(|y| bits(&|x| at(x + 1, y) > at(x, y))),
            columns: std::array::from_fn(|x| bits(&|y| at(x, y + 1) > at(x, y))),
        })
    }

    fn distance(&self, other: &Self) -> u32 {
        let pairs = self.rows.iter().zip(&other.rows);
        let across: u32 = pairs.map(|(a, b)| (a ^ b).count_ones()).sum();
        let pairs = self.columns.iter().zip(&other.columns);
        let down: u32 = pairs.map(|(a, b)| (a ^ b).count_ones()).sum();
        across + down
    }

    /// The hashes of the picture turned and mirrored.
    fn turns(&self) -> [Self; 8] {
        let transposed = |l: &Self| Self {
            rows: l.columns,
            columns: l.rows,
        };
        // Left becomes right: what was brighter is now darker, in reversed order.
        let mirrored = |l: &Self| Self {
            rows: l.rows.map(|w| !w.reverse_bits()),
            columns: std::array::from_fn(|x| l.columns[GRID - 1 - x]),
        };
        let quarter = |l: &Self| mirrored(&transposed(l));
        let mut all = [*self; 8];
        for i in 1..4 {
            all[i] = quarter(&all[i - 1]);
        }
        for i in 0..4 {
            all[4 + i] = mirrored(&all[i]);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::fmt::Write;

    use super::super::photos::pictures_in;
    use super::*;
    use crate::image::{Picture, Rgb32};

    const SETS: [&str; 5] = ["CBSD68", "BSD100", "Set5", "Classic5", "LIVE1"];

    /// A photograph of the project: the sample of the README.
    fn otters() -> Rgb32 {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/otters.png");
        Picture::open(path).unwrap().to_rgb()
    }

    fn look(picture: &Rgb32) -> Look {
        Look::of(&picture.to_bytes(), picture.width()).unwrap()
    }

    #[test]
    fn the_list_holds_every_test_picture() {
        let count = |set: &str| HELD_OUT.iter().filter(|h| h.set == set).count();
        assert_eq!(SETS.map(count), [68, 100, 5, 5, 29]);
        assert_eq!(HELD_OUT.len(), LIST.lines().count());
    }

    #[test]
    fn names_of_bsds_are_refused_and_others_are_not() {
        for (path, refused) in [
            ("photos/101085.jpg", true),
            ("photos/BSDS500/bsd_101085_small.png", true),
            ("photos/BSDS500/images/test/7.jpg", true),
            ("photos/BSDS500/images/train/7.jpg", false),
            ("photos/holiday_101085.jpg", false),
            ("photos/test/7.jpg", false),
        ] {
            assert_eq!(by_name(Path::new(path)).is_some(), refused, "{path}");
        }
    }

    #[test]
    fn a_look_survives_what_is_done_to_pictures_and_tells_others_apart() {
        use crate::train::degrade::{Degradation, Purpose, apply_all, rng};
        let clean = otters();
        let own = look(&clean);
        let steps = [
            Degradation::Downscale { factor: 3 },
            Degradation::jpeg(30.0.into()),
            Degradation::Noise {
                sigma: 15.0.into(),
                clip: true,
            },
        ];
        let mut random = rng(0, 0, 0, Purpose::Evaluation);
        let worse = apply_all(&steps, &clean, &mut random).unwrap().image;
        assert!(own.distance(&look(&worse)) < 40);
        // Mirrored and turned upside down.
        let mut pixels: Vec<[f32; 3]> = worse.samples().as_chunks::<3>().0.to_vec();
        pixels.reverse();
        let turned = Rgb32::new(worse.width(), worse.height(), pixels.concat()).unwrap();
        assert!(own.distance(&look(&turned)) > 200);
        let nearest = look(&turned).turns().map(|t| t.distance(&own));
        assert!(*nearest.iter().min().unwrap() < CLOSE, "{nearest:?}");
        // None of the test sets shows otters.
        assert_eq!(
            held_out(Path::new("otters.png"), &clean.to_bytes(), clean.width()),
            None
        );
    }

    /// With `SERPENT_TEST_SETS`, the list is what the sets give (`SERPENT_KEEP` writes it), every
    /// picture of them is refused under any name, and every one of `SERPENT_TRAIN`, the folder of
    /// training photographs, is far from all of them.
    #[test]
    fn the_sets_themselves_are_refused_and_the_training_photographs_are_not() {
        let Some(folder) = std::env::var_os("SERPENT_TEST_SETS") else {
            println!("skipped: set SERPENT_TEST_SETS to the folder of the test sets");
            return;
        };
        let mut list = String::new();
        for set in SETS {
            for path in pictures_in(&Path::new(&folder).join(set)).unwrap() {
                let picture = Picture::open(&path).unwrap().to_rgb();
                let look = look(&picture);
                let words = look.rows.iter().chain(&look.columns);
                let hash = words.fold(String::new(), |mut text, w| {
                    write!(text, "{w:04x}").unwrap();
                    text
                });
                let name = path.file_stem().unwrap().to_string_lossy();
                writeln!(list, "{set} {name} {hash}").unwrap();
                let other = Path::new("some-photograph.png");
                if !LIST.is_empty() {
                    let reason = held_out(other, &picture.to_bytes(), picture.width());
                    assert!(reason.is_some(), "{set} {name}");
                }
            }
        }
        if let Some(keep) = std::env::var_os("SERPENT_KEEP") {
            std::fs::write(Path::new(&keep).join("held_out.txt"), &list).unwrap();
        }
        assert_eq!(list, LIST);
        let Some(train) = std::env::var_os("SERPENT_TRAIN") else {
            return;
        };
        let mut nearest = u32::MAX;
        for path in pictures_in(Path::new(&train)).unwrap() {
            let picture = Picture::open(&path).unwrap().to_rgb();
            let turns = look(&picture).turns();
            let to = |h: &HeldOut| turns.iter().map(|t| t.distance(&h.look)).min().unwrap();
            let one = HELD_OUT.iter().map(to).min().unwrap();
            assert!(one > CLOSE, "{}: {one} bits", path.display());
            nearest = nearest.min(one);
        }
        println!("the nearest training photograph differs in {nearest} of 544 bits");
    }
}
