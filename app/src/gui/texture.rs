//! A picture on the graphics card, cut into tiles: pictures may be larger than a texture.

use egui::{
    ColorImage, Context, Painter, Pos2, Rect, TextureFilter, TextureHandle, TextureOptions, Vec2,
    pos2,
};
use serpent_engine::image::{Colour, Picture};

/// Side of a tile in pixels; every adapter takes textures of this size.
const SIDE: usize = 2048;

/// Pixels stay visible as squares when enlarged: this program is for looking closely.
const OPTIONS: TextureOptions = TextureOptions {
    magnification: TextureFilter::Nearest,
    minification: TextureFilter::Linear,
    wrap_mode: egui::TextureWrapMode::ClampToEdge,
    mipmap_mode: None,
};

/// A picture as textures.
pub struct TiledTexture {
    width: usize,
    height: usize,
    tiles: Vec<(Rect, TextureHandle)>,
}

impl TiledTexture {
    /// Uploads `picture` with 8 bits a sample.
    pub fn upload(ctx: &Context, name: &str, picture: &Picture) -> Self {
        let (width, height) = (picture.width(), picture.height());
        let mut tiles = Vec::new();
        for top in (0..height).step_by(SIDE) {
            for left in (0..width).step_by(SIDE) {
                let (w, h) = (SIDE.min(width - left), SIDE.min(height - top));
                let image = cut(picture, left, top, w, h);
                let rect = Rect::from_min_size(
                    pos2(left as f32, top as f32),
                    Vec2::new(w as f32, h as f32),
                );
                tiles.push((rect, ctx.load_texture(name, image, OPTIONS)));
            }
        }
        Self {
            width,
            height,
            tiles,
        }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> Vec2 {
        Vec2::new(self.width as f32, self.height as f32)
    }

    /// Paints the picture with its top left corner at `origin`, `scale` points a pixel.
    pub fn paint(&self, painter: &Painter, origin: Pos2, scale: f32) {
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        for (rect, texture) in &self.tiles {
            let on_screen =
                Rect::from_min_size(origin + rect.min.to_vec2() * scale, rect.size() * scale);
            if painter.clip_rect().intersects(on_screen) {
                painter.image(texture.id(), on_screen, whole, egui::Color32::WHITE);
            }
        }
    }
}

/// One tile as 8-bit RGBA.
fn cut(picture: &Picture, left: usize, top: usize, width: usize, height: usize) -> ColorImage {
    let channels = picture.colour().channels();
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    let mut rgba = Vec::with_capacity(width * height * 4);
    for y in top..top + height {
        for x in left..left + width {
            let at = y * picture.width() + x;
            let pixel = &picture.samples()[at * channels..(at + 1) * channels];
            match picture.colour() {
                Colour::Grey => rgba.extend([byte(pixel[0]); 3]),
                Colour::Rgb => rgba.extend(pixel.iter().map(|&v| byte(v))),
            }
            rgba.push(picture.alpha().map_or(255, |a| byte(a[at])));
        }
    }
    ColorImage::from_rgba_unmultiplied([width, height], &rgba)
}
