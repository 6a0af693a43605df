//! Any picture size in bounded memory: equal tiles with blended overlap.
//!
//! All tiles of a plan have one size, so that one prepared graph serves them,
//! and start at multiples of the network's size multiple, so that every tile
//! sees the patch grid of the whole picture. Beyond its right and bottom border
//! a picture is reflected.
//!
//! Neighbouring tiles overlap. The outer quarter of an overlap on either side
//! is dropped, because a tile's border lacks context; across the middle half
//! the next tile fades in along a raised cosine. A pixel is blended as
//! `earlier + gate·(later − earlier)`: the weights sum to 1 by construction and
//! equal tiles give back their value exactly.

use rayon::prelude::*;

use super::pages;

/// Samples a pixel of a picture and of what a network gives.
const CHANNELS: usize = 3;

/// Overlap of neighbouring tiles in pixels where a model says nothing else.
pub const OVERLAP: usize = 64;

/// What a network asks of tiles, in pixels of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Sides and starts of tiles are multiples of this.
    pub multiple: usize,
    /// What neighbours share; never more than a quarter of a tile, or tiles would be mostly overlap.
    pub overlap: usize,
}

impl Needs {
    /// The side from which on a tile has room for the whole overlap.
    pub fn roomy_side(self) -> usize {
        4 * self.overlap.next_multiple_of(self.multiple)
    }
}

/// Tiles along one side of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Pixels of the picture along this side.
    pub length: usize,
    /// Pixels of every tile, a multiple of the network's size multiple.
    pub tile: usize,
    /// First pixel of each tile, ascending.
    pub starts: Vec<usize>,
    /// Pixels that neighbours share at least.
    pub overlap: usize,
}

impl Axis {
    /// Covers `length` pixels with tiles of at most `tile`.
    ///
    /// The tile is shrunk to what the number of tiles needs, so that little is
    /// computed twice. It is never smaller than two multiples.
    pub fn new(length: usize, tile: usize, needs: Needs) -> Self {
        let multiple = needs.multiple;
        // In units of `multiple` from here on.
        let padded = length.div_ceil(multiple).max(1);
        let tile = (tile / multiple).max(2);
        if padded <= tile {
            return Self {
                length,
                tile: padded * multiple,
                starts: vec![0],
                overlap: 0,
            };
        }
        let overlap = needs.overlap.div_ceil(multiple).min(tile / 4).max(1);
        let count = (padded - overlap).div_ceil(tile - overlap);
        let tile = (padded + (count - 1) * overlap).div_ceil(count);
        let starts = (0..count).map(|i| i * (padded - tile) / (count - 1) * multiple);
        Self {
            length,
            tile: tile * multiple,
            starts: starts.collect(),
            overlap: overlap * multiple,
        }
    }

    /// How far tile `i` has replaced the tiles before it at position `at` (pixel centres
    /// lie at halves): 0 before its ramp, 1 after.
    fn gate(&self, i: usize, at: f64) -> f32 {
        if i == 0 {
            return 1.0;
        }
        let middle = (self.starts[i] + self.starts[i - 1] + self.tile) as f64 / 2.0;
        let half = self.overlap as f64 / 4.0;
        let t = ((at - middle) / (2.0 * half) + 0.5).clamp(0.0, 1.0);
        (0.5 - 0.5 * (std::f64::consts::PI * t).cos()) as f32
    }

    /// Share of tile `i` in the result at position `at`.
    pub fn weight(&self, i: usize, at: f64) -> f32 {
        (i + 1..self.starts.len()).fold(self.gate(i, at), |w, j| w * (1.0 - self.gate(j, at)))
    }
}

/// Where the tiles of a picture lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TilePlan {
    /// Tiles along the height.
    pub rows: Axis,
    /// Tiles along the width.
    pub columns: Axis,
}

impl TilePlan {
    /// Square tiles of at most `tile` pixels a side.
    pub fn with_tile(width: usize, height: usize, tile: usize, needs: Needs) -> Self {
        Self {
            rows: Axis::new(height, tile, needs),
            columns: Axis::new(width, tile, needs),
        }
    }

