#![allow(clippy::unwrap_used)]
use std::time::Duration;

use super::*;
use crate::backend::wgpu::{DeviceRequest, Rung, WgpuBackend};
use crate::graph::Cost;

fn backend() -> WgpuBackend {
    WgpuBackend::open(&DeviceRequest {
        allow_software: true,
        ..Default::default()
    })
    .unwrap()
}

/// A device that moves 1 byte, does 2 operations of a product, 4 others, 8 exps a second.
fn ceilings() -> Ceilings {
    let one = |v| Spread::of(vec![v]);
    Ceilings {
        device: "made up".to_owned(),
        rung: Rung::Full,
        copy: one(1.0),
        products: [1.0, 2.0]
            .map(|v| Product {
                side: 4,
                kernel: "matmul".to_owned(),
                rate: one(v),
            })
            .to_vec(),
        fma: Some(one(4.0)),
        exp2: Some(one(8.0)),
    }
}

#[test]
fn a_spread_is_the_middle_and_the_ends() {
    let odd = Spread::of(vec![3.0, 1.0, 9.0]);
    assert_eq!(
        (odd.median, odd.low, odd.high, odd.runs),
        (3.0, 1.0, 9.0, 3)
    );
    assert_eq!(Spread::of(vec![4.0, 2.0]).median, 3.0);
    assert_eq!(Spread::of(Vec::new()).runs, 0);
    let mut calls = 0;
    let spread = repeat(4, Duration::from_secs(9), || {
        calls += 1;
        Ok::<_, ()>(f64::from(calls))
    });
    // The warm runs are not among those that count.
    let spread = spread.unwrap();
    assert_eq!(spread.runs, 4);
    assert!(spread.low > 2.0 && calls >= 6);
    let impatient = repeat(50, Duration::ZERO, || Ok::<_, ()>(1.0)).unwrap();
    assert_eq!(impatient.runs, 3);
}

#[test]
fn the_floor_is_what_takes_longest() {
    let cost = |dense_macs, scan_flops, scan_exps, bytes| Cost {
        dense_macs,
        scan_flops,
        scan_exps,
        bytes,
    };
    let c = ceilings();
    assert_eq!(floor_seconds(&cost(1, 1, 1, 7), &c), 7.0);
    assert_eq!(floor_seconds(&cost(5, 1, 1, 1), &c), 5.0);
    assert_eq!(floor_seconds(&cost(0, 12, 1, 1), &c), 3.0);
    assert_eq!(floor_seconds(&cost(0, 0, 32, 1), &c), 4.0);
}

#[test]
fn restoring_adds_up() {
    let done = restoring(
        &backend(),
        &Preset::Tiny.into(),
        (12, 16),
        2,
        Some(&ceilings()),
    );
    let done = done.unwrap();
    assert_eq!((done.height, done.width), (16, 16));
    assert!(done.intermediate_bytes > 0 && done.wall_ms.median > 0.0);
    assert_eq!(done.rows.len(), done.launches);
    let kernel_ms = done.kernel_ms.unwrap();
    assert!(kernel_ms.low > 0.0 && kernel_ms.low <= kernel_ms.median);
    let total = done.rows.iter().map(|r| r.microseconds).sum::<f64>() / 1e3;
    for table in [&done.ops, &done.kernels, &done.places] {
        let sum: f64 = table.iter().map(|s| s.ms).sum();
        assert!((sum - total).abs() < 1e-6 * total);
        assert_eq!(
            table.iter().map(|s| s.launches).sum::<usize>(),
            done.launches
        );
        assert!(table.windows(2).all(|w| w[0].ms >= w[1].ms));
    }
    // Every launch belongs to one op, so the ops' floors make up the whole.
    let floors: f64 = done.ops.iter().map(|s| s.floor_ms.unwrap()).sum();
    assert!((floors / done.floor_ms.unwrap() - 1.0).abs() < 1e-9);
    let file = trace(&[("tiny".to_owned(), done.rows.as_slice())]);
    let events = file["traceEvents"].as_array().unwrap();
    let spans: Vec<_> = events.iter().filter(|e| e["ph"] == "X").collect();
    assert_eq!(spans.len(), done.launches);
    assert!(spans.iter().all(|e| e["dur"].as_f64().unwrap() >= 0.0));
    let starts: Vec<f64> = spans.iter().map(|e| e["ts"].as_f64().unwrap()).collect();
    assert!(starts.is_sorted() && starts[0] == 0.0);
}

#[test]
fn training_is_timed_and_told_apart() {
    let done = training(&backend(), &Preset::Tiny.into(), (1, 8), 3, None).unwrap();
    assert!(done.crops_per_second > 0.0 && done.trainer_bytes > 0);
    assert!(done.ops.iter().any(|s| s.name == "Optimizer"));
    assert!(done.ops.iter().any(|s| s.name == "SelectiveScanBackward"));
    assert_eq!(done.floor_ms, None);
}

#[test]
fn the_processor_is_timed_whole_and_in_parts() {
    let ceilings = ProcessorCeilings {
        threads: 1,
        copy: Spread::of(vec![1e3]),
        product: Spread::of(vec![f64::INFINITY]),
    };
    let done = processor_time(&Preset::Tiny.into(), (8, 12), 3, true, Some(&ceilings)).unwrap();
    // Products cost nothing on this processor: a byte a millisecond is all there is.
    assert!((done.floor_ms.unwrap() / done.cost.bytes as f64 - 1.0).abs() < 1e-9);
    assert_eq!((done.height, done.width), (8, 16));
    assert!(done.wall_ms.low > 0.0);
    assert!(
        done.ops
            .iter()
            .any(|s| s.name == "SelectiveScan" && s.ms > 0.0)
    );
    assert!(!done.places.is_empty());
}

#[test]
fn growing_pictures_are_restored_whole() {
    let done = growth(
        std::sync::Arc::new(backend()),
        &Preset::Tiny.into(),
        &[8, 16],
    )
    .unwrap();
    assert_eq!(done.len(), 2);
    assert!(done.iter().all(|g| g.tiles == 1 && g.seconds.low > 0.0));
}

#[test]
fn a_first_start_has_its_parts() {
    let request = DeviceRequest {
        allow_software: true,
        ..Default::default()
    };
    let first = first_start(&request, Preset::Tiny, 16).unwrap();
    let parts = first.open_ms + first.prepare_ms + first.run_ms;
    assert!(first.open_ms > 0.0 && first.total_ms >= parts);
}

#[test]
fn ceilings_are_measured_by_the_engines_own_kernels() {
    let ceilings = Ceilings::measure(&backend(), 1).unwrap();
    assert!(ceilings.copy.median > 1e8);
    let first = &ceilings.products[0];
    assert!(first.kernel.starts_with("matmul") && first.rate.median > 1e6);
    // How many sides are measured depends on how fast the machine is just now.
    let rates = ceilings.products.iter().map(|p| p.rate.median);
    assert_eq!(rates.fold(0.0, f64::max), ceilings.best_product().unwrap());
    let processor = ProcessorCeilings::measure(1);
    assert!(processor.copy.median > 1e8 && processor.product.median > 1e8);
}
