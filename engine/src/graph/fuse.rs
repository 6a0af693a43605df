//! Fusion, for inference and before differentiation: fewer, fatter nodes that compute the same values.
//!
//! - LayerNorm → SiluGate becomes LayerNormSiluGate,
//! - DepthwiseConv3x3 → Activation keeps the activation in the convolution,
//! - DepthwiseConv3x3 → GeluGate becomes DepthwiseGeluGate,
//! - Linear → AddScaled becomes a Linear with a residual epilogue.
//!
//! A producer is fused only when its result has no other reader.

use super::{Graph, Node, Op, ValueId};

/// The same graph with neighbouring nodes merged; value ids stay valid.
pub fn fuse(mut graph: Graph) -> Graph {
    let mut readers = vec![0usize; graph.values.len()];
    for v in graph
        .nodes
        .iter()
        .flat_map(|n| &n.inputs)
        .chain(&graph.outputs)
    {
        readers[v.0] += 1;
    }
    let mut producer: Vec<Option<usize>> = vec![None; graph.values.len()];
    let mut nodes: Vec<Option<Node>> = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes) {
        let merged = node.inputs.iter().enumerate().find_map(|(slot, &v)| {
            let from = producer[v.0].filter(|_| readers[v.0] == 1)?;
            let first: &Node = nodes[from].as_ref()?;
            Some((from, merge(first, &node, slot)?))
        });
        let index = nodes.len();
        let node = match merged {
            Some((from, merged)) => {
                nodes[from] = None;
                merged
            }
            None => node,
        };
        for &v in &node.outputs {
            producer[v.0] = Some(index);
        }
        nodes.push(Some(node));
    }
    graph.set_nodes(nodes.into_iter().flatten().collect());
    graph
}

/// The node that does `first` and then `second`, which reads it as operand `slot`.
fn merge(first: &Node, second: &Node, slot: usize) -> Option<Node> {
    let (op, inputs): (Op, Vec<ValueId>) = match (first.op, second.op, slot) {
        (Op::LayerNorm, Op::SiluGate, 0) => (
            Op::LayerNormSiluGate,
            [first.inputs.as_slice(), &second.inputs[1..]].concat(),
        ),
        (
            Op::DepthwiseConv3x3 {
                bias,
                activation: None,
            },
            Op::Activation(kind),
            0,
        ) => {
            let op = Op::DepthwiseConv3x3 {
                bias,
                activation: Some(kind),
            };
            (op, first.inputs.clone())
        }
        (
            Op::DepthwiseConv3x3 {
                bias,
                activation: None,
            },
            Op::GeluGate,
            0,
        ) => (Op::DepthwiseGeluGate { bias }, first.inputs.clone()),
        (
            Op::Linear {
                bias,
                residual: false,
            },
            Op::AddScaled,
            1,
        ) => {
            let op = Op::Linear {
                bias,
                residual: true,
            };
            (
                op,
                [
                    first.inputs.as_slice(),
                    &[second.inputs[0], second.inputs[2]],
                ]
                .concat(),
            )
        }
        _ => return None,
    };
    Some(Node {
        op,
        inputs,
        outputs: second.outputs.clone(),
        label: second.label.clone(),
    })
}
