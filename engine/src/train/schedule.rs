//! The optimiser's settings as a function of the step alone, so that a resumed run repeats them.

use super::config::TrainConfig;
use crate::backend::StepSettings;

/// Settings of step `step`, from 1.
///
/// The learning rate rises linearly over the warm-up and falls along half a
/// cosine to its final value at the last step. The average starts with a
/// shorter memory, (1 + step) / (10 + step), so that it forgets the initial weights.
pub fn settings(config: &TrainConfig, step: u64) -> StepSettings {
    let o = &config.optimiser;
    let warming = (1.0 + step as f64) / (10.0 + step as f64);
    StepSettings {
        step,
        learning_rate: learning_rate(config, step) as f32,
        beta1: o.betas[0] as f32,
        beta2: o.betas[1] as f32,
        epsilon: o.epsilon as f32,
        weight_decay: o.weight_decay as f32,
        clip_norm: o.clip as f32,
        ema_decay: o.ema.min(warming) as f32,
    }
}

fn learning_rate(config: &TrainConfig, step: u64) -> f64 {
    let o = &config.optimiser;
    if step < o.warm_up {
        return o.learning_rate * step as f64 / o.warm_up as f64;
    }
    let length = config.steps.saturating_sub(o.warm_up).max(1) as f64;
    let progress = ((step - o.warm_up) as f64 / length).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
    o.final_learning_rate + (o.learning_rate - o.final_learning_rate) * cosine
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::tests::config;
    use super::*;

    #[test]
    fn the_learning_rate_warms_up_and_falls_along_a_cosine() {
        let mut c = config();
        c.steps = 1100;
        c.optimiser.warm_up = 100;
        c.optimiser.learning_rate = 1e-3;
        c.optimiser.final_learning_rate = 1e-6;
        for (step, expected) in [
            (1, 1e-5),
            (50, 5e-4),
            (100, 1e-3),
            (600, 5.005e-4),
            (1100, 1e-6),
            (5000, 1e-6),
        ] {
            let rate = learning_rate(&c, step);
            assert!((rate / expected - 1.0).abs() < 1e-9, "step {step}: {rate}");
        }
        let mut last = f64::MAX;
        for step in 100..=1100 {
            let rate = learning_rate(&c, step);
            assert!(rate < last);
            last = rate;
        }
    }

    #[test]
    fn the_average_remembers_longer_as_training_goes_on() {
        let c = config();
        assert_eq!(settings(&c, 1).ema_decay, 2.0 / 11.0);
        assert_eq!(settings(&c, 1_000_000).ema_decay, c.optimiser.ema as f32);
    }
}
