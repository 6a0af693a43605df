//! What is learned from: photographs, crops and their degradations.

use std::sync::Arc;

use super::*;
use crate::train::degrade::{Degradation, Range};

#[test]
fn photographs_are_learned_as_restoring_shows_them() {
    use crate::image::{Colour, Metadata, Picture, SaveOptions};
    let folder = tempfile::tempdir().unwrap();
    let samples: Vec<f32> = (0..24 * 24 * 3).map(|i| (i % 200) as f32 / 255.0).collect();
    let plain = Picture::new(24, 24, Colour::Rgb, samples).unwrap();
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let wide = plain.clone().with_metadata(Metadata {
        icc: Some(profile),
        ..Metadata::default()
    });
    for (name, picture) in [("a.png", &wide), ("b.png", &plain)] {
        let path = folder.path().join(name);
        picture.save(path, &SaveOptions::default()).unwrap();
    }
    let photos = Photos::load(&[folder.path().to_owned()], 16)
        .unwrap()
        .photos;
    assert_eq!(photos[1].rgb, plain.to_rgb().to_bytes());
    assert_eq!(photos[0].rgb, wide.in_srgb().to_rgb().to_bytes());
    let pairs = photos[0].rgb.iter().zip(&photos[1].rgb);
    let far = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(far > 10, "Display P3 is another space: {far}");
}

#[test]
fn batches_are_a_function_of_the_step_and_crops_are_turned() {
    let (folder, mut config) = scene();
    config.degradations.clear();
    let photos = Photos::load(&[folder.path().join("photos")], 16).unwrap();
    assert_eq!(photos.skipped.len(), 1);
    let photos = Arc::new(photos);
    let sampler = Sampler::new(&config, photos.clone());
    let batch = sampler.batch(7).unwrap();
    assert_eq!(batch.input.len(), 3 * 16 * 16 * 3);
    assert_eq!(batch.input, batch.target, "no degradation");
    assert_eq!(
        batch,
        Sampler::new(&config, photos.clone()).batch(7).unwrap()
    );
    assert_ne!(batch, sampler.batch(8).unwrap());
    config.seed += 1;
    assert_ne!(
        batch,
        Sampler::new(&config, photos.clone()).batch(7).unwrap()
    );

    // Every crop is a turned square of a photograph: red grows along one axis, green along the other.
    let mut turns = std::collections::HashSet::new();
    for step in 0..60 {
        let crop = &sampler.batch(step).unwrap().target[..16 * 16 * 3];
        let at = |y: usize, x: usize, c: usize| crop[(y * 16 + x) * 3 + c];
        let down = [at(15, 0, 0) - at(0, 0, 0), at(15, 0, 1) - at(0, 0, 1)];
        let right = [at(0, 15, 0) - at(0, 0, 0), at(0, 15, 1) - at(0, 0, 1)];
        let transposed = right[0].abs() < down[0].abs();
        let (red, green) = if transposed {
            (down[0], right[1])
        } else {
            (right[0], down[1])
        };
        turns.insert((transposed, red > 0.0, green > 0.0));
    }
    assert_eq!(turns.len(), 8);
}

/// A photograph that is shrunk before it is cut: steeper by the factor, and never beyond its borders.
#[test]
fn crops_of_shrunk_photographs_are_steeper() {
    let (width, height) = (400, 90);
    let rgb = (0..width * height).flat_map(|i| [(i % width / 2) as u8, (i / width) as u8, 7]);
    let photo = Photo {
        width,
        height,
        rgb: rgb.collect(),
    };
    let half = photo.shrunk(100, 10, 64, 32).unwrap();
    assert_eq!((half.width, half.height), (32, 32));
    for (y, x) in [(3, 3), (10, 20), (28, 28)] {
        let at = |c: usize| f64::from(half.rgb[(y * 32 + x) * 3 + c]);
        // Pixel centres: the n-th of the small one lies between two of the large one.
        assert!((at(0) - (50.25 + x as f64)).abs() <= 1.0, "{x}: {}", at(0));
        assert!(
            (at(1) - (10.5 + 2.0 * y as f64)).abs() <= 1.0,
            "{y}: {}",
            at(1)
        );
        assert_eq!(at(2), 7.0);
    }
    assert!(photo.shrunk(380, 0, 64, 32).is_err());

    let (_folder, mut config) = scene();
    config.degradations.clear();
    config.data.shrink = 0.25;
    let photos = Photos {
        photos: vec![photo],
        skipped: Vec::new(),
    };
    let sampler = Sampler::new(&config, Arc::new(photos));
    let mut slopes = Vec::new();
    for step in 0..40 {
        for crop in sampler.batch(step).unwrap().target.chunks(16 * 16 * 3) {
            let green = |y: usize, x: usize| 255.0 * crop[(y * 16 + x) * 3 + 1];
            let steps = [green(15, 0) - green(0, 0), green(0, 15) - green(0, 0)];
            slopes.push(steps.into_iter().fold(0.0, |a: f32, s| a.max(s.abs())) / 15.0);
        }
    }
    slopes.sort_by(f32::total_cmp);
    let (least, most) = (slopes[0], slopes[slopes.len() - 1]);
    assert!(
        (0.9..1.2).contains(&least) && (3.6..4.2).contains(&most),
        "{least} {most}"
    );
    let middle = slopes[slopes.len() / 2];
    assert!((1.3..2.0).contains(&middle), "{middle}");
}

