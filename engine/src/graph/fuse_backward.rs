//! Fusion for training: sums of gradients go into the kernels before or after them.
//!
//! A block reads `x` twice, through a LayerNorm and around it, so its gradient
//! is a sum over the whole activation; adding while the LayerNorm's gradient is
//! written saves reading and writing it once more. What reads a sum element by
//! element, and is its only reader, can just as well read both summands.

use super::{Graph, Node, Op, TrainingGraph, ValueId};

/// The same training graph with those sums fused; value ids stay valid.
pub fn fuse_backward(mut training: TrainingGraph) -> TrainingGraph {
    let graph = &mut training.graph;
    let readers = readers(graph, &training.gradients);
    let mut order = vec![0; graph.values.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        node.outputs.iter().for_each(|v| order[v.0] = i);
    }
    let mut nodes: Vec<Option<Node>> = graph.nodes.drain(..).map(Some).collect();
    for i in 0..nodes.len() {
        let Some((sum, other, norm)) = nodes[i]
            .as_ref()
            .and_then(|n| sum_with(n, &nodes, &readers, &order))
        else {
            continue;
        };
        // The other summand must be there before the LayerNorm's backward runs.
        if order[other.0] >= norm {
            continue;
        }
        if let Some(node) = &mut nodes[norm] {
            if let Op::LayerNormBackward { accumulate, .. } = &mut node.op {
                *accumulate = true;
            }
            node.inputs.push(other);
            node.outputs[0] = sum;
            order[sum.0] = norm;
        }
        nodes[i] = None;
    }
    for i in 0..nodes.len() {
        let Some(gradient) = nodes[i].as_ref().and_then(gradient_slot) else {
            continue;
        };
        let sum = nodes[i].as_ref().map(|n| n.inputs[gradient]);
        let Some(sum) = sum.filter(|v| readers[v.0] == 1) else {
            continue;
        };
        let Some(from) = nodes[order[sum.0]].take_if(|n| n.op == Op::Add && n.outputs[0] == sum)
        else {
            continue;
        };
        if let Some(node) = &mut nodes[i] {
            node.inputs.splice(gradient..=gradient, from.inputs);
            if let Op::LayerNormBackward { pair, .. }
            | Op::DepthwiseActivationBackward { pair, .. } = &mut node.op
            {
                *pair = true;
            }
        }
    }
    graph.set_nodes(nodes.into_iter().flatten().collect());
    training
}

/// Which operand is the gradient of a node that could as well read it as two summands.
fn gradient_slot(node: &Node) -> Option<usize> {
    match node.op {
        Op::LayerNormBackward { pair: false, .. } => Some(2),
        Op::DepthwiseActivationBackward {
            bias, pair: false, ..
        } => Some(2 + usize::from(bias)),
        _ => None,
    }
}

/// For `sum = other + gx` (either way round) with `gx` of a LayerNormBackward read only
/// here: sum, other, and the index of that node.
fn sum_with(
    node: &Node,
    nodes: &[Option<Node>],
    readers: &[usize],
    order: &[usize],
) -> Option<(ValueId, ValueId, usize)> {
    let (Op::Add, &[a, b]) = (node.op, node.inputs.as_slice()) else {
        return None;
    };
    [(a, b), (b, a)].into_iter().find_map(|(other, gx)| {
        let norm = order[gx.0];
        let from = nodes[norm].as_ref()?;
        let plain = matches!(
            from.op,
            Op::LayerNormBackward {
                accumulate: false,
                ..
            }
        );
        (plain && from.outputs[0] == gx && readers[gx.0] == 1).then_some((
            node.outputs[0],
            other,
            norm,
        ))
    })
}

fn readers(graph: &Graph, gradients: &[(ValueId, ValueId)]) -> Vec<usize> {
    let mut readers = vec![0; graph.values.len()];
    let wanted = gradients.iter().map(|(_, g)| g);
    for v in graph
        .nodes
        .iter()
        .flat_map(|n| &n.inputs)
        .chain(&graph.outputs)
        .chain(wanted)
    {
        readers[v.0] += 1;
    }
    readers
}
