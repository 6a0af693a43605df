//! From planes of luma and chroma to pixels.

use ::image::{ColorType, ImageResult};
use rayon::prelude::*;
use zenavif_parse::CleanAperture;

use super::cicp::{LightCurve, Matrix};
use super::damaged;
use super::frame::{Plane, Planes};
use crate::image::rgb::{to_u8, to_u16};

/// The part of the decoded picture that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    left: u32,
    top: u32,
    pub width: u32,
    pub height: u32,
}

impl Window {
    /// All of it.
    pub fn whole((width, height): (u32, u32)) -> Self {
        Self {
            left: 0,
            top: 0,
            width,
            height,
        }
    }

    /// What the file asks to be cut out; none if that is not made of whole pixels of the picture.
    pub fn of_aperture(aperture: &CleanAperture, whole: (u32, u32)) -> Option<Self> {
        let a = aperture;
        let across = span(
            whole.0,
            (a.width_n, a.width_d),
            (a.horiz_off_n, a.horiz_off_d),
        )?;
        let down = span(
            whole.1,
            (a.height_n, a.height_d),
            (a.vert_off_n, a.vert_off_d),
        )?;
        Some(Self {
            left: across.0,
            width: across.1,
            top: down.0,
            height: down.1,
        })
    }
}

/// Where a length begins whose middle lies so far from the middle of `whole`, and the length.
fn span(whole: u32, length: (u32, u32), offset: (i32, u32)) -> Option<(u32, u32)> {
    let exact = |n: i128, d: u32| (d != 0 && n % i128::from(d) == 0).then(|| n / i128::from(d));
    let length = exact(i128::from(length.0), length.1)?;
    // In halves of a pixel.
    let offset = exact(2 * i128::from(offset.0), offset.1)?;
    let twice = i128::from(whole) - length + offset;
    let fits = length > 0 && twice >= 0 && twice % 2 == 0 && twice / 2 + length <= whole.into();
    fits.then_some(())?;
    Some((u32::try_from(twice / 2).ok()?, u32::try_from(length).ok()?))
}

/// All that says what the pixels are.
pub(super) struct Converter<'a> {
    pub planes: &'a Planes,
    pub alpha: Option<&'a Planes>,
    pub matrix: Matrix,
    pub full_range: bool,
    /// Whether halved chroma stands beside the left of its two pixels, not between them.
    pub left: bool,
    /// Whether halved chroma stands beside the upper of its two pixels, not between them.
    pub top: bool,
    /// Whether opacity is multiplied into the colours.
    pub multiplied: bool,
    /// Set where pixels count light.
    pub light: Option<LightCurve>,
    pub window: Window,
}

/// How a plane's numbers become parts of one.
#[derive(Clone, Copy)]
struct Scale {
    zero: f32,
    one: f32,
}

impl Scale {
    /// Of luma, and of all colours that are no differences.
    fn luma(bits: u8, full_range: bool) -> Self {
        let step = f32::from(1u16 << (bits - 8));
        match full_range {
            true => Self {
                zero: 0.0,
                one: 1.0 / (256.0 * step - 1.0),
            },
            false => Self {
                zero: 16.0 * step,
                one: 1.0 / (219.0 * step),
            },
        }
    }

    /// Of differences.
    fn chroma(bits: u8, full_range: bool) -> Self {
        let step = f32::from(1u16 << (bits - 8));
        Self {
            zero: 128.0 * step,
            one: match full_range {
                true => 1.0 / (256.0 * step - 1.0),
                false => 1.0 / (224.0 * step),
            },
        }
    }

    fn of(self, v: f32) -> f32 {
        (v - self.zero) * self.one
    }
}

