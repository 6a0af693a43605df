//! What a DNG asks to be done to its values before they are developed: its second list of opcodes
//! (Adobe's Digital Negative specification 1.7, chapter 7). Files compressed with losses hold
//! curved values, and their list has the way back to light; a telephone's list has the gain
//! against its lens's shading.

use rawler::imgop::{Point, Rect};
use rawler::rawimage::{RawImage, RawImageData};
use rayon::prelude::*;

use super::Refused;

/// One opcode: where it applies and what it does there.
struct Opcode {
    area: Area,
    change: Change,
}

/// Rows, columns and planes, counted from the corner of the sensor's active area.
struct Area {
    top: usize,
    left: usize,
    bottom: usize,
    right: usize,
    plane: usize,
    planes: usize,
    row_pitch: usize,
    column_pitch: usize,
}

enum Change {
    /// The value of each of 65536 levels, the last one for those above, too.
    Table(Vec<u16>),
    /// Coefficients, the constant first.
    Polynomial(Vec<f64>),
    Gain(GainMap),
}

/// Factors on a grid over the picture, whose sides count as 1; between them linear, outside as at
/// the edge.
struct GainMap {
    /// Points, their distance and the first one's place, down and across.
    points: [usize; 2],
    spacing: [f64; 2],
    origin: [f64; 2],
    planes: usize,
    gains: Vec<f32>,
}

/// Does to the values of `raw` what `list` asks for. They are black to white as 0 to 1 afterwards.
///
/// # Errors
/// A list that is cut short, and one with something that must be done and is not known here.
pub(super) fn apply(list: &[u8], raw: &mut RawImage) -> Result<(), Refused> {
    let opcodes = parse(list)?;
    if opcodes.is_empty() {
        return Ok(());
    }
    let whole = Rect::new(Point::zero(), raw.dim());
    let active = raw.active_area.unwrap_or(whole);
    let shape = Shape {
        width: raw.width,
        samples: raw.cpp,
        corner: [active.p.y, active.p.x],
        size: [active.d.h, active.d.w],
    };
    // Leaves floats, whatever was there.
    raw.apply_scaling()?;
    if let RawImageData::Float(values) = &mut raw.data {
        for opcode in &opcodes {
            opcode.apply(values, &shape);
        }
    }
    Ok(())
}

/// How values lie: rows of `width` pixels of `samples`; the active area's corner and size, down
/// and across.
struct Shape {
    width: usize,
    samples: usize,
    corner: [usize; 2],
    size: [usize; 2],
}

impl Opcode {
    fn apply(&self, values: &mut [f32], shape: &Shape) {
        let area = &self.area;
        let right = area.right.min(shape.size[1]);
        let planes = area.plane..(area.plane + area.planes).min(shape.samples);
        let rows = values.par_chunks_mut((shape.width * shape.samples).max(1));
        let rows = rows.skip(shape.corner[0]).take(shape.size[0]).enumerate();
        rows.for_each(|(y, row)| {
            let inside = (area.top..area.bottom).contains(&y);
            if !inside || !(y - area.top).is_multiple_of(area.row_pitch) {
                return;
            }
            let down = (y as f64 + 0.5) / shape.size[0] as f64;
            for x in (area.left..right).step_by(area.column_pitch) {
                let across = (x as f64 + 0.5) / shape.size[1] as f64;
                for plane in planes.clone() {
                    let at = (shape.corner[1] + x) * shape.samples + plane;
                    if let Some(v) = row.get_mut(at) {
                        *v = self.change.of(*v, [down, across], plane - area.plane);
                    }
                }
            }
        });
    }
}

impl Change {
    /// What becomes of a value at a place of the picture, whose sides count as 1.
    fn of(&self, v: f32, place: [f64; 2], plane: usize) -> f32 {
        let v = v.clamp(0.0, 1.0);
        let changed = match self {
            Self::Table(table) => {
                let level = (v * 65535.0).round() as usize;
                let found = table.get(level).or(table.last());
                found.map_or(v, |&level| f32::from(level) / 65535.0)
            }
            Self::Polynomial(coefficients) => {
                let terms = coefficients.iter().rev();
                terms.fold(0.0, |sum, c| sum * f64::from(v) + c) as f32
            }
            Self::Gain(map) => v * map.at(place, plane),
        };
        changed.clamp(0.0, 1.0)
    }
}

