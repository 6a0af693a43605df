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
const GPS_DIRECTORY: u16 = 0x8825;

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

/// The block without a word of where the picture was taken: the directory of the place is
/// overwritten with zeros, values and all, and nothing leads to it any more. None if the block is
/// not understood, for then it might say so somewhere.
pub(super) fn without_gps(exif: &[u8]) -> Option<Vec<u8>> {
    let mut block = exif.to_vec();
    let mut editor = Editor::new(&mut block)?;
    let mut directory = editor.u32(4)? as usize;
    // The preview's directory may name the place, too.
    for _ in 0..2 {
        while let Some(entry) = editor.find(directory, GPS_DIRECTORY)? {
            let place = editor.u32(entry + 8)? as usize;
            editor.u16(place)?;
            editor.wipe(place);
            editor.remove(directory, entry)?;
        }
        let entries = usize::from(editor.u16(directory)?);
        directory = match editor.u32(directory + 2 + 12 * entries) {
            Some(next) if next != 0 => next as usize,
            _ => break,
        };
    }
    Some(block)
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

    /// Where the directory has the tag, if it has it; none outside if there is no whole directory.
    fn find(&self, directory: usize, tag: u16) -> Option<Option<usize>> {
        let entries = usize::from(self.u16(directory)?);
        self.bytes.get(directory + 2 + 12 * entries..)?;
        let mut all = (0..entries).map(|i| directory + 2 + 12 * i);
        Some(all.find(|&entry| self.u16(entry) == Some(tag)))
    }

    /// Zeros a directory and the values it leads to.
    fn wipe(&mut self, directory: usize) {
        let entries = usize::from(self.u16(directory).unwrap_or(0));
        for entry in (0..entries).map(|i| directory + 2 + 12 * i) {
            let Some((kind, count)) = self.u16(entry + 2).zip(self.u32(entry + 4)) else {
                break;
            };
            let size = match kind {
                3 | 8 => 2,
                4 | 9 | 11 | 13 => 4,
                5 | 10 | 12 => 8,
                _ => 1,
            };
            let length = size * count as usize;
            if length > 4
                && let Some(at) = self.u32(entry + 8)
            {
                self.zero(at as usize, length);
            }
        }
        self.zero(directory, 2 + 12 * entries + 4);
    }

    /// Zeros what there is of a stretch, but not the header.
    fn zero(&mut self, at: usize, length: usize) {
        let end = at.saturating_add(length).min(self.bytes.len());
        if let Some(part) = self.bytes.get_mut(at.max(8)..end) {
            part.fill(0);
        }
    }

    /// Takes an entry out of its directory; those behind it move up.
    fn remove(&mut self, directory: usize, entry: usize) -> Option<()> {
        let entries = self.u16(directory)?;
        let end = directory + 2 + 12 * usize::from(entries) + 4;
        if end > self.bytes.len() || entry + 12 > end {
            return None;
        }
        self.bytes.copy_within(entry + 12..end, entry);
        self.bytes[end - 12..end].fill(0);
        let fewer = entries.checked_sub(1)?;
        let fewer = match self.big {
            true => fewer.to_be_bytes(),
            false => fewer.to_le_bytes(),
        };
        self.put(directory, &fewer);
        Some(())
    }

    /// Makes a directory the last of its chain, which hides the preview.
    fn end_chain(&mut self, directory: usize) {
        if let Some(entries) = self.u16(directory) {
            self.put(directory + 2 + 12 * usize::from(entries), &[0; 4]);
        }
    }
}