/// The level of the noise reaches the network as its fourth channel.
#[test]
fn the_noise_map_tells_the_level() {
    let (folder, mut config) = scene();
    config.network.noise_map = Some(true);
    config.degradations = toml::from_str::<TrainConfig>(
        "task = \"denoise\"\nsteps = 1\noutput = \"o\"\ndegradations = [{ kind = \"noise\", sigma = [25.5, 25.5] }]\n[data]\nfolders = [\"p\"]",
    )
    .unwrap()
    .degradations;
    let photos = Photos::load(&[folder.path().join("photos")], 16).unwrap();
    let batch = Sampler::new(&config, Arc::new(photos)).batch(1).unwrap();
    assert_eq!(batch.input.len(), 3 * 16 * 16 * 4);
    let mut squares = 0.0;
    for (input, target) in batch
        .input
        .as_chunks::<4>()
        .0
        .iter()
        .zip(batch.target.as_chunks::<3>().0)
    {
        assert!((input[3] - 0.1).abs() < 1e-6);
        squares += (0..3).map(|c| (input[c] - target[c]).powi(2)).sum::<f32>();
    }
    let sigma = (squares / batch.target.len() as f32).sqrt();
    assert!((sigma - 0.1).abs() < 0.005, "{sigma}");
}

/// With a margin, a blur sees the photograph beyond the crop: away from the photograph's own
/// edges it is the whole photograph's blur, cut.
#[test]
fn a_margin_keeps_mirrors_out_of_blurs() {
    let (folder, mut config) = scene();
    config.degradations = vec![Degradation::GaussianBlur {
        sigma: Range::new(2.0, 2.0),
        taps: 13,
    }];
    // A ramp: blurred, it stays what it is, unless its edges are mirrored.
    let ramp = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([4 * x as u8, 4 * y as u8, 9]));
    let only = folder.path().join("ramp");
    std::fs::create_dir(&only).unwrap();
    ramp.save(only.join("ramp.png")).unwrap();
    let worst = |margin: usize| {
        config.data.margin = margin;
        let photos = Photos::load(std::slice::from_ref(&only), 16 + 2 * margin).unwrap();
        let batch = Sampler::new(&config, Arc::new(photos)).batch(1).unwrap();
        assert_eq!(batch.input.len(), 3 * 16 * 16 * 3);
        let pairs = batch.input.iter().zip(&batch.target);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let mut worst = worst;
    assert!(worst(6) < 1e-5);
    assert!(worst(0) > 1e-3);
}

#[test]
fn some_crops_are_flat_when_asked() {
    let (folder, mut config) = scene();
    config.degradations.clear();
    let photos = Arc::new(Photos::load(&[folder.path().join("photos")], 16).unwrap());
    let without = Sampler::new(&config, photos.clone());
    config.data.flat = 0.5;
    let sampler = Sampler::new(&config, photos);
    let (mut flat, mut ramps, mut photographs) = (0, 0, 0);
    for step in 0..40 {
        for crop in sampler.batch(step).unwrap().target.chunks(16 * 16 * 3) {
            assert!(crop.iter().all(|v| (0.0..=1.0).contains(v)));
            let same = crop.chunks(3).all(|p| p == &crop[..3]);
            // A ramp has no second difference along a row.
            let bend = crop.chunks(16 * 3).flat_map(|row| {
                (3..15 * 3).map(|i| (row[i - 3] - 2.0 * row[i] + row[i + 3]).abs())
            });
            let straight = bend.fold(0.0, f32::max) < 1e-5;
            match (same, straight) {
                (true, _) => flat += 1,
                (false, true) => ramps += 1,
                (false, false) => photographs += 1,
            }
        }
    }
    assert!(
        flat > 15 && ramps > 15 && photographs > 30,
        "{flat} {ramps} {photographs}"
    );
    // The photographs are those there would be anyway.
    let crops = |sampler: &Sampler| -> Vec<Vec<f32>> {
        let batches = (0..40).map(|step| sampler.batch(step).unwrap().target);
        let each = batches.flat_map(|t| {
            t.chunks(16 * 16 * 3)
                .map(<[f32]>::to_vec)
                .collect::<Vec<_>>()
        });
        each.collect()
    };
    let pairs = crops(&sampler).into_iter().zip(crops(&without));
    assert_eq!(pairs.filter(|(a, b)| a == b).count(), photographs);
}

/// Speed of the data pipeline on one core, printed; a bound that only a mistake misses.
#[test]
fn one_core_makes_enough_crops() {
    let (folder, mut config) = scene();
    let picture = image::RgbImage::from_fn(600, 400, |x, y| image::Rgb([x as u8, y as u8, 7]));
    picture
        .save(folder.path().join("photos/large.png"))
        .unwrap();
    config.data.crop = 128;
    config.data.batch = 16;
    let photos = Photos::load(&[folder.path().join("photos")], 128).unwrap();
    let sampler = Sampler::new(&config, Arc::new(photos));
    let begun = std::time::Instant::now();
    for step in 0..5 {
        sampler.batch(step).unwrap();
    }
    let speed = 80.0 / begun.elapsed().as_secs_f64();
    println!("{speed:.0} crops of 128² a second on one core");
    assert!(speed > 20.0, "{speed}");
}
