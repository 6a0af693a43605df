//! Large areas of one colour.

use eframe::egui_wgpu::{self, CallbackTrait, wgpu};
use egui::{Color32, PaintCallbackInfo, Rect, Rgba, Ui};

use super::gpu::Gpu;

/// Fills `rect` with an opaque colour. On a computer that draws on the processor this takes a
/// fraction of what a rectangle of the interface does.
pub fn fill(ui: &Ui, gpu: Option<&Gpu>, rect: Rect, colour: Color32) {
    let Some(gpu) = gpu else {
        ui.painter().rect_filled(rect, 0.0, colour);
        return;
    };
    let rect = rect.intersect(ui.ctx().content_rect());
    if !rect.is_positive() {
        return;
    }
    let kept = if gpu.has_linear_target() {
        Rgba::from(colour).to_array()
    } else {
        colour.to_normalized_gamma_f32()
    };
    let callback = Fill {
        gpu: gpu.clone(),
        colour: gpu.vertices(&[kept]),
    };
    ui.painter()
        .add(egui_wgpu::Callback::new_paint_callback(rect, callback));
}

struct Fill {
    gpu: Gpu,
    colour: wgpu::Buffer,
}

impl CallbackTrait for Fill {
    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _resources: &egui_wgpu::CallbackResources,
    ) {
        pass.set_pipeline(self.gpu.filling());
        pass.set_vertex_buffer(0, self.colour.slice(..));
        pass.draw(0..3, 0..1);
    }
}
