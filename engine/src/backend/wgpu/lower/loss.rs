//! Losses and their gradients.

use super::super::dispatch::{Access, Constant, Dispatch, Lowered, Operand, fold};
use super::pointwise::flat;
use super::reduce::{Lanes, MAX_PARTIAL_ROWS, Reduction, WORKGROUP, reduce};
use crate::graph::{Graph, Loss, Node, Op, elements, gradient_scale};

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(graph: &Graph, node: &Node) -> Option<Lowered> {
    let (Op::Loss(loss) | Op::LossBackward(loss)) = node.op else {
        return None;
    };
    let count = elements(graph.dims(node.inputs[0]));
    let lanes = Lanes::new(count, 1);
    let (charbonnier, epsilon) = match loss {
        Loss::Charbonnier { epsilon } => (true, epsilon),
        Loss::L1 => (false, 0.0),
    };
    let constants: Vec<(&'static str, Constant)> = vec![
        ("VEC4", lanes.vec4.into()),
        ("CHARBONNIER", charbonnier.into()),
    ];
    let scale = (1.0 / count as f64) as f32;
    if let Op::LossBackward(_) = node.op {
        let params = [(scale * gradient_scale(graph)).to_bits(), epsilon.to_bits()];
        return Some(flat(
            node,
            "loss_backward",
            constants,
            lanes.columns,
            &params,
        ));
    }

    let mut lowered = Lowered::default();
    let groups = lanes.columns.div_ceil(WORKGROUP).min(MAX_PARTIAL_ROWS);
    let partials = lowered.temporary(groups);
    let read = node
        .inputs
        .iter()
        .map(|&v| (Operand::Value(v), Access::Read));
    lowered.dispatches.push(Dispatch {
        kernel: "loss",
        constants,
        bindings: read.chain([(partials, Access::Write)]).collect(),
        params: vec![lanes.columns as u32, groups as u32, epsilon.to_bits()],
        workgroups: fold(groups),
    });
    let mean = Reduction {
        scale,
        ..Reduction::sum(1, groups, 1)
    };
    let out = Operand::Value(node.outputs[0]);
    reduce(&mut lowered, partials, out, &mean);
    Some(lowered)
}
