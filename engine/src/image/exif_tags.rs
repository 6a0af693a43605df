//! An EXIF block taken apart into its entries, for files that keep them in directories of their
//! own: TIFF.
//!
//! The block is TIFF-shaped (CIPA DC-008, section 4.5). Values are held in this machine's byte
//! order. What a maker's note says by offsets into the block does not survive the move; other
//! programs that write TIFF lose the same.

/// One tag with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub tag: u16,
    /// TIFF's number of the type.
    pub kind: u16,
    /// The values one after the other.
    pub value: Vec<u8>,
}

/// The entries by directory. Pointers from one directory to another are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tags {
    pub main: Vec<Entry>,
    pub exif: Vec<Entry>,
    pub gps: Vec<Entry>,
    pub interop: Vec<Entry>,
}

/// Tag of the EXIF directory's offset.
pub(super) const EXIF: u16 = 0x8769;
/// Tag of the GPS directory's offset.
pub(super) const GPS: u16 = 0x8825;
/// Tag of the interoperability directory's offset, in the EXIF directory.
pub(super) const INTEROP: u16 = 0xA005;

/// What the main directory may say of a photograph, whatever the file: description, maker,
/// model, orientation, resolution, software, dates, people, copyright, ratings, and the titles
/// of Windows. All else there is about how the file stores its pixels.
const ABOUT_THE_PHOTO: [u16; 20] = [
    0x010E, 0x010F, 0x0110, 0x0112, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746,
    0x4749, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F, 0xC4A5,
];

/// Most entries a directory may have here, and most bytes a value.
const MOST_ENTRIES: usize = 1024;
const MOST_BYTES: usize = 1 << 24;

/// Bytes a value of this type takes; none for types unknown to EXIF.
fn size(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 => 8,
        _ => return None,
    })
}

/// Bytes that change places between the byte orders: a fraction is two numbers.
fn unit(kind: u16) -> usize {
    match kind {
        5 | 10 => 4,
        _ => size(kind).unwrap_or(1),
    }
}

impl Tags {
    /// Whether the entry belongs to the photo rather than to the file it was in.
    pub fn is_about_the_photo(tag: u16) -> bool {
        ABOUT_THE_PHOTO.contains(&tag)
    }

    /// Takes a block apart; none if it is not understood. Entries that lead out of it are passed
    /// over, and so are those of the main directory that are about its file.
    pub fn parse(block: &[u8]) -> Option<Self> {
        let source = Source::new(block)?;
        let first = source.u32(4)?;
        let mut tags = Self::default();
        let mut pointers = [None; 3];
        let pointer = |e: &Entry| Some(u32::from_ne_bytes(e.value.get(..4)?.try_into().ok()?));
        for entry in source.directory(first)? {
            match entry.tag {
                EXIF => pointers[0] = pointer(&entry),
                GPS => pointers[1] = pointer(&entry),
                tag if Self::is_about_the_photo(tag) => tags.main.push(entry),
                _ => (),
            }
        }
        let directory = |at: Option<u32>| at.and_then(|at| source.directory(at));
        for entry in directory(pointers[0]).unwrap_or_default() {
            match entry.tag {
                INTEROP => pointers[2] = pointer(&entry),
                _ => tags.exif.push(entry),
            }
        }
        tags.gps = directory(pointers[1]).unwrap_or_default();
        tags.interop = directory(pointers[2]).unwrap_or_default();
        Some(tags)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        [&self.main, &self.exif, &self.gps]
            .iter()
            .all(|d| d.is_empty())
    }

    /// The block that says all this.
    pub fn to_block(&self) -> Vec<u8> {
        let order = if cfg!(target_endian = "big") {
            b"MM"
        } else {
            b"II"
        };
        let mut block = order.to_vec();
        block.extend(42u16.to_ne_bytes());
        block.extend([0; 4]);
        // Inner directories first, for the outer ones hold their offsets.
        let interop = append(&mut block, &self.interop, &[]);
        let exif = append(&mut block, &self.exif, &[(INTEROP, interop)]);
        let gps = append(&mut block, &self.gps, &[]);
        let main = append(&mut block, &self.main, &[(EXIF, exif), (GPS, gps)]);
        block[4..8].copy_from_slice(&main.unwrap_or_default().to_ne_bytes());
        block
    }
}

