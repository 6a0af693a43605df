//! The CPU executor: a readable reference of every op, and fast paths for inference.

mod executable;
mod fast;
mod lines;
pub mod reference;
#[cfg(test)]
mod tests;
mod trainer;

use std::sync::Arc;

use super::{Backend, BackendError, Executable, Model, Trainer, TrainingState};
use crate::graph::{Graph, TrainingGraph, fuse};

/// The processor and main memory, on all cores of the current rayon pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuBackend;

impl Backend for CpuBackend {
    fn name(&self) -> &str {
        "CPU"
    }

    fn load(&self, weights: &[Vec<f32>]) -> Result<Box<dyn Model>, BackendError> {
        Ok(Box::new(CpuModel {
            weights: Arc::new(weights.to_vec()),
        }))
    }

    fn trainer(
        &self,
        graph: &TrainingGraph,
        decay: &[bool],
        state: &TrainingState,
    ) -> Result<Box<dyn Trainer>, BackendError> {
        Ok(Box::new(trainer::CpuTrainer::new(graph, decay, state)?))
    }
}

/// Weights in main memory.
struct CpuModel {
    weights: Arc<Vec<Vec<f32>>>,
}

impl Model for CpuModel {
    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Executable>, BackendError> {
        let lengths = graph
            .parameters
            .iter()
            .map(|&p| (graph.value(p).name.as_str(), graph.len(p)));
        check_operands("weights", lengths, self.weights.iter().map(Vec::len))?;
        let fused = fuse(graph.clone());
        Ok(Box::new(executable::CpuExecutable::new(
            &fused,
            Arc::clone(&self.weights),
        )))
    }
}

/// Compares the lengths of operands with what a graph declares.
fn check_operands<'a>(
    what: &str,
    expected: impl ExactSizeIterator<Item = (&'a str, usize)>,
    got: impl ExactSizeIterator<Item = usize>,
) -> Result<(), BackendError> {
    if expected.len() != got.len() {
        return Err(BackendError::Operand {
            what: format!("number of {what}"),
            expected: expected.len(),
            got: got.len(),
        });
    }
    for ((name, expected), got) in expected.zip(got) {
        if expected != got {
            return Err(BackendError::Operand {
                what: name.to_owned(),
                expected,
                got,
            });
        }
    }
    Ok(())
}
