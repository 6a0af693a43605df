//! From a node of the graph to dispatches: which kernels, with which constants and grids.
//!
//! Each family of ops has a file; a family answers `None` for ops that are not its own.

mod conv;
mod fused;
mod linear;
mod loss;
mod matmul;
mod matmul_coop;
mod norm;
mod pointwise;
mod rearrange;
mod reduce;
mod scan;
mod scan_backward;

pub(super) use reduce::flat_groups;

use super::dispatch::{Capabilities, Lowered, Operand};
use crate::backend::BackendError;
use crate::graph::{Graph, Node, Storage};

/// The families whose kernels are the same on every device, in the order they are asked.
const FAMILIES: [fn(&Graph, &Node) -> Option<Lowered>; 5] = [
    conv::lower,
    pointwise::lower,
    rearrange::lower,
    reduce::lower,
    loss::lower,
];

/// Dispatches that compute `node`, in order, on a device of these capabilities.
///
/// # Errors
/// [`BackendError::Refused`] when no family of kernels has the op.
pub fn lower(
    graph: &Graph,
    node: &Node,
    capabilities: Capabilities,
) -> Result<Lowered, BackendError> {
    linear::lower(graph, node, capabilities)
        .or_else(|| scan::lower(graph, node, capabilities))
        .or_else(|| norm::lower(graph, node, capabilities))
        .or_else(|| fused::lower(graph, node, capabilities))
        .or_else(|| FAMILIES.iter().find_map(|family| family(graph, node)))
        .map(|lowered| with_storage(graph, lowered))
        .ok_or_else(|| BackendError::Refused {
            device: "lowering".to_owned(),
            what: format!("{} at {}", node.op.name(), node.label),
            reason: "no kernel computes this op".to_owned(),
        })
}

/// Names of the constants that say which bindings hold 16-bit numbers, binding 1 first.
const HALVES: [&str; 10] = [
    "HALF1", "HALF2", "HALF3", "HALF4", "HALF5", "HALF6", "HALF7", "HALF8", "HALF9", "HALF10",
];

/// Tells each kernel which of its bindings are values kept in 16 bits (`shared/lanes.wgsl`).
fn with_storage(graph: &Graph, mut lowered: Lowered) -> Lowered {
    for dispatch in &mut lowered.dispatches {
        for (&(operand, _), name) in dispatch.bindings.iter().zip(HALVES) {
            if let Operand::Value(v) = operand
                && graph.value(v).storage == Storage::F16
            {
                dispatch.constants.push((name, true.into()));
            }
        }
    }
    lowered
}
