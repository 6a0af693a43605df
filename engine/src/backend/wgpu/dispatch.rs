//! What lowering produces: dispatches as plain data, without a GPU object in sight.
//!
//! `lower/` turns a node of the graph into [`Lowered`]; the plan turns that into
//! pipelines, buffers and bind groups once, and replays them.

use crate::graph::ValueId;

/// What kernels may use on a device beyond what every adapter has; the default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether activations and their gradients are kept in 16 bits (see [`crate::graph::store_half`]).
    pub half_storage: bool,
    /// Products of 16 × 16 × 16 matrices of `f16` with `f32` sums by subgroups of 32.
    pub cooperative_matrix: bool,
    /// Whether the halves of a block run as one kernel each in inference (see
    /// [`crate::graph::fuse_blocks`]).
    pub fused_blocks: bool,
    /// Bytes of workgroup memory; 0 for what every adapter has.
    pub workgroup_bytes: u32,
    /// Lanes of every subgroup, where lanes of a subgroup can exchange values; else 0.
    pub subgroups: u32,
}

/// How a kernel uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    Write,
}

/// What a binding refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A value of the graph.
    Value(ValueId),
    /// A temporary of this node: index into [`Lowered::scratch`].
    Scratch(usize),
}

/// A compile-time constant of a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Constant {
    /// `const NAME: u32`
    U32(u32),
    /// `const NAME: f32`
    F32(f32),
}

impl From<u32> for Constant {
    fn from(v: u32) -> Self {
        Self::U32(v)
    }
}

impl From<usize> for Constant {
    fn from(v: usize) -> Self {
        Self::U32(v as u32)
    }
}

impl From<bool> for Constant {
    fn from(v: bool) -> Self {
        Self::U32(u32::from(v))
    }
}

impl From<f32> for Constant {
    fn from(v: f32) -> Self {
        Self::F32(v)
    }
}

/// One launch of one kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// Stem of the file in `shaders/`; its entry point is `main`.
    pub kernel: &'static str,
    /// Constants put before the source; `#if NAME` tests whether one is there and not zero.
    /// Each distinct set is a pipeline of its own: structure (channels, states, flags) goes
    /// here, sizes that follow the picture (tokens, height, width) into `params`.
    pub constants: Vec<(&'static str, Constant)>,
    /// Storage buffers at `@group(0)`, `@binding(1)` onwards.
    pub bindings: Vec<(Operand, Access)>,
    /// Words of the uniform `Params` at `@group(0) @binding(0)`; floats as their bits.
    pub params: Vec<u32>,
    /// Workgroups; see [`fold`].
    pub workgroups: [u32; 3],
}

/// `out [len] = Σ_r partials[r, start..start + len]`: the last stage of a sum, in a fixed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSum {
    /// The temporary of 32-bit values: index into [`Lowered::scratch`].
    pub partials: usize,
    /// Where its first row begins, in values.
    pub start: usize,
    /// Values from one row's begin to the next one's.
    pub stride: usize,
    /// Number of rows.
    pub rows: usize,
    /// Values of a row that are summed.
    pub len: usize,
    /// The result, kept in 32 bits.
    pub out: ValueId,
}

/// A node as dispatches in order, with its temporaries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lowered {
    /// Launches, each seeing what the ones before it wrote.
    pub dispatches: Vec<Dispatch>,
    /// What is summed after the dispatches. The plan gathers sums that nothing waits for,
    /// the gradients of parameters, from many nodes in one launch.
    pub sums: Vec<RowSum>,
    /// Bytes of each temporary.
    pub scratch: Vec<u64>,
}

/// Most workgroups in one dimension of a dispatch that every adapter takes.
pub const MAX_WORKGROUPS: u32 = 65535;

/// A one-dimensional grid of `groups` workgroups folded into two dimensions.
///
/// Kernels recover the index as `id.y * num.x + id.x` and must ignore indices
/// past the end.
pub fn fold(groups: usize) -> [u32; 3] {
    let groups = groups.max(1) as u64;
    let y = groups.div_ceil(u64::from(MAX_WORKGROUPS));
    let x = groups.div_ceil(y);
    [x as u32, y as u32, 1]
}
