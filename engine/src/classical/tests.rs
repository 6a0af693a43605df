#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ops::ControlFlow;

use super::*;
use crate::image::Rgb32;
use crate::metrics::psnr;
use crate::train::degrade::{Degradation, Purpose, apply_all, rng, separable};

/// Edges, discs and gradients.
fn scene(width: usize, height: usize) -> Rgb32 {
    let samples = (0..width * height * 3).map(|i| {
        let (x, y, c) = ((i / 3 % width) as f32, (i / 3 / width) as f32, i % 3);
        let disc = f32::from((x - 20.0).hypot(y - 15.0) < 9.0);
        let bars = f32::from(((x / 6.0 + c as f32) as usize).is_multiple_of(2));
        0.2 + 0.3 * disc + 0.2 * bars + 0.2 * y / height as f32
    });
    Rgb32::new(width, height, samples.collect()).unwrap()
}

#[test]
fn without_noise_the_wiener_filter_inverts_the_blur_edges_included() {
    let clean = scene(37, 30);
    let blur = Blur::gaussian(0.8);
    let blurred = separable(&clean, &blur.taps);
    let before = psnr(clean.samples(), blurred.samples(), 1.0);
    let restored = wiener(&blurred, &blur, Prior::Flat(1e-7));
    let after = psnr(clean.samples(), restored.samples(), 1.0);
    assert!(before < 30.0 && after > 55.0, "{before} {after}");
    // At the edges as well as inside.
    let worst = restored
        .samples()
        .iter()
        .zip(clean.samples())
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst < 0.02, "{worst}");
}

#[test]
fn the_wiener_gain_is_the_formula() {
    // A picture that is one cosine keeps its shape: DCT-II basis function k of a mirrored row,
    // cos(π k (x + 1/2) / n), comes out times h / (h² + ratio).
    let (n, k) = (24, 5);
    let omega = std::f64::consts::PI * k as f64 / n as f64;
    let wave = |x: usize| (omega * (x as f64 + 0.5)).cos() as f32;
    let samples = (0..n * 4 * 3).map(|i| wave(i / 3 % n));
    let blurred = Rgb32::new(n, 4, samples.collect()).unwrap();
    let blur = Blur {
        taps: vec![0.25, 0.5, 0.25],
    };
    let h = 0.5 + 0.5 * omega.cos();
    for (prior, ratio) in [
        (Prior::Flat(0.1), 0.1),
        (Prior::Falling(0.3), 0.3 * omega * omega),
    ] {
        let gain = h / (h * h + ratio);
        let out = wiener(&blurred, &blur, prior);
        for (got, input) in out.samples().iter().zip(blurred.samples()) {
            let want = gain as f32 * input;
            assert!((got - want).abs() < 1e-5, "{prior:?}: {got} is not {want}");
        }
    }
}

#[test]
fn one_iteration_by_hand() {
    // Two pixels 0.2, 0.6 and taps 1/4, 1/2, 1/4, mirrored: H = [[3/4, 1/4], [1/4, 3/4]].
    let samples = [0.2f32, 0.6].iter().flat_map(|&v| [v; 3]).collect();
    let blurred = Rgb32::new(2, 1, samples).unwrap();
    let blur = Blur {
        taps: vec![0.25, 0.5, 0.25],
    };
    let mut seen = 0;
    let out = richardson_lucy(&blurred, &blur, 1, |n, _| {
        seen = n;
        ControlFlow::Continue(())
    });
    assert_eq!(seen, 1);
    // From 0.4, 0.4: Hx the same; ratio = 1/2, 3/2; Hᵀ ratio = 3/4, 5/4.
    for (got, want) in [(out.samples()[0], 0.3), (out.samples()[3], 0.5)] {
        assert!((got - want).abs() < 1e-6, "{got} is not {want}");
    }
}

#[test]
fn richardson_lucy_sharpens_keeps_the_light_and_can_be_stopped() {
    let clean = scene(40, 32);
    let blur = Blur::gaussian(1.5);
    let blurred = separable(&clean, &blur.taps);
    let out = richardson_lucy(&blurred, &blur, 30, |_, _| ControlFlow::Continue(()));
    let db = |p: &Rgb32| psnr(clean.samples(), p.samples(), 1.0);
    assert!(
        db(&out) > db(&blurred) + 2.0,
        "{} {}",
        db(&out),
        db(&blurred)
    );
    let light = |p: &Rgb32| p.samples().iter().map(|v| f64::from(*v)).sum::<f64>();
    assert!((light(&out) / light(&blurred) - 1.0).abs() < 1e-3);
    let mut iterations = 0;
    richardson_lucy(&blurred, &blur, 30, |n, _| {
        iterations = n;
        if n == 4 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(iterations, 4);
}

#[test]
fn tuning_finds_a_setting_that_beats_its_neighbours() {
    let blur = Blur::gaussian(1.6);
    let steps = [
        Degradation::GaussianBlur {
            sigma: 1.6.into(),
            taps: 61,
        },
        Degradation::Noise {
            sigma: 5.0.into(),
            clip: false,
        },
    ];
    let pairs: Vec<(Rgb32, Rgb32)> = (0..2)
        .map(|i| {
            let clean = scene(48, 40);
            let mut random = rng(0, 0, i, Purpose::Evaluation);
            let blurred = apply_all(&steps, &clean, &mut random).unwrap().image;
            (clean, blurred)
        })
        .collect();
    let tuned = tune(&pairs, &blur);
    let db = |setting: Setting| {
        let each = pairs.iter().map(|(clean, blurred)| {
            let mut out = restore(blurred, &blur, setting);
            let clip = |v: &mut f32| *v = v.clamp(0.0, 1.0);
            out.samples_mut().iter_mut().for_each(clip);
            psnr(clean.samples(), out.samples(), 1.0)
        });
        each.sum::<f64>() / pairs.len() as f64
    };
    let input = pairs
        .iter()
        .map(|(a, b)| psnr(a.samples(), b.samples(), 1.0))
        .sum::<f64>()
        / 2.0;
    let (Setting::Wiener(prior), reached) = tuned.wiener else {
        panic!("{tuned:?}");
    };
    assert!((db(tuned.wiener.0) - reached).abs() < 1e-9 && reached > input + 1.0);
    for factor in [0.1, 10.0] {
        let other = match prior {
            Prior::Flat(k) => Prior::Flat(k * factor),
            Prior::Falling(k) => Prior::Falling(k * factor),
        };
        assert!(db(Setting::Wiener(other)) < reached);
    }
    let (Setting::RichardsonLucy(n), reached) = tuned.richardson_lucy else {
        panic!("{tuned:?}");
    };
    assert!((db(tuned.richardson_lucy.0) - reached).abs() < 1e-9);
    assert!(db(Setting::RichardsonLucy(n + 5)) <= reached && n > 1);
}
