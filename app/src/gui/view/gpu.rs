//! The pipeline that draws pictures on the window's own device, and the textures it reads.

mod warm_up;

use std::sync::Arc;

use eframe::egui_wgpu::RenderState;
use eframe::egui_wgpu::wgpu::{self, util::DeviceExt};
use egui::Context;
use half::f16;

/// Format of every tile: sRGB-encoded, opacity multiplied in. Sixteen-bit floats are filtered
/// by every adapter and hold 8-bit values exactly after rounding.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;

/// What all rectangles of a view share; `Look` in `picture.wgsl`.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Look {
    /// Size of the viewport in screen pixels.
    pub viewport: [f32; 2],
    /// What differences are multiplied by.
    pub gain: f32,
    /// 0 all, 1 red, 2 green, 3 blue.
    pub channel: u32,
    /// The two greys under transparent pixels.
    pub paper: [f32; 2],
    /// 1 when the target encodes by itself; filled in by [`Gpu::look`].
    pub linear: u32,
    /// Nothing.
    pub padding: u32,
}

/// One rectangle on the screen; `Instance` in `picture.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Instance {
    /// Left, top, right, bottom in screen pixels of the viewport.
    pub rectangle: [f32; 4],
    /// Texels of the first tile at those edges.
    pub first: [f32; 4],
    /// Texels of the second tile at those edges.
    pub second: [f32; 4],
    /// Share of the second picture, 1 for a heat map, screen pixels a texel of each tile.
    pub mix: [f32; 4],
}

/// How texels become screen pixels; `filtering` in `picture.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filtering {
    /// Squares.
    Texels,
    /// Linear between them.
    Linear,
    /// The mean of several.
    Mean,
}

/// The scale of each tile says how.
const BY_SCALE: u32 = 3;

impl Filtering {
    const ALL: [Self; 3] = [Self::Texels, Self::Linear, Self::Mean];

    /// At `scale` screen pixels a texel.
    pub fn at(scale: f32) -> Self {
        match scale {
            s if s >= 2.0 => Self::Texels,
            s if s > 0.9 => Self::Linear,
            _ => Self::Mean,
        }
    }
}

/// The window's device with what draws pictures on it. Cheap to clone.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    ctx: Context,
    device: wgpu::Device,
    queue: wgpu::Queue,
    target: wgpu::TextureFormat,
    /// For one tile, by [`Filtering`].
    single: [wgpu::RenderPipeline; 3],
    /// For two tiles.
    pair: wgpu::RenderPipeline,
    filling: wgpu::RenderPipeline,
    look_layout: wgpu::BindGroupLayout,
    tile_layout: wgpu::BindGroupLayout,
    sampler: wgpu::Sampler,
    /// Stands for the second picture where there is none.
    nothing: wgpu::BindGroup,
}

impl Gpu {
    /// Builds the pipeline on the device that paints the window; once a window.
    pub fn new(ctx: &Context, state: &RenderState) -> Self {
        let device = &state.device;
        let look_layout = layout(
            device,
            "picture look",
            &[
                (
                    wgpu::ShaderStages::VERTEX_FRAGMENT,
                    wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                ),
                (
                    wgpu::ShaderStages::FRAGMENT,
                    wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
                ),
            ],
        );
        let tile_layout = layout(
            device,
            "picture tile",
            &[(
                wgpu::ShaderStages::FRAGMENT,
                wgpu::BindingType::Texture {
                    multisampled: false,
                    sample_type: wgpu::TextureSampleType::Float { filterable: true },
                    view_dimension: wgpu::TextureViewDimension::D2,
                },
            )],
        );
        let make = |two, filtering| {
            let layouts = [&look_layout, &tile_layout];
            pipeline(device, state.target_format, layouts, two, filtering)
        };
        let single = Filtering::ALL.map(|f| make(false, f as u32));
        let pair = make(true, BY_SCALE);
        let filling = filling(device, state.target_format);
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("picture"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        let (_, nothing) = texture(device, &state.queue, &tile_layout, 1, 1, &[[f16::ZERO; 4]]);
        Self(Arc::new(Inner {
            ctx: ctx.clone(),
            device: device.clone(),
            queue: state.queue.clone(),
            target: state.target_format,
            single,
            pair,
            filling,
            look_layout,
            tile_layout,
            sampler,
            nothing,
        }))
    }

    /// The window's context, to ask for another frame.
    pub(super) fn ctx(&self) -> &Context {
        &self.0.ctx
    }

    /// Uploads a tile of `width` x `height` texels and returns what draws it.
    pub(super) fn upload(&self, width: u32, height: u32, texels: &[[f16; 4]]) -> wgpu::BindGroup {
        let inner = &self.0;
        let layout = &inner.tile_layout;
        texture(&inner.device, &inner.queue, layout, width, height, texels).1
    }

    /// What draws one tile.
    pub(super) fn single(&self, filtering: Filtering) -> &wgpu::RenderPipeline {
        &self.0.single[filtering as usize]
    }

    /// What draws two tiles, mixed or their difference.
    pub(super) fn pair(&self) -> &wgpu::RenderPipeline {
        &self.0.pair
    }

    /// What fills an area.
    pub(super) fn filling(&self) -> &wgpu::RenderPipeline {
        &self.0.filling
    }

    /// Whether the target takes linear colours and encodes them by itself.
    pub(super) fn has_linear_target(&self) -> bool {
        self.0.target.is_srgb()
    }

    /// Stands for the second picture where there is none.
    pub(super) fn nothing(&self) -> &wgpu::BindGroup {
        &self.0.nothing
    }

    pub(super) fn vertices<T: bytemuck::NoUninit>(&self, vertices: &[T]) -> wgpu::Buffer {
        let descriptor = wgpu::util::BufferInitDescriptor {
            label: Some("rectangles"),
            contents: bytemuck::cast_slice(vertices),
            usage: wgpu::BufferUsages::VERTEX,
        };
        self.0.device.create_buffer_init(&descriptor)
    }

    pub(super) fn look(&self, look: Look) -> wgpu::BindGroup {
        let look = Look {
            linear: u32::from(self.has_linear_target()),
            ..look
        };
        let descriptor = wgpu::util::BufferInitDescriptor {
            label: Some("picture look"),
            contents: bytemuck::bytes_of(&look),
            usage: wgpu::BufferUsages::UNIFORM,
        };
        let buffer = self.0.device.create_buffer_init(&descriptor);
        self.0.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("picture look"),
            layout: &self.0.look_layout,
            entries: &[
                wgpu::BindGroupEntry {
                    binding: 0,
                    resource: buffer.as_entire_binding(),
                },
                wgpu::BindGroupEntry {
                    binding: 1,
                    resource: wgpu::BindingResource::Sampler(&self.0.sampler),
                },
            ],
        })
    }
}

