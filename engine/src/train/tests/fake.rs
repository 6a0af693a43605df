//! A device for trainings whose outcome is known without one.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::{
    Backend, BackendError, Executable, Model, StepReport, StepSettings, Trainer, TrainingState,
};
use crate::graph::{Graph, TrainingGraph};

/// A device without a device: its "gradient" pulls every weight towards the mean of the
/// input, so that weights, moments and average depend on every batch and setting.
#[derive(Default)]
pub struct Fake {
    /// The step whose loss is NaN; 0: none.
    pub broken: AtomicU64,
}

struct FakeTrainer {
    state: TrainingState,
    reports: Vec<StepReport>,
    broken: u64,
}

impl Backend for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn load(&self, _: &[Vec<f32>]) -> Result<Box<dyn Model>, BackendError> {
        Ok(Box::new(Identity))
    }

    fn trainer(
        &self,
        graph: &TrainingGraph,
        decay: &[bool],
        state: &TrainingState,
    ) -> Result<Box<dyn Trainer>, BackendError> {
        assert_eq!(graph.gradients.len(), state.weights.len());
        assert_eq!(decay.len(), state.weights.len());
        Ok(Box::new(FakeTrainer {
            state: state.clone(),
            reports: Vec::new(),
            broken: self.broken.load(Ordering::Relaxed),
        }))
    }
}

impl Trainer for FakeTrainer {
    fn step(&mut self, inputs: &[&[f32]], s: &StepSettings) -> Result<(), BackendError> {
        let mean = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
        let pull = mean(inputs[0]) + mean(inputs[1]);
        let t = &mut self.state;
        let mut loss = 0.0;
        for (((w, m), v), a) in t
            .weights
            .iter_mut()
            .zip(&mut t.first)
            .zip(&mut t.second)
            .zip(&mut t.average)
        {
            let g = w[0] - pull;
            loss += g * g;
            m[0] = s.beta1 * m[0] + (1.0 - s.beta1) * g;
            v[0] = s.beta2 * v[0] + (1.0 - s.beta2) * g * g;
            w[0] -= s.learning_rate * m[0] / (v[0].sqrt() + s.epsilon);
            a[0] = s.ema_decay * a[0] + (1.0 - s.ema_decay) * w[0];
        }
        self.reports.push(StepReport {
            step: s.step,
            loss: if s.step == self.broken {
                f32::NAN
            } else {
                loss
            },
            gradient_norm: loss.sqrt(),
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
        123
    }
}

struct Identity;

impl Model for Identity {
    fn prepare(&self, _: &Graph) -> Result<Box<dyn Executable>, BackendError> {
        Ok(Box::new(Identity))
    }
}

impl Executable for Identity {
    fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, BackendError> {
        Ok(vec![inputs[0].to_vec()])
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}
