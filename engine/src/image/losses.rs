//! What a format cannot hold of a picture, in words for the user.

use super::containers::jpeg;
use super::{BitDepth, ColourTransform, Format, Light, Picture};

impl Picture {
    /// What saving in this format loses, a sentence each: what was done instead.
    pub fn losses(&self, format: Format) -> Vec<String> {
        let mut losses = Vec::new();
        let bits = |depth| match depth {
            BitDepth::Eight => "8 bits",
            BitDepth::Sixteen => "16 bits",
            BitDepth::Float => "floating point",
        };
        let depth = format.depth_for(self.depth);
        if depth != self.depth && depth != BitDepth::Float {
            losses.push(format!(
                "{format} holds {} a sample: {} were rounded",
                bits(depth),
                bits(self.depth)
            ));
        }
        let brighter = || self.samples.iter().any(|v| *v > 1.0);
        if self.light == Light::Linear && !format.holds_light(depth) && brighter() {
            losses.push(format!(
                "{format} holds nothing brighter than white: brighter light was cut off"
            ));
        }
        if self.alpha.is_some() && !format.holds_alpha() {
            losses.push(format!(
                "{format} has no transparency: the picture was laid on white"
            ));
        }
        if let Some(profile) = &self.metadata.icc
            && !format.holds_profile(profile)
            && !ColourTransform::of(self).is_srgb()
        {
            losses.push(format!(
                "{format} does not hold this colour profile: colours were converted to sRGB"
            ));
        }
        if let Some(block) = &self.metadata.exif
            && (!format.holds_tags() || format == Format::Jpeg && !jpeg::holds_exif(block))
        {
            losses.push(format!("{format} does not hold this EXIF: it was left out"));
        }
        if let Some(packet) = &self.metadata.xmp
            && (!format.holds_tags() || format == Format::Jpeg && !jpeg::holds_xmp(packet))
        {
            losses.push(format!("{format} does not hold this XMP: it was left out"));
        }
        losses
    }
}
