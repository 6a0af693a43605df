//! Training by the reference ops and AdamW in plain arithmetic: for small runs, and as an oracle.

use super::check_operands;
use super::reference::run_graph;
use crate::backend::{BackendError, StepReport, StepSettings, Trainer, TrainingState};
use crate::graph::{Graph, Source, Step, TrainingGraph, ValueId, plan_memory};

/// A training graph with its optimiser on the CPU; steps are done when [`Trainer::step`] returns.
pub(super) struct CpuTrainer {
    /// Outputs: the loss, then one gradient for each parameter.
    graph: Graph,
    decay: Vec<bool>,
    state: TrainingState,
    reports: Vec<StepReport>,
    memory_bytes: u64,
}

impl CpuTrainer {
    pub(super) fn new(
        training: &TrainingGraph,
        decay: &[bool],
        state: &TrainingState,
    ) -> Result<Self, BackendError> {
        let mut graph = training.graph.clone();
        let gradients = training.gradients.iter().map(|&(_, g)| g);
        graph.outputs = [training.loss].into_iter().chain(gradients).collect();
        let declared = || {
            graph
                .parameters
                .iter()
                .map(|&p| (graph.value(p).name.as_str(), graph.len(p)))
        };
        for part in [&state.weights, &state.first, &state.second, &state.average] {
            check_operands("training state", declared(), part.iter().map(Vec::len))?;
        }
        let once = declared().map(|(name, _)| (name, 1));
        check_operands("decay flags", once, decay.iter().map(|_| 1))?;
        // Weights, moments, average and gradients, then what lives at once.
        let memory_bytes = 5 * 4 * graph.parameter_count() as u64 + live_bytes(&graph);
        Ok(Self {
            graph,
            decay: decay.to_vec(),
            state: state.clone(),
            reports: Vec::new(),
            memory_bytes,
        })
    }
}

/// Bytes of the intermediates of a graph when each is freed after its last reader.
fn live_bytes(graph: &Graph) -> u64 {
    let index = |v: &ValueId| v.0;
    let steps: Vec<Step> = graph
        .nodes
        .iter()
        .map(|n| Step {
            reads: n.inputs.iter().map(index).collect(),
            writes: n.outputs.iter().map(index).collect(),
            scratch: Vec::new(),
        })
        .collect();
    let sizes: Vec<Option<u64>> = graph
        .values
        .iter()
        .map(|v| {
            let made = matches!(v.source, Source::Node { .. });
            made.then(|| 4 * v.dims.iter().product::<usize>() as u64)
        })
        .collect();
    let keep: Vec<usize> = graph.outputs.iter().map(index).collect();
    plan_memory(&steps, &sizes, &keep).total_bytes()
}

impl Trainer for CpuTrainer {
    fn step(&mut self, inputs: &[&[f32]], settings: &StepSettings) -> Result<(), BackendError> {
        let declared = self.graph.inputs.iter().map(|&v| {
            let name = self.graph.value(v).name.as_str();
            (name, self.graph.len(v))
        });
        check_operands("inputs", declared, inputs.iter().map(|x| x.len()))?;
        let weights: Vec<&[f32]> = self.state.weights.iter().map(Vec::as_slice).collect();
        let results = run_graph(&self.graph, inputs, &weights);
        let (loss, gradients) = (results[0][0], &results[1..]);
        let squares: f64 = gradients
            .iter()
            .flatten()
            .map(|&g| f64::from(g).powi(2))
            .sum();
        let norm = squares.sqrt();
        if loss.is_finite() && norm.is_finite() {
            update(&mut self.state, &self.decay, gradients, norm, settings);
        }
        self.reports.push(StepReport {
            step: settings.step,
            loss,
            gradient_norm: norm as f32,
        });
        Ok(())
    }

    fn reports(&mut self) -> Result<Vec<StepReport>, BackendError> {
        Ok(std::mem::take(&mut self.reports))
    }

    fn state(&mut self) -> Result<TrainingState, BackendError> {
        Ok(self.state.clone())
    }

    fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }
}

/// AdamW with decoupled decay (arXiv 1711.05101) on gradients clipped to a global norm, then
/// the moving average.
fn update(
    state: &mut TrainingState,
    decay: &[bool],
    gradients: &[Vec<f32>],
    norm: f64,
    settings: &StepSettings,
) {
    let wide = f64::from;
    let (beta1, beta2) = (wide(settings.beta1), wide(settings.beta2));
    let rate = wide(settings.learning_rate);
    let clip = (wide(settings.clip_norm) / norm.max(f64::MIN_POSITIVE)).min(1.0);
    // βᵗ by powf: t may exceed powi's exponent.
    let correction1 = 1.0 - beta1.powf(settings.step as f64);
    let correction2 = 1.0 - beta2.powf(settings.step as f64);
    let keep = wide(settings.ema_decay);
    for (tensor, gradient) in gradients.iter().enumerate() {
        let shrink = match decay[tensor] {
            true => 1.0 - rate * wide(settings.weight_decay),
            false => 1.0,
        };
        for (i, &g) in gradient.iter().enumerate() {
            let g = clip * wide(g);
            let m = beta1 * wide(state.first[tensor][i]) + (1.0 - beta1) * g;
            let v = beta2 * wide(state.second[tensor][i]) + (1.0 - beta2) * g * g;
            let direction = (m / correction1) / ((v / correction2).sqrt() + wide(settings.epsilon));
            let w = wide(state.weights[tensor][i]) * shrink - rate * direction;
            let average = &mut state.average[tensor][i];
            *average = (keep * wide(*average) + (1.0 - keep) * w) as f32;
            state.first[tensor][i] = m as f32;
            state.second[tensor][i] = v as f32;
            state.weights[tensor][i] = w as f32;
        }
    }
}
