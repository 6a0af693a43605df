//! Every op, forward and backward, as its definition reads: the oracle of the fast paths and shaders.
//!
//! Values are stored as `T` (f32 or f64); all arithmetic inside an op is 64-bit,
//! so a 32-bit result is the exact one up to its last rounding.

mod conv;
mod fused;
mod linear;
mod loss;
mod norm;
mod pointwise;
mod pool;
mod rearrange;
mod scan;
mod scan_backward;

use rayon::prelude::*;

use crate::graph::{Graph, Node, Op, Source, ValueId, elements};

/// A number tensors are stored as.
pub trait Real: Copy + Default + Send + Sync + std::fmt::Debug + PartialEq + 'static {
    /// The value in 64 bits, exactly.
    fn wide(self) -> f64;
    /// The nearest storable value.
    fn narrow(x: f64) -> Self;
}

impl Real for f32 {
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn narrow(x: f64) -> Self {
        x as f32
    }
}

impl Real for f64 {
    fn wide(self) -> f64 {
        self
    }
    fn narrow(x: f64) -> Self {
        x
    }
}

/// An operand: sizes, outermost first, and its elements in that order.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a, T> {
    /// Sizes.
    pub dims: &'a [usize],
    /// `dims` product elements.
    pub data: &'a [T],
}

impl<T: Real> Tensor<'_, T> {
    /// Element `i` in 64 bits.
    fn at(&self, i: usize) -> f64 {
        self.data[i].wide()
    }

    /// Size of the last axis.
    fn channels(&self) -> usize {
        self.dims[self.dims.len() - 1]
    }

    /// Number of vectors along the last axis.
    fn tokens(&self) -> usize {
        self.data.len() / self.channels()
    }

    /// `[B, H, W, C]` of an activation.
    fn bhwc(&self) -> [usize; 4] {
        [self.dims[0], self.dims[1], self.dims[2], self.dims[3]]
    }

    fn widened(&self) -> Vec<f64> {
        self.data.iter().map(|x| x.wide()).collect()
    }
}

/// `rows × width` results: `f(row, accumulator)` fills one row, given as zeros.
fn map_rows<T: Real>(rows: usize, width: usize, f: impl Fn(usize, &mut [f64]) + Sync) -> Vec<T> {
    let mut y = vec![T::default(); rows * width];
    y.par_chunks_mut(width.max(1)).enumerate().for_each_init(
        || vec![0.0; width],
        |row, (i, out)| {
            row.fill(0.0);
            f(i, row);
            for (o, &x) in out.iter_mut().zip(row.iter()) {
                *o = T::narrow(x);
            }
        },
    );
    y
}

fn narrowed<T: Real>(x: &[f64]) -> Vec<T> {
    x.iter().map(|&x| T::narrow(x)).collect()
}