impl GainMap {
    fn at(&self, place: [f64; 2], plane: usize) -> f32 {
        let along = |axis: usize| {
            let last = self.points[axis] - 1;
            let grid = (place[axis] - self.origin[axis]) / self.spacing[axis];
            // A single point may say 0 for its distance to the next.
            let grid = if grid.is_finite() {
                grid.clamp(0.0, last as f64)
            } else {
                0.0
            };
            let first = (grid as usize).min(last);
            (first, (first + 1).min(last), (grid - first as f64) as f32)
        };
        let (top, bottom, down) = along(0);
        let (left, right, across) = along(1);
        let plane = plane.min(self.planes - 1);
        let gain = |y: usize, x: usize| self.gains[(y * self.points[1] + x) * self.planes + plane];
        let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
        mix(
            mix(gain(top, left), gain(top, right), across),
            mix(gain(bottom, left), gain(bottom, right), across),
            down,
        )
    }
}

/// A list's opcodes; what is not known and may be left out is.
fn parse(list: &[u8]) -> Result<Vec<Opcode>, Refused> {
    /// In an opcode's flags: whoever does not know it may go on without.
    const OPTIONAL: u32 = 1;
    let mut list = Bytes(list);
    let count = list.number()?;
    let mut opcodes = Vec::new();
    for _ in 0..count {
        let (id, _version, flags) = (list.number()?, list.number()?, list.number()?);
        let length = list.number()? as usize;
        let mut body = Bytes(list.take(length)?);
        opcodes.push(match id {
            7 => body.opcode(Bytes::table)?,
            8 => body.opcode(Bytes::polynomial)?,
            9 => body.opcode(Bytes::gain)?,
            _ if flags & OPTIONAL != 0 => continue,
            _ => {
                return Err(Refused::Unsupported(format!(
                    "a raw picture that is to be corrected in a way not known here: opcode {id} of DNG"
                )));
            }
        });
    }
    Ok(opcodes)
}

/// What is left of a list, which is big-endian in every file.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Refused> {
        let cut = || Refused::Damaged("a list of corrections ends early".into());
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn number(&mut self) -> Result<u32, Refused> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn double(&mut self) -> Result<f64, Refused> {
        Ok(f64::from_be_bytes(self.array()?))
    }

    /// An area and what is to be done there.
    fn opcode(
        &mut self,
        change: fn(&mut Self) -> Result<Change, Refused>,
    ) -> Result<Opcode, Refused> {
        Ok(Opcode {
            area: self.area()?,
            change: change(self)?,
        })
    }

    fn area(&mut self) -> Result<Area, Refused> {
        let mut next = || Ok::<_, Refused>(self.number()? as usize);
        Ok(Area {
            top: next()?,
            left: next()?,
            bottom: next()?,
            right: next()?,
            plane: next()?,
            planes: next()?,
            row_pitch: next()?.max(1),
            column_pitch: next()?.max(1),
        })
    }

    fn table(&mut self) -> Result<Change, Refused> {
        let length = self.number()? as usize;
        let levels = self.take(length.saturating_mul(2))?.as_chunks::<2>().0;
        Ok(Change::Table(
            levels.iter().map(|&b| u16::from_be_bytes(b)).collect(),
        ))
    }

    fn polynomial(&mut self) -> Result<Change, Refused> {
        let degree = self.number()? as usize;
        let terms = self.take(degree.saturating_add(1).saturating_mul(8))?;
        let terms = terms
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&b| f64::from_be_bytes(b));
        Ok(Change::Polynomial(terms.collect()))
    }

    fn gain(&mut self) -> Result<Change, Refused> {
        let points = [self.number()? as usize, self.number()? as usize];
        let spacing = [self.double()?, self.double()?];
        let origin = [self.double()?, self.double()?];
        let planes = self.number()? as usize;
        let count = points[0].saturating_mul(points[1]).saturating_mul(planes);
        if count == 0 {
            return Err(Refused::Damaged("a map of gains without gains".into()));
        }
        let gains = self.take(count.saturating_mul(4))?.as_chunks::<4>().0;
        Ok(Change::Gain(GainMap {
            points,
            spacing,
            origin,
            planes,
            gains: gains.iter().map(|&b| f32::from_be_bytes(b)).collect(),
        }))
    }
}
