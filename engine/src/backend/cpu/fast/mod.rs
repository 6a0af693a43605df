//! Fast paths of the ops of inference: vectorised, on all cores, without allocation.
//!
//! A kernel is made for one node: sizes are fixed, and weights are laid out anew as it
//! likes to read them. Ops without a fast path, or whose weights are computed rather than
//! given, run by their reference.

mod conv;
mod depthwise;
mod linear;
mod norm;
mod pointwise;
mod rearrange;
mod scan;
mod simd;

use crate::graph::{Graph, Node, Op, ValueId};
use depthwise::Epilogue;

/// Most operands an op with a fast path has.
pub(super) const MAX_OPERANDS: usize = 7;

/// One node's computation.
pub(super) trait Kernel: Send {
    /// Number of values of the temporary it needs while it runs.
    fn scratch(&self) -> usize {
        0
    }

    /// Computes the node's only result `y` from its operands; `scratch` has arbitrary contents.
    fn run(&self, x: &[&[f32]], y: &mut [f32], scratch: &mut [f32]);
}

/// The fast path of a node, if it has one.
pub(super) fn kernel(graph: &Graph, node: &Node, weights: &[Vec<f32>]) -> Option<Box<dyn Kernel>> {
    let site = Site {
        graph,
        node,
        weights,
    };
    match node.op {
        Op::Linear { bias, residual } => linear::kernel(&site, bias, residual),
        Op::LayerNorm => norm::kernel(&site, false),
        Op::LayerNormSiluGate => norm::kernel(&site, true),
        Op::Conv3x3 => conv::kernel(&site),
        Op::DepthwiseConv3x3 { bias, activation } => {
            depthwise::kernel(&site, bias, Epilogue::Activation(activation))
        }
        Op::DepthwiseGeluGate { bias } => depthwise::kernel(&site, bias, Epilogue::GeluGate),
        Op::SelectiveScan(spec) => scan::kernel(&site, spec),
        Op::Activation(_)
        | Op::SiluGate
        | Op::GeluGate
        | Op::Add
        | Op::AddScaled
        | Op::MulChannels
        | Op::GlobalAveragePool => pointwise::kernel(&site),
        Op::ConcatChannels
        | Op::SliceChannels { .. }
        | Op::SpaceToDepth { .. }
        | Op::DepthToSpace { .. } => rearrange::kernel(&site),
        _ => None,
    }
}

/// A node with what is known about it before it runs.
struct Site<'a> {
    graph: &'a Graph,
    node: &'a Node,
    weights: &'a [Vec<f32>],
}

impl<'a> Site<'a> {
    /// Sizes of operand `i`.
    fn dims(&self, i: usize) -> &'a [usize] {
        self.graph.dims(self.node.inputs[i])
    }

    /// `[B, H, W, C]` of operand `i`, an activation.
    fn bhwc(&self, i: usize) -> [usize; 4] {
        let d = self.dims(i);
        [d[0], d[1], d[2], d[3]]
    }

    /// `[B, H, W, C]` of the result.
    fn result(&self) -> [usize; 4] {
        let d = self.graph.dims(self.node.outputs[0]);
        [d[0], d[1], d[2], d[3]]
    }

    /// Operand `i` if it is a weight.
    fn weight(&self, i: usize) -> Option<&'a [f32]> {
        let v: ValueId = self.node.inputs[i];
        let position = self.graph.parameters.iter().position(|&p| p == v)?;
        Some(&self.weights[position])
    }
}

/// Rows of a row-by-row kernel that one task handles: about 64 KiB, so that they stay in cache.
fn rows_per_task(width: usize) -> usize {
    (16_384 / width).max(1)
}
