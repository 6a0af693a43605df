//! Training on the graphics device: against the reference, bit for bit, and resumed.

use serpent_engine::backend::{Backend, StepSettings, Trainer, TrainingState};
use serpent_engine::graph::{Loss, Op, TrainingGraph, differentiate, fuse, fuse_backward};
use serpent_engine::network::{Network, NetworkConfig, Preset, initial_weights};
use serpent_tests::{Fill, gpu, relative_error, run_on_reference};

const SIDE: usize = 16;

struct Task {
    training: TrainingGraph,
    decay: Vec<bool>,
    state: TrainingState,
}

fn task() -> Task {
    let config = NetworkConfig {
        channels: 4,
        depths: vec![1, 1],
        states: 4,
        ..Preset::Tiny.config()
    };
    let network = Network::build(&config, 2, SIDE, SIDE).expect("builds");
    let decay = network.parameters.iter().map(|p| p.decay).collect();
    // The head starts at zero, which would leave most gradients zero.
    let mut weights = initial_weights(&network.parameters, 3);
    for (weight, spec) in weights.iter_mut().zip(&network.parameters) {
        if spec.name.starts_with("head.conv") {
            *weight = Fill::SMALL.tensor(weight.len(), 77);
        }
    }
    let mut graph = network.graph;
    let prediction = graph.outputs[0];
    let dims = graph.dims(prediction).to_vec();
    let target = graph.input("target", &dims);
    let kind = Loss::Charbonnier { epsilon: 1e-3 };
    let loss = graph
        .apply(Op::Loss(kind), &[prediction, target], "loss")
        .expect("fits");
    Task {
        training: fuse_backward(differentiate(fuse(graph), loss).expect("differentiates")),
        decay,
        state: TrainingState::start(weights),
    }
}

fn settings(step: u64) -> StepSettings {
    StepSettings {
        step,
        learning_rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 1e-4,
        clip_norm: 1.0,
        ema_decay: 0.9,
    }
}

fn batch(step: u64) -> [Vec<f32>; 2] {
    let target = Fill::Uniform(0.0, 1.0).tensor(2 * SIDE * SIDE * 3, step % 4);
    // Haze: one number a pixel away from the target, so that little training removes much of it.
    let input = target.iter().map(|t| 0.6 * t + 0.3).collect();
    [input, target]
}

fn step(trainer: &mut dyn Trainer, number: u64) {
    let [input, target] = batch(number);
    trainer
        .step(&[&input, &target], &settings(number))
        .expect("steps");
}

fn trainer(task: &Task, state: &TrainingState) -> Box<dyn Trainer> {
    gpu()
        .trainer(&task.training, &task.decay, state)
        .expect("trainer opens")
}

#[test]
fn the_first_step_has_the_reference_loss_and_gradient() {
    let task = task();
    let mut graph = task.training.graph.clone();
    graph.outputs = vec![task.training.loss];
    graph
        .outputs
        .extend(task.training.gradients.iter().map(|(_, g)| *g));
    let inputs = batch(1).to_vec();
    let expected = run_on_reference(&graph, &inputs, &task.state.weights);
    let norm: f64 = expected[1..]
        .iter()
        .flatten()
        .map(|&g| f64::from(g) * f64::from(g))
        .sum::<f64>()
        .sqrt();
    let mut trainer = trainer(&task, &task.state);
    step(trainer.as_mut(), 1);
    let reports = trainer.reports().expect("reports");
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].step, 1);
    let loss = f64::from(expected[0][0]);
    assert!((f64::from(reports[0].loss) / loss - 1.0).abs() < 1e-5);
    assert!((f64::from(reports[0].gradient_norm) / norm - 1.0).abs() < 1e-4);
    // After one step from zero the first moment is a tenth of the (clipped) gradient.
    let state = trainer.state().expect("state");
    let factor = 0.1 * (1.0 / norm).min(1.0) as f32;
    for (i, (first, gradient)) in state.first.iter().zip(&expected[1..]).enumerate() {
        let scaled: Vec<f32> = gradient.iter().map(|g| g * factor).collect();
        let error = relative_error(first, &scaled);
        assert!(
            error < 2e-3,
            "gradient of parameter {i} differs by {error:.1e}"
        );
    }
}

#[test]
fn training_repeats_bit_for_bit_and_resumes() {
    let task = task();
    let mut one = trainer(&task, &task.state);
    for number in 1..=9 {
        step(one.as_mut(), number);
    }
    let straight = one.state().expect("state");
    let reports = one.reports().expect("reports");
    assert_eq!(
        reports.iter().map(|r| r.step).collect::<Vec<_>>(),
        (1..=9).collect::<Vec<_>>()
    );
    assert!(one.reports().expect("reports").is_empty());
    assert!(one.memory_bytes() > 0);
    // The same again, stopped after four steps and begun anew from the state.
    let mut two = trainer(&task, &task.state);
    for number in 1..=4 {
        step(two.as_mut(), number);
    }
    let middle = two.state().expect("state");
    assert_ne!(middle, straight);
    let mut three = trainer(&task, &middle);
    for number in 5..=9 {
        step(three.as_mut(), number);
    }
    assert_eq!(three.state().expect("state"), straight);
    let mut again = two.reports().expect("reports");
    again.extend(three.reports().expect("reports"));
    assert_eq!(again, reports);
}

#[test]
fn a_step_that_is_not_finite_is_skipped() {
    let task = task();
    let mut trainer = trainer(&task, &task.state);
    let [mut input, target] = batch(1);
    input[5] = f32::NAN;
    trainer
        .step(&[&input, &target], &settings(1))
        .expect("queues");
    assert_eq!(trainer.state().expect("state"), task.state);
    let report = trainer.reports().expect("reports")[0];
    assert!(!report.loss.is_finite() && !report.gradient_norm.is_finite());
}

#[test]
fn the_loss_falls() {
    let task = task();
    let mut trainer = trainer(&task, &task.state);
    for number in 1..=40 {
        step(trainer.as_mut(), number);
    }
    let losses: Vec<f32> = trainer
        .reports()
        .expect("reports")
        .iter()
        .map(|r| r.loss)
        .collect();
    let mean = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
    assert!(mean(&losses[36..]) < 0.9 * mean(&losses[..4]), "{losses:?}");
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let task = task();
    let mut bad = task.state.clone();
    bad.second[3].pop();
    assert!(gpu().trainer(&task.training, &task.decay, &bad).is_err());
    assert!(
        gpu()
            .trainer(&task.training, &task.decay[1..], &task.state)
            .is_err()
    );
    let mut trainer = trainer(&task, &task.state);
    let [input, target] = batch(1);
    assert!(trainer.step(&[&input], &settings(1)).is_err());
    assert!(trainer.step(&[&input, &target[1..]], &settings(1)).is_err());
    step(trainer.as_mut(), 1);
    assert_eq!(trainer.reports().expect("reports").len(), 1);
}
