//! The graphics runtime: choosing devices, refusing what does not fit, running again.

use serpent_engine::backend::wgpu::{DeviceKind, DeviceRequest, WgpuBackend, list_devices};
use serpent_engine::backend::{Backend, BackendError, Executable};
use serpent_engine::graph::{Activation, Graph, Op};
use serpent_tests::{Fill, compare, gpu, run_on_reference};

/// Two parameters, one input, two outputs: `γ·LN(x) + β` and its sum over the tokens.
fn small() -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 3, 5, 8]);
    let gamma = g.parameter("gamma", &[8]);
    let beta = g.parameter("beta", &[8]);
    let y = g
        .apply(Op::LayerNorm, &[x, gamma, beta], "norm")
        .expect("fits");
    let sum = g.apply(Op::SumTokens, &[y], "sum").expect("fits");
    g.outputs = vec![y, sum];
    g
}

fn weights() -> Vec<Vec<f32>> {
    vec![Fill::POSITIVE.tensor(8, 1), Fill::SIGNED.tensor(8, 2)]
}

#[test]
fn software_is_taken_only_when_allowed_or_named() {
    let devices = list_devices();
    assert!(!devices.is_empty());
    match WgpuBackend::open(&DeviceRequest::default()) {
        Ok(backend) => assert_ne!(backend.info().kind, DeviceKind::Software),
        Err(BackendError::NoDevice { .. }) => {
            assert!(devices.iter().all(|d| d.kind == DeviceKind::Software));
        }
        Err(other) => panic!("{other}"),
    }
    let last = devices.last().expect("there is one");
    let named = DeviceRequest {
        name: Some(last.name.to_uppercase()),
        ..Default::default()
    };
    assert_eq!(WgpuBackend::open(&named).expect("opens").name(), last.name);
    let wrong = DeviceRequest {
        name: Some("abacus".to_owned()),
        allow_software: true,
        ..Default::default()
    };
    let error = WgpuBackend::open(&wrong)
        .map(|_| ())
        .expect_err("no such device");
    assert!(error.to_string().contains("abacus"), "{error}");
}

#[test]
fn a_prepared_graph_runs_again_and_again() {
    let graph = small();
    let model = gpu().load(&weights()).expect("loads");
    let mut executable = model.prepare(&graph).expect("prepares");
    assert!(executable.memory_bytes() > 0);
    for seed in 0..5 {
        let x = Fill::SIGNED.tensor(240, seed);
        let got = executable.run(&[&x]).expect("runs");
        let expected = run_on_reference(&graph, &[x], &weights());
        compare("small graph", &got, &expected, 1e-5);
    }
}

#[test]
fn executables_of_one_model_run_on_several_threads() {
    let graph = small();
    let model = gpu().load(&weights()).expect("loads");
    let mut executables: Vec<Box<dyn Executable>> = (0..4)
        .map(|_| model.prepare(&graph).expect("prepares"))
        .collect();
    std::thread::scope(|scope| {
        for (i, executable) in executables.iter_mut().enumerate() {
            let graph = &graph;
            scope.spawn(move || {
                for run in 0..8 {
                    let x = Fill::SIGNED.tensor(240, 100 * i as u64 + run);
                    let got = executable.run(&[&x]).expect("runs");
                    compare(
                        "thread",
                        &got,
                        &run_on_reference(graph, &[x], &weights()),
                        1e-5,
                    );
                }
            });
        }
    });
}

#[test]
fn wrong_operands_are_refused_by_name() {
    let graph = small();
    let model = gpu().load(&weights()).expect("loads");
    let mut executable = model.prepare(&graph).expect("prepares");
    let x = vec![0.0; 239];
    let error = executable.run(&[&x]).expect_err("too short");
    assert_eq!(error.to_string(), "x: expected 240 values, got 239");
    assert!(executable.run(&[]).is_err());
    // And it still runs.
    assert!(executable.run(&[&vec![0.0; 240]]).is_ok());
    let short = vec![vec![1.0; 8], vec![0.0; 7]];
    let model = gpu().load(&short).expect("loads");
    let error = model.prepare(&graph).map(|_| ()).expect_err("too short");
    assert!(error.to_string().contains("beta"), "{error}");
}

#[test]
fn a_value_larger_than_the_device_takes_is_named() {
    let mut graph = Graph::new();
    let x = graph.input("huge photo", &[1, 65536, 65536, 1]);
    let y = graph
        .apply(Op::Activation(Activation::Relu), &[x], "act")
        .expect("fits");
    graph.outputs = vec![y];
    let model = gpu().load(&[]).expect("loads");
    let error = model.prepare(&graph).map(|_| ()).expect_err("too large");
    assert!(matches!(error, BackendError::OutOfMemory { .. }), "{error}");
    assert!(error.to_string().contains("huge photo"), "{error}");
}

#[test]
fn checks_in_the_shaders_change_no_result() {
    let graph = small();
    let x = Fill::SIGNED.tensor(240, 9);
    let run = |checked: bool| {
        let request = DeviceRequest {
            name: Some(gpu().name().to_owned()),
            allow_software: true,
            checked_shaders: Some(checked),
            ..Default::default()
        };
        let backend = WgpuBackend::open(&request).expect("opens");
        let model = backend.load(&weights()).expect("loads");
        model
            .prepare(&graph)
            .expect("prepares")
            .run(&[&x])
            .expect("runs")
    };
    assert_eq!(run(true), run(false));
}