    /// The whole picture if it fits `pixels` once padded, else tiles of about that many pixels.
    pub fn with_pixels(width: usize, height: usize, pixels: usize, needs: Needs) -> Self {
        let multiple = needs.multiple;
        let padded = |side: usize| side.div_ceil(multiple).max(1) * multiple;
        if padded(width).saturating_mul(padded(height)) <= pixels {
            return Self::with_tile(width, height, padded(width.max(height)), needs);
        }
        let side = pixels.isqrt();
        // A picture narrower than the square leaves room in the other direction.
        let narrow = padded(width.min(height)).min(side).max(1);
        let long = pixels / narrow;
        let (tile_width, tile_height) = if width < height {
            (side, long)
        } else {
            (long, side)
        };
        Self {
            rows: Axis::new(height, tile_height, needs),
            columns: Axis::new(width, tile_width, needs),
        }
    }

    /// Height and width of every tile in pixels.
    pub fn tile_size(&self) -> (usize, usize) {
        (self.rows.tile, self.columns.tile)
    }

    /// Number of tiles.
    pub fn len(&self) -> usize {
        self.rows.starts.len() * self.columns.starts.len()
    }

    /// Never true: a plan has at least one tile.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies tile `index` (row by row) out of a picture `[height, width, 3]` to `out`, as `[tile
    /// height, tile width, 3]`, reflecting beyond the border. With a `noise` level that is a
    /// fourth channel.
    pub fn extract(&self, samples: &[f32], noise: Option<f32>, index: usize, out: &mut Vec<f32>) {
        let (top, left) = self.start(index);
        let (tile_height, tile_width) = self.tile_size();
        let (width, height) = (self.columns.length, self.rows.length);
        // What lies in the picture is one piece of a row.
        let inside = tile_width.min(width - left);
        let beyond: Vec<usize> = (left + inside..left + tile_width)
            .map(|x| reflect(x, width))
            .collect();
        let (pixels, _) = samples.as_chunks::<CHANNELS>();
        let channels = CHANNELS + usize::from(noise.is_some());
        pages::resize(out, tile_height * tile_width * channels);
        let lines = out.par_chunks_exact_mut(tile_width * channels);
        lines.enumerate().for_each(|(y, line)| {
            let row = &pixels[reflect(top + y, height) * width..][..width];
            let there = &row[left..left + inside];
            let reflected = beyond.iter().map(|&x| &row[x]);
            match noise {
                None => {
                    let (line, _) = line.as_chunks_mut::<CHANNELS>();
                    line[..inside].copy_from_slice(there);
                    let rest = line[inside..].iter_mut().zip(reflected);
                    rest.for_each(|(to, from)| *to = *from);
                }
                Some(noise) => {
                    let (line, _) = line.as_chunks_mut::<{ CHANNELS + 1 }>();
                    for (to, &[r, g, b]) in line.iter_mut().zip(there.iter().chain(reflected)) {
                        *to = [r, g, b, noise];
                    }
                }
            }
        });
    }

    /// Top and left of tile `index`.
    pub fn start(&self, index: usize) -> (usize, usize) {
        let columns = self.columns.starts.len();
        (
            self.rows.starts[index / columns],
            self.columns.starts[index % columns],
        )
    }
}

/// Mirrors an index that lies beyond `0..length` back into it, without repeating
/// the border pixel, as often as it takes (PyTorch's `reflect`, for any distance).
pub fn reflect(index: usize, length: usize) -> usize {
    if length < 2 {
        return 0;
    }
    let period = 2 * (length - 1);
    let folded = index % period;
    folded.min(period - folded)
}

/// Puts restored tiles together again.
///
/// Tiles must come in the plan's order. Besides the result, one row of tiles is held where there
/// are several to a row.
pub struct Blender<'a> {
    plan: &'a TilePlan,
    scale: usize,
    strip: Vec<f32>,
    result: Vec<f32>,
    next: usize,
}

impl<'a> Blender<'a> {
    /// Ready for the first tile; the network enlarges `scale` times.
    pub fn new(plan: &'a TilePlan, scale: usize) -> Self {
        let width = plan.columns.length * scale;
        let rows = match plan.columns.starts.len() {
            1 => 0,
            _ => plan.rows.tile.min(plan.rows.length) * scale,
        };
        Self {
            plan,
            scale,
            strip: pages::zeros(rows * width * CHANNELS),
            result: pages::zeros(plan.rows.length * scale * width * CHANNELS),
            next: 0,
        }
    }

