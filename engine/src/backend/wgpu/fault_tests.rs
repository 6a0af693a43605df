#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Faults let into the real device, one at a time: what comes out is right and says why.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::WgpuBackend;
use super::context::Context;
use super::faults::Fault;
use crate::checkpoint::{Checkpoint, Task};
use crate::image::{Colour, Picture};
use crate::network::{Network, Preset, initial_weights};
use crate::restore::{Device, Options, Restored, Restorer};

/// A restorer on a new trust in the device.
fn restorer(context: &Arc<Context>, model: &Arc<Checkpoint>) -> Restorer {
    let backend = WgpuBackend {
        context: context.clone(),
        verdicts: Vec::new(),
    };
    Restorer::new(Arc::new(Device::with(Arc::new(backend))), model.clone()).unwrap()
}

fn model() -> Arc<Checkpoint> {
    let mut config = Preset::Tiny.config();
    config.channels = 8;
    config.depths = vec![1, 1];
    config.states = 4;
    let size = config.size_multiple();
    let network = Network::build(&config, 1, size, size).unwrap();
    let mut weights = initial_weights(&network.parameters, 3);
    let head = network.parameters.iter();
    let head = head
        .zip(&mut weights)
        .filter(|(p, _)| p.name == "head.conv.weight");
    // Not the identity.
    head.for_each(|(_, w)| w.iter_mut().for_each(|w| *w = 0.02));
    Arc::new(Checkpoint {
        weights,
        config,
        task: Task::Denoise,
        recipe: serde_json::Value::Null,
        overlap: None,
    })
}

fn picture() -> Picture {
    let samples = (0..96 * 96 * 3).map(|i| 0.2 + 0.5 * (i as f32 * 0.618).fract());
    Picture::new(96, 96, Colour::Rgb, samples.collect()).unwrap()
}

fn restore(restorer: &mut Restorer) -> Restored {
    let mut go_on = |_, _| ControlFlow::Continue(());
    let restored = restorer.restore(&picture(), &Options::default(), &mut go_on);
    restored.expect("a fault is no error")
}

fn far(a: &Picture, b: &Picture) -> f32 {
    let pairs = a.samples().iter().zip(b.samples());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn no_room_at_any_allocation_gives_smaller_tiles_or_the_processor() {
    let (context, model) = (Context::of_tests(), model());
    let right = restore(&mut restorer(&context, &model)).picture;
    let (mut retried, mut smaller, mut processor) = (0, 0, 0);
    for lasting in [false, true] {
        let mut allocations = 0;
        loop {
            context.planned.choose(Fault::Full, allocations, lasting);
            let done = restore(&mut restorer(&context, &model));
            let struck = context.planned.end();
            let off = far(&done.picture, &right);
            assert!(off < 1e-3, "allocation {allocations}: {off}");
            if !struck {
                assert!(done.notes.is_empty(), "{:?}", done.notes);
                break;
            }
            match done.notes.join("\n") {
                said if said.contains("processor") => processor += 1,
                said if said.contains("smaller tiles") => smaller += 1,
                said => {
                    assert_eq!((said.as_str(), lasting), ("", false));
                    retried += 1;
                }
            }
            allocations += 1;
        }
        assert!(allocations > 8, "only {allocations} allocations");
    }
    println!("{processor} on the processor, {smaller} in smaller tiles, {retried} tried again");
    assert!(processor > 0 && smaller > 0);
}

#[test]
fn every_other_fault_gives_the_processor_and_no_more_trust() {
    let model = model();
    let right = restore(&mut restorer(&Context::of_tests(), &model)).picture;
    for (fault, reason) in [
        (Fault::Lost, "was lost"),
        (Fault::Refused, "refused"),
        (Fault::Dropped, "dropped"),
        (Fault::Hung, "did not answer"),
        (Fault::Unwritten, "black picture"),
    ] {
        // At the preparation, at the first submission and at later ones, until there is none.
        let mut before = 0;
        loop {
            let context = Context::of_tests();
            let mut restorer = restorer(&context, &model);
            context.planned.choose(fault, before, false);
            let done = restore(&mut restorer);
            let struck = context.planned.end();
            assert!(far(&done.picture, &right) < 1e-3, "{fault:?} {before}");
            let said = done.notes.join("\n");
            if !struck {
                assert!(said.is_empty() && before > 0, "{fault:?} {before}: {said}");
                break;
            }
            // Word of a loss may come after the first call that fails of it.
            let lost = fault == Fault::Lost && said.contains("refused waiting");
            assert!(
                said.contains(reason) || lost,
                "{fault:?} {before}: {said:?}"
            );
            assert!(said.contains("restored on the processor"), "{said}");
            // The next picture says so, too, unless the device may be tried again.
            let again = restore(&mut restorer).notes.join("\n");
            assert_eq!(again.is_empty(), fault == Fault::Unwritten, "{again}");
            // One step is much like the next: the first few and then some.
            before += if before < 3 { 1 } else { 7 };
        }
        println!("{fault:?}: up to chance {before}");
    }
}

#[test]
fn a_submission_dropped_while_tiles_follow_each_other_leaves_none_of_the_tile_before() {
    let (context, model) = (Context::of_tests(), model());
    let tiled = |fault: Option<usize>| {
        let mut restorer = restorer(&context, &model);
        if let Some(before) = fault {
            context.planned.choose(Fault::Dropped, before, false);
        }
        let options = Options {
            tile: 64,
            ..Options::default()
        };
        let mut go_on = |_, _| ControlFlow::Continue(());
        let done = restorer.restore(&picture(), &options, &mut go_on).unwrap();
        (done, context.planned.end())
    };
    let (right, _) = tiled(None);
    let mut struck = 0;
    for before in (0..).step_by(2) {
        let (done, hit) = tiled(Some(before));
        if !hit {
            break;
        }
        struck += 1;
        assert!(far(&done.picture, &right.picture) < 1e-3, "{before}");
        assert!(
            done.notes.join("\n").contains("dropped"),
            "{:?}",
            done.notes
        );
    }
    assert!(struck > 3, "{struck}");
}
