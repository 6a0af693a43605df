//! How values lie in a graphics device's memory: 32 bits, or 16 where that is enough.
//!
//! Nearly every kernel is bound by the bytes it moves, so halving them halves its
//! time. Arithmetic stays 32-bit in registers; only what is written between
//! kernels is rounded, to 11 significant bits. Processors' executors keep 32 bits.

use super::{Graph, Op, Source, ValueId, elements};

/// A number format in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Storage {
    /// 32-bit float.
    #[default]
    F32,
    /// 16-bit float (IEEE 754 binary16), saturating at ±65504.
    F16,
}

impl Storage {
    /// Bytes of one number.
    pub fn bytes(self) -> u64 {
        match self {
            Storage::F32 => 4,
            Storage::F16 => 2,
        }
    }
}

/// Gradients at the loss are brought to about this size; see [`gradient_scale`].
const GRADIENT_AT_LOSS: usize = 16;

/// Marks activations and their gradients to be kept in 16 bits: what nodes compute for every
/// token, `[B, H, W, C]` with C a multiple of four.
///
/// Inputs, parameters and their gradients, results, and what has the channels of a picture
/// rather than of the network keep 32 bits.
pub fn store_half(graph: &mut Graph) {
    let kept: Vec<ValueId> = graph.outputs.clone();
    for (i, value) in graph.values.iter_mut().enumerate() {
        let activation = match value.dims.as_slice() {
            [_, height, width, channels] => height * width > 1 && channels.is_multiple_of(4),
            _ => false,
        };
        let computed = matches!(value.source, Source::Node { .. });
        if activation && computed && !kept.contains(&ValueId(i)) {
            value.storage = Storage::F16;
        }
    }
}

/// Marks the matrices of fused halves of blocks to be kept in 16 bits, and with `all` those of
/// every product: where tensor cores round them to that anyway. For inference: what is trained
/// keeps 32 bits.
pub fn store_half_matrices(graph: &mut Graph, all: bool) {
    let (mut matrices, mut others) = (Vec::new(), Vec::new());
    for node in &graph.nodes {
        let slots: &[usize] = match node.op {
            Op::Linear { .. } if all => &[1],
            Op::FusedNormLinear { .. } | Op::FusedExpand => &[3],
            Op::FusedFfn => &[3, 5],
            Op::FusedScanInput => &[3, 6],
            Op::FusedScanOutput => &[3, 7],
            _ => &[],
        };
        for (slot, &v) in node.inputs.iter().enumerate() {
            let rows = graph.dims(v).len() == 2 && graph.dims(v)[1].is_multiple_of(4);
            match slots.contains(&slot) && rows {
                true => matrices.push(v),
                false => others.push(v),
            }
        }
    }
    for v in graph.parameters.clone() {
        if matrices.contains(&v) && !others.contains(&v) {
            graph.values[v.0].storage = Storage::F16;
        }
    }
}

/// What the gradient of the loss is multiplied by, for the way back only: a power of two.
///
/// A loss that averages over n numbers has gradients of about 1/n, below the 6e−5 where
/// 16-bit floats begin to lose digits (mixed precision training, arXiv 1710.03740, section
/// 3.2). Multiplied by 16·n they lie around the middle of the range. 1 when everything is 32-bit.
pub fn gradient_scale(graph: &Graph) -> f32 {
    let half = graph.values.iter().any(|v| v.storage == Storage::F16);
    let averaged = graph.nodes.iter().find_map(|n| match n.op {
        Op::LossBackward(_) => Some(elements(graph.dims(n.inputs[0]))),
        _ => None,
    });
    match averaged {
        Some(n) if half => (GRADIENT_AT_LOSS * n.next_power_of_two()) as f32,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::{Loss, differentiate};
    use super::*;
    use crate::network::{Network, Preset};

    #[test]
    fn activations_are_halved_and_pictures_are_not() {
        let mut network = Network::build(&Preset::Tiny.config(), 1, 16, 24).unwrap();
        let out = network.graph.outputs[0];
        store_half(&mut network.graph);
        let graph = &network.graph;
        for (i, value) in graph.values.iter().enumerate() {
            let expected = match value.source {
                Source::Node { .. } if value.dims[3] > 3 => Storage::F16,
                _ => Storage::F32,
            };
            assert_eq!(value.storage, expected, "{} {:?}", value.name, value.dims);
            let id = ValueId(i);
            assert_eq!(graph.bytes(id), expected.bytes() * graph.len(id) as u64);
        }
        assert_eq!(graph.value(out).storage, Storage::F32);
        assert_eq!(gradient_scale(graph), 1.0);
    }

    #[test]
    fn gradients_of_parameters_keep_32_bits_and_the_loss_is_scaled() {
        let mut network = Network::build(&Preset::Tiny.config(), 2, 16, 16).unwrap();
        let out = network.graph.outputs[0];
        let target = network.graph.input("target", &[2, 16, 16, 3]);
        let loss = Op::Loss(Loss::L1);
        let loss = network.graph.apply(loss, &[out, target], "loss").unwrap();
        let mut training = differentiate(network.graph, loss).unwrap();
        assert_eq!(gradient_scale(&training.graph), 1.0);
        store_half(&mut training.graph);
        for (_, gradient) in &training.gradients {
            assert_eq!(training.graph.value(*gradient).storage, Storage::F32);
        }
        assert_eq!(gradient_scale(&training.graph), 16.0 * 2048.0);
    }
}
