//! Whether the tags of a TIFF file (TIFF 6.0, section 2) fit into it. The library that reads raw
//! files makes room for as many values as a tag announces, which of a damaged file may be more
//! than there is memory, and then the program ends.

/// Directories looked into; cameras have a dozen.
const MOST: usize = 200;

/// Tags that lead to further directories: pictures inside, EXIF, its place, its exchange part.
const LEADING: [u16; 4] = [330, 34_665, 34_853, 40_965];

/// Whether no tag of a TIFF file announces more bytes than the file has. Other files pass; in
/// makers' own notes nothing is looked at.
pub(super) fn fit(bytes: &[u8]) -> bool {
    let little = match bytes.get(..2) {
        Some(b"II") => true,
        Some(b"MM") => false,
        _ => return true,
    };
    let file = File { bytes, little };
    let mut places: Vec<usize> = file.long(4).into_iter().collect();
    let mut seen = Vec::new();
    while let Some(place) = places.pop() {
        if place == 0 || seen.contains(&place) {
            continue;
        }
        seen.push(place);
        let entries = file.short(place).map_or(0, usize::from);
        for i in 0..entries {
            let at = place + 2 + 12 * i;
            if !file.entry_fits(at, &mut places) {
                return false;
            }
        }
        places.extend(file.long(place + 2 + 12 * entries));
        if seen.len() + places.len() > MOST {
            return false;
        }
    }
    true
}

struct File<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl File<'_> {
    fn short(&self, at: usize) -> Option<u16> {
        let two = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(match self.little {
            true => u16::from_le_bytes(two),
            false => u16::from_be_bytes(two),
        })
    }

    fn long(&self, at: usize) -> Option<usize> {
        let four = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self.little {
            true => u32::from_le_bytes(four),
            false => u32::from_be_bytes(four),
        } as usize)
    }

    /// Looks at one entry; where it leads to is added to `places`.
    fn entry_fits(&self, at: usize, places: &mut Vec<usize>) -> bool {
        let (Some(tag), Some(kind), Some(count)) =
            (self.short(at), self.short(at + 2), self.long(at + 4))
        else {
            // The directory itself does not fit, which the library sees.
            return true;
        };
        let size = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            // Fractions, long numbers, and what is not known.
            _ => 8,
        };
        if count.saturating_mul(size) > self.bytes.len() {
            return false;
        }
        if LEADING.contains(&tag) {
            let values = if count > 1 {
                self.long(at + 8)
            } else {
                Some(at + 8)
            };
            let values = values.unwrap_or(usize::MAX);
            places
                .extend((0..count.min(MOST)).filter_map(|i| self.long(values.checked_add(4 * i)?)));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A directory with one entry, at this place.
    fn directory(tag: u16, kind: u16, count: u32, value: u32) -> Vec<u8> {
        let mut bytes = 1u16.to_le_bytes().to_vec();
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn tags_that_announce_more_than_the_file_are_seen_in_every_directory() {
        let head = b"II\x2A\0\x08\0\0\0";
        for (count, fits) in [(1, true), (3, true), (9, false), (0xFF00_0009, false)] {
            let own = [&head[..], &directory(50_721, 10, count, 0)].concat();
            assert_eq!(fit(&own), fits, "{count}");
            let led = [
                &head[..],
                &directory(330, 4, 1, 26),
                &directory(50_721, 10, count.min(9) * 2, 0),
            ]
            .concat();
            assert_eq!(fit(&led), count.min(9) * 16 <= led.len() as u32, "{count}");
        }
        // A directory that leads to itself.
        assert!(fit(&[&head[..], &directory(330, 4, 1, 8)].concat()));
        assert!(fit(b"FUJIFILMCCD-RAW"));
    }
}
