//! The best setting of a classical method on pictures that are not the test's.

use std::ops::ControlFlow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Blur, Prior, richardson_lucy, wiener};
use crate::image::Rgb32;
use crate::metrics::psnr;

/// Most iterations of Richardson–Lucy that are tried.
const ITERATIONS: usize = 200;

/// Iterations without a better result before the search ends.
const PATIENCE: usize = 12;

/// A method with its setting.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// [`wiener`] with this prior.
    Wiener(Prior),
    /// [`richardson_lucy`] with so many iterations.
    RichardsonLucy(usize),
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wiener(Prior::Flat(k)) => write!(f, "noise to signal {k:.4}"),
            Self::Wiener(Prior::Falling(k)) => write!(f, "noise to signal {k:.4}·ω²"),
            Self::RichardsonLucy(n) => write!(f, "{n} iterations"),
        }
    }
}

/// The best setting of both methods and what they reach on the pictures tuned on, in dB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuned {
    /// The better of the two priors of the Wiener filter.
    pub wiener: (Setting, f64),
    /// Richardson–Lucy.
    pub richardson_lucy: (Setting, f64),
}

/// Deblurs with a setting.
pub fn restore(blurred: &Rgb32, blur: &Blur, setting: Setting) -> Rgb32 {
    match setting {
        Setting::Wiener(prior) => wiener(blurred, blur, prior),
        Setting::RichardsonLucy(n) => {
            richardson_lucy(blurred, blur, n, |_, _| ControlFlow::Continue(()))
        }
    }
}

/// Finds the settings of the highest mean PSNR over pairs of clean and blurred pictures.
pub fn tune(pairs: &[(Rgb32, Rgb32)], blur: &Blur) -> Tuned {
    let of_wiener = |prior: Prior| {
        let scores = pairs
            .par_iter()
            .map(|(clean, blurred)| score(clean, &wiener(blurred, blur, prior)));
        mean(&scores.collect::<Vec<_>>())
    };
    let best = |prior: fn(f64) -> Prior| {
        // Halves of octaves: 10⁻⁵ to about 10.
        let tried = (0..40).map(|i| prior(1e-5 * 2f64.powf(f64::from(i) / 2.0)));
        climb(tried, of_wiener)
    };
    let (flat, falling) = (best(Prior::Flat), best(Prior::Falling));
    let (prior, reached) = if flat.1 > falling.1 { flat } else { falling };
    let curves: Vec<Vec<f64>> = pairs
        .par_iter()
        .map(|(clean, blurred)| curve(clean, blurred, blur))
        .collect();
    // Where a picture's search ended early, it stays at its last value.
    let longest = curves.iter().map(Vec::len).max().unwrap_or(0);
    let at = |n: usize| {
        let values = curves.iter().map(|c| c.get(n).or(c.last()).copied());
        mean(&values.flatten().collect::<Vec<_>>())
    };
    let all: Vec<(usize, f64)> = (0..longest).map(|n| (n + 1, at(n))).collect();
    let iterations = all.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let (n, db) = iterations.unwrap_or((1, 0.0));
    Tuned {
        wiener: (Setting::Wiener(prior), reached),
        richardson_lucy: (Setting::RichardsonLucy(n), db),
    }
}

/// The first maximum along a line of settings, with some patience for small dips.
fn climb(tried: impl Iterator<Item = Prior>, of: impl Fn(Prior) -> f64) -> (Prior, f64) {
    let mut best = (Prior::Flat(0.0), f64::NEG_INFINITY);
    let mut worse = 0;
    for prior in tried {
        let reached = of(prior);
        if reached > best.1 {
            best = (prior, reached);
            worse = 0;
        } else {
            worse += 1;
        }
        if worse > 4 {
            break;
        }
    }
    best
}

/// PSNR after each iteration of Richardson–Lucy, until it has long been past its best.
fn curve(clean: &Rgb32, blurred: &Rgb32, blur: &Blur) -> Vec<f64> {
    let (mut values, mut best, mut worse) = (Vec::new(), f64::NEG_INFINITY, 0);
    richardson_lucy(blurred, blur, ITERATIONS, |_, estimate| {
        let reached = score(clean, estimate);
        values.push(reached);
        worse = if reached > best { 0 } else { worse + 1 };
        best = best.max(reached);
        match worse > PATIENCE {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    values
}

/// PSNR of the clipped picture.
fn score(clean: &Rgb32, estimate: &Rgb32) -> f64 {
    let clipped: Vec<f32> = estimate
        .samples()
        .iter()
        .map(|v| v.clamp(0.0, 1.0))
        .collect();
    psnr(clean.samples(), &clipped, 1.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
