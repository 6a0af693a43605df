//! Fusion for inference on fast graphics devices: each half of a block as one node, so that
//! next to nothing of what lies between its ends goes through memory.
//!
//! On a graph that [`super::fuse`] has been over:
//!
//! - LayerNorm → Linear → DepthwiseGeluGate → Linear + residual becomes FusedFfn,
//! - LayerNorm → Linear → DepthwiseConv3x3 + SiLU → Linear becomes FusedScanInput,
//! - LayerNorm → Linear, with LayerNormSiluGate → Linear + residual, becomes FusedScanOutput,
//! - LayerNorm → Linear elsewhere becomes FusedNormLinear,
//! - DepthToSpace → ConcatChannels → Linear → LayerNorm becomes FusedExpand.
//!
//! The two halves around a scan share a LayerNorm; each computes it for itself.

use super::{Activation, Graph, Node, Op, RearrangeOrder, Source, ValueId};

/// Channels come in multiples of this, a cooperative matrix.
const SIDE: usize = 16;

/// Most channels of a token for which one kernel is faster than several: of halves that convolve,
/// and of the others. On an NVIDIA H200 at 1024 × 1024 (docs/performance.md) a convolving half is
/// faster at 32 and not at 64, 48 is between them; the others still are at 64, and not at 128. Deeper
/// scales have few tokens and large matrices, which kernels of their own share better.
const MOST_CONVOLVED: usize = 48;
const MOST: usize = 64;

/// The same graph with the halves of its blocks merged; value ids stay valid. Blocks whose
/// channels do not fit cooperative matrices stay as they are.
pub fn fuse_blocks(mut graph: Graph) -> Graph {
    let merged: Vec<Node> = (graph.nodes.iter())
        .map(|node| {
            let found = (ffn(&graph, node))
                .or_else(|| scan_input(&graph, node))
                .or_else(|| scan_output(&graph, node))
                .or_else(|| norm_linear(&graph, node))
                .or_else(|| expand(&graph, node));
            found.unwrap_or_else(|| node.clone())
        })
        .collect();
    // What nobody reads any more is not computed.
    let mut wanted = vec![false; graph.values.len()];
    for v in &graph.outputs {
        wanted[v.0] = true;
    }
    let mut nodes = Vec::with_capacity(merged.len());
    for node in merged.into_iter().rev() {
        if node.outputs.iter().any(|v| wanted[v.0]) {
            // A fused node also computes what a node before it did.
            node.outputs.iter().for_each(|v| wanted[v.0] = false);
            node.inputs.iter().for_each(|v| wanted[v.0] = true);
            nodes.push(node);
        }
    }
    nodes.reverse();
    graph.set_nodes(nodes);
    graph
}

/// The node that computes `v`.
fn maker(graph: &Graph, v: ValueId) -> Option<&Node> {
    match graph.value(v).source {
        Source::Node { node, .. } => graph.nodes.get(node),
        _ => None,
    }
}

const PRODUCT: Op = Op::Linear {
    bias: false,
    residual: false,
};

const PRODUCT_ADDED: Op = Op::Linear {
    bias: false,
    residual: true,
};

/// `x, γ, β, w` of `v = LN(x)·wᵀ`, with at most so many channels.
fn normed_product(graph: &Graph, v: ValueId, most: usize) -> Option<Vec<ValueId>> {
    let product = maker(graph, v).filter(|n| n.op == PRODUCT)?;
    let norm = maker(graph, product.inputs[0]).filter(|n| n.op == Op::LayerNorm)?;
    let fits = |c: usize| c.is_multiple_of(SIDE) && c <= most;
    let [_, _, _, channels] = *graph.dims(norm.inputs[0]) else {
        return None;
    };
    let whole = graph.dims(v)[3].is_multiple_of(2 * SIDE);
    (fits(channels) && whole).then(|| [norm.inputs.as_slice(), &product.inputs[1..]].concat())
}

