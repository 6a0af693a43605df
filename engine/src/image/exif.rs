//! Small repairs to a carried EXIF block.
//!
//! The block is TIFF-shaped (CIPA DC-008, section 4.5): a header, then a
//! directory of 12-byte entries, then the offset of the next directory. It is
//! edited in place; a block that is not understood is left alone.

use super::Metadata;
use ::image::metadata::Orientation;

const PIXEL_X_DIMENSION: u16 = 0xA002;
const PIXEL_Y_DIMENSION: u16 = 0xA003;
const IMAGE_WIDTH: u16 = 0x0100;
const IMAGE_LENGTH: u16 = 0x0101;
const EXIF_DIRECTORY: u16 = 0x8769;

/// Removes the "Exif\0\0" prefix that some writers put before the block in PNG
/// and WebP files, where it does not belong.
pub(super) fn strip_prefix(exif: Vec<u8>) -> Vec<u8> {
    match exif.strip_prefix(b"Exif\0\0") {
        Some(rest) => rest.to_vec(),
        None => exif,
    }
}

/// Takes the orientation out of the carried block (it becomes 1, upright), for
/// the pixels are turned instead.
pub(super) fn take_orientation(metadata: &mut Metadata) -> Option<Orientation> {
    Orientation::remove_from_exif_chunk(metadata.exif.as_mut()?)
}

/// The block with its size fields set to the saved picture's and without its
/// preview, which would show the picture as it was before.
pub(super) fn for_size(exif: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut block = exif.to_vec();
    let Some(mut editor) = Editor::new(&mut block) else {
        return block;
    };
    let Some(first) = editor.u32(4) else {
        return exif.to_vec();
    };
    let sizes = [
        (PIXEL_X_DIMENSION, width),
        (PIXEL_Y_DIMENSION, height),
        (IMAGE_WIDTH, width),
        (IMAGE_LENGTH, height),
    ];
    let exif_directory = editor.set_sizes(first as usize, &sizes);
    if let Some(directory) = exif_directory {
        editor.set_sizes(directory as usize, &sizes);
    }
    editor.end_chain(first as usize);
    block
}

struct Editor<'a> {
    bytes: &'a mut [u8],
    big: bool,
}

impl<'a> Editor<'a> {
    fn new(bytes: &'a mut [u8]) -> Option<Self> {
        let big = match bytes.get(..4)? {
            [0x49, 0x49, 42, 0] => false,
            [0x4D, 0x4D, 0, 42] => true,
            _ => return None,
        };
        Some(Self { bytes, big })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let b: [u8; 2] = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big {
            u16::from_be_bytes(b)
        } else {
            u16::from_le_bytes(b)
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let b: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big {
            u32::from_be_bytes(b)
        } else {
            u32::from_le_bytes(b)
        })
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        if let Some(slot) = at
            .checked_add(value.len())
            .and_then(|end| self.bytes.get_mut(at..end))
        {
            slot.copy_from_slice(value);
        }
    }

    /// Sets single SHORT or LONG entries; returns the EXIF directory's offset.
    fn set_sizes(&mut self, directory: usize, sizes: &[(u16, u32)]) -> Option<u32> {
        let entries = usize::from(self.u16(directory)?);
        let mut found = None;
        for entry in (0..entries).map(|i| directory + 2 + 12 * i) {
            let (tag, kind, count) = (self.u16(entry)?, self.u16(entry + 2)?, self.u32(entry + 4)?);
            if tag == EXIF_DIRECTORY {
                found = self.u32(entry + 8);
            }
            let Some(&(_, size)) = sizes.iter().find(|(t, _)| *t == tag) else {
                continue;
            };
            if count != 1 || !(kind == 3 || kind == 4) {
                continue;
            }
            // Always a LONG: a SHORT could not hold a side above 65535.
            let (long, value) = if self.big {
                (4u16.to_be_bytes(), size.to_be_bytes())
            } else {
                (4u16.to_le_bytes(), size.to_le_bytes())
            };
            self.put(entry + 2, &long);
            self.put(entry + 8, &value);
        }
        found
    }

    /// Makes a directory the last of its chain, which hides the preview.
    fn end_chain(&mut self, directory: usize) {
        if let Some(entries) = self.u16(directory) {
            self.put(directory + 2 + 12 * usize::from(entries), &[0; 4]);
        }
    }
}
