//! Determinism, statistics, and what a degradation must leave alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn flat(width: usize, height: usize, value: f32) -> Rgb32 {
    Rgb32::new(width, height, vec![value; width * height * 3]).unwrap()
}

/// Smooth structure in all channels, within [0.2, 0.8].
fn scene(width: usize, height: usize) -> Rgb32 {
    let samples = (0..width * height * 3)
        .map(|i| {
            let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
            0.5 + 0.3 * ((x as f32 * 0.21 + c as f32).sin() * (y as f32 * 0.13).cos())
        })
        .collect();
    Rgb32::new(width, height, samples).unwrap()
}

fn all() -> Vec<Degradation> {
    let r = Range::new;
    vec![
        Degradation::Noise {
            sigma: r(0.0, 50.0),
            clip: false,
        },
        Degradation::PoissonGaussian {
            gain: r(0.1, 3.0),
            sigma: r(0.0, 10.0),
            clip: true,
        },
        Degradation::GaussianBlur {
            sigma: r(0.1, 3.0),
            taps: 61,
        },
        Degradation::AnisotropicBlur { sigma: r(0.2, 4.0) },
        Degradation::Defocus {
            radius: r(0.0, 6.0),
        },
        Degradation::Motion {
            length: r(0.0, 30.0),
        },
        Degradation::Downscale { factor: 3 },
        Degradation::Upscale { factor: 2 },
        Degradation::jpeg(r(10.0, 95.0)),
        Degradation::Jpeg {
            quality: r(10.0, 95.0),
            chroma: Chroma::Either,
            shift: true,
        },
        Degradation::Round,
        Degradation::OneOf {
            of: vec![
                vec![],
                vec![
                    Degradation::Defocus { radius: 3.0.into() },
                    Degradation::Round,
                ],
            ],
        },
        Degradation::Sensor(Sensor {
            shot: r(1e-4, 0.012),
            balance: r(1.0, 2.0),
            matrix: r(0.0, 0.5),
        }),
    ]
}

fn generator(sample: u64) -> ChaCha8Rng {
    rng(7, 11, sample, Purpose::Degrade)
}

