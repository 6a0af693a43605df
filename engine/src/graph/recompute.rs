//! Less memory for training: cheap intermediates are computed again for the backward pass.
//!
//! LayerNorms, activations, gates and the depthwise convolutions before them cost one pass
//! over memory, while keeping their results for the backward pass holds a quarter of all
//! intermediates. The results are the same bit for bit: the same op runs twice.

use std::collections::HashMap;

use super::{Graph, Op, Source, TrainingGraph, ValueId};

/// Repeats cheap forward nodes just before their first reader in the backward pass.
pub fn recompute(mut training: TrainingGraph) -> TrainingGraph {
    let graph = &mut training.graph;
    let is_backward = |op: &Op| matches!(op, Op::LossBackward(_));
    let Some(start) = graph.nodes.iter().position(|n| is_backward(&n.op)) else {
        return training;
    };
    let backward = graph.nodes.split_off(start);
    let mut again: HashMap<ValueId, ValueId> = HashMap::new();
    for mut node in backward {
        for v in &mut node.inputs {
            *v = repeated(graph, start, &mut again, *v);
        }
        let index = graph.nodes.len();
        for (output, v) in node.outputs.iter().enumerate() {
            graph.values[v.0].source = Source::Node {
                node: index,
                output,
            };
        }
        graph.nodes.push(node);
    }
    training
}

/// The value a backward node reads in place of `v`: a second copy when `v` is cheap to make.
fn repeated(
    graph: &mut Graph,
    start: usize,
    again: &mut HashMap<ValueId, ValueId>,
    v: ValueId,
) -> ValueId {
    if let Some(&copy) = again.get(&v) {
        return copy;
    }
    let Source::Node { node, .. } = graph.value(v).source else {
        return v;
    };
    if node >= start || !is_cheap(&graph.nodes[node].op) {
        return v;
    }
    let mut copy = graph.nodes[node].clone();
    // What it reads may itself be cheap: a gate after a LayerNorm.
    for operand in &mut copy.inputs {
        *operand = repeated(graph, start, again, *operand);
    }
    let mut value = graph.value(v).clone();
    value.source = Source::Node {
        node: graph.nodes.len(),
        output: 0,
    };
    graph.values.push(value);
    let id = ValueId(graph.values.len() - 1);
    copy.outputs = vec![id];
    graph.nodes.push(copy);
    again.insert(v, id);
    id
}

fn is_cheap(op: &Op) -> bool {
    matches!(
        op,
        Op::LayerNorm
            | Op::LayerNormSiluGate
            | Op::Activation(_)
            | Op::SiluGate
            | Op::GeluGate
            | Op::DepthwiseGeluGate { .. }
            | Op::DepthwiseConv3x3 {
                activation: Some(_),
                ..
            }
    )
}