    /// Adds the next tile, `[r·tile height, r·tile width, 3]`.
    pub fn add(&mut self, tile: &[f32]) {
        let across = self.plan.columns.starts.len();
        let (row, column) = (self.next / across, self.next % across);
        self.next += 1;
        let stride = self.plan.columns.length * self.scale * CHANNELS;
        let tile_stride = self.plan.columns.tile * self.scale * CHANNELS;
        if across == 1 {
            return self.add_rows(row, tile.par_chunks_exact(tile_stride));
        }
        let gates = gates(&self.plan.columns, column, self.scale);
        let left = self.plan.columns.starts[column] * self.scale;
        let mut strip = std::mem::take(&mut self.strip);
        let lines = strip.par_chunks_exact_mut(stride);
        lines
            .zip(tile.par_chunks_exact(tile_stride))
            .for_each(|(line, source)| {
                let line = &mut line[left * CHANNELS..];
                let pixels = line
                    .as_chunks_mut::<CHANNELS>()
                    .0
                    .iter_mut()
                    .zip(source.as_chunks::<CHANNELS>().0);
                for ((pixel, new), &gate) in pixels.zip(&gates) {
                    (0..CHANNELS).for_each(|c| pixel[c] = mix(pixel[c], new[c], gate));
                }
            });
        if column + 1 == across {
            self.add_rows(row, strip.par_chunks_exact(stride));
        }
        self.strip = strip;
    }

    /// Adds the lines of a row of tiles, each with what lies beyond the picture or without.
    fn add_rows<'l>(&mut self, row: usize, new: impl IndexedParallelIterator<Item = &'l [f32]>) {
        let top = self.plan.rows.starts[row] * self.scale;
        let stride = self.plan.columns.length * self.scale * CHANNELS;
        let gates = gates(&self.plan.rows, row, self.scale);
        let lines = self.result[top * stride..].par_chunks_exact_mut(stride);
        lines
            .zip(new)
            .zip(&gates)
            .for_each(|((line, new), &gate)| match gate {
                1.0 => line.copy_from_slice(&new[..stride]),
                _ => (line.iter_mut().zip(new)).for_each(|(old, &new)| *old = mix(*old, new, gate)),
            });
    }

    /// The picture, `[r·height, r·width, 3]`; every tile must have been added.
    pub fn finish(self) -> Vec<f32> {
        debug_assert_eq!(self.next, self.plan.len());
        self.result
    }
}

/// Gate of tile `i` at each of its output pixels.
fn gates(axis: &Axis, i: usize, scale: usize) -> Vec<f32> {
    (0..axis.tile * scale)
        .map(|x| axis.gate(i, axis.starts[i] as f64 + (x as f64 + 0.5) / scale as f64))
        .collect()
}