/// Mean and standard deviation.
fn moments(values: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / n;
    (
        mean,
        (values.map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt(),
    )
}

#[test]
fn the_same_numbers_give_the_same_picture_and_others_do_not() {
    let clean = scene(33, 27);
    for step in all() {
        let one = step.apply(&clean, &mut generator(5)).unwrap();
        assert_eq!(
            one,
            step.apply(&clean, &mut generator(5)).unwrap(),
            "{}",
            step.kind()
        );
        if step.kind() == "noise" {
            for other in [
                rng(8, 11, 5, Purpose::Degrade),
                rng(7, 12, 5, Purpose::Degrade),
                rng(7, 11, 6, Purpose::Degrade),
                rng(7, 11, 5, Purpose::Crop),
            ] {
                assert_ne!(one.image, step.apply(&clean, &mut { other }).unwrap().image);
            }
        }
    }
}

#[test]
fn the_generator_is_the_one_that_runs_were_made_with() {
    // Pinned: a change here would make old runs impossible to repeat. The
    // numbers were computed from ChaCha's definition, apart from any library:
    // 8 rounds, the key 1 2 3 3, counter and nonce 0.
    use rand::Rng;
    let mut g = rng(1, 2, 3, Purpose::Degrade);
    let first: Vec<u32> = (0..4).map(|_| g.next_u32()).collect();
    assert_eq!(
        first,
        [2_849_394_812, 35_740_424, 278_511_183, 2_127_916_114]
    );
}

#[test]
fn gaussian_noise_has_the_drawn_deviation_and_is_not_clipped() {
    let clean = flat(128, 128, 0.5);
    for sigma in [5.0, 25.0, 50.0] {
        let step = Degradation::Noise {
            sigma: sigma.into(),
            clip: false,
        };
        let noisy = step.apply(&clean, &mut generator(1)).unwrap();
        assert_eq!(
            (noisy.sigma, &noisy.drawn[0].values[..]),
            (sigma / 255.0, &[("sigma", sigma)][..])
        );
        let s = f64::from(sigma) / 255.0;
        let noise = noisy.image.samples().iter().map(|v| v - 0.5);
        let (mean, deviation) = moments(noise.clone());
        let n = (128.0f64 * 128.0 * 3.0).sqrt();
        assert!(mean.abs() < 4.0 * s / n, "mean {mean}");
        assert!(
            (deviation / s - 1.0).abs() < 4.0 / (2f64.sqrt() * n),
            "deviation {deviation}"
        );
        // Normal, not merely of that deviation: 68.27 % within one, 0.27 % beyond three.
        let share =
            |k: f64| noise.clone().filter(|v| f64::from(v.abs()) < k * s).count() as f64 / (n * n);
        assert!((share(1.0) - 0.6827).abs() < 0.01 && (share(3.0) - 0.9973).abs() < 0.001);
        // Channels and neighbours are independent.
        let values: Vec<f32> = noise.collect();
        for lag in [1, 3, 384] {
            let product: f64 = values
                .iter()
                .zip(&values[lag..])
                .map(|(a, b)| f64::from(a * b))
                .sum();
            assert!((product / (n * n * s * s)).abs() < 4.0 / n, "lag {lag}");
        }
    }
    let bright = flat(64, 64, 0.98);
    let top = |clip| {
        let step = Degradation::Noise {
            sigma: 50.0.into(),
            clip,
        };
        step.apply(&bright, &mut generator(2))
            .unwrap()
            .image
            .samples()
            .iter()
            .copied()
            .fold(0.0, f32::max)
    };
    assert!(top(false) > 1.3);
    assert_eq!(top(true), 1.0);
}

#[test]
fn ranges_are_filled_evenly() {
    let range = Range::new(10.0, 50.0);
    let draws: Vec<f32> = (0..4000).map(|i| range.draw(&mut generator(i))).collect();
    assert!(draws.iter().all(|v| (10.0..=50.0).contains(v)));
    let (mean, deviation) = moments(draws.iter().copied());
    assert!(
        (mean - 30.0).abs() < 0.75 && (deviation - 40.0 / 12f64.sqrt()).abs() < 0.5,
        "{mean} {deviation}"
    );
}

#[test]
fn sensor_noise_grows_with_the_signal() {
    let (gain, sigma) = (2.0f32, 3.0f32);
    for value in [0.02f32, 0.2, 0.9] {
        let step = Degradation::PoissonGaussian {
            gain: gain.into(),
            sigma: sigma.into(),
            clip: false,
        };
        let noisy = step
            .apply(&flat(128, 128, value), &mut generator(3))
            .unwrap();
        let (mean, deviation) = moments(noisy.image.samples().iter().map(|v| v * 255.0));
        let expected = f64::from(gain * value * 255.0 + sigma * sigma);
        assert!(
            (mean - f64::from(value) * 255.0).abs() < 4.0 * expected.sqrt() / 221.0,
            "mean {mean}"
        );
        assert!(
            (deviation.powi(2) / expected - 1.0).abs() < 0.04,
            "variance {} is not {expected}",
            deviation.powi(2)
        );
    }
    let step = Degradation::PoissonGaussian {
        gain: gain.into(),
        sigma: 0.0.into(),
        clip: false,
    };
    assert_eq!(
        step.apply(&flat(4, 4, 0.0), &mut generator(3))
            .unwrap()
            .image,
        flat(4, 4, 0.0)
    );
}

#[test]
fn blur_and_resize_keep_flat_areas_flat() {
    let noisy = ["noise", "poisson_gaussian", "sensor"];
    for step in all().iter().filter(|s| !noisy.contains(&s.kind())) {
        // JPEG rounds the mean of a block to a multiple of its quantiser.
        let tolerance = if step.kind() == "jpeg" { 0.03 } else { 2e-6 };
        for sample in 0..6 {
            let value = 51.0 / 255.0; // exact in 8 bits
            let out = step
                .apply(&flat(29, 23, value), &mut generator(sample))
                .unwrap();
            assert!(
                out.image
                    .samples()
                    .iter()
                    .all(|v| (v - value).abs() < tolerance),
                "{}",
                out.drawn[0]
            );
            assert_eq!(out.sigma, 0.0);
        }
    }
}

#[test]
fn blur_keeps_the_energy_of_a_point_of_light_and_spreads_it() {
    let side = 161;
    let mut point = flat(side, side, 0.0);
    point.samples_mut()[(80 * side + 80) * 3 + 1] = 1.0;
    // Spread along x, y and in total, for each kind.
    let spread = |step: &Degradation, sample: u64| {
        let out = step.apply(&point, &mut generator(sample)).unwrap();
        let (mut sum, mut x2, mut y2) = (0.0f64, 0.0, 0.0);
        for (i, p) in out.image.samples().chunks_exact(3).enumerate() {
            assert_eq!((p[0], p[2]), (0.0, 0.0), "channels do not mix");
            assert!(p[1] >= 0.0);
            let (x, y) = ((i % side) as f64 - 80.0, (i / side) as f64 - 80.0);
            sum += f64::from(p[1]);
            x2 += f64::from(p[1]) * x * x;
            y2 += f64::from(p[1]) * y * y;
        }
        assert!((sum - 1.0).abs() < 1e-5, "{}: {sum}", out.drawn[0]);
        (x2, y2)
    };
    for sample in 0..4 {
        let (x2, y2) = spread(
            &Degradation::GaussianBlur {
                sigma: 2.5.into(),
                taps: 61,
            },
            sample,
        );
        assert!(
            (x2 - 6.25).abs() < 1e-3 && (y2 - 6.25).abs() < 1e-3,
            "{x2} {y2}"
        );
        let (x2, y2) = spread(
            &Degradation::AnisotropicBlur {
                sigma: Range::new(1.0, 4.0),
            },
            sample,
        );
        assert!((2.0..32.0).contains(&(x2 + y2)), "{x2} {y2}");
        // A disc of radius r has variance r^2 / 4 along each axis.
        let (x2, y2) = spread(&Degradation::Defocus { radius: 6.0.into() }, sample);
        assert!(
            (x2 - 9.0).abs() < 0.3 && (y2 - 9.0).abs() < 0.3,
            "{x2} {y2}"
        );
        // A straight path of length l has variance l^2 / 12; a bent one less.
        let (x2, y2) = spread(
            &Degradation::Motion {
                length: 24.0.into(),
            },
            sample,
        );
        assert!((2.0..49.5).contains(&(x2 + y2)), "{x2} {y2}");
    }
    // The fixed anisotropic kernel: 4 along 30 degrees, 1 across.
    let kernel = kernel::anisotropic(4.0, 1.0, 30f32.to_radians());
    let side = 2 * kernel.radius + 1;
    let second = |f: &dyn Fn(f64, f64) -> f64| {
        let at = |i: usize| i as f64 - kernel.radius as f64;
        kernel
            .weights
            .iter()
            .enumerate()
            .map(|(i, w)| f64::from(*w) * f(at(i % side), at(i / side)))
            .sum::<f64>()
    };
    assert!((second(&|x, _| x * x) - (16.0 * 0.75 + 0.25)).abs() < 0.1);
    assert!((second(&|_, y| y * y) - (16.0 * 0.25 + 0.75)).abs() < 0.1);
    assert!((second(&|x, y| x * y) - (15.0 * 0.433_013)).abs() < 0.1);
}

#[test]
fn a_blur_at_the_edge_mirrors_the_picture() {
    // A separable blur and the same kernel in two dimensions agree everywhere.
    let clean = scene(19, 13);
    let taps = kernel::gaussian(2.0, 31);
    let weights = taps
        .iter()
        .flat_map(|a| taps.iter().map(move |b| a * b))
        .collect();
    let square = kernel::Kernel {
        radius: taps.len() / 2,
        weights,
    };
    let (a, b) = (
        blur::separable(&clean, &taps),
        blur::convolve(&clean, &square),
    );
    assert!(
        a.samples()
            .iter()
            .zip(b.samples())
            .all(|(x, y)| (x - y).abs() < 1e-5)
    );
    // A ramp mirrored at 0 blurs to (its neighbours) 0 0 1: by hand.
    let ramp = Rgb32::new(4, 1, (0..12).map(|i| (i / 3) as f32).collect()).unwrap();
    let out = blur::separable(&ramp, &[0.25, 0.5, 0.25]);
    let red: Vec<f32> = out.samples().iter().step_by(3).copied().collect();
    assert_eq!(red, [0.25, 1.0, 2.0, 2.75]);
}

#[test]
fn resizing_changes_the_size_and_jpeg_the_picture() {
    let clean = scene(50, 35);
    for factor in [2, 3, 4, 8] {
        let small = Degradation::Downscale { factor }
            .apply(&clean, &mut generator(0))
            .unwrap()
            .image;
        assert_eq!(
            (small.width(), small.height()),
            (50usize.div_ceil(factor), 35usize.div_ceil(factor))
        );
        let large = Degradation::Upscale { factor }
            .apply(&small, &mut generator(0))
            .unwrap()
            .image;
        assert_eq!(large.width(), small.width() * factor);
    }
    let error = |quality: f32| {
        let step = Degradation::jpeg(quality.into());
        let out = step.apply(&clean, &mut generator(0)).unwrap();
        assert_eq!(out.drawn[0].values, [("quality", quality), ("chroma", 1.0)]);
        crate::metrics::mse(out.image.samples(), clean.samples())
    };
    assert!(error(10.0) > 2.0 * error(50.0) && error(50.0) > error(95.0) && error(95.0) > 0.0);
    assert!(error(95.0).sqrt() < 0.01);
}

#[test]
fn alternatives_are_drawn_evenly_and_say_which() {
    let noise = |sigma: f32| Degradation::Noise {
        sigma: sigma.into(),
        clip: false,
    };
    let of = vec![vec![], vec![noise(3.0), noise(4.0)], vec![noise(9.0)]];
    let step = Degradation::OneOf { of };
    let clean = flat(4, 4, 0.5);
    let mut counts = [0; 3];
    for sample in 0..300 {
        let out = step.apply(&clean, &mut generator(sample)).unwrap();
        let choice = out.drawn[0].values[0].1 as usize;
        counts[choice] += 1;
        let sigma = [0.0, 5.0, 9.0][choice];
        assert!((out.sigma * 255.0 - sigma).abs() < 1e-4);
        assert_eq!(out.drawn.len(), 1 + [0, 2, 1][choice]);
        assert_eq!(out.image == clean, choice == 0);
    }
    assert!(counts.iter().all(|c| (70..130).contains(c)), "{counts:?}");
}

#[test]
fn halved_colour_loses_colour_and_a_shift_moves_the_blocks() {
    // Colour alternates from pixel to pixel at equal brightness.
    let samples = (0..32 * 32).flat_map(|i| match (i % 32 + i / 32) % 2 {
        0 => [0.8, 0.4, 0.5],
        _ => [0.4, 0.604, 0.5],
    });
    let clean = Rgb32::new(32, 32, samples.collect()).unwrap();
    let error = |chroma| {
        let step = Degradation::Jpeg {
            quality: 95.0.into(),
            chroma,
            shift: false,
        };
        let out = step.apply(&clean, &mut generator(0)).unwrap();
        crate::metrics::mse(out.image.samples(), clean.samples())
    };
    assert!(error(Chroma::Half) > 20.0 * error(Chroma::Full));
    // At the lowest quality every block is flat: where columns change says where blocks start.
    let clean = scene(64, 64);
    let starts = |sample| {
        let step = Degradation::Jpeg {
            quality: 1.0.into(),
            chroma: Chroma::Full,
            shift: true,
        };
        let out = step.apply(&clean, &mut generator(sample)).unwrap().image;
        let change = |x: usize| {
            let at = |y: usize, x: usize| out.samples()[(y * 64 + x) * 3];
            (0..64)
                .map(|y| (at(y, x) - at(y, x - 1)).abs())
                .sum::<f32>()
        };
        let sum = |phase: usize| {
            let columns = (1..64).filter(|x| x % 8 == phase);
            columns.map(change).sum::<f32>()
        };
        (0..8).max_by(|a, b| sum(*a).total_cmp(&sum(*b))).unwrap()
    };
    let mut found: Vec<usize> = (0..24).map(starts).collect();
    found.sort_unstable();
    found.dedup();
    assert!(found.len() >= 6, "{found:?}");
}

#[test]
fn steps_apply_in_order_and_noise_adds_in_quadrature() {
    let noise = |sigma: f32| Degradation::Noise {
        sigma: sigma.into(),
        clip: false,
    };
    let steps = [
        noise(30.0),
        Degradation::Downscale { factor: 2 },
        noise(40.0),
        Degradation::Round,
    ];
    let out = apply_all(&steps, &flat(64, 64, 0.5), &mut generator(9)).unwrap();
    assert_eq!(out.image.width(), 32);
    assert!((out.sigma * 255.0 - 50.0).abs() < 1e-3);
    let kinds: Vec<_> = out.drawn.iter().map(|d| d.kind).collect();
    assert_eq!(kinds, ["noise", "downscale", "noise", "round"]);
    assert_eq!(out.drawn[0].to_string(), "noise sigma 30.000");
    assert!(
        out.image
            .samples()
            .iter()
            .all(|v| (v * 255.0).fract().abs() < 1e-3 || (v * 255.0).fract() > 0.999)
    );
}

#[test]
fn configurations_read_as_people_write_them() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Config {
        degrade: Vec<Degradation>,
    }
    let text = r#"degrade = [
        { kind = "noise", sigma = [0, 50] },
        { kind = "gaussian_blur", sigma = 1.6 },
        { kind = "downscale", factor = 4 },
        { kind = "round" },
    ]"#;
    let config: Config = toml::from_str(text).unwrap();
    let expected = [
        Degradation::Noise {
            sigma: Range::new(0.0, 50.0),
            clip: false,
        },
        Degradation::GaussianBlur {
            sigma: 1.6.into(),
            taps: 61,
        },
        Degradation::Downscale { factor: 4 },
        Degradation::Round,
    ];
    assert_eq!(config.degrade, expected);
    let every = Config { degrade: all() };
    assert_eq!(
        toml::from_str::<Config>(&toml::to_string(&every).unwrap()).unwrap(),
        every
    );
    for wrong in [
        r#"degrade = [{ kind = "nois", sigma = 5 }]"#,
        r#"degrade = [{ kind = "noise", sgma = 5 }]"#,
        r#"degrade = [{ kind = "noise", sigma = 5, extra = 1 }]"#,
        r#"degrade = [{ kind = "noise", sigma = [1, 2, 3] }]"#,
        r#"degrade = [{ kind = "noise", sigma = "much" }]"#,
    ] {
        assert!(toml::from_str::<Config>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let r = Range::new;
    for (step, name) in [
        (
            Degradation::Noise {
                sigma: r(-1.0, 5.0),
                clip: false,
            },
            "sigma",
        ),
        (
            Degradation::Noise {
                sigma: r(9.0, 5.0),
                clip: false,
            },
            "sigma",
        ),
        (
            Degradation::Noise {
                sigma: r(0.0, f32::NAN),
                clip: false,
            },
            "sigma",
        ),
        (
            Degradation::PoissonGaussian {
                gain: r(0.0, f32::INFINITY),
                sigma: r(0.0, 1.0),
                clip: false,
            },
            "gain",
        ),
        (
            Degradation::GaussianBlur {
                sigma: r(1.0, 1.0),
                taps: 60,
            },
            "taps",
        ),
        (Degradation::Downscale { factor: 5 }, "factor"),
        (Degradation::jpeg(r(0.0, 95.0)), "quality"),
        (Degradation::OneOf { of: vec![] }, "of"),
        (
            Degradation::Sensor(Sensor {
                shot: r(0.0, 0.1),
                balance: r(1.0, 2.0),
                matrix: r(0.0, 0.0),
            }),
            "shot",
        ),
    ] {
        let error = step
            .apply(&flat(8, 8, 0.5), &mut generator(0))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(step.kind()) && error.contains(name),
            "{error}"
        );
    }
}
