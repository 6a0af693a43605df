//! Fast paths of the ops of inference: vectorised, on all cores, without allocation.
//!
//! A kernel is made for one node: sizes are fixed, and weights are laid out anew as it
//! likes to read them. Ops without a fast path, or whose weights are computed rather than
//! given, run by their reference.

mod simd;

use crate::graph::{Graph, Node};

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
pub(super) fn kernel(
    _graph: &Graph,
    _node: &Node,
    _weights: &[Vec<f32>],
) -> Option<Box<dyn Kernel>> {
    None
}
