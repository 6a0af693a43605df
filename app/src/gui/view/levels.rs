//! A picture at halved sizes, and the tiles cut from them.
//!
//! Level 0 is the picture, a pixel of level l the mean of the 2^l × 2^l pixels under it (fewer
//! at the right and bottom edge). Levels up to [`FIRST_STORED`] are averaged from the picture
//! when a tile is wanted; higher ones are kept, a twelfth of the picture's own memory. The
//! picture's colours become the display's last of all, tile by tile.

use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use serpent_engine::image::{BitDepth, Colour, ColourTransform, Picture};

/// Side of a tile in texels, without the edge around it.
pub(super) const SIDE: u32 = 512;
/// The coarsest level is one tile of at most this side.
pub(super) const TOP_SIDE: u32 = 1024;
/// The lowest level that is kept in memory.
const FIRST_STORED: u32 = 2;
/// Rows of the first kept level that a thread makes at a time.
const STRIP: usize = 32;
/// Neighbouring pixels looked at for a texel of the preview: they share a line of the cache.
const PREVIEW_TAPS: usize = 4;

/// A place for a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Halvings.
    pub level: u32,
    /// Tile column.
    pub x: u32,
    /// Tile row.
    pub y: u32,
}

/// A tile ready for the GPU: sRGB-encoded, opacity multiplied in, one texel around it.
pub(super) struct Texels {
    /// Width with the edge.
    pub width: u32,
    /// Height with the edge.
    pub height: u32,
    /// Row by row.
    pub data: Vec<[f16; 4]>,
}

/// Sizes of a picture's levels and tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    pub width: u32,
    pub height: u32,
}

impl Grid {
    /// The coarsest level: the first whose sides are within [`TOP_SIDE`].
    pub fn top(self) -> u32 {
        let side = self.width.max(self.height);
        (0..32)
            .find(|l| side.div_ceil(1 << l) <= TOP_SIDE)
            .unwrap_or(0)
    }

    /// Width and height of a level in texels.
    pub fn size(self, level: u32) -> (u32, u32) {
        (
            self.width.div_ceil(1 << level),
            self.height.div_ceil(1 << level),
        )
    }

    /// Side of a tile of a level in texels.
    pub fn side(self, level: u32) -> u32 {
        if level == self.top() { TOP_SIDE } else { SIDE }
    }

    /// Left, top, right and bottom of a tile in texels of its level.
    pub fn bounds(self, key: Key) -> [u32; 4] {
        let (width, height) = self.size(key.level);
        let side = self.side(key.level);
        let (x, y) = (key.x * side, key.y * side);
        [x, y, (x + side).min(width), (y + side).min(height)]
    }

    /// The tile one level up that covers this one.
    pub fn parent(self, key: Key) -> Option<Key> {
        if key.level >= self.top() {
            return None;
        }
        let level = key.level + 1;
        let up = 2 * self.side(level) / self.side(key.level);
        Some(Key {
            level,
            x: key.x / up,
            y: key.y / up,
        })
    }
}

/// A picture with its kept levels.
pub(super) struct Levels {
    picture: Arc<Picture>,
    colour: ColourTransform,
    grid: Grid,
    /// From [`FIRST_STORED`] to the top, opacity multiplied in, in the picture's own colours.
    stored: Vec<Vec<[f16; 4]>>,
}

impl Levels {
    /// Nothing is averaged yet.
    pub fn new(picture: Arc<Picture>, colour: ColourTransform) -> Self {
        let grid = Grid {
            width: picture.width() as u32,
            height: picture.height() as u32,
        };
        Self {
            picture,
            colour,
            grid,
            stored: Vec::new(),
        }
    }

    /// Sizes of levels and tiles.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Whether tiles of this level can be made now.
    pub fn has(&self, level: u32) -> bool {
        level < FIRST_STORED || self.complete()
    }

    /// Whether every level is there.
    pub fn complete(&self) -> bool {
        let top = self.grid.top();
        if top < FIRST_STORED {
            return true;
        }
        let (width, height) = self.grid.size(top);
        let kept = self.stored.get((top - FIRST_STORED) as usize);
        kept.is_some_and(|l| l.len() == width as usize * height as usize)
    }

