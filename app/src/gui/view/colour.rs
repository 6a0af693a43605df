//! From a picture's colour profile to what the screen is taken to show, sRGB.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};
use serpent_engine::image::{Colour, Picture};

/// Steps along each axis of the colours tried when asking whether a profile is sRGB.
const STEPS: usize = 9;

/// How a picture's samples become sRGB.
#[derive(Clone, Default)]
pub(super) struct ToDisplay {
    transform: Option<Arc<dyn TransformExecutor<f32> + Send + Sync>>,
    grey: bool,
    /// Why the profile is not followed, when it is not.
    pub problem: Option<String>,
}

impl ToDisplay {
    /// Reads the picture's profile. Without one the samples are sRGB already; so are they
    /// taken to be when the profile cannot be used, and `problem` says so.
    pub fn of(picture: &Picture) -> Self {
        let Some(profile) = &picture.metadata().icc else {
            return Self::default();
        };
        match transform(profile, picture.colour()) {
            Ok((transform, grey)) => {
                let found = Self {
                    transform: Some(transform),
                    grey,
                    problem: None,
                };
                if found.changes_nothing() {
                    Self::default()
                } else {
                    found
                }
            }
            Err(problem) => Self {
                problem: Some(format!(
                    "the colour profile cannot be used ({problem}); colours are shown as sRGB"
                )),
                ..Self::default()
            },
        }
    }

    /// Converts interleaved RGB in place; grey pictures repeat their sample three times.
    pub fn apply(&self, rgb: &mut [f32]) {
        let Some(transform) = &self.transform else {
            return;
        };
        let source: Vec<f32> = match self.grey {
            true => rgb.iter().step_by(3).copied().collect(),
            false => rgb.to_vec(),
        };
        // The lengths fit, so that only a broken profile fails; its samples stay as they are.
        if let Err(problem) = transform.transform(&source, rgb) {
            tracing::warn!("colour profile: {problem:?}");
        }
    }

    /// Whether every colour tried comes out within half an 8-bit step of itself.
    fn changes_nothing(&self) -> bool {
        let value = |i: usize| (i % STEPS) as f32 / (STEPS - 1) as f32;
        let before: Vec<f32> = (0..STEPS * STEPS * STEPS)
            .flat_map(|i| match self.grey {
                true => [value(i); 3],
                false => [value(i), value(i / STEPS), value(i / STEPS / STEPS)],
            })
            .collect();
        let mut after = before.clone();
        self.apply(&mut after);
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < 0.5 / 255.0;
        before.iter().zip(&after).all(close)
    }
}

type Transform = Arc<dyn TransformExecutor<f32> + Send + Sync>;

fn transform(profile: &[u8], colour: Colour) -> Result<(Transform, bool), String> {
    let profile = ColorProfile::new_from_slice(profile).map_err(|e| e.to_string())?;
    let grey = profile.color_space == DataColorSpace::Gray;
    if grey && colour == Colour::Rgb {
        return Err("it describes grey, the picture has colours".to_owned());
    }
    let layout = if grey { Layout::Gray } else { Layout::Rgb };
    let options = TransformOptions {
        prefer_fixed_point: false,
        ..Default::default()
    };
    let transform = profile
        .create_transform_f32(layout, &ColorProfile::new_srgb(), Layout::Rgb, options)
        .map_err(|e| e.to_string())?;
    Ok((transform, grey))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serpent_engine::image::Metadata;

    use super::*;

    fn with_profile(colour: Colour, icc: Vec<u8>) -> Picture {
        let samples = vec![0.5; colour.channels()];
        let metadata = Metadata {
            icc: Some(icc),
            exif: None,
        };
        Picture::new(1, 1, colour, samples)
            .unwrap()
            .with_metadata(metadata)
    }

    #[test]
    fn srgb_stays_as_it_is() {
        let picture = with_profile(Colour::Rgb, ColorProfile::new_srgb().encode().unwrap());
        assert!(ToDisplay::of(&picture).transform.is_none());
    }

    #[test]
    fn display_p3_follows_its_matrix() {
        let profile = ColorProfile::new_display_p3().encode().unwrap();
        let to_display = ToDisplay::of(&with_profile(Colour::Rgb, profile));
        // By hand: P3 (0.2, 0.6, 0.3) decoded, times the P3 to sRGB matrix, encoded.
        let mut rgb = [0.2, 0.6, 0.3];
        to_display.apply(&mut rgb);
        let decode = |v: f64| ((v + 0.055) / 1.055).powf(2.4);
        let encode = |v: f64| 1.055 * v.powf(1.0 / 2.4) - 0.055;
        let linear = [0.2, 0.6, 0.3].map(decode);
        let matrix = [
            [1.224_940_2, -0.224_940_2, 0.0],
            [-0.042_056_9, 1.042_056_9, 0.0],
            [-0.019_637_6, -0.078_636_1, 1.098_273_6],
        ];
        for (row, got) in matrix.iter().zip(rgb).skip(1) {
            let sum: f64 = row.iter().zip(linear).map(|(m, v)| m * v).sum();
            let expected = encode(sum);
            assert!((f64::from(got) - expected).abs() < 2e-3, "{got} {expected}");
        }
    }

    #[test]
    fn a_grey_gamma_is_followed() {
        let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        let to_display = ToDisplay::of(&with_profile(Colour::Grey, profile));
        let mut rgb = [0.2; 3];
        to_display.apply(&mut rgb);
        let expected = 1.055 * 0.2f32.powf(1.0 / 2.4) - 0.055;
        for got in rgb {
            assert!((got - expected).abs() < 2e-3, "{got} {expected}");
        }
    }

    #[test]
    fn a_broken_profile_is_named() {
        let to_display = ToDisplay::of(&with_profile(Colour::Rgb, vec![1, 2, 3]));
        assert!(to_display.problem.is_some());
        let mut rgb = [0.1, 0.2, 0.3];
        to_display.apply(&mut rgb);
        assert_eq!(rgb, [0.1, 0.2, 0.3]);
    }
}
