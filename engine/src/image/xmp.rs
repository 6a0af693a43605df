//! Small repairs to a carried XMP packet (ISO 16684-1): RDF in XML, in which a property is an
//! attribute of a description or an element inside it.
//!
//! A packet that cannot be read as XML is left alone, or, where something must not stay in it,
//! left out.

use quick_xml::events::{BytesStart, BytesText, Event};
use quick_xml::name::QName;
use quick_xml::{Reader, Writer};

/// What becomes of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    Set(String),
    Remove,
}

/// The packet saying that the picture is upright.
pub(super) fn upright(packet: &[u8]) -> Vec<u8> {
    let verdict = |name: &str| match name {
        "tiff:Orientation" => Verdict::Set("1".to_owned()),
        _ => Verdict::Keep,
    };
    edit(packet, verdict).unwrap_or_else(|| packet.to_vec())
}

/// The packet with its size properties set to the saved picture's and without its previews,
/// which would show the picture as it was before.
pub(super) fn for_size(packet: &[u8], width: u32, height: u32) -> Vec<u8> {
    let verdict = |name: &str| match name {
        "exif:PixelXDimension" | "tiff:ImageWidth" => Verdict::Set(width.to_string()),
        "exif:PixelYDimension" | "tiff:ImageLength" => Verdict::Set(height.to_string()),
        "xmp:Thumbnails" | "xap:Thumbnails" => Verdict::Remove,
        _ => Verdict::Keep,
    };
    edit(packet, verdict).unwrap_or_else(|| packet.to_vec())
}

/// The packet without any property of a place on earth; none if that cannot be made sure of.
pub(super) fn without_gps(packet: &[u8]) -> Option<Vec<u8>> {
    let verdict = |name: &str| match name.split_once(':').map_or(name, |(_, local)| local) {
        local if local.starts_with("GPS") => Verdict::Remove,
        _ => Verdict::Keep,
    };
    edit(packet, verdict).filter(|left| !left.windows(3).any(|w| w.eq_ignore_ascii_case(b"gps")))
}

/// Copies the packet, asking about every property by its name with the usual prefix. None if it
/// is no well-formed XML in UTF-8.
fn edit(packet: &[u8], verdict: impl Fn(&str) -> Verdict) -> Option<Vec<u8>> {
    let mut reader = Reader::from_str(std::str::from_utf8(packet).ok()?);
    let mut writer = Writer::new(Vec::with_capacity(packet.len()));
    loop {
        let event = reader.read_event().ok()?;
        match event {
            Event::Eof => return Some(writer.into_inner()),
            Event::Empty(element) => {
                if let Verdict::Keep = verdict(name(element.name())?) {
                    let element = attributes(&element, &verdict)?;
                    writer.write_event(Event::Empty(element)).ok()?;
                }
            }
            Event::Start(element) => match verdict(name(element.name())?) {
                Verdict::Keep => {
                    let element = attributes(&element, &verdict)?;
                    writer.write_event(Event::Start(element)).ok()?;
                }
                Verdict::Set(value) => {
                    reader.read_to_end(element.name()).ok()?;
                    let end = element.to_end().into_owned();
                    writer.write_event(Event::Start(element)).ok()?;
                    let text = BytesText::new(&value);
                    writer.write_event(Event::Text(text)).ok()?;
                    writer.write_event(Event::End(end)).ok()?;
                }
                Verdict::Remove => {
                    reader.read_to_end(element.name()).ok()?;
                }
            },
            other => writer.write_event(other).ok()?,
        }
    }
}

fn name(name: QName<'_>) -> Option<&str> {
    std::str::from_utf8(name.into_inner()).ok()
}

fn attributes<'a>(
    element: &BytesStart<'a>,
    verdict: impl Fn(&str) -> Verdict,
) -> Option<BytesStart<'a>> {
    let mut copy = element.clone();
    copy.clear_attributes();
    for attribute in element.attributes() {
        let attribute = attribute.ok()?;
        let key = name(attribute.key)?;
        match verdict(key) {
            Verdict::Keep => copy.push_attribute(attribute),
            Verdict::Set(value) => copy.push_attribute((key, value.as_str())),
            Verdict::Remove => (),
        }
    }
    Some(copy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PACKET: &str = r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" exif:GPSLatitude="52,31.2N" tiff:Orientation="6" xmp:Rating="4" dc:x="a &amp; b"><exif:GPSLongitude>13,24E</exif:GPSLongitude><exif:PixelXDimension>40</exif:PixelXDimension><dc:title>On the &quot;hill&quot;</dc:title></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"#;

    fn text(packet: Vec<u8>) -> String {
        String::from_utf8(packet).unwrap()
    }

    #[test]
    fn what_is_not_asked_about_stays_as_it_is() {
        assert_eq!(
            text(edit(PACKET.as_bytes(), |_| Verdict::Keep).unwrap()),
            PACKET
        );
    }

    #[test]
    fn attributes_and_elements_are_set() {
        let set = text(for_size(&upright(PACKET.as_bytes()), 80, 60));
        let expected = PACKET
            .replace(r#"tiff:Orientation="6""#, r#"tiff:Orientation="1""#)
            .replace("Dimension>40<", "Dimension>80<");
        assert_eq!(set, expected);
    }

    #[test]
    fn the_place_is_removed_and_nothing_else() {
        let left = text(without_gps(PACKET.as_bytes()).unwrap());
        let expected = PACKET
            .replace(r#" exif:GPSLatitude="52,31.2N""#, "")
            .replace("<exif:GPSLongitude>13,24E</exif:GPSLongitude>", "");
        assert_eq!(left, expected);
        // What might still say it is not kept.
        let hidden = PACKET.replace("On the", "gps 52.5");
        assert_eq!(without_gps(hidden.as_bytes()), None);
        assert_eq!(without_gps(b"<a exif:GPSLatitude='1'"), None);
        assert_eq!(without_gps(b"\xFF\xFEno text"), None);
        assert_eq!(upright(b"<broken"), b"<broken");
    }
}