    /// Averages some more rows; a few thousandths of a second.
    pub fn advance(&mut self) {
        if self.complete() {
            return;
        }
        if self.stored.is_empty() {
            self.stored.push(Vec::new());
        }
        let (width, height) = self.grid.size(FIRST_STORED);
        let (width, height) = (width as usize, height as usize);
        if let [first] = &mut self.stored[..]
            && first.len() < width * height
        {
            let from = first.len();
            let strip = STRIP * width;
            first.resize(
                (from + threads() * strip).min(width * height),
                [f16::ZERO; 4],
            );
            let picture = &self.picture;
            std::thread::scope(|scope| {
                for (i, texels) in first[from..].chunks_mut(strip).enumerate() {
                    scope.spawn(move || {
                        let at = from + i * strip;
                        for (texel, at) in texels.iter_mut().zip(at..) {
                            let mean = averaged(picture, FIRST_STORED, at % width, at / width);
                            *texel = mean.map(f16::from_f32);
                        }
                    });
                }
            });
            return;
        }
        let level = FIRST_STORED + self.stored.len() as u32;
        if let Some(finer) = self.stored.last() {
            let halved = halve(finer, self.grid.size(level - 1), self.grid.size(level));
            self.stored.push(halved);
        }
    }

    /// A tile; its level must be there.
    pub fn tile(&self, key: Key) -> Texels {
        self.cut(key, |x, y| match key.level {
            0 => self.saved(pixel(&self.picture, x, y)),
            l if l < FIRST_STORED => averaged(&self.picture, l, x, y),
            l => {
                let stride = self.grid.size(l).0 as usize;
                self.stored[(l - FIRST_STORED) as usize][y * stride + x].map(f16::to_f32)
            }
        })
    }

    /// The coarsest level from a few pixels for each texel: there at once, even if the picture
    /// is large.
    pub fn preview(&self) -> Texels {
        let level = self.grid.top();
        let key = Key { level, x: 0, y: 0 };
        let side = 1usize << level;
        let (width, height) = (self.picture.width(), self.picture.height());
        self.cut(key, |x, y| {
            let row = (y * side + side / 2).min(height - 1);
            let first = x * side + side / 2 - PREVIEW_TAPS.min(side) / 2;
            let mut sum = [0.0; 4];
            for tap in 0..PREVIEW_TAPS {
                add(
                    &mut sum,
                    pixel(&self.picture, (first + tap).min(width - 1), row),
                );
            }
            sum.map(|v| v / PREVIEW_TAPS as f32)
        })
    }

    /// A pixel as it will be saved.
    fn saved(&self, pixel: [f32; 4]) -> [f32; 4] {
        match self.picture.depth() {
            // The cast cuts off, and keeps within 0 to 255.
            BitDepth::Eight => pixel.map(|v| f32::from((v * 255.0 + 0.5) as u8) / 255.0),
            BitDepth::Sixteen | BitDepth::Float => pixel,
        }
    }

    /// The tile's texels and one around them, in the display's colours.
    fn cut(&self, key: Key, texel: impl Fn(usize, usize) -> [f32; 4]) -> Texels {
        let size = self.grid.size(key.level);
        let [left, top, right, bottom] = self.grid.bounds(key);
        // Past the picture's edge its last texel repeats.
        let around = |from: u32, to: u32, size: u32| -> Vec<usize> {
            let inside = |v: i64| v.clamp(0, i64::from(size) - 1) as usize;
            (i64::from(from) - 1..=i64::from(to)).map(inside).collect()
        };
        let (columns, rows) = (around(left, right, size.0), around(top, bottom, size.1));
        let mut rgb = Vec::with_capacity(columns.len() * rows.len() * 3);
        let mut alpha = Vec::with_capacity(columns.len() * rows.len());
        for &y in &rows {
            for &x in &columns {
                let [r, g, b, a] = texel(x, y);
                rgb.extend([r, g, b]);
                alpha.push(a);
            }
        }
        Texels {
            width: columns.len() as u32,
            height: rows.len() as u32,
            data: self.displayed(rgb, &alpha),
        }
    }

