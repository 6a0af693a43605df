//! Drawing once before there is a picture, where nobody sees it.

use eframe::egui_wgpu::wgpu;
use half::f16;

use super::{Gpu, Instance, Look};

/// Width and height of what is drawn on.
const SIDE: u32 = 8;

impl Gpu {
    /// Draws with every pipeline into a texture that is thrown away.
    ///
    /// Some drivers compile a shader when something is first drawn with it, software Vulkan also
    /// for every kind of texture (widths that are powers of two and others). The first picture
    /// would wait for that. Nothing here waits: the commands are only handed over.
    pub fn warm_up(&self) {
        let inner = &self.0;
        let target = inner.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("warm-up"),
            size: wgpu::Extent3d {
                width: SIDE,
                height: SIDE,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: inner.target,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        let target = target.create_view(&wgpu::TextureViewDescriptor::default());
        let tiles = [(2, 2), (3, 2), (2, 3), (3, 3)].map(|(width, height)| {
            let texels = vec![[f16::ZERO; 4]; (width * height) as usize];
            self.upload(width, height, &texels)
        });
        let whole = [0.0, 0.0, SIDE as f32, SIDE as f32];
        let vertices = self.vertices(&[Instance {
            rectangle: whole,
            first: [0.0, 0.0, 2.0, 2.0],
            second: [0.0, 0.0, 2.0, 2.0],
            mix: [0.5, 0.0, 1.0, 1.0],
        }]);
        let look = self.look(Look {
            viewport: [SIDE as f32; 2],
            gain: 1.0,
            channel: 0,
            paper: [0.0; 2],
            linear: 0,
            padding: 0,
        });
        let mut encoder = inner.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("warm-up"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &target,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations::default(),
                })],
                ..Default::default()
            });
            pass.set_bind_group(0, &look, &[]);
            pass.set_vertex_buffer(0, vertices.slice(..));
            for tile in &tiles {
                pass.set_bind_group(1, tile, &[]);
                pass.set_bind_group(2, &inner.nothing, &[]);
                for pipeline in &inner.single {
                    pass.set_pipeline(pipeline);
                    pass.draw(0..4, 0..1);
                }
                pass.set_bind_group(2, tile, &[]);
                pass.set_pipeline(&inner.pair);
                pass.draw(0..4, 0..1);
            }
        }
        inner.queue.submit([encoder.finish()]);
    }
}
