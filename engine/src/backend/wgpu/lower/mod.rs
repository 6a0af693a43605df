//! From a node of the graph to dispatches: which kernels, with which constants and grids.
//!
//! Each family of ops has a file; a family answers `None` for ops that are not its own.

mod conv;
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

use super::dispatch::{Capabilities, Lowered};
use crate::backend::BackendError;
use crate::graph::{Graph, Node};

/// The families whose kernels are the same on every device, in the order they are asked.
const FAMILIES: [fn(&Graph, &Node) -> Option<Lowered>; 7] = [
    scan::lower,
    norm::lower,
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
        .or_else(|| FAMILIES.iter().find_map(|family| family(graph, node)))
        .ok_or_else(|| BackendError::Refused {
            device: "lowering".to_owned(),
            what: format!("{} at {}", node.op.name(), node.label),
            reason: "no kernel computes this op".to_owned(),
        })
}
