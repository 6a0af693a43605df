//! Viewer and compare grid, drawn for real on a software device.

mod grid;
mod large;
mod shader;
mod shown;
mod steering;

use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::App;
use egui::{CentralPanel, Frame, Panel, Ui};
use egui_kittest::Harness;
use image::RgbaImage;
use serpent::gui::view::{Gpu, PictureView, Preview, Scene, Seen, Viewer};
use serpent_engine::image::{BitDepth, Colour, Picture};

/// A window with nothing but a viewer.
struct Bench {
    viewer: Viewer,
    before: PictureView,
    after: Option<PictureView>,
    preview: Option<(PictureView, [usize; 4])>,
    strength: f32,
    gpu: Gpu,
    /// Whether there is a bar above the viewer.
    bar: bool,
    seen: Option<Seen>,
}

impl Bench {
    fn scene(&self) -> Scene<'_> {
        Scene {
            after: self.after.as_ref(),
            preview: preview(&self.preview),
            strength: self.strength,
            ..Scene::new(&self.before)
        }
    }
}

impl App for Bench {
    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        let scene = Scene {
            after: self.after.as_ref(),
            preview: preview(&self.preview),
            strength: self.strength,
            ..Scene::new(&self.before)
        };
        if self.bar {
            Panel::top("bar").show(ui, |ui| {
                ui.horizontal_wrapped(|ui| self.viewer.bar(ui, &scene));
            });
        }
        CentralPanel::default().frame(Frame::NONE).show(ui, |ui| {
            self.seen = Some(self.viewer.show(ui, &scene));
        });
    }
}

fn preview(of: &Option<(PictureView, [usize; 4])>) -> Option<Preview<'_>> {
    let (view, place) = of.as_ref()?;
    Some(Preview {
        view,
        place: *place,
    })
}

type Window = Harness<'static, Bench>;

/// Width and height of the window in points, which are pixels.
const SIZE: [f32; 2] = [600.0, 400.0];

fn window(before: Picture, after: Option<Picture>) -> Window {
    window_at(1.0, before, after)
}

/// A window of `SIZE` points with so many pixels a point.
fn window_at(pixels_per_point: f32, before: Picture, after: Option<Picture>) -> Window {
    let mut window = unsettled(pixels_per_point, before, after);
    settle(&mut window);
    window
}

fn unsettled(pixels_per_point: f32, before: Picture, after: Option<Picture>) -> Window {
    Harness::builder()
        .with_size(SIZE)
        .with_pixels_per_point(pixels_per_point)
        .with_step_dt(1.0 / 60.0)
        .wgpu()
        .build_eframe(move |cc| {
            let state = cc.wgpu_render_state.as_ref().unwrap();
            let gpu = Gpu::new(&cc.egui_ctx, state);
            Bench {
                viewer: Viewer::default(),
                before: PictureView::new(&gpu, Arc::new(before)),
                after: after.map(|a| PictureView::new(&gpu, Arc::new(a))),
                preview: None,
                strength: 1.0,
                gpu,
                bar: false,
                seen: None,
            }
        })
}

/// Lets frames pass until every tile in view is there.
fn settle(harness: &mut Window) {
    let start = Instant::now();
    harness.run_steps(2);
    while !harness.state().scene().is_settled() {
        assert!(start.elapsed() < Duration::from_secs(60), "tiles missing");
        std::thread::sleep(Duration::from_millis(5));
        harness.step();
    }
    harness.run_steps(2);
}

fn rendered(harness: &mut Window) -> RgbaImage {
    settle(harness);
    harness.render().unwrap()
}

/// A picture from a value for each column, row and channel.
fn picture(width: usize, height: usize, value: impl Fn(usize, usize, usize) -> f32) -> Picture {
    let samples = (0..width * height * 3)
        .map(|i| value(i / 3 % width, i / 3 / width, i % 3))
        .collect();
    Picture::new(width, height, Colour::Rgb, samples).unwrap()
}

fn flat(width: usize, height: usize, value: f32) -> Picture {
    picture(width, height, |_, _, _| value)
}

fn deep(picture: Picture) -> Picture {
    picture.with_depth(BitDepth::Sixteen)
}

/// Red, green and blue of a pixel.
fn rgb(image: &RgbaImage, x: u32, y: u32) -> [u8; 3] {
    let [r, g, b, _] = image.get_pixel(x, y).0;
    [r, g, b]
}

/// The 8-bit number for a sample.
fn byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn assert_near(got: [u8; 3], expected: [u8; 3], tolerance: u8, what: &str) {
    let close = got
        .iter()
        .zip(expected)
        .all(|(&g, e)| g.abs_diff(e) <= tolerance);
    assert!(close, "{what}: {got:?}, expected {expected:?}");
}