impl Converter<'_> {
    /// Fills the buffer with pixels of this kind.
    pub fn write(&self, kind: ColorType, buffer: &mut [u8]) -> ImageResult<()> {
        let w = self.window;
        let luma = &self.planes.luma;
        let inside = |plane: &Plane| {
            plane.width >= (w.left + w.width) as usize
                && plane.height >= (w.top + w.height) as usize
        };
        if !inside(luma) {
            return Err(damaged("its pixels are fewer than announced"));
        }
        let of_a_size = |a: &Planes| (a.luma.width, a.luma.height) == (luma.width, luma.height);
        if !self.alpha.is_none_or(of_a_size) {
            return Err(damaged("its opacity has another size"));
        }
        let length = w.width as usize * usize::from(kind.bytes_per_pixel());
        if buffer.len() != length * w.height as usize {
            return Err(damaged("its pixels are of another kind than announced"));
        }
        let channels = usize::from(kind.channel_count());
        let bytes = usize::from(kind.bytes_per_pixel()) / channels;
        let rows = buffer.par_chunks_mut(length.max(1)).enumerate();
        rows.for_each(|(y, out)| {
            let pixels = self.row(y + w.top as usize);
            for (out, rgba) in out.chunks_mut(channels * bytes).zip(pixels) {
                // Grey is the first of three alike, its opacity the last of four.
                let parts = match channels {
                    1 | 2 => [rgba[0], rgba[3], 0.0, 0.0],
                    _ => rgba,
                };
                for (out, v) in out.chunks_mut(bytes).zip(parts) {
                    match bytes {
                        1 => out.copy_from_slice(&[to_u8(v)]),
                        2 => out.copy_from_slice(&to_u16(v).to_ne_bytes()),
                        _ => out.copy_from_slice(&v.to_ne_bytes()),
                    }
                }
            }
        });
        Ok(())
    }

    /// The shown pixels of a row of the decoded picture: red, green, blue, opacity.
    fn row(&self, y: usize) -> Vec<[f32; 4]> {
        let planes = self.planes;
        let shown = self.window.left as usize..(self.window.left + self.window.width) as usize;
        let of_luma = Scale::luma(planes.bits, self.full_range);
        let of_chroma = match self.matrix {
            Matrix::Identity => of_luma,
            _ => Scale::chroma(planes.bits, self.full_range),
        };
        let luma = planes.luma.row(y);
        let chroma = planes.chroma.as_ref().map(|planes| {
            let [u, v] = planes;
            [self.chroma_row(u, y), self.chroma_row(v, y)]
        });
        let opacity = self.alpha.map(|alpha| {
            let scale = Scale::luma(alpha.bits, alpha.cicp.full_range);
            (alpha.luma.row(y), scale)
        });
        let pixel = |x: usize| {
            let first = of_luma.of(f32::from(luma[x]));
            let mut rgb = match &chroma {
                None => [first; 3],
                Some([u, v]) => self.joined(first, of_chroma.of(u[x]), of_chroma.of(v[x])),
            };
            let a = opacity.as_ref().map_or(1.0, |(row, scale)| {
                scale.of(f32::from(row[x])).clamp(0.0, 1.0)
            });
            if self.multiplied && a > 0.0 {
                rgb = rgb.map(|v| v / a);
            }
            rgb = rgb.map(|v| v.clamp(0.0, 1.0));
            if let Some(curve) = &self.light {
                rgb = curve.of(rgb);
            }
            [rgb[0], rgb[1], rgb[2], a]
        };
        shown.map(pixel).collect()
    }

    /// Red, green and blue of what they were taken apart into.
    fn joined(&self, first: f32, u: f32, v: f32) -> [f32; 3] {
        match self.matrix {
            Matrix::Identity => [v, first, u],
            Matrix::YCgCo => [first - u + v, first + u, first - u - v],
            Matrix::Luma { red, blue } => {
                let r = first + 2.0 * (1.0 - red) * v;
                let b = first + 2.0 * (1.0 - blue) * u;
                let green = 1.0 - red - blue;
                [r, (first - red * r - blue * b) / green, b]
            }
        }
    }

    /// A row of chroma with as many samples as luma has, between the ones there are where they
    /// are halved.
    fn chroma_row(&self, plane: &Plane, y: usize) -> Vec<f32> {
        let (across, down) = self.planes.halved();
        let (above, below, part) = place(y, down, self.top, plane.height);
        let (above, below) = (plane.row(above), plane.row(below));
        let mixed = |a: f32, b: f32, part: f32| a + (b - a) * part;
        let at = |x: usize| mixed(f32::from(above[x]), f32::from(below[x]), part);
        (0..self.planes.luma.width)
            .map(|x| {
                let (left, right, part) = place(x, across, self.left, plane.width);
                mixed(at(left), at(right), part)
            })
            .collect()
    }
}

/// Between which two samples of chroma a pixel lies, and how far along.
fn place(at: usize, halved: bool, first: bool, count: usize) -> (usize, usize, f32) {
    let last = count.saturating_sub(1);
    if !halved {
        return (at.min(last), at.min(last), 0.0);
    }
    let near = (at / 2).min(last);
    let odd = at % 2 == 1;
    match (first, odd) {
        (true, false) => (near, near, 0.0),
        (true, true) => (near, (near + 1).min(last), 0.5),
        (false, false) => (near, near.saturating_sub(1), 0.25),
        (false, true) => (near, (near + 1).min(last), 0.25),
    }
}
