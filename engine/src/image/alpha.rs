//! Colours under transparent pixels.
//!
//! What a file holds where nothing is seen is often white, black or left over, and a network, or
//! a resampling, would mix it into the edge of what is seen. So the visible colours are spread
//! into the transparent part first, by the pyramid of Gortler et al. (The Lumigraph, 1996, pull
//! and push): averages of two by two pixels weighted by opacity, up to a level without gaps, and
//! back down into the gaps.

use std::borrow::Cow;

use super::Picture;

/// Interleaved colours multiplied by their weights, and the weights.
struct Level {
    width: usize,
    height: usize,
    colours: Vec<f32>,
    weights: Vec<f32>,
}

impl Picture {
    /// The picture with visible colours also where it is wholly transparent; itself, where it
    /// is not or all of it is. What is seen stays as it is.
    pub(crate) fn bled(&self) -> Cow<'_, Self> {
        let Some(alpha) = &self.alpha else {
            return Cow::Borrowed(self);
        };
        let hidden = |a: &f32| *a <= 0.0;
        if !alpha.iter().any(hidden) || alpha.iter().all(hidden) {
            return Cow::Borrowed(self);
        }
        let mut picture = self.clone();
        let channels = self.colour.channels();
        let filled = fill(self.width, self.height, channels, &self.samples, alpha);
        let pixels = picture.samples.chunks_exact_mut(channels);
        for ((pixel, new), a) in pixels.zip(filled.chunks_exact(channels)).zip(alpha) {
            if hidden(a) {
                pixel.copy_from_slice(new);
            }
        }
        Cow::Owned(picture)
    }

    /// Whether it has red, green and blue, but every pixel is grey.
    pub(crate) fn is_colourless(&self) -> bool {
        let grey = |p: &[f32; 3]| p[0] == p[1] && p[1] == p[2];
        self.colour == super::Colour::Rgb && self.samples.as_chunks::<3>().0.iter().all(grey)
    }
}

/// Colours with every gap (weight 0) filled.
fn fill(width: usize, height: usize, n: usize, samples: &[f32], weights: &[f32]) -> Vec<f32> {
    let pixels = samples.chunks_exact(n).zip(weights);
    let mut levels = vec![Level {
        width,
        height,
        colours: pixels
            .flat_map(|(p, w)| p.iter().map(move |v| v * w))
            .collect(),
        weights: weights.to_vec(),
    }];
    while let Some(finest) = levels.last()
        && finest.weights.iter().any(|w| *w <= 0.0)
        && finest.width * finest.height > 1
    {
        let coarser = pull(finest, n);
        levels.push(coarser);
    }
    let mut colours: Vec<f32> = Vec::new();
    let mut coarse_width = 0;
    for level in levels.iter().rev() {
        let (above, above_width) = (std::mem::take(&mut colours), coarse_width);
        colours.reserve(level.colours.len());
        for (i, &w) in level.weights.iter().enumerate() {
            if w > 0.0 {
                colours.extend(level.colours[i * n..][..n].iter().map(|v| v / w));
            } else {
                let at = i / level.width / 2 * above_width + i % level.width / 2;
                match above.get(at * n..(at + 1) * n) {
                    Some(colour) => colours.extend(colour),
                    None => colours.extend(std::iter::repeat_n(0.0, n)),
                }
            }
        }
        coarse_width = level.width;
    }
    colours
}

/// The level above: each pixel the sum of the two by two below, its weight at most 1.
fn pull(finer: &Level, n: usize) -> Level {
    let (width, height) = (finer.width.div_ceil(2), finer.height.div_ceil(2));
    let mut level = Level {
        width,
        height,
        colours: vec![0.0; width * height * n],
        weights: vec![0.0; width * height],
    };
    for (i, &w) in finer.weights.iter().enumerate() {
        let at = i / finer.width / 2 * width + i % finer.width / 2;
        level.weights[at] += w;
        for c in 0..n {
            level.colours[at * n + c] += finer.colours[i * n + c];
        }
    }
    for (at, w) in level.weights.iter_mut().enumerate() {
        // So that many faint pixels do not outweigh one that is seen, nor sums grow.
        if *w > 1.0 {
            level.colours[at * n..][..n]
                .iter_mut()
                .for_each(|v| *v /= *w);
            *w = 1.0;
        }
    }
    level
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::image::Colour;

    fn picture(hidden: f32) -> Picture {
        let (width, height) = (37, 23);
        let seen = |i: usize| (i % width).abs_diff(20) < 5 && (i / width).abs_diff(11) < 6;
        let alpha = (0..width * height).map(|i| if seen(i) { 1.0 } else { 0.0 });
        let samples = (0..width * height).flat_map(|i| match seen(i) {
            true => [0.2, 0.4 + 0.01 * (i % width) as f32, 0.6],
            false => [hidden; 3],
        });
        let picture = Picture::new(width, height, Colour::Rgb, samples.collect()).unwrap();
        picture.with_alpha(Some(alpha.collect())).unwrap()
    }

    #[test]
    fn hidden_colours_are_gone_and_visible_ones_as_they_were() {
        let (white, black) = (picture(1.0), picture(0.0));
        assert_eq!(white.bled(), black.bled());
        let bled = white.bled();
        let pixels = white.samples().as_chunks::<3>().0.iter();
        let pairs = pixels.zip(bled.samples().as_chunks::<3>().0);
        for ((before, after), a) in pairs.zip(white.alpha().unwrap()) {
            if *a > 0.0 {
                assert_eq!(before, after);
            }
            // Nothing but what is seen somewhere.
            assert!((after[0] - 0.2).abs() < 1e-5 && (after[2] - 0.6).abs() < 1e-5);
            assert!((0.55..=0.65).contains(&after[1]), "{after:?}");
        }
        assert_eq!(bled.alpha(), white.alpha());
    }

    #[test]
    fn all_or_nothing_seen_stays() {
        let whole = picture(0.3);
        for a in [0.0, 0.4] {
            let even = whole.clone().with_alpha(Some(vec![a; 37 * 23])).unwrap();
            assert!(matches!(even.bled(), Cow::Borrowed(_)));
        }
        let opaque = whole.with_alpha(None).unwrap();
        assert!(matches!(opaque.bled(), Cow::Borrowed(_)));
    }
}
