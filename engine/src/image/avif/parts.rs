//! Pictures in parts, laid out in rows and columns (ISO/IEC 23008-12, 6.6.2.3), as cameras and
//! telephones save large ones.

use ::image::ImageResult;
use zenavif_parse::AvifParser;

use super::frame::{self, Plane, Planes};
use super::{damaged, unparsed};

/// Most parts of a picture.
pub(super) const MOST: u32 = 1024;

/// How the parts lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    rows: usize,
    columns: usize,
    width: u32,
    height: u32,
}

impl Grid {
    /// Reads the layout, which is what the picture's own item holds.
    pub fn read(file: &AvifParser<'_>) -> ImageResult<Self> {
        let data = file.primary_data().map_err(unparsed)?;
        let grid = Self::parse(&data).ok_or_else(|| damaged("the layout of its parts"))?;
        if grid.rows * grid.columns == file.grid_tile_count() {
            Ok(grid)
        } else {
            Err(damaged("its layout has other parts than there are"))
        }
    }

    fn parse(data: &[u8]) -> Option<Self> {
        let &[0, flags, rows, columns, ref sizes @ ..] = data else {
            return None;
        };
        let number = |bytes: &[u8]| bytes.iter().fold(0u32, |n, &b| n << 8 | u32::from(b));
        let each = if flags & 1 == 1 { 4 } else { 2 };
        Some(Self {
            rows: usize::from(rows) + 1,
            columns: usize::from(columns) + 1,
            width: number(sizes.get(..each)?),
            height: number(sizes.get(each..2 * each)?),
        })
    }

    /// The whole picture's size, from that of a part: every part holds some of it.
    pub fn size(&self, part: (u32, u32)) -> ImageResult<(u32, u32)> {
        let holds = |whole: u32, part: u32, count: usize| {
            let (whole, part, count) = (u64::from(whole), u64::from(part), count as u64);
            part * (count - 1) < whole && whole <= part * count
        };
        if holds(self.width, part.0, self.columns) && holds(self.height, part.1, self.rows) {
            Ok((self.width, self.height))
        } else {
            Err(damaged("its parts do not cover it"))
        }
    }

    /// Decodes all parts and puts them together.
    pub fn decode(&self, file: &AvifParser<'_>, most_pixels: u64) -> ImageResult<Planes> {
        let mut whole: Option<Planes> = None;
        let mut size = (0, 0);
        for index in 0..self.rows * self.columns {
            let data = file.tile_data(index).map_err(unparsed)?;
            let part = frame::decode(data.into_owned(), most_pixels)?;
            let whole = whole.get_or_insert_with(|| self.empty(&part));
            if index == 0 {
                size = (part.luma.width, part.luma.height);
            }
            let same = (part.bits, part.halved(), part.is_grey())
                == (whole.bits, whole.halved(), whole.is_grey());
            if !same || size != (part.luma.width, part.luma.height) {
                return Err(damaged("its parts are not of one kind"));
            }
            let (row, column) = (index / self.columns, index % self.columns);
            put(&part.luma, &mut whole.luma, row, column);
            let pairs = whole.chroma.iter_mut().flatten();
            for (to, from) in pairs.zip(part.chroma.iter().flatten()) {
                put(from, to, row, column);
            }
        }
        whole.ok_or_else(|| damaged("it has no parts"))
    }

    /// Planes of the whole picture's size, of the part's kind.
    fn empty(&self, part: &Planes) -> Planes {
        let (across, down) = part.halved();
        let (width, height) = (self.width as usize, self.height as usize);
        let plane = |width: usize, height: usize| Plane {
            width,
            height,
            samples: vec![0; width * height],
        };
        let share = |side: usize, halved: bool| if halved { side.div_ceil(2) } else { side };
        Planes {
            bits: part.bits,
            luma: plane(width, height),
            chroma: (!part.is_grey()).then(|| {
                let chroma = plane(share(width, across), share(height, down));
                [chroma.clone(), chroma]
            }),
            cicp: part.cicp,
        }
    }
}

/// Copies a part to its place; what reaches beyond the picture is left out.
fn put(part: &Plane, whole: &mut Plane, row: usize, column: usize) {
    let (left, top) = (column * part.width, row * part.height);
    let width = part.width.min(whole.width.saturating_sub(left));
    let height = part.height.min(whole.height.saturating_sub(top));
    for y in 0..height {
        let start = (top + y) * whole.width + left;
        whole.samples[start..start + width].copy_from_slice(&part.row(y)[..width]);
    }
}
