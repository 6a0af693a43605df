//! Linear layers, forward and backward: three products of matrices.

use super::super::dispatch::{Capabilities, Lowered, Operand};
use super::matmul::{Form, Launch, Operands, Product};
use super::matmul_coop::cooperative;
use super::reduce::sum_rows;
use crate::graph::{Graph, Node, Op, Storage, elements};

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(graph: &Graph, node: &Node, capabilities: Capabilities) -> Option<Lowered> {
    let dims = |i: usize| graph.dims(node.inputs[i]);
    let input = |i: usize| Operand::Value(node.inputs[i]);
    let tokens = elements(&dims(0)[..dims(0).len() - 1]);
    let (form, m, n, k) = match node.op {
        Op::Linear { .. } => (Form::Forward, tokens, dims(1)[0], dims(1)[1]),
        Op::LinearBackwardInput => (Form::BackwardInput, tokens, dims(1)[1], dims(1)[0]),
        Op::LinearBackwardWeight => (Form::BackwardWeight, dims(0)[3], dims(1)[3], tokens),
        _ => return None,
    };
    let (bias, residual) = match node.op {
        Op::Linear { bias, residual } => (bias, residual),
        _ => (false, false),
    };
    let after = 2 + usize::from(bias);
    let operands = Operands {
        a: input(0),
        b: input(1),
        bias: bias.then(|| input(2)),
        residual: residual.then(|| (input(after), input(after + 1))),
    };
    let product = Product { m, n, k, form };
    let launch = match capabilities.cooperative_matrix {
        true => cooperative(
            product,
            graph.value(node.outputs[0]).storage == Storage::F16,
        ),
        false => None,
    };
    let launch = launch.unwrap_or_else(|| Launch::plain(product));
    let out = Operand::Value(node.outputs[0]);
    let mut lowered = Lowered::default();
    match launch.slabs() {
        1 => lowered.dispatches.push(launch.dispatch(&operands, out)),
        slabs => {
            let partials = lowered.temporary(slabs * m * n);
            lowered
                .dispatches
                .push(launch.dispatch(&operands, partials));
            sum_rows(&mut lowered, partials, node.outputs[0], slabs, m * n);
        }
    }
    Some(lowered)
}