/// `node` as the last product of a feed-forward half.
fn ffn(graph: &Graph, node: &Node) -> Option<Node> {
    if node.op != PRODUCT_ADDED {
        return None;
    }
    let gate = Op::DepthwiseGeluGate { bias: false };
    let gate = maker(graph, node.inputs[0]).filter(|n| n.op == gate)?;
    let mut inputs = normed_product(graph, gate.inputs[0], MOST_CONVOLVED)?;
    // LN(x) and the residual are of the same x.
    (inputs[0] == node.inputs[2]).then_some(())?;
    inputs.extend([gate.inputs[1], node.inputs[1], node.inputs[3]]);
    Some(replaced(node, Op::FusedFfn, inputs))
}

/// `node` as the product whose result a scan reads beside the product's operand.
fn scan_input(graph: &Graph, node: &Node) -> Option<Node> {
    if node.op != PRODUCT {
        return None;
    }
    let conv = Op::DepthwiseConv3x3 {
        bias: true,
        activation: Some(Activation::Silu),
    };
    let conv = maker(graph, node.inputs[0]).filter(|n| n.op == conv)?;
    let projected = graph.dims(node.outputs[0])[3];
    (projected.is_multiple_of(4) && projected >= SIDE).then_some(())?;
    let mut inputs = normed_product(graph, conv.inputs[0], MOST_CONVOLVED)?;
    inputs.extend([conv.inputs[1], conv.inputs[2], node.inputs[1]]);
    let mut fused = replaced(node, Op::FusedScanInput, inputs);
    fused.outputs = vec![conv.outputs[0], node.outputs[0]];
    Some(fused)
}

/// `node` as the last product after a scan.
fn scan_output(graph: &Graph, node: &Node) -> Option<Node> {
    if node.op != PRODUCT_ADDED {
        return None;
    }
    let gate = maker(graph, node.inputs[0]).filter(|n| n.op == Op::LayerNormSiluGate)?;
    let mut inputs = normed_product(graph, gate.inputs[3], MOST)?;
    (inputs[0] == node.inputs[2]).then_some(())?;
    inputs.extend(&gate.inputs[..3]);
    inputs.extend([node.inputs[1], node.inputs[3]]);
    Some(replaced(node, Op::FusedScanOutput, inputs))
}

/// `node` as a product of normalised tokens that nothing else reads.
fn norm_linear(graph: &Graph, node: &Node) -> Option<Node> {
    let Op::Linear {
        bias,
        residual: false,
    } = node.op
    else {
        return None;
    };
    let norm = maker(graph, node.inputs[0]).filter(|n| n.op == Op::LayerNorm)?;
    let out = graph.dims(node.outputs[0])[3];
    let channels = graph.dims(norm.inputs[0])[3];
    let fits = channels.is_multiple_of(SIDE) && channels <= MOST;
    (fits && out.is_multiple_of(4) && (SIDE..=MOST).contains(&out)).then_some(())?;
    read_once(graph, norm.outputs[0]).then_some(())?;
    let inputs = [norm.inputs.as_slice(), &node.inputs[1..]].concat();
    Some(replaced(node, Op::FusedNormLinear { bias }, inputs))
}

/// `node` as the norm after pixels from coarse tokens were joined with those of their scale.
fn expand(graph: &Graph, node: &Node) -> Option<Node> {
    if node.op != Op::LayerNorm {
        return None;
    }
    let made = |v: ValueId, op: Op| {
        maker(graph, v).filter(|n| n.op == op && read_once(graph, n.outputs[0]))
    };
    let product = made(node.inputs[0], PRODUCT)?;
    let joined = made(product.inputs[0], Op::ConcatChannels)?;
    let shuffle = Op::DepthToSpace {
        factor: 2,
        order: RearrangeOrder::PixelShuffle,
    };
    let shuffled = made(joined.inputs[0], shuffle)?;
    let skip = joined.inputs[1];
    let channels = graph.dims(node.outputs[0])[3];
    let fits = channels.is_multiple_of(SIDE) && channels <= MOST;
    let equal = [shuffled.outputs[0], skip].map(|v| graph.dims(v)[3]) == [channels; 2];
    (fits && equal).then_some(())?;
    let mut inputs = vec![shuffled.inputs[0]];
    inputs.extend(&node.inputs[1..]);
    inputs.extend([product.inputs[1], skip]);
    Some(replaced(node, Op::FusedExpand, inputs))
}

