//! Between a picture's own colours and sRGB, which networks have learned and screens are taken
//! to show.
//!
//! Profiles (ICC.1:2022) are read and followed by moxcms. Most of them hold colours that sRGB
//! does not, and few can be inverted to the last bit. So what a network sees is clipped to sRGB,
//! and what this loses is kept beside it: of a sample `s`, the residue `s − back(clip(there(s)))`.
//! It is added to what the network's result becomes in the picture's own colours. Where the
//! network changes nothing, the sample is therefore what it was, whatever the profile; a colour
//! beyond sRGB stays as far beyond. So does light brighter than white in pictures that count
//! light.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};
use rayon::prelude::*;

use super::resize::{Factor, bicubic};
use super::{BitDepth, Colour, Light, Picture, Rgb, Rgb32};

/// Steps along each axis of the colours tried when asking what a profile does.
const STEPS: usize = 9;

/// Samples converted at a time; divisible by three.
const CHUNK: usize = 3 << 14;

/// A difference that profiles of sRGB itself make: where a channel is zero, the rounding of their
/// matrices alone makes two thirds of a step of 8 bits.
const UNSEEN: f32 = 1.0 / 255.0;

type Executor = Arc<dyn TransformExecutor<f32> + Send + Sync>;

/// How a picture's samples become sRGB, and sRGB the picture's.
#[derive(Clone, Default)]
pub struct ColourTransform {
    /// Whether the samples count light.
    linear: bool,
    profile: Option<Profile>,
    problem: Option<String>,
}

/// A profile that says something else than sRGB.
#[derive(Clone)]
struct Profile {
    there: Executor,
    /// Absent where the profile tells one direction only.
    back: Option<Executor>,
    /// Whether it describes one channel.
    grey: bool,
}

impl ColourTransform {
    /// Reads the picture's profile. Without one the samples are sRGB already; so are they taken
    /// to be when the profile says so within a step of 8 bits, or cannot be used, which
    /// [`ColourTransform::problem`] tells.
    pub fn of(picture: &Picture) -> Self {
        if picture.light() == Light::Linear {
            return Self {
                linear: true,
                ..Self::default()
            };
        }
        let Some(profile) = &picture.metadata().icc else {
            return Self::default();
        };
        match Profile::read(profile, picture.colour()) {
            Ok(profile) => Self {
                profile: profile.says_something().then_some(profile),
                ..Self::default()
            },
            Err(problem) => Self {
                problem: Some(format!("the colour profile cannot be used ({problem})")),
                ..Self::default()
            },
        }
    }

    /// As [`ColourTransform::of`], for colours that have to come back: a profile that tells the
    /// way to other colours only is not followed.
    pub fn there_and_back(picture: &Picture) -> Self {
        let transform = Self::of(picture);
        match &transform.profile {
            Some(profile) if profile.back.is_none() => Self {
                problem: Some(
                    "the colour profile cannot be used (it does not tell how to make its colours)"
                        .to_owned(),
                ),
                ..Self::default()
            },
            _ => transform,
        }
    }

    /// Why the profile is not followed, when it is not.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Whether the picture's samples are taken for sRGB.
    pub fn is_srgb(&self) -> bool {
        self.profile.is_none() && !self.linear
    }

    /// Converts the picture's own colours to sRGB in place: interleaved, three a pixel, of grey
    /// pictures the sample three times. Colours that sRGB does not hold are clipped.
    pub fn to_srgb(&self, rgb: &mut [f32]) {
        if self.linear {
            in_chunks(rgb, |chunk| chunk.iter_mut().for_each(|v| *v = encode(*v)));
        } else if let Some(profile) = &self.profile {
            in_chunks(rgb, |chunk| profile.convert(&profile.there, chunk));
        }
    }

    /// The way back; where there is none the colours stay.
    fn leave_srgb(&self, rgb: &mut [f32]) {
        if self.linear {
            to_light(rgb);
        } else if let Some((profile, back)) = self.profile.as_ref().zip(self.back()) {
            in_chunks(rgb, |chunk| profile.convert(back, chunk));
        }
    }

    fn back(&self) -> Option<&Executor> {
        self.profile.as_ref()?.back.as_ref()
    }

    /// What a network sees of the picture: three channels of sRGB, in [0, 1].
    pub fn seen<'a>(&self, picture: &'a Picture) -> Rgb<'a> {
        let mut rgb = picture.as_rgb();
        if !self.is_srgb() {
            self.to_srgb(rgb.samples_mut());
        }
        rgb
    }

    /// The picture with a network's result in place of what [`ColourTransform::seen`] gave:
    /// back in the picture's own colours, with what sRGB could not hold. A larger result gets it
    /// enlarged (bicubic). Grey stays grey, also where it is kept as red, green and blue.
    pub fn put_back(&self, picture: &Picture, result: Rgb32) -> Picture {
        let mut own = self.own_colours(picture, result);
        if picture.is_colourless() {
            let pixels = own.samples_mut().as_chunks_mut::<3>().0.par_iter_mut();
            pixels.for_each(|p| *p = [(p[0] + p[1] + p[2]) / 3.0; 3]);
        }
        picture.with_pixels(own)
    }

    fn own_colours(&self, picture: &Picture, result: Rgb32) -> Rgb32 {
        if self.back().is_none() && !self.linear {
            return result;
        }
        let (width, height) = (picture.width(), picture.height());
        let mut residue = picture.to_rgb().into_samples();
        in_chunks(&mut residue, |chunk| {
            let mut around = chunk.to_vec();
            self.to_srgb(&mut around);
            self.leave_srgb(&mut around);
            chunk.iter_mut().zip(&around).for_each(|(s, a)| *s -= a);
        });
        let factor = result.width() / width.max(1);
        if factor > 1 {
            residue = bicubic(&residue, width, height, 3, Factor::Up(factor));
        }
        let mut own = result;
        self.leave_srgb(own.samples_mut());
        // Results of no whole factor have no residue; there are none.
        let most = match picture.depth() {
            BitDepth::Float => f32::INFINITY,
            _ => 1.0,
        };
        let least = if most > 1.0 { f32::NEG_INFINITY } else { 0.0 };
        if residue.len() == own.samples().len() {
            let samples = own.samples_mut().par_iter_mut().zip(&residue);
            samples.for_each(|(sample, more)| *sample = (*sample + more).clamp(least, most));
        }
        own
    }
}