/// Adds a directory to the block and returns its offset; none when there is nothing in it.
fn append(block: &mut Vec<u8>, entries: &[Entry], inner: &[(u16, Option<u32>)]) -> Option<u32> {
    let pointers = inner.iter().filter_map(|&(tag, at)| {
        let value = at?.to_ne_bytes().to_vec();
        Some(Entry {
            tag,
            kind: 4,
            value,
        })
    });
    let mut entries: Vec<Entry> = entries.iter().cloned().chain(pointers).collect();
    if entries.is_empty() {
        return None;
    }
    entries.sort_by_key(|e| e.tag);
    let mut fields = Vec::new();
    for entry in &entries {
        let count = entry.value.len() / size(entry.kind)?;
        fields.extend(entry.tag.to_ne_bytes());
        fields.extend(entry.kind.to_ne_bytes());
        fields.extend(u32::try_from(count).ok()?.to_ne_bytes());
        if entry.value.len() <= 4 {
            let mut value = entry.value.clone();
            value.resize(4, 0);
            fields.extend(value);
        } else {
            fields.extend(u32::try_from(block.len()).ok()?.to_ne_bytes());
            block.extend(&entry.value);
            block.resize(block.len().next_multiple_of(2), 0);
        }
    }
    let at = u32::try_from(block.len()).ok()?;
    block.extend(u16::try_from(entries.len()).ok()?.to_ne_bytes());
    block.extend(fields);
    block.extend([0; 4]);
    Some(at)
}

struct Source<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl<'a> Source<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let big = match bytes.get(..4)? {
            [0x49, 0x49, 42, 0] => false,
            [0x4D, 0x4D, 0, 42] => true,
            _ => return None,
        };
        Some(Self { bytes, big })
    }

    fn part<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let part = self.part(at)?;
        Some(match self.big {
            true => u16::from_be_bytes(part),
            false => u16::from_le_bytes(part),
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let part = self.part(at)?;
        Some(match self.big {
            true => u32::from_be_bytes(part),
            false => u32::from_le_bytes(part),
        })
    }

    /// The directory's entries that lie in the block.
    fn directory(&self, at: u32) -> Option<Vec<Entry>> {
        let at = at as usize;
        let count = usize::from(self.u16(at)?).min(MOST_ENTRIES);
        Some(
            (0..count)
                .filter_map(|i| self.entry(at + 2 + 12 * i))
                .collect(),
        )
    }

    fn entry(&self, at: usize) -> Option<Entry> {
        let (tag, kind) = (self.u16(at)?, self.u16(at + 2)?);
        let length = (self.u32(at + 4)? as usize).checked_mul(size(kind)?)?;
        if length > MOST_BYTES {
            return None;
        }
        let from = match length {
            0..=4 => at + 8,
            _ => self.u32(at + 8)? as usize,
        };
        let mut value = self.bytes.get(from..from.checked_add(length)?)?.to_vec();
        if self.big != cfg!(target_endian = "big") {
            value.chunks_mut(unit(kind)).for_each(<[u8]>::reverse);
        }
        Some(Entry { tag, kind, value })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_block_says_the_same_after_taking_apart() {
        let entry = |tag, kind, value: &[u8]| Entry {
            tag,
            kind,
            value: value.to_vec(),
        };
        let tags = Tags {
            main: vec![
                entry(0x010F, 2, b"Camera\0"),
                entry(0x0112, 3, &1u16.to_ne_bytes()),
            ],
            exif: vec![entry(0x829A, 5, &[7; 8]), entry(0x927C, 7, b"note!")],
            gps: vec![entry(0x0002, 5, &[9; 24])],
            interop: vec![entry(0x0001, 2, b"R98\0")],
        };
        let block = tags.to_block();
        assert_eq!(Tags::parse(&block).unwrap(), tags);
        // However short, no panic and no entry from beyond.
        for keep in 0..block.len() {
            let _ = Tags::parse(&block[..keep]);
        }
        assert!(Tags::default().is_empty() && !tags.is_empty());
    }

    #[test]
    fn the_other_byte_order_is_turned() {
        let mut block = b"MM\0\x2A\0\0\0\x08\0\x02".to_vec();
        block.extend(*b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
        block.extend(*b"\x01\x1A\0\x05\0\0\0\x01\0\0\0\x26");
        block.extend([0; 4]);
        block.extend([0, 0, 1, 44, 0, 0, 0, 1]);
        let tags = Tags::parse(&block).unwrap();
        assert_eq!(tags.main[0].value, 6u16.to_ne_bytes());
        let fraction = [300u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat();
        assert_eq!(tags.main[1].value, fraction);
    }
}
