//! Peak signal-to-noise ratio and the luma it is often taken on.

/// Mean squared difference of two equally long slices (the shorter counts),
/// summed in 64-bit; 0 for empty ones.
pub fn mse(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2))
        .sum();
    sum / a.len().min(b.len()).max(1) as f64
}

/// PSNR in dB: 10 log10(peak^2 / mse). `peak` is the largest value a sample can
/// have (1 or 255). Infinite for equal slices. Nothing is clipped or rounded.
pub fn psnr(a: &[f32], b: &[f32], peak: f64) -> f64 {
    let mse = mse(a, b);
    if mse == 0.0 {
        f64::INFINITY
    } else {
        10.0 * (peak * peak / mse).log10()
    }
}

/// Luma of BT.601 in studio range, as MATLAB's `rgb2ycbcr` gives it: interleaved
/// RGB in [0, 1] to 16..=235, one value a pixel, not rounded.
pub fn luma(rgb: &[f32]) -> Vec<f32> {
    let weigh = |p: &[f32; 3]| 16.0 + 65.481 * p[0] + 128.553 * p[1] + 24.966 * p[2];
    rgb.as_chunks::<3>().0.iter().map(weigh).collect()
}