/// Whether one node reads `v` and the caller does not.
fn read_once(graph: &Graph, v: ValueId) -> bool {
    let read = graph.nodes.iter().flat_map(|n| &n.inputs);
    read.chain(&graph.outputs).filter(|&&r| r == v).count() == 1
}

fn replaced(node: &Node, op: Op, inputs: Vec<ValueId>) -> Node {
    Node {
        op,
        inputs,
        ..node.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::{fuse, graph_cost};
    use super::*;
    use crate::backend::cpu::reference::run_graph;
    use crate::network::{Network, NetworkConfig, Preset};

    fn count(graph: &Graph, name: &str) -> usize {
        graph.nodes.iter().filter(|n| n.op.name() == name).count()
    }

    #[test]
    fn wide_scales_become_three_nodes_and_a_scan_a_block() {
        let network = Network::build(&Preset::Base.config(), 1, 256, 256).unwrap();
        let before = fuse(network.graph);
        let graph = fuse_blocks(before.clone());
        // Two blocks of 32 channels and two of 64; the head; two expansions.
        for (name, nodes) in [
            ("FusedFfn", 2),
            ("FusedScanInput", 2),
            ("FusedScanOutput", 4),
            ("FusedNormLinear", 1),
            ("FusedExpand", 2),
        ] {
            assert_eq!(count(&graph, name), nodes, "{name}");
        }
        assert_eq!(count(&graph, "SelectiveScan"), 10);
        let cost = |g: &Graph| (graph_cost(g).dense_macs, graph_cost(g).scan_flops);
        assert_eq!(cost(&graph), cost(&before));
        let bytes = |g: &Graph| graph_cost(g).bytes as f64;
        let left = bytes(&graph) / bytes(&before);
        assert!(left < 0.7, "{left:.2} of the bytes are left");
    }

    #[test]
    fn channels_that_fit_no_matrix_stay_as_they_are() {
        let config = NetworkConfig {
            channels: 12,
            depths: vec![1],
            ..Preset::Tiny.config()
        };
        let before = fuse(Network::build(&config, 1, 8, 8).unwrap().graph);
        assert_eq!(fuse_blocks(before.clone()).nodes.len(), before.nodes.len());
    }

    #[test]
    fn values_stay_the_same() {
        let network = Network::build(&Preset::Tiny.config(), 1, 16, 8).unwrap();
        let wave = |len: usize, step: f32| (0..len).map(|i| (i as f32 * step).sin()).collect();
        let weights: Vec<Vec<f32>> = (network.parameters.iter())
            .map(|p| wave(p.dims.iter().product(), 0.37))
            .collect();
        let weights: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
        let x: Vec<f32> = wave(16 * 8 * 3, 0.7);
        let plain = fuse(network.graph);
        let expected = run_graph::<f64>(
            &plain,
            &[&x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>()],
            &wide(&weights).iter().map(Vec::as_slice).collect::<Vec<_>>(),
        );
        let got = run_graph::<f64>(
            &fuse_blocks(plain),
            &[&x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>()],
            &wide(&weights).iter().map(Vec::as_slice).collect::<Vec<_>>(),
        );
        for (g, e) in got[0].iter().zip(&expected[0]) {
            assert!((g - e).abs() < 1e-9 * (1.0 + e.abs()), "{g} {e}");
        }
    }

    fn wide(weights: &[&[f32]]) -> Vec<Vec<f64>> {
        (weights.iter())
            .map(|w| w.iter().map(|&x| f64::from(x)).collect())
            .collect()
    }
}