/// sRGB's curve (IEC 61966-2-1) from light to steps for a display, clipped to [0, 1].
fn encode(light: f32) -> f32 {
    let light = light.clamp(0.0, 1.0);
    match light {
        ..0.003_130_8 => 12.92 * light,
        _ => 1.055 * light.powf(1.0 / 2.4) - 0.055,
    }
}

/// From sRGB to light.
pub(super) fn to_light(rgb: &mut [f32]) {
    in_chunks(rgb, |chunk| {
        for v in chunk {
            *v = match *v {
                ..0.040_45 => *v / 12.92,
                _ => ((*v + 0.055) / 1.055).powf(2.4),
            };
        }
    });
}

/// Works on all cores; the parts hold whole pixels.
fn in_chunks(rgb: &mut [f32], work: impl Fn(&mut [f32]) + Sync + Send) {
    if rgb.len() <= CHUNK {
        return work(rgb);
    }
    rgb.par_chunks_mut(CHUNK).for_each(work);
}

impl Profile {
    fn read(bytes: &[u8], colour: Colour) -> Result<Self, String> {
        let profile = ColorProfile::new_from_slice(bytes).map_err(|e| e.to_string())?;
        let grey = profile.color_space == DataColorSpace::Gray;
        if grey && colour == Colour::Rgb {
            return Err("it describes grey, the picture has colours".to_owned());
        }
        if !grey && profile.color_space != DataColorSpace::Rgb {
            return Err(format!(
                "it describes {:?}, the picture has red, green and blue",
                profile.color_space
            ));
        }
        let mut srgb = ColorProfile::new_srgb();
        let layout = if grey { Layout::Gray } else { Layout::Rgb };
        if grey {
            let mut one = ColorProfile::new_gray_with_gamma(1.0);
            one.gray_trc = srgb.red_trc.take();
            srgb = one;
        }
        let options = TransformOptions {
            prefer_fixed_point: false,
            ..Default::default()
        };
        let there = profile
            .create_transform_f32(layout, &srgb, layout, options)
            .map_err(|e| e.to_string())?;
        let back = srgb
            .create_transform_f32(layout, &profile, layout, options)
            .ok();
        let mut read = Self { there, back, grey };
        if !read.trial(&read.there).iter().all(|v| v.is_finite()) {
            return Err("it gives values that are no numbers".to_owned());
        }
        if let Some(back) = &read.back
            && !read.trial(back).iter().all(|v| v.is_finite())
        {
            read.back = None;
        }
        Ok(read)
    }

    /// Converts interleaved RGB in place; of grey profiles the mean counts.
    fn convert(&self, by: &Executor, rgb: &mut [f32]) {
        let pixels = rgb.as_chunks::<3>().0;
        let source: Vec<f32> = match self.grey {
            true => pixels.iter().map(|p| (p[0] + p[1] + p[2]) / 3.0).collect(),
            false => rgb.to_vec(),
        };
        let mut converted = source.clone();
        // The lengths fit, so that only a broken profile fails; its samples stay as they are.
        if let Err(problem) = by.transform(&source, &mut converted) {
            tracing::warn!("colour profile: {problem:?}");
            return;
        }
        match self.grey {
            true => {
                for (pixel, v) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(converted) {
                    *pixel = [v.clamp(0.0, 1.0); 3];
                }
            }
            false => {
                for (sample, v) in rgb.iter_mut().zip(converted) {
                    *sample = v.clamp(0.0, 1.0);
                }
            }
        }
    }

    /// What becomes of colours from all over the cube.
    fn trial(&self, by: &Executor) -> Vec<f32> {
        let mut colours = self.tried();
        self.convert(by, &mut colours);
        colours
    }

    fn tried(&self) -> Vec<f32> {
        let value = |i: usize| (i % STEPS) as f32 / (STEPS - 1) as f32;
        (0..STEPS * STEPS * STEPS)
            .flat_map(|i| match self.grey {
                true => [value(i); 3],
                false => [value(i), value(i / STEPS), value(i / STEPS / STEPS)],
            })
            .collect()
    }

    /// Whether any colour tried becomes another.
    fn says_something(&self) -> bool {
        let (before, after) = (self.tried(), self.trial(&self.there));
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < UNSEEN;
        !before.iter().zip(&after).all(close)
    }
}
