//! Whether a JPEG stream is whole.
//!
//! The JPEG decoder fills what a cut-off file lacks with grey and reports
//! success. A restored picture that is half grey must not pass for a success,
//! so the stream's markers (ITU-T T.81, annex B) are walked to the end first.

/// Whether the stream reaches its end-of-image marker.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut at = 2; // past the start-of-image marker
    let mut in_scan = false;
    loop {
        // In a scan, markers hide among entropy-coded bytes; elsewhere one
        // follows its predecessor directly, possibly after fill bytes.
        let Some(skip) = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|&b| b == 0xFF))
        else {
            return false;
        };
        at += skip + 1;
        let Some(&marker) = bytes.get(at) else {
            return false;
        };
        match marker {
            0xFF => continue,                     // fill byte
            0x00 | 0x01 | 0xD0..=0xD7 => at += 1, // stuffed byte, TEM, restart
            0xD8 => at += 1,                      // a stray start marker
            0xD9 => return in_scan,               // end of image
            _ => {
                let Some(length) = bytes.get(at + 1..at + 3) else {
                    return false;
                };
                at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                in_scan |= marker == 0xDA;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    const SCAN: &[u8] = &[0xFF, 0xDA, 0, 3, 7, 1, 2, 0xFF, 0x00, 3, 0xFF, 0xD0, 9];

    fn stream(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn a_thumbnails_end_marker_is_not_the_pictures() {
        // An application segment holding FFD9, as a preview picture does.
        let thumbnail: &[u8] = &[0xFF, 0xE1, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9];
        let start: &[u8] = &[0xFF, 0xD8];
        assert!(!is_complete(&stream(&[start, thumbnail])));
        assert!(!is_complete(&stream(&[start, thumbnail, SCAN])));
        assert!(is_complete(&stream(&[
            start,
            thumbnail,
            SCAN,
            &[0xFF, 0xD9]
        ])));
        assert!(is_complete(&stream(&[
            start,
            SCAN,
            SCAN,
            &[0xFF, 0xFF, 0xD9, 0, 0]
        ])));
    }
}