/// Runs one op; operands and results in the order [`Op`] documents.
///
/// # Panics
/// When the operands break the op's contract ([`crate::graph::infer`] checks it).
pub fn run_op<T: Real>(op: &Op, x: &[Tensor<'_, T>]) -> Vec<Vec<T>> {
    match *op {
        Op::Linear { bias, residual } => vec![linear::forward(x, bias, residual)],
        Op::LinearBackwardInput => vec![linear::backward_input(x)],
        Op::LinearBackwardWeight => vec![linear::backward_weight(x)],
        Op::SumTokens => vec![linear::sum_tokens(x)],
        Op::LayerNorm => vec![norm::forward(x)],
        Op::LayerNormSiluGate => vec![norm::forward_gated(x)],
        Op::LayerNormBackward { pair, accumulate } => norm::backward(x, pair, accumulate),
        Op::LayerNormSiluGateBackward => norm::gated_backward(x),
        Op::Conv3x3 => vec![conv::forward(x)],
        Op::Conv3x3BackwardInput => vec![conv::backward_input(x)],
        Op::Conv3x3BackwardWeight => vec![conv::backward_weight(x)],
        Op::DepthwiseConv3x3 { bias, activation } => {
            vec![conv::depthwise(x, bias, activation)]
        }
        Op::DepthwiseConv3x3Backward { bias } => conv::depthwise_backward(x, bias),
        Op::DepthwiseGeluGate { bias } => vec![conv::depthwise_gelu_gate(x, bias)],
        Op::DepthwiseActivationBackward {
            bias, activation, ..
        } => vec![conv::depthwise_activation_backward(x, bias, activation)],
        Op::DepthwiseGeluGateBackward { bias } => {
            vec![conv::depthwise_gelu_gate_backward(x, bias)]
        }
        Op::ScaleRows => vec![linear::scale_rows(x)],
        Op::ScaleRowsBackward => linear::scale_rows_backward(x),
        Op::FusedNormLinear { bias } => vec![fused::norm_linear(x, bias)],
        Op::FusedExpand => vec![fused::expand(x)],
        Op::FusedFfn => vec![fused::ffn(x)],
        Op::FusedScanInput => fused::scan_input(x),
        Op::FusedScanOutput => vec![fused::scan_output(x)],
        Op::SelectiveScan(spec) => vec![scan::forward(x, &spec)],
        Op::SelectiveScanBackward(spec) => scan_backward::backward(x, &spec),
        Op::Activation(kind) => vec![pointwise::activation(x, kind)],
        Op::ActivationBackward(kind) => vec![pointwise::activation_backward(x, kind)],
        Op::SiluGate => vec![pointwise::silu_gate(x)],
        Op::SiluGateBackward => pointwise::silu_gate_backward(x),
        Op::GeluGate => vec![pointwise::gelu_gate(x)],
        Op::GeluGateBackward => vec![pointwise::gelu_gate_backward(x)],
        Op::AddScaled => vec![pointwise::add_scaled(x)],
        Op::AddScaledBackward => pointwise::add_scaled_backward(x),
        Op::Add => vec![pointwise::add(x)],
        Op::ConcatChannels => vec![rearrange::concat(x)],
        Op::SliceChannels { start, len } => vec![rearrange::slice(x, start, len)],
        Op::SpaceToDepth { factor, order } => vec![rearrange::space_to_depth(x, factor, order)],
        Op::DepthToSpace { factor, order } => vec![rearrange::depth_to_space(x, factor, order)],
        Op::UpsampleBicubic { factor } => vec![rearrange::upsample_bicubic(x, factor)],
        Op::GlobalAveragePool => vec![pool::average(x)],
        Op::GlobalAveragePoolBackward { height, width } => {
            vec![pool::average_backward(x, height, width)]
        }
        Op::MulChannels => vec![pool::mul_channels(x)],
        Op::MulChannelsBackward => pool::mul_channels_backward(x),
        Op::Loss(kind) => vec![loss::forward(x, kind)],
        Op::LossBackward(kind) => vec![loss::backward(x, kind)],
    }
}

/// Runs one node of a graph on the values of its operands.
///
/// # Panics
/// As [`run_op`].
pub fn run_node<T: Real>(graph: &Graph, node: &Node, operands: &[&[T]]) -> Vec<Vec<T>> {
    let tensors: Vec<_> = node
        .inputs
        .iter()
        .zip(operands)
        .map(|(&v, &data)| {
            let dims = graph.dims(v);
            assert_eq!(elements(dims), data.len(), "operand of {}", node.label);
            Tensor { dims, data }
        })
        .collect();
    run_op(&node.op, &tensors)
}

/// Runs a graph: one slice for each input and each parameter, one result for each output, in order.
///
/// # Panics
/// When there are too few operands or one has the wrong length.
pub fn run_graph<T: Real>(graph: &Graph, inputs: &[&[T]], parameters: &[&[T]]) -> Vec<Vec<T>> {
    run_graph_watched(graph, inputs, parameters, &mut |_, _| {})
}

/// [`run_graph`], showing every node and its results to `watch` as they are made.
///
/// # Panics
/// As [`run_graph`].
pub fn run_graph_watched<T: Real>(
    graph: &Graph,
    inputs: &[&[T]],
    parameters: &[&[T]],
    watch: &mut dyn FnMut(&Node, &[Vec<T>]),
) -> Vec<Vec<T>> {
    let mut given: Vec<&[T]> = vec![&[]; graph.values.len()];
    let declared = graph.inputs.iter().zip(inputs);
    for (v, &data) in declared.chain(graph.parameters.iter().zip(parameters)) {
        given[v.0] = data;
    }
    let mut made: Vec<Vec<T>> = vec![Vec::new(); graph.values.len()];
    let last_reader = last_readers(graph);
    for (i, node) in graph.nodes.iter().enumerate() {
        let operands: Vec<&[T]> = node
            .inputs
            .iter()
            .map(|&v| value(graph, &given, &made, v))
            .collect();
        let results = run_node(graph, node, &operands);
        watch(node, &results);
        for (v, data) in node.outputs.iter().zip(results) {
            made[v.0] = data;
        }
        for v in node.inputs.iter().chain(&node.outputs) {
            if last_reader[v.0] <= i {
                made[v.0] = Vec::new();
            }
        }
    }
    graph
        .outputs
        .iter()
        .map(|&v| value(graph, &given, &made, v).to_vec())
        .collect()
}

/// A value's elements, wherever they live.
fn value<'a, T>(graph: &Graph, given: &[&'a [T]], made: &'a [Vec<T>], v: ValueId) -> &'a [T] {
    match graph.value(v).source {
        Source::Node { .. } => &made[v.0],
        Source::Input | Source::Parameter => given[v.0],
    }
}

/// For each value the last node that reads it; 0 when none does, never for outputs.
fn last_readers(graph: &Graph) -> Vec<usize> {
    let mut last = vec![0; graph.values.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        for v in &node.inputs {
            last[v.0] = i;
        }
    }
    for v in &graph.outputs {
        last[v.0] = usize::MAX;
    }
    last
}
