//! Thumbnails: made on a thread of their own, a bounded number kept.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use serpent_engine::image::{Colour, ColourTransform, Light, Picture};
use serpent_engine::priority;

/// Longest side in pixels: sharp at 200 % in the strip.
const SIDE: u32 = 240;

/// Most thumbnails on the graphics card: some 40 MiB.
const KEPT: usize = 256;

/// What a thumbnail is made of.
pub enum Of {
    /// A file, decoded for it.
    File(PathBuf),
    /// A picture in memory.
    Picture(Arc<Picture>),
}

struct Made {
    id: u64,
    image: Option<ColorImage>,
}

enum Thumb {
    /// Asked for.
    Pending,
    /// There is none: the file cannot be read.
    Broken,
    Ready {
        texture: TextureHandle,
        /// Frame in which it was last shown.
        shown: u64,
    },
}

/// The thumbnails of the list.
pub struct Thumbs {
    ctx: Context,
    ask: Sender<(u64, Of)>,
    made: Receiver<Made>,
    thumbs: HashMap<u64, Thumb>,
}

impl Thumbs {
    /// Starts the thread; it ends with this value.
    pub fn new(ctx: &Context) -> Self {
        let (ask, asked) = channel::<(u64, Of)>();
        let (send, made) = channel();
        let wake = ctx.clone();
        // One thread: a single picture is in memory for this at a time.
        priority::spawn(move || {
            for (id, of) in asked {
                let image = match of {
                    Of::Picture(picture) => Some(shrink(&picture)),
                    Of::File(path) => Picture::open(&path).ok().map(|p| shrink(&p)),
                };
                if send.send(Made { id, image }).is_err() {
                    break;
                }
                wake.request_repaint();
            }
        });
        Self {
            ctx: ctx.clone(),
            ask,
            made,
            thumbs: HashMap::new(),
        }
    }

    /// Whether any is still being made.
    pub fn is_busy(&self) -> bool {
        self.thumbs.values().any(|t| matches!(t, Thumb::Pending))
    }

    /// The thumbnail of an entry that is on screen; asks for it if there is none yet.
    pub fn get(&mut self, id: u64, of: impl FnOnce() -> Option<Of>) -> Option<&TextureHandle> {
        let frame = self.ctx.cumulative_frame_nr();
        match self.thumbs.entry(id) {
            Entry::Vacant(place) => {
                // Without a source now: asked again in another frame.
                let of = of()?;
                place.insert(Thumb::Pending);
                // The thread lives as long as this does.
                let _ = self.ask.send((id, of));
                None
            }
            Entry::Occupied(thumb) => match thumb.into_mut() {
                Thumb::Ready { texture, shown } => {
                    *shown = frame;
                    Some(texture)
                }
                Thumb::Pending | Thumb::Broken => None,
            },
        }
    }

    /// Takes in what the thread has made and lets go of what has long been out of sight.
    pub fn collect(&mut self) {
        while let Ok(Made { id, image }) = self.made.try_recv() {
            let thumb = image.map_or(Thumb::Broken, |image| Thumb::Ready {
                texture: self
                    .ctx
                    .load_texture("thumbnail", image, TextureOptions::LINEAR),
                shown: self.ctx.cumulative_frame_nr(),
            });
            self.thumbs.insert(id, thumb);
        }
        let mut ages: Vec<(u64, u64)> = self
            .thumbs
            .iter()
            .filter_map(|(id, t)| match t {
                Thumb::Ready { shown, .. } => Some((*shown, *id)),
                _ => None,
            })
            .collect();
        if ages.len() > KEPT {
            ages.sort_unstable();
            for (_, id) in &ages[..ages.len() - KEPT] {
                self.thumbs.remove(id);
            }
        }
    }

    /// Lets go of an entry's.
    pub fn forget(&mut self, id: u64) {
        self.thumbs.remove(&id);
    }
}

/// The picture at thumbnail size, in the colours of a screen.
fn shrink(picture: &Picture) -> ColorImage {
    // Light has no 8 bits that would do; of other pictures the few pixels left are converted.
    let seen = (picture.light() == Light::Linear).then(|| picture.in_srgb());
    let picture = seen.as_ref().unwrap_or(picture);
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let channels = picture.colour().channels();
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    let whole = image::RgbaImage::from_fn(width, height, |x, y| {
        let at = y as usize * width as usize + x as usize;
        let p = &picture.samples()[at * channels..(at + 1) * channels];
        let a = picture.alpha().map_or(255, |a| byte(a[at]));
        image::Rgba(match picture.colour() {
            Colour::Grey => [byte(p[0]), byte(p[0]), byte(p[0]), a],
            Colour::Rgb => [byte(p[0]), byte(p[1]), byte(p[2]), a],
        })
    });
    let scale = (f64::from(SIDE) / f64::from(width.max(height))).min(1.0);
    let side = |s: u32| ((f64::from(s) * scale).round() as u32).max(1);
    let mut small = image::imageops::thumbnail(&whole, side(width), side(height));
    let colours = ColourTransform::of(picture);
    if !colours.is_srgb() {
        for pixel in small.pixels_mut() {
            let mut rgb = [0, 1, 2].map(|c| f32::from(pixel[c]) / 255.0);
            colours.to_srgb(&mut rgb);
            (0..3).for_each(|c| pixel[c] = byte(rgb[c]));
        }
    }
    let size = [small.width() as usize, small.height() as usize];
    ColorImage::from_rgba_unmultiplied(size, small.as_raw())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn thumbnails_show_light_through_the_curve_of_the_screen() {
        // Middle grey, white and what is brighter than white.
        let samples: Vec<f32> = [[0.215_86; 3], [1.0; 3], [7.0; 3]].concat();
        let light = Picture::new(3, 1, Colour::Rgb, samples).unwrap();
        let small = shrink(&light.with_light(Light::Linear));
        let reds: Vec<u8> = small.pixels.iter().map(|p| p.r()).collect();
        assert_eq!(reds, [128, 255, 255]);
    }

    #[test]
    fn thumbnails_keep_shape_and_colour() {
        let samples = [0.0f32, 1.0, 0.5].repeat(960 * 300);
        let picture = Picture::new(960, 300, Colour::Rgb, samples).unwrap();
        let small = shrink(&picture);
        assert_eq!(small.size, [240, 75]);
        assert!(
            small
                .pixels
                .iter()
                .all(|p| p.to_array() == [0, 255, 128, 255])
        );
        let one = Picture::new(1, 1, Colour::Grey, vec![1.0]).unwrap();
        assert_eq!(shrink(&one).size, [1, 1]);
    }
}
