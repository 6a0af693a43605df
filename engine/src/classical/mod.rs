//! Deblurring as it was done before networks, with the kernel known: what ours is measured against.
//!
//! Both methods are given more than the network is, the blur's exact kernel, and both treat the
//! picture's edges exactly as the degradation does (mirrored), so that neither loses to ringing
//! that the protocol made. [`tune`] finds the best setting on pictures that are not the test's.

mod richardson_lucy;
mod tune;
mod wiener;

#[cfg(test)]
mod tests;

pub use richardson_lucy::richardson_lucy;
pub use tune::{Setting, Tuned, restore, tune};
pub use wiener::{Prior, wiener};

use crate::train::degrade::kernel;

/// A round Gaussian kernel along one axis, as the degradation `gaussian_blur` with 61 taps uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct Blur {
    /// Odd number of weights that sum to 1, symmetric.
    pub taps: Vec<f32>,
}

impl Blur {
    /// Of this standard deviation in pixels; 0 changes nothing.
    pub fn gaussian(sigma: f32) -> Self {
        Self {
            taps: kernel::gaussian(sigma, 61),
        }
    }
}
