//! What each degradation does to a picture.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    Chroma, Degradation, DegradeError, Degraded, Drawn, Range, Values, blur, jpeg, kernel, noise,
};
use crate::image::Rgb32;
use crate::image::resize::{Factor, bicubic};

/// Degrades a picture by each step in turn, all drawing from one generator.
///
/// # Errors
/// The first step's that fails; see [`Degradation::apply`].
pub fn apply_all(
    steps: &[Degradation],
    image: &Rgb32,
    rng: &mut ChaCha8Rng,
) -> Result<Degraded, DegradeError> {
    let mut degraded = Degraded {
        image: image.clone(),
        sigma: 0.0,
        drawn: Vec::with_capacity(steps.len()),
    };
    steps
        .iter()
        .try_for_each(|step| apply(step, &mut degraded, rng))?;
    Ok(degraded)
}

/// One step; of alternatives the one that is drawn.
fn apply(
    step: &Degradation,
    degraded: &mut Degraded,
    rng: &mut ChaCha8Rng,
) -> Result<(), DegradeError> {
    let kind = step.kind();
    if let Degradation::OneOf { of } = step {
        step.check()?;
        let choice = rng.random_range(0..of.len());
        let values = vec![("choice", choice as f32)];
        degraded.drawn.push(Drawn { kind, values });
        return of[choice]
            .iter()
            .try_for_each(|step| apply(step, degraded, rng));
    }
    let (sigma, values) = change(step, &mut degraded.image, rng)?;
    degraded.sigma = degraded.sigma.hypot(sigma);
    degraded.drawn.push(Drawn { kind, values });
    Ok(())
}

/// Degrades in place; returns the noise added and what was drawn.
fn change(
    step: &Degradation,
    image: &mut Rgb32,
    rng: &mut ChaCha8Rng,
) -> Result<(f32, Values), DegradeError> {
    step.check()?;
    Ok(match *step {
        Degradation::Noise { sigma, clip } => {
            let sigma = sigma.draw(rng);
            noise::gaussian(image.samples_mut(), sigma / 255.0, rng);
            clip_if(clip, image);
            (sigma / 255.0, vec![("sigma", sigma)])
        }
        Degradation::PoissonGaussian { gain, sigma, clip } => {
            let (gain, sigma) = (gain.draw(rng), sigma.draw(rng));
            noise::poisson(image.samples_mut(), gain / 255.0, rng);
            noise::gaussian(image.samples_mut(), sigma / 255.0, rng);
            clip_if(clip, image);
            (sigma / 255.0, vec![("gain", gain), ("sigma", sigma)])
        }
        Degradation::GaussianBlur { sigma, taps } => {
            let sigma = sigma.draw(rng);
            *image = blur::separable(image, &kernel::gaussian(sigma, taps));
            (0.0, vec![("sigma", sigma)])
        }
        Degradation::AnisotropicBlur { sigma } => {
            let (a, b) = (sigma.draw(rng), sigma.draw(rng));
            let angle = Range::new(0.0, std::f32::consts::PI).draw(rng);
            *image = blur::convolve(image, &kernel::anisotropic(a, b, angle));
            (0.0, vec![("sigma_a", a), ("sigma_b", b), ("angle", angle)])
        }
        Degradation::Defocus { radius } => {
            let radius = radius.draw(rng);
            *image = blur::convolve(image, &kernel::disc(radius));
            (0.0, vec![("radius", radius)])
        }
        Degradation::Motion { length } => {
            let length = length.draw(rng);
            *image = blur::convolve(image, &kernel::trajectory(length, rng));
            (0.0, vec![("length", length)])
        }
        Degradation::Downscale { factor } => {
            *image = resized(image, Factor::Down(factor));
            (0.0, vec![("factor", factor as f32)])
        }
        Degradation::Upscale { factor } => {
            *image = resized(image, Factor::Up(factor));
            (0.0, vec![("factor", factor as f32)])
        }
        Degradation::Sensor(ref sensor) => sensor.expose(image, rng),
        Degradation::Jpeg {
            quality,
            chroma,
            shift,
        } => {
            let quality = quality.draw(rng).round();
            let half = match chroma {
                Chroma::Full => false,
                Chroma::Half => true,
                Chroma::Either => rng.random_bool(0.5),
            };
            let at = match shift {
                true => [0; 2].map(|_| rng.random_range(0..8)),
                false => [0; 2],
            };
            *image = jpeg::compress(image, quality as u8, half, at)?;
            let chroma = if half { 0.5 } else { 1.0 };
            (0.0, vec![("quality", quality), ("chroma", chroma)])
        }
        Degradation::Round => {
            let round = |v: &mut f32| *v = (v.clamp(0.0, 1.0) * 255.0).round() / 255.0;
            image.samples_mut().iter_mut().for_each(round);
            (0.0, Vec::new())
        }
        // Alternatives are taken apart before.
        Degradation::OneOf { .. } => (0.0, Vec::new()),
    })
}

fn resized(image: &Rgb32, factor: Factor) -> Rgb32 {
    let (width, height) = (image.width(), image.height());
    let samples = bicubic(image.samples(), width, height, 3, factor);
    Rgb32::from_parts(factor.apply(width), factor.apply(height), samples)
}

fn clip_if(clip: bool, image: &mut Rgb32) {
    if clip {
        let samples = image.samples_mut();
        samples.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    }
}