fn layout(
    device: &wgpu::Device,
    label: &str,
    bindings: &[(wgpu::ShaderStages, wgpu::BindingType)],
) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = (0..)
        .zip(bindings)
        .map(|(binding, &(visibility, ty))| wgpu::BindGroupLayoutEntry {
            binding,
            visibility,
            ty,
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(label),
        entries: &entries,
    })
}

fn pipeline(
    device: &wgpu::Device,
    target: wgpu::TextureFormat,
    [look, tile]: [&wgpu::BindGroupLayout; 2],
    two: bool,
    filtering: u32,
) -> wgpu::RenderPipeline {
    let constants = [
        ("two", f64::from(u8::from(two))),
        ("filtering", f64::from(filtering)),
    ];
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("picture.wgsl"),
        source: wgpu::ShaderSource::Wgsl(include_str!("picture.wgsl").into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("picture"),
        bind_group_layouts: &[Some(look), Some(tile), Some(tile)],
        immediate_size: 0,
    });
    let attributes =
        wgpu::vertex_attr_array![0 => Float32x4, 1 => Float32x4, 2 => Float32x4, 3 => Float32x4];
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("picture"),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("corner"),
            buffers: &[Some(wgpu::VertexBufferLayout {
                array_stride: size_of::<Instance>() as u64,
                step_mode: wgpu::VertexStepMode::Instance,
                attributes: &attributes,
            })],
            compilation_options: wgpu::PipelineCompilationOptions::default(),
        },
        primitive: wgpu::PrimitiveState {
            topology: wgpu::PrimitiveTopology::TriangleStrip,
            ..Default::default()
        },
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("pixel"),
            targets: &[Some(target.into())],
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                ..Default::default()
            },
        }),
        multiview_mask: None,
        cache: None,
    })
}

fn filling(device: &wgpu::Device, target: wgpu::TextureFormat) -> wgpu::RenderPipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("fill.wgsl"),
        source: wgpu::ShaderSource::Wgsl(include_str!("fill.wgsl").into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("fill"),
        bind_group_layouts: &[],
        immediate_size: 0,
    });
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("fill"),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("corner"),
            buffers: &[Some(wgpu::VertexBufferLayout {
                array_stride: size_of::<[f32; 4]>() as u64,
                step_mode: wgpu::VertexStepMode::Instance,
                attributes: &wgpu::vertex_attr_array![0 => Float32x4],
            })],
            compilation_options: wgpu::PipelineCompilationOptions::default(),
        },
        primitive: wgpu::PrimitiveState::default(),
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("pixel"),
            targets: &[Some(target.into())],
            compilation_options: wgpu::PipelineCompilationOptions::default(),
        }),
        multiview_mask: None,
        cache: None,
    })
}

fn texture(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    layout: &wgpu::BindGroupLayout,
    width: u32,
    height: u32,
    texels: &[[f16; 4]],
) -> (wgpu::Texture, wgpu::BindGroup) {
    let size = wgpu::Extent3d {
        width,
        height,
        depth_or_array_layers: 1,
    };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("picture tile"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    queue.write_texture(
        texture.as_image_copy(),
        bytemuck::cast_slice(texels),
        wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(width * size_of::<[f16; 4]>() as u32),
            rows_per_image: None,
        },
        size,
    );
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("picture tile"),
        layout,
        entries: &[wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::TextureView(&view),
        }],
    });
    (texture, group)
}
