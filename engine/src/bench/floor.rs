//! The least time that work can take on a device whose ceilings are known.

use super::Ceilings;
use crate::graph::{Cost, Graph, Node, node_cost};

/// Seconds that work takes at least: its bytes at the speed of a copy, its dense products, its
/// other arithmetic and its exponentials at the measured rates, whichever takes longest.
pub fn floor_seconds(cost: &Cost, ceilings: &Ceilings) -> f64 {
    let per = |amount: f64, rate: Option<f64>| match rate {
        Some(rate) if rate > 0.0 => amount / rate,
        _ => 0.0,
    };
    [
        per(cost.bytes as f64, Some(ceilings.copy.median)),
        per(2.0 * cost.dense_macs as f64, ceilings.best_product()),
        per(cost.scan_flops as f64, ceilings.fma.map(|s| s.median)),
        per(cost.scan_exps as f64, ceilings.exp2.map(|s| s.median)),
    ]
    .into_iter()
    .fold(0.0, f64::max)
}

/// A node's cost as the device keeps its operands.
pub fn stored_cost(graph: &Graph, node: &Node) -> Cost {
    let operands = node.inputs.iter().chain(&node.outputs);
    Cost {
        bytes: operands.map(|&v| graph.bytes(v)).sum(),
        ..node_cost(graph, node)
    }
}