    /// Converts colours, of which the opacity is taken out meanwhile, and narrows.
    fn displayed(&self, mut rgb: Vec<f32>, alpha: &[f32]) -> Vec<[f16; 4]> {
        let pixels = |rgb: &mut [f32], change: fn(f32, f32) -> f32| {
            for (pixel, &a) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(alpha) {
                pixel.iter_mut().for_each(|v| *v = change(*v, a));
            }
        };
        let transparent = self.picture.alpha().is_some();
        if transparent {
            pixels(&mut rgb, |v, a| if a > 0.0 { v / a } else { 0.0 });
        }
        self.colour.to_srgb(&mut rgb);
        if transparent {
            pixels(&mut rgb, |v, a| v * a);
        }
        let wide: Vec<f32> = rgb
            .as_chunks::<3>()
            .0
            .iter()
            .zip(alpha)
            .flat_map(|(&[r, g, b], &a)| [r, g, b, a].map(|v| v.clamp(0.0, 1.0)))
            .collect();
        let mut narrow = vec![[f16::ZERO; 4]; alpha.len()];
        narrow.as_flattened_mut().convert_from_f32_slice(&wide);
        narrow
    }
}

/// A pixel with its opacity multiplied in, in the picture's own colours.
fn pixel(picture: &Picture, x: usize, y: usize) -> [f32; 4] {
    let at = y * picture.width() + x;
    let rgb = match picture.colour() {
        Colour::Grey => [picture.samples()[at]; 3],
        Colour::Rgb => {
            let s = &picture.samples()[3 * at..3 * at + 3];
            [s[0], s[1], s[2]]
        }
    };
    match picture.alpha() {
        None => [rgb[0], rgb[1], rgb[2], 1.0],
        Some(alpha) => {
            let a = alpha[at];
            [rgb[0] * a, rgb[1] * a, rgb[2] * a, a]
        }
    }
}

fn add(sum: &mut [f32; 4], value: [f32; 4]) {
    sum.iter_mut().zip(value).for_each(|(s, v)| *s += v);
}

/// The mean of the pixels under a texel.
fn averaged(picture: &Picture, level: u32, x: usize, y: usize) -> [f32; 4] {
    let side = 1usize << level;
    let columns = x * side..((x + 1) * side).min(picture.width());
    let rows = y * side..((y + 1) * side).min(picture.height());
    let count = (columns.len() * rows.len()) as f32;
    let mut sum = [0.0; 4];
    for row in rows {
        if picture.alpha().is_none() && picture.colour() == Colour::Rgb {
            let from = 3 * row * picture.width();
            let samples = &picture.samples()[from + 3 * columns.start..from + 3 * columns.end];
            for p in samples.as_chunks::<3>().0 {
                add(&mut sum, [p[0], p[1], p[2], 1.0]);
            }
        } else {
            for column in columns.clone() {
                add(&mut sum, pixel(picture, column, row));
            }
        }
    }
    sum.map(|v| v / count)
}

/// Threads that average at a time: half of the processor is left to the window and to jobs.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| (n.get() / 2).clamp(1, 4))
}

/// The next level: the mean of up to 2 x 2 texels.
fn halve(finer: &[[f16; 4]], from: (u32, u32), to: (u32, u32)) -> Vec<[f16; 4]> {
    let (width, height) = (from.0 as usize, from.1 as usize);
    let mut out = Vec::with_capacity(to.0 as usize * to.1 as usize);
    for y in 0..to.1 as usize {
        for x in 0..to.0 as usize {
            let columns = 2 * x..(2 * x + 2).min(width);
            let rows = 2 * y..(2 * y + 2).min(height);
            let count = (columns.len() * rows.len()) as f32;
            let mut sum = [0.0; 4];
            for row in rows {
                for column in columns.clone() {
                    add(&mut sum, finer[row * width + column].map(f16::to_f32));
                }
            }
            out.push(sum.map(|v| f16::from_f32(v / count)));
        }
    }
    out
}

#[cfg(test)]
#[path = "levels_tests.rs"]
mod tests;
