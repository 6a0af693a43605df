//! Operation, byte and parameter counts, read off the graph.
//!
//! Dense products are counted as multiply–accumulates (MAC); the scan apart, as
//! 9·L·D·N floating-point operations per direction (6 for the recurrence, 3 to
//! discretise and to go in and out), with its exponentials.

use super::{Graph, Node, Op, ScanSpec, elements};

/// What running something once costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Cost {
    /// Multiply–accumulates of linear layers and convolutions.
    pub dense_macs: u64,
    /// Floating-point operations of selective scans.
    pub scan_flops: u64,
    /// Exponentials of selective scans (a softplus counts as two).
    pub scan_exps: u64,
    /// Fewest bytes through memory with 32-bit storage: every operand read once, every result written once.
    pub bytes: u64,
}

impl std::ops::Add for Cost {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self {
            dense_macs: self.dense_macs + o.dense_macs,
            scan_flops: self.scan_flops + o.scan_flops,
            scan_exps: self.scan_exps + o.scan_exps,
            bytes: self.bytes + o.bytes,
        }
    }
}

/// Cost of one node.
pub fn node_cost(graph: &Graph, node: &Node) -> Cost {
    let dims = |i: usize| graph.dims(node.inputs[i]);
    let tokens = |i: usize| dims(i)[..3].iter().product::<usize>();
    let scan = |spec: &ScanSpec, passes: usize| {
        let lanes = tokens(0) * dims(0)[3] * spec.directions;
        let exps = if spec.tied { 1 } else { spec.states };
        let flops = 9 * lanes * spec.states * passes;
        // Δ = softplus(w_dt·r + b) is a small dense product inside the scan.
        let macs = lanes * spec.rank * passes;
        (flops, macs, lanes * (exps + 2) * passes)
    };
    let (macs, flops, exps) = match &node.op {
        Op::Linear { .. } => (tokens(0) * elements(dims(1)), 0, 0),
        Op::LinearBackwardInput => (tokens(0) * elements(dims(1)), 0, 0),
        Op::LinearBackwardWeight => (tokens(0) * dims(0)[3] * dims(1)[3], 0, 0),
        Op::Conv3x3 | Op::Conv3x3BackwardInput => (tokens(0) * elements(dims(1)), 0, 0),
        Op::Conv3x3BackwardWeight => (tokens(0) * dims(0)[3] * dims(1)[3] * 9, 0, 0),
        Op::DepthwiseConv3x3 { .. }
        | Op::DepthwiseGeluGate { .. }
        | Op::DepthwiseActivationBackward { .. }
        | Op::DepthwiseGeluGateBackward { .. } => (tokens(0) * dims(0)[3] * 9, 0, 0),
        Op::DepthwiseConv3x3Backward { .. } => (2 * tokens(0) * dims(0)[3] * 9, 0, 0),
        Op::FusedNormLinear { .. } => (tokens(0) * elements(dims(3)), 0, 0),
        Op::FusedExpand => (tokens(4) * elements(dims(3)), 0, 0),
        Op::FusedFfn => {
            let weights = [3, 4, 5].map(|i| elements(dims(i)));
            (tokens(0) * weights.iter().sum::<usize>(), 0, 0)
        }
        Op::FusedScanInput => {
            let weights = [3, 4, 6].map(|i| elements(dims(i)));
            (tokens(0) * weights.iter().sum::<usize>(), 0, 0)
        }
        Op::FusedScanOutput => {
            let weights = [3, 7].map(|i| elements(dims(i)));
            (tokens(0) * weights.iter().sum::<usize>(), 0, 0)
        }
        Op::SelectiveScan(spec) => {
            let (flops, macs, exps) = scan(spec, 1);
            (macs, flops, exps)
        }
        Op::SelectiveScanBackward(spec) => {
            let (flops, macs, exps) = scan(spec, 3);
            (macs, flops, exps)
        }
        _ => (0, 0, 0),
    };
    let touched: usize = node
        .inputs
        .iter()
        .chain(&node.outputs)
        .map(|&v| graph.len(v))
        .sum();
    Cost {
        dense_macs: macs as u64,
        scan_flops: flops as u64,
        scan_exps: exps as u64,
        bytes: 4 * touched as u64,
    }
}

/// Cost of all nodes of a graph.
pub fn graph_cost(graph: &Graph) -> Cost {
    graph
        .nodes
        .iter()
        .map(|n| node_cost(graph, n))
        .fold(Cost::default(), |a, b| a + b)
}
