//! Settings out of range, found before a run starts.

use super::{Degradation, DegradeError, Range};

impl Degradation {
    /// Checks the settings, so that a configuration fails before a run starts.
    ///
    /// # Errors
    /// [`DegradeError::Setting`] for the first setting that is out of range.
    pub fn check(&self) -> Result<(), DegradeError> {
        let range = |name, range: &Range, low, high, allowed| {
            if range.within(low, high) {
                Ok(())
            } else {
                Err(self.setting(name, range.to_string(), allowed))
            }
        };
        let sigma = |s: &Range| range("sigma", s, 0.0, 2550.0, "0 to 2550, low before high");
        let pixels = |name, r: &Range| range(name, r, 0.0, 50.0, "0 to 50 pixels, low before high");
        match self {
            Self::Noise { sigma: s, .. } => sigma(s),
            Self::PoissonGaussian { gain, sigma: s, .. } => {
                range("gain", gain, 0.0, 255.0, "0 to 255, low before high")?;
                sigma(s)
            }
            Self::GaussianBlur { sigma, taps } => {
                pixels("sigma", sigma)?;
                if taps % 2 == 1 && *taps <= 255 {
                    Ok(())
                } else {
                    Err(self.setting("taps", taps.to_string(), "odd, 1 to 255"))
                }
            }
            Self::AnisotropicBlur { sigma } => {
                range("sigma", sigma, 0.0, 20.0, "0 to 20 pixels, low before high")
            }
            Self::Defocus { radius } => pixels("radius", radius),
            Self::Motion { length } => {
                let allowed = "0 to 100 pixels, low before high";
                range("length", length, 0.0, 100.0, allowed)
            }
            Self::Downscale { factor } | Self::Upscale { factor } => {
                if [2, 3, 4, 8].contains(factor) {
                    Ok(())
                } else {
                    Err(self.setting("factor", factor.to_string(), "2, 3, 4 or 8"))
                }
            }
            Self::Sensor(s) => {
                let allowed = "above 0 to 1, low before high";
                range("shot", &s.shot, f32::MIN_POSITIVE, 1.0, allowed)?;
                range("balance", &s.balance, 1.0, 8.0, "1 to 8, low before high")?;
                range("matrix", &s.matrix, 0.0, 2.0, "0 to 2, low before high")
            }
            Self::Jpeg { quality, .. } => {
                range("quality", quality, 1.0, 100.0, "1 to 100, low before high")
            }
            Self::Round => Ok(()),
            Self::OneOf { of } if of.is_empty() => {
                Err(self.setting("of", "empty".to_owned(), "at least one list"))
            }
            Self::OneOf { of } => of.iter().flatten().try_for_each(Self::check),
        }
    }
}
