//! Our degradations and metrics together give the published figures of the
//! pictures that the networks start from. The test sets have no free licence:
//! `SERPENT_TEST_SETS` names the folder that holds Set5 and Classic5.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::image::Picture;
use crate::metrics::{Protocol, compare};
use std::path::PathBuf;

/// The pictures of a set, sides cut to a multiple of `multiple`.
fn set(name: &str, multiple: usize) -> Option<Vec<Rgb32>> {
    let Some(folder) = std::env::var_os("SERPENT_TEST_SETS") else {
        println!("skipped: set SERPENT_TEST_SETS to the folder that holds {name}");
        return None;
    };
    let folder = PathBuf::from(folder).join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "png" || e == "bmp"));
    assert_eq!(paths.len(), 5);
    Some(
        paths
            .iter()
            .map(|p| cut(&Picture::open(p).unwrap().to_rgb(), multiple))
            .collect(),
    )
}

fn cut(image: &Rgb32, multiple: usize) -> Rgb32 {
    let (width, height) = (
        image.width() / multiple * multiple,
        image.height() / multiple * multiple,
    );
    let rows = image.samples().chunks_exact(image.width() * 3).take(height);
    Rgb32::new(
        width,
        height,
        rows.flat_map(|row| &row[..width * 3]).copied().collect(),
    )
    .unwrap()
}

/// Mean PSNR and SSIM of the degraded pictures against the clean ones.
fn mean(pictures: &[Rgb32], steps: &[Degradation], protocol: Protocol) -> (f64, f64) {
    let (mut psnr, mut ssim) = (0.0, 0.0);
    for (i, clean) in pictures.iter().enumerate() {
        let degraded =
            apply_all(steps, clean, &mut rng(0, 0, i as u64, Purpose::Evaluation)).unwrap();
        let quality = compare(clean, &degraded.image, protocol).unwrap();
        psnr += quality.psnr / pictures.len() as f64;
        ssim += quality.ssim.unwrap() / pictures.len() as f64;
    }
    (psnr, ssim)
}

#[test]
fn bicubic_on_set5() {
    for (factor, psnr, ssim) in [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)] {
        let Some(pictures) = set("Set5", factor) else {
            return;
        };
        let steps = [
            Degradation::Downscale { factor },
            Degradation::Round,
            Degradation::Upscale { factor },
        ];
        let got = mean(&pictures, &steps, Protocol::Luma { border: factor });
        println!(
            "Set5 x{factor}: {:.3} dB, SSIM {:.4} (published {psnr}, {ssim})",
            got.0, got.1
        );
        assert!((got.0 - psnr).abs() < 0.03 && (got.1 - ssim).abs() < 0.002);
    }
}

#[test]
fn jpeg_on_classic5() {
    let Some(pictures) = set("Classic5", 1) else {
        return;
    };
    for (quality, psnr, ssim) in [
        (10.0, 27.82, 0.7595),
        (20.0, 30.12, 0.8344),
        (30.0, 31.48, 0.8666),
        (40.0, 32.43, 0.8849),
    ] {
        let got = mean(
            &pictures,
            &[Degradation::jpeg(Range::from(quality))],
            Protocol::Rgb8,
        );
        println!(
            "Classic5 q{quality}: {:.3} dB, SSIM {:.4} (published {psnr}, {ssim})",
            got.0, got.1
        );
        assert!((got.0 - psnr).abs() < 0.05 && (got.1 - ssim).abs() < 0.003);
    }
}
