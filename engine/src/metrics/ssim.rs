//! Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004).

use rayon::prelude::*;

/// Side of the Gaussian window in pixels; its standard deviation is 1.5.
pub const WINDOW: usize = 11;

const SIGMA: f64 = 1.5;

/// Rows of windows taken at a time: the filtered planes of a whole photograph would take
/// gigabytes.
const STRIP: usize = 64;

/// Mean SSIM of two interleaved pictures ([height, width, channels]): K1 = 0.01,
/// K2 = 0.03, over the windows that lie wholly inside, the mean of the channels.
/// `peak` is the largest value a sample can have (1 or 255).
///
/// None if a side is shorter than [`WINDOW`] or a slice does not fit the size.
pub fn ssim(
    a: &[f32],
    b: &[f32],
    width: usize,
    height: usize,
    channels: usize,
    peak: f64,
) -> Option<f64> {
    let length = width * height * channels;
    if width < WINDOW || height < WINDOW || channels == 0 || a.len() != length || b.len() != length
    {
        return None;
    }
    let rows = height + 1 - WINDOW;
    let strips: Vec<(usize, usize)> = (0..channels)
        .flat_map(|c| (0..rows).step_by(STRIP).map(move |y| (c, y)))
        .collect();
    // Collected in order, so that the sum does not depend on the number of threads.
    let sums: Vec<f64> = strips
        .into_par_iter()
        .map(|(c, y)| {
            let strip =
                y * width * channels..(y + STRIP + WINDOW - 1).min(height) * width * channels;
            let plane = |s: &[f32]| {
                let samples = s[strip.clone()].iter().skip(c).step_by(channels);
                samples.map(|&v| f64::from(v)).collect::<Vec<_>>()
            };
            strip_ssim(&plane(a), &plane(b), width, peak)
        })
        .collect();
    let windows = rows * (width + 1 - WINDOW) * channels;
    Some(sums.iter().sum::<f64>() / windows as f64)
}

/// The sum of the SSIM of all windows in a strip of one channel.
fn strip_ssim(a: &[f64], b: &[f64], width: usize, peak: f64) -> f64 {
    let (c1, c2) = ((0.01 * peak).powi(2), (0.03 * peak).powi(2));
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(p, q)| p * q).collect::<Vec<_>>();
    let window = gaussian();
    let (mean_a, mean_b) = (filter(a, width, &window), filter(b, width, &window));
    let (square_a, square_b) = (
        filter(&product(a, a), width, &window),
        filter(&product(b, b), width, &window),
    );
    let cross = filter(&product(a, b), width, &window);
    (0..mean_a.len())
        .map(|i| {
            let (ma, mb) = (mean_a[i], mean_b[i]);
            let (va, vb) = (square_a[i] - ma * ma, square_b[i] - mb * mb);
            let covariance = cross[i] - ma * mb;
            (2.0 * ma * mb + c1) * (2.0 * covariance + c2)
                / ((ma * ma + mb * mb + c1) * (va + vb + c2))
        })
        .sum()
}

/// The window's weights along one axis; they sum to 1.
fn gaussian() -> [f64; WINDOW] {
    let middle = (WINDOW / 2) as f64;
    let weights: [f64; WINDOW] =
        std::array::from_fn(|i| (-(i as f64 - middle).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let sum: f64 = weights.iter().sum();
    weights.map(|w| w / sum)
}

/// Filters a plane along both axes where the window fits:
/// [height, width] to [height - 10, width - 10].
fn filter(plane: &[f64], width: usize, window: &[f64; WINDOW]) -> Vec<f64> {
    let across: Vec<f64> = plane
        .chunks_exact(width)
        .flat_map(|row| {
            row.windows(WINDOW)
                .map(|w| w.iter().zip(window).map(|(v, k)| v * k).sum::<f64>())
        })
        .collect();
    let stride = width + 1 - WINDOW;
    let rows = across.len() / stride + 1 - WINDOW;
    let mut out = vec![0.0; rows * stride];
    for (y, row) in out.chunks_exact_mut(stride).enumerate() {
        for (k, weight) in window.iter().enumerate() {
            let source = &across[(y + k) * stride..(y + k + 1) * stride];
            row.iter_mut()
                .zip(source)
                .for_each(|(o, v)| *o += weight * v);
        }
    }
    out
}