/// `old` for gate 0, `new` for gate 1, both exactly, also when the other is not a number.
fn mix(old: f32, new: f32, gate: f32) -> f32 {
    match gate {
        0.0 => old,
        1.0 => new,
        _ => old + gate * (new - old),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn needs(multiple: usize) -> Needs {
        Needs {
            multiple,
            overlap: OVERLAP,
        }
    }

    /// A picture whose samples all differ.
    fn picture(width: usize, height: usize, channels: usize) -> Vec<f32> {
        (0..width * height * channels)
            .map(|i| (i as f32 * 0.618_034).fract())
            .collect()
    }

    /// Nearest-neighbour enlarging: an "identity network" of scale r.
    fn enlarge(tile: &[f32], (height, width): (usize, usize), r: usize) -> Vec<f32> {
        let at = |y: usize, x: usize| &tile[(y / r * width + x / r) * 3..][..3];
        (0..height * r)
            .flat_map(|y| (0..width * r).flat_map(move |x| at(y, x).to_vec()))
            .collect()
    }

    #[test]
    fn reflection_matches_pytorch_and_reaches_any_distance() {
        let folded: Vec<_> = (0..9).map(|i| reflect(i, 3)).collect();
        assert_eq!(folded, [0, 1, 2, 1, 0, 1, 2, 1, 0]);
        assert!((0..9).all(|i| reflect(i, 1) == 0));
    }

    #[test]
    fn a_picture_that_fits_is_one_padded_tile() {
        let plan = TilePlan::with_pixels(481, 321, 1 << 20, needs(8));
        assert_eq!((plan.len(), plan.tile_size()), (1, (328, 488)));
    }

    #[test]
    fn a_panorama_gets_wide_tiles() {
        let plan = TilePlan::with_pixels(20_000, 200, 1 << 18, needs(8));
        assert_eq!(plan.rows.starts.len(), 1);
        assert!(plan.columns.tile > 1000, "{:?}", plan.tile_size());
    }

    proptest! {
        #[test]
        fn axes_cover_and_weights_sum_to_one(
            length in 1usize..700, tile in 1usize..300, power in 0u32..6, overlap in 0usize..200,
        ) {
            let multiple = 1usize << power;
            let axis = Axis::new(length, tile, Needs { multiple, overlap });
            prop_assert!(axis.overlap <= (tile / 4).max(multiple));
            prop_assert!(axis.starts.len() == 1 || axis.overlap >= overlap.min(tile / 4 / multiple * multiple));
            prop_assert_eq!(axis.tile % multiple, 0);
            prop_assert!(axis.tile <= (tile / multiple).max(2) * multiple);
            prop_assert_eq!(axis.starts[0], 0);
            let last = axis.starts[axis.starts.len() - 1];
            prop_assert!(last + axis.tile >= length && last < length);
            for pair in axis.starts.windows(2) {
                prop_assert_eq!(pair[1] % multiple, 0);
                prop_assert!(pair[1] > pair[0] && pair[1] + axis.overlap <= pair[0] + axis.tile);
            }
            for x in 0..length {
                let mut sum = 0.0;
                for (i, &start) in axis.starts.iter().enumerate() {
                    let w = axis.weight(i, x as f64 + 0.5);
                    prop_assert!((0.0..=1.0).contains(&w));
                    prop_assert!(w == 0.0 || (start..start + axis.tile).contains(&x));
                    sum += w;
                }
                prop_assert!((sum - 1.0).abs() <= f32::EPSILON, "{sum} at {x} of {axis:?}");
            }
        }

        #[test]
        fn an_identity_network_gives_the_picture_back_exactly(
            width in 1usize..90, height in 1usize..90, tile in 1usize..64,
            power in 0u32..4, scale in 1usize..4,
        ) {
            let plan = TilePlan::with_tile(width, height, tile, needs(1 << power));
            let samples = picture(width, height, 3);
            let mut blender = Blender::new(&plan, scale);
            for i in 0..plan.len() {
                let mut tile = Vec::new();
                plan.extract(&samples, None, i, &mut tile);
                blender.add(&enlarge(&tile, plan.tile_size(), scale));
            }
            prop_assert_eq!(blender.finish(), enlarge(&samples, (height, width), scale));
        }

        #[test]
        fn tiles_keep_to_the_budget(
            width in 1usize..5000, height in 1usize..5000, pixels in 4096usize..400_000,
        ) {
            let plan = TilePlan::with_pixels(width, height, pixels, needs(8));
            let (tile_height, tile_width) = plan.tile_size();
            prop_assert!(tile_height * tile_width <= pixels, "{:?}", plan.tile_size());
        }

        #[test]
        fn blending_is_the_weighted_mean(width in 40usize..90, height in 40usize..90) {
            // Tile i is flat with value i: the result is Σ i·weight.
            let plan = TilePlan::with_tile(width, height, 24, needs(4));
            let across = plan.columns.starts.len();
            let mut blender = Blender::new(&plan, 1);
            for i in 0..plan.len() {
                let (h, w) = plan.tile_size();
                blender.add(&vec![i as f32; h * w * 3]);
            }
            let result = blender.finish();
            for (y, x) in [(0, 0), (height / 2, width / 2), (height - 1, width - 1), (height / 3, width / 3)] {
                let weight = |i: usize| {
                    plan.rows.weight(i / across, y as f64 + 0.5)
                        * plan.columns.weight(i % across, x as f64 + 0.5)
                };
                let expected: f32 = (0..plan.len()).map(|i| i as f32 * weight(i)).sum();
                let got = result[(y * width + x) * 3];
                prop_assert!((got - expected).abs() < 1e-4, "{got} is not {expected}");
            }
        }
    }
}
