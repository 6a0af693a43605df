//! Against values computed by hand or by a direct reading of the definition.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::image::Rgb32;

fn picture(width: usize, height: usize, value: impl Fn(usize, usize, usize) -> f32) -> Rgb32 {
    let samples = (0..width * height * 3)
        .map(|i| value(i / 3 % width, i / 3 / width, i % 3))
        .collect();
    Rgb32::new(width, height, samples).unwrap()
}

#[test]
fn psnr_of_known_differences() {
    // A difference of 1/10 everywhere: mse 0.01, 20 dB.
    assert!((psnr(&[0.5; 12], &[0.6; 12], 1.0) - 20.0).abs() < 1e-5);
    // One of four samples off by 8 of 255: mse 16, 20 log10(255 / 4).
    let got = psnr(&[0.0, 8.0, 0.0, 0.0], &[0.0; 4], 255.0);
    assert!((got - 36.089_604).abs() < 1e-5, "{got}");
    assert_eq!(psnr(&[0.3; 5], &[0.3; 5], 1.0), f64::INFINITY);
}

#[test]
fn the_colour_protocol_clips_and_rounds() {
    let a = picture(12, 12, |x, y, c| ((x + y + c) % 3) as f32 / 2.0);
    // Less than half a level, or outside the range: no difference once rounded.
    let b = picture(12, 12, |x, y, c| match (x + y + c) % 3 {
        0 => -0.4,
        1 => 0.5 + 0.4 / 255.0,
        _ => 1.7,
    });
    // 0.5 rounds to 128 and 0.5 + 0.4/255 = 127.9/255 to 128 as well.
    let quality = compare(&a, &b, Protocol::Rgb8).unwrap();
    assert_eq!((quality.psnr, quality.ssim), (f64::INFINITY, Some(1.0)));
    // One level everywhere: 20 log10(255) = 48.1308.
    let c = picture(12, 12, |_, _, _| 100.0 / 255.0);
    let d = picture(12, 12, |_, _, _| 101.0 / 255.0);
    let quality = compare(&c, &d, Protocol::Rgb8).unwrap();
    assert!((quality.psnr - 48.130_804).abs() < 1e-5);
    // Flat pictures: (2 * 100 * 101 + c1) / (100^2 + 101^2 + c1), c1 = 6.5025.
    assert!((quality.ssim.unwrap() - 20_206.502_5 / 20_207.502_5).abs() < 1e-9);
}

#[test]
fn luma_is_studio_range_bt601() {
    let y = luma(&[
        0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0,
    ]);
    for (got, want) in y.iter().zip([16.0, 235.0, 81.481, 144.553, 40.966]) {
        assert!((got - want).abs() < 1e-3, "{y:?}");
    }
}

#[test]
fn the_luma_protocol_cuts_the_border() {
    let a = picture(30, 26, |x, y, c| ((x * 3 + y * 5 + c) % 7) as f32 / 7.0);
    // Everything in the outer 4 pixels differs, nothing inside.
    let inside = |x: usize, y: usize| (4..26).contains(&x) && (4..22).contains(&y);
    let b = picture(30, 26, |x, y, c| {
        if inside(x, y) {
            a.samples()[(y * 30 + x) * 3 + c]
        } else {
            0.0
        }
    });
    assert_eq!(
        compare(&a, &b, Protocol::Luma { border: 4 }).unwrap().psnr,
        f64::INFINITY
    );
    assert!(compare(&a, &b, Protocol::Luma { border: 3 }).unwrap().psnr < 40.0);
    // One level in all channels is 219/255 of a level of luma.
    let c = picture(30, 26, |_, _, _| 100.0 / 255.0);
    let d = picture(30, 26, |_, _, _| 101.0 / 255.0);
    let expected = 20.0 * (255.0f64 * 255.0 / 219.0).log10();
    let got = compare(&c, &d, Protocol::Luma { border: 2 }).unwrap().psnr;
    assert!((got - expected).abs() < 1e-3, "{got} is not {expected}");
}

#[test]
fn ssim_agrees_with_its_definition() {
    // Every window weighed directly in two dimensions, means before variances.
    // More rows than are taken at a time.
    let (width, height) = (17, 90);
    let a: Vec<f32> = (0..width * height)
        .map(|i| ((i * 37 + i * i * 11) % 256) as f32)
        .collect();
    let b: Vec<f32> = a
        .iter()
        .enumerate()
        .map(|(i, v)| v * 0.8 + ((i * 53) % 41) as f32)
        .collect();
    let g = |i: usize| (-((i as f64) - 5.0).powi(2) / 4.5).exp();
    let norm: f64 = (0..121).map(|i| g(i / 11) * g(i % 11)).sum();
    let mut total = 0.0;
    for (y, x) in (0..height - 10).flat_map(|y| (0..width - 10).map(move |x| (y, x))) {
        let weighed = |f: &dyn Fn(usize) -> f64| {
            (0..121)
                .map(|i| g(i / 11) * g(i % 11) / norm * f((y + i / 11) * width + x + i % 11))
                .sum::<f64>()
        };
        let (pa, pb) = (|i: usize| f64::from(a[i]), |i: usize| f64::from(b[i]));
        let (ma, mb) = (weighed(&pa), weighed(&pb));
        let (va, vb) = (
            weighed(&|i| (pa(i) - ma).powi(2)),
            weighed(&|i| (pb(i) - mb).powi(2)),
        );
        let cov = weighed(&|i| (pa(i) - ma) * (pb(i) - mb));
        let (c1, c2) = (6.5025, 58.5225);
        total +=
            (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
    }
    let expected = total / ((width - 10) * (height - 10)) as f64;
    let got = ssim(&a, &b, width, height, 1, 255.0).unwrap();
    assert!((got - expected).abs() < 1e-10, "{got} is not {expected}");
    assert!(got > 0.5 && got < 0.99);
    // The mean over channels: the second pair is equal.
    let pair = |s: &[f32]| s.iter().flat_map(|&v| [v, 7.0]).collect::<Vec<_>>();
    let both = ssim(&pair(&a), &pair(&b), width, height, 2, 255.0).unwrap();
    assert!((both - (expected + 1.0) / 2.0).abs() < 1e-10);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let a = picture(10, 12, |_, _, _| 0.5);
    assert_eq!(compare(&a, &a, Protocol::Rgb8).unwrap().ssim, None);
    let b = picture(12, 10, |_, _, _| 0.5);
    let error = compare(&a, &b, Protocol::Rgb8).unwrap_err();
    assert!(error.to_string().contains("10x12 and 12x10"), "{error}");
    assert!(matches!(
        compare(&a, &a, Protocol::Luma { border: 5 }),
        Err(MetricError::Border { .. })
    ));
}
