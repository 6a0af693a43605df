//! Reverse-mode differentiation as a pass over the graph.
//!
//! The nodes' adjoints are appended in reverse order as ordinary ops, so a
//! training step is one graph that any backend runs.

use std::collections::HashMap;

use super::{Graph, Node, Op, ShapeError, Source, ValueId};

/// A forward graph with its backward pass appended.
#[derive(Clone, Debug)]
pub struct TrainingGraph {
    /// Forward and backward nodes; `outputs` are the loss followed by the forward graph's outputs.
    pub graph: Graph,
    /// The scalar being minimised, `[1]`.
    pub loss: ValueId,
    /// For each parameter, in order, its gradient (same sizes).
    pub gradients: Vec<(ValueId, ValueId)>,
}

/// Appends to `graph` the gradient of `loss` with respect to every parameter.
///
/// # Errors
/// [`ShapeError`] when `loss` is not a loss, an op has no derivative (a residual
/// in a layer with a bias, channel slices and upsampling of something learned),
/// or a parameter does not influence the loss.
pub fn differentiate(mut graph: Graph, loss: ValueId) -> Result<TrainingGraph, ShapeError> {
    let forward = graph.nodes.len();
    let learned = learned_values(&graph);
    let mut gradients = Gradients::default();
    for index in (0..forward).rev() {
        let node = graph.nodes[index].clone();
        if !node.outputs.iter().any(|v| learned[v.0]) {
            continue;
        }
        let out = node.outputs[0];
        if let Op::Loss(kind) = node.op {
            if out == loss {
                let g = graph.apply(Op::LossBackward(kind), &node.inputs, &backward(&node))?;
                gradients.add(&mut graph, node.inputs[0], g)?;
            }
            continue;
        }
        // Values nobody differentiated through (another head) have no gradient.
        let Some(gy) = gradients.get(out) else {
            continue;
        };
        let needs = |v: ValueId| learned[v.0];
        adjoint(&mut graph, &node, gy, &needs, &mut gradients)?;
    }
    for scaled in std::mem::take(&mut gradients.scaled) {
        let Scaled { w, s, g, label } = scaled;
        let gs = graph.node(Op::ScaleRowsBackward, &[w, s, g], &label)?;
        gradients.add(&mut graph, w, gs[0])?;
        gradients.add(&mut graph, s, gs[1])?;
    }
    let pairs = graph
        .parameters
        .clone()
        .into_iter()
        .map(|p| match gradients.get(p) {
            Some(g) => Ok((p, g)),
            None => Err(failure(
                "Loss",
                &graph.value(p).name,
                "the loss does not depend on it",
            )),
        })
        .collect::<Result<Vec<_>, _>>()?;
    graph.outputs.insert(0, loss);
    Ok(TrainingGraph {
        graph,
        loss,
        gradients: pairs,
    })
}

fn failure(op: &'static str, label: &str, problem: &str) -> ShapeError {
    ShapeError {
        op,
        label: label.to_owned(),
        problem: problem.to_owned(),
    }
}

fn backward(node: &Node) -> String {
    format!("{}.backward", node.label)
}

/// Which values depend on a parameter.
fn learned_values(graph: &Graph) -> Vec<bool> {
    let mut learned: Vec<bool> = graph
        .values
        .iter()
        .map(|v| v.source == Source::Parameter)
        .collect();
    for node in &graph.nodes {
        let any = node.inputs.iter().any(|v| learned[v.0]);
        for v in &node.outputs {
            learned[v.0] = any;
        }
    }
    learned
}

/// The gradient collected so far for each value.
#[derive(Default)]
struct Gradients {
    of: HashMap<ValueId, ValueId>,
    /// Weights with scales whose gradients are taken apart at the very end, where nothing
    /// waits for them.
    scaled: Vec<Scaled>,
}

/// A weight `w` that stands in the graph as `s ⊙ w`, and the gradient `g` of that product
/// without the factor `s`.
struct Scaled {
    w: ValueId,
    s: ValueId,
    g: ValueId,
    label: String,
}

impl Gradients {
    fn get(&self, value: ValueId) -> Option<ValueId> {
        self.of.get(&value).copied()
    }

    fn add(&mut self, graph: &mut Graph, value: ValueId, g: ValueId) -> Result<(), ShapeError> {
        let sum = match self.get(value) {
            None => g,
            Some(_) if graph.value(value).source == Source::Parameter => {
                return Err(failure(
                    "Add",
                    &graph.value(value).name,
                    "parameters are used once",
                ));
            }
            Some(old) => {
                let label = format!("{}.gradient", graph.value(value).name);
                graph.apply(Op::Add, &[old, g], &label)?
            }
        };
        self.of.insert(value, sum);
        Ok(())
    }
}

