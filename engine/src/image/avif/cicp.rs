//! What the numbers of a picture mean, in code points (ITU-T H.273).

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics,
};

/// What light a display's white has in candela per square metre (ITU-R BT.2408), where a curve
/// counts them.
const WHITE: f32 = 203.0;
/// What light the curves of HDR reach.
const PQ_PEAK: f32 = 10_000.0;
const HLG_PEAK: f32 = 1000.0;

const UNSPECIFIED: u8 = 2;
const BT709: u8 = 1;
const SRGB_CURVE: u8 = 13;
const PQ: u8 = 16;
const HLG: u8 = 18;

/// The code points of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cicp {
    pub primaries: u8,
    pub transfer: u8,
    pub matrix: u8,
    pub full_range: bool,
}

impl Default for Cicp {
    fn default() -> Self {
        Self {
            primaries: UNSPECIFIED,
            transfer: UNSPECIFIED,
            matrix: UNSPECIFIED,
            full_range: true,
        }
    }
}

/// How colours were taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Matrix {
    /// Into green, blue and red.
    Identity,
    /// Into luma and two differences by halves.
    YCgCo,
    /// Into luma, with these shares of red and blue, and the differences of blue and red from it.
    Luma { red: f32, blue: f32 },
}

/// From a picture's steps to light, 1 being a display's white.
pub(super) struct LightCurve {
    curve: TransferCharacteristics,
    /// From the picture's primaries to sRGB's.
    matrix: [[f32; 3]; 3],
    /// The primaries' shares of luminance.
    luminance: [f32; 3],
}

impl Cicp {
    /// How colours were taken apart; none for ways that are not known here.
    pub fn matrix(&self) -> Option<Matrix> {
        let luma = |red, blue| Some(Matrix::Luma { red, blue });
        match self.matrix {
            0 => Some(Matrix::Identity),
            1 => luma(0.2126, 0.0722),
            4 => luma(0.30, 0.11),
            // What libavif takes where nothing is said.
            UNSPECIFIED | 5 | 6 => luma(0.299, 0.114),
            7 => luma(0.212, 0.087),
            8 => Some(Matrix::YCgCo),
            9 => luma(0.2627, 0.0593),
            12 => {
                let [red, _, blue] = self.luminance();
                luma(red, blue)
            }
            _ => None,
        }
    }

    /// Whether the curve counts light beyond a display's white.
    pub fn is_light(&self) -> bool {
        matches!(self.transfer, PQ | HLG)
    }

    /// A profile that says the same; none for what is sRGB, is not said, or counts light.
    ///
    /// The curves of cameras for television (BT.709 and its kin) are taken for sRGB's, as browsers
    /// do: who looked at the picture before saving it looked at a display.
    pub fn profile(&self, grey: bool) -> Option<Vec<u8>> {
        let transfer = match self.transfer {
            BT709 | UNSPECIFIED | 6 | 14 | 15 => SRGB_CURVE,
            other => other,
        };
        let primaries = match self.primaries {
            UNSPECIFIED => BT709,
            other => other,
        };
        let srgb = transfer == SRGB_CURVE && (primaries == BT709 || grey);
        if srgb || self.is_light() {
            return None;
        }
        let transfer = TransferCharacteristics::try_from(transfer).ok()?;
        if grey {
            let mut profile = ColorProfile::new_gray_with_gamma(1.0);
            profile.gray_trc = Some(ToneReprCurve::try_from(transfer).ok()?);
            return encoded(&profile);
        }
        let primaries = CicpColorPrimaries::try_from(primaries).ok()?;
        let profile = rgb_profile(primaries, transfer);
        // Reserved code points say nothing.
        profile.red_trc.as_ref()?;
        encoded(&profile)
    }

    /// The way to light.
    pub fn light(&self) -> LightCurve {
        let curve = match self.transfer {
            HLG => TransferCharacteristics::Hlg,
            _ => TransferCharacteristics::Smpte2084,
        };
        let linear = |p| rgb_profile(p, TransferCharacteristics::Linear);
        let to_srgb =
            linear(self.known_primaries()).transform_matrix(&linear(CicpColorPrimaries::Bt709));
        LightCurve {
            curve,
            matrix: to_srgb.v.map(|row| row.map(|v| v as f32)),
            luminance: self.luminance(),
        }
    }

    fn known_primaries(&self) -> CicpColorPrimaries {
        match CicpColorPrimaries::try_from(self.primaries) {
            Ok(CicpColorPrimaries::Reserved | CicpColorPrimaries::Unspecified) | Err(_) => {
                CicpColorPrimaries::Bt709
            }
            Ok(known) => known,
        }
    }

    /// The primaries' shares of luminance, under the white of daylight.
    fn luminance(&self) -> [f32; 3] {
        let primaries =
            ColorPrimaries::try_from(self.known_primaries()).unwrap_or(ColorPrimaries::BT_709);
        let to_xyz = primaries.transform_to_xyz_d(Chromaticity::D65);
        to_xyz.v[1].map(|v| v as f32)
    }
}

/// The profile's bytes: the same on every day, that of its making being the start of the century.
fn encoded(profile: &ColorProfile) -> Option<Vec<u8>> {
    let mut bytes = profile.encode().ok()?;
    let date = [2000u16, 1, 1, 0, 0, 0].map(u16::to_be_bytes);
    let header = bytes.get_mut(24..36)?;
    header.copy_from_slice(date.as_flattened());
    Some(bytes)
}

fn rgb_profile(primaries: CicpColorPrimaries, transfer: TransferCharacteristics) -> ColorProfile {
    ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: primaries,
        transfer_characteristics: transfer,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    })
}

impl LightCurve {
    /// A pixel's light in the primaries of sRGB.
    pub fn of(&self, rgb: [f32; 3]) -> [f32; 3] {
        let light = match self.curve {
            // The library's curve has the display's gamma in each colour; it is the luminance's
            // (ITU-R BT.2100, table 5).
            TransferCharacteristics::Hlg => {
                let scene =
                    rgb.map(|v| (self.curve.linearize(f64::from(v)) as f32).powf(1.0 / 1.2));
                let luminance: f32 = scene.iter().zip(self.luminance).map(|(v, k)| v * k).sum();
                scene.map(|v| v * luminance.max(0.0).powf(0.2) * HLG_PEAK / WHITE)
            }
            curve => rgb.map(|v| curve.linearize(f64::from(v)) as f32 * PQ_PEAK / WHITE),
        };
        self.matrix
            .map(|row| row.iter().zip(light).map(|(m, v)| m * v).sum())
    }
}