/// Appends the adjoint of one node.
fn adjoint(
    graph: &mut Graph,
    node: &Node,
    gy: ValueId,
    needs: &dyn Fn(ValueId) -> bool,
    gradients: &mut Gradients,
) -> Result<(), ShapeError> {
    let label = backward(node);
    let x = node.inputs[0];
    // Ops whose operands are (x, weight[, bias]) share one shape of adjoint.
    let layer =
        |graph: &mut Graph, gradients: &mut Gradients, input: Op, weight: Op, bias: bool| {
            if needs(x) {
                let gx = graph.apply(input, &[gy, node.inputs[1]], &label)?;
                gradients.add(graph, x, gx)?;
            }
            let gw = graph.apply(weight, &[gy, x], &label)?;
            gradients.add(graph, node.inputs[1], gw)?;
            if bias {
                let gb = graph.apply(Op::SumTokens, &[gy], &label)?;
                gradients.add(graph, node.inputs[2], gb)?;
            }
            Ok(())
        };
    // Ops whose adjoint is one op giving one gradient for each of the first operands.
    let zip = |graph: &mut Graph,
               gradients: &mut Gradients,
               op: Op,
               operands: &[ValueId],
               to: &[ValueId]| {
        let gs = graph.node(op, operands, &label)?;
        for (&value, g) in to.iter().zip(gs) {
            if needs(value) {
                gradients.add(graph, value, g)?;
            }
        }
        Ok(())
    };
    let i = &node.inputs;
    let is_parameter: Vec<bool> = i
        .iter()
        .map(|&v| graph.value(v).source == Source::Parameter)
        .collect();
    // The adjoint of a depthwise convolution whose result has the gradient `gc`.
    let depthwise = |graph: &mut Graph, gradients: &mut Gradients, gc: ValueId| {
        let op = Op::DepthwiseConv3x3Backward { bias: i.len() > 2 };
        zip(graph, gradients, op, &[gc, x, i[1]], i)
    };
    match node.op {
        Op::Linear {
            bias,
            residual: false,
        } => layer(
            graph,
            gradients,
            Op::LinearBackwardInput,
            Op::LinearBackwardWeight,
            bias,
        ),
        // res + s ⊙ (x·wᵀ) = res + x·(s ⊙ w)ᵀ, and with G = gyᵀ·x: ∂w = s ⊙ G, ∂s = Σ_I w ⊙ G.
        // The product itself is not needed, so it is neither kept nor computed again.
        Op::Linear {
            bias: false,
            residual: true,
        } if is_parameter[1] && is_parameter[3] => {
            let (w, s) = (i[1], i[3]);
            if needs(i[2]) {
                gradients.add(graph, i[2], gy)?;
            }
            if needs(x) {
                let ws = graph.apply(Op::ScaleRows, &[w, s], &label)?;
                let gx = graph.apply(Op::LinearBackwardInput, &[gy, ws], &label)?;
                gradients.add(graph, x, gx)?;
            }
            let g = graph.apply(Op::LinearBackwardWeight, &[gy, x], &label)?;
            gradients.scaled.push(Scaled { w, s, g, label });
            Ok(())
        }
        Op::Conv3x3 => layer(
            graph,
            gradients,
            Op::Conv3x3BackwardInput,
            Op::Conv3x3BackwardWeight,
            true,
        ),
        Op::DepthwiseConv3x3 { bias, activation } => {
            let gc = match activation {
                None => gy,
                Some(activation) => {
                    let op = Op::DepthwiseActivationBackward {
                        bias,
                        activation,
                        pair: false,
                    };
                    graph.apply(op, &[i.as_slice(), &[gy]].concat(), &label)?
                }
            };
            depthwise(graph, gradients, gc)
        }
        Op::DepthwiseGeluGate { bias } => {
            let op = Op::DepthwiseGeluGateBackward { bias };
            let gc = graph.apply(op, &[i.as_slice(), &[gy]].concat(), &label)?;
            depthwise(graph, gradients, gc)
        }
        Op::LayerNorm => {
            let op = Op::LayerNormBackward {
                pair: false,
                accumulate: false,
            };
            zip(graph, gradients, op, &[x, i[1], gy], i)
        }
        Op::LayerNormSiluGate => {
            let operands = [i.as_slice(), &[gy]].concat();
            zip(
                graph,
                gradients,
                Op::LayerNormSiluGateBackward,
                &operands,
                i,
            )
        }
        Op::SelectiveScan(spec) => {
            let operands = [i.as_slice(), &[gy]].concat();
            zip(
                graph,
                gradients,
                Op::SelectiveScanBackward(spec),
                &operands,
                i,
            )
        }
        Op::Activation(kind) => zip(graph, gradients, Op::ActivationBackward(kind), &[x, gy], i),
        Op::SiluGate => zip(graph, gradients, Op::SiluGateBackward, &[x, i[1], gy], i),
        Op::GeluGate => zip(graph, gradients, Op::GeluGateBackward, &[x, gy], i),
        Op::AddScaled => {
            if needs(x) {
                gradients.add(graph, x, gy)?;
            }
            zip(
                graph,
                gradients,
                Op::AddScaledBackward,
                &[i[1], i[2], gy],
                &i[1..],
            )
        }
        Op::Add => {
            for &value in i {
                if needs(value) {
                    gradients.add(graph, value, gy)?;
                }
            }
            Ok(())
        }
        Op::ConcatChannels => {
            let mut start = 0;
            for &value in i {
                let len = graph.dims(value)[3];
                if needs(value) {
                    let g = graph.apply(Op::SliceChannels { start, len }, &[gy], &label)?;
                    gradients.add(graph, value, g)?;
                }
                start += len;
            }
            Ok(())
        }
        Op::SpaceToDepth { factor, order } => zip(
            graph,
            gradients,
            Op::DepthToSpace { factor, order },
            &[gy],
            i,
        ),
        Op::DepthToSpace { factor, order } => zip(
            graph,
            gradients,
            Op::SpaceToDepth { factor, order },
            &[gy],
            i,
        ),
        Op::GlobalAveragePool => {
            let (height, width) = (graph.dims(x)[1], graph.dims(x)[2]);
            let op = Op::GlobalAveragePoolBackward { height, width };
            zip(graph, gradients, op, &[gy], i)
        }
        Op::MulChannels => zip(graph, gradients, Op::MulChannelsBackward, &[x, i[1], gy], i),
        _ => Err(failure(node.op.name(), &node.label, "has no derivative")),
    }
}
