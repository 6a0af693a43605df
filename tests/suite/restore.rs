//! Restoring with real networks on the processor: tiles, flat pictures, odd sizes.

use std::ops::ControlFlow;
use std::sync::Arc;

use serpent_engine::backend::wgpu::{Rung, WgpuBackend, list_devices};
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::{Colour, Picture};
use serpent_engine::metrics::psnr;
use serpent_engine::restore::{Device, DeviceChoice, DeviceSetup, Options, Restorer};

use crate::models::{identity, picture, small};

fn restore(model: Checkpoint, picture: &Picture, tile: usize) -> Picture {
    let mut restorer = Restorer::new(Arc::new(Device::cpu()), Arc::new(model)).unwrap();
    let options = Options {
        tile,
        // The network is what tiles may harm.
        keep_flat: false,
        ..Options::default()
    };
    let restored = restorer.restore(picture, &options, &mut |_, _| ControlFlow::Continue(()));
    restored.unwrap().picture
}

#[test]
fn an_untrained_network_gives_the_picture_back_exactly_with_and_without_tiles() {
    let p = picture(150, 90);
    for tile in [0, 32, 64] {
        assert_eq!(restore(identity(|_| ()), &p, tile).samples(), p.samples());
    }
}

#[test]
fn tiles_give_nearly_what_the_whole_picture_gives() {
    let p = picture(220, 180);
    let whole = restore(small(|_| ()), &p, 0);
    let change = psnr(p.samples(), whole.samples(), 1.0);
    assert!(change < 60.0, "the network must do something: {change} dB");
    for (tile, least) in [(64, 100f64), (128, 100f64)] {
        let tiled = restore(small(|_| ()), &p, tile);
        let close = psnr(whole.samples(), tiled.samples(), 1.0);
        println!(
            "tile {tile}: {close:.1} dB from the whole, which is {change:.1} dB from the input"
        );
        assert!(close > least.max(change), "tile {tile}: {close} dB");
    }
}

#[test]
fn tiles_leave_no_seam_in_a_flat_picture() {
    // Inside, a flat picture gives flat results; a seam would be a step between neighbours.
    let (width, height) = (200, 160);
    for colour in [Colour::Grey, Colour::Rgb] {
        let samples = vec![0.5; width * height * colour.channels()];
        let p = Picture::new(width, height, colour, samples).unwrap();
        let whole = restore(small(|_| ()), &p, 0);
        let tiled = restore(small(|_| ()), &p, 64);
        let step = |q: &Picture| {
            let c = colour.channels();
            let mut worst = 0f32;
            for y in 16..height - 16 {
                for x in 16..width - 17 {
                    for k in 0..c {
                        let at = (y * width + x) * c + k;
                        worst = worst.max((q.samples()[at] - q.samples()[at + c]).abs());
                        let below = at + width * c;
                        worst = worst.max((q.samples()[at] - q.samples()[below]).abs());
                    }
                }
            }
            worst
        };
        println!("steps: {} whole, {} tiled", step(&whole), step(&tiled));
        assert!(step(&tiled) < step(&whole) + 0.5 / 255.0);
        let mean = |q: &Picture| q.samples().iter().sum::<f32>() / q.samples().len() as f32;
        assert!(
            (mean(&whole) - mean(&tiled)).abs() < 0.25 / 255.0,
            "no tone shift"
        );
    }
}

#[test]
fn any_size_works() {
    for (width, height) in [(1, 1), (3, 5), (1, 70), (70, 1), (8, 8), (9, 7), (131, 33)] {
        for scale in [1, 2] {
            for tile in [0, 32] {
                let p = picture(width, height);
                let done = restore(small(|c| c.scale = scale), &p, tile);
                assert_eq!(
                    (done.width(), done.height()),
                    (width * scale, height * scale)
                );
                assert!(done.samples().iter().all(|v| (0.0..=1.0).contains(v)));
            }
        }
    }
}

#[test]
fn a_graphics_device_gives_what_the_processor_gives() {
    let Some(info) = list_devices().into_iter().next() else {
        eprintln!("skipped: no graphics device, not even a software one");
        return;
    };
    let device = Arc::new(Device::open(&DeviceChoice::Named(info.name).into()).unwrap());
    for scale in [1, 2] {
        let p = picture(45, 37);
        let model = small(|c| c.scale = scale);
        let cpu = restore(model.clone(), &p, 32);
        let mut restorer = Restorer::new(device.clone(), Arc::new(model)).unwrap();
        let options = Options {
            tile: 32,
            ..Options::default()
        };
        let gpu = restorer
            .restore(&p, &options, &mut |_, _| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!((gpu.device.as_str(), gpu.notes.len()), (device.name(), 0));
        let worst = cpu
            .samples()
            .iter()
            .zip(gpu.picture.samples())
            .map(|(a, b)| (a - b).abs())
            .fold(0f32, f32::max);
        assert!(worst < 1e-4, "scale {scale}: {worst}");
    }
}

#[test]
fn a_rung_that_is_insisted_on_is_tested_and_restores_alike() {
    let Some(info) = list_devices().into_iter().next() else {
        eprintln!("skipped: no graphics device, not even a software one");
        return;
    };
    if std::env::var_os("SERPENT_RUNG").is_some() {
        eprintln!("skipped: the environment insists on a rung");
        return;
    }
    let p = picture(45, 37);
    let cpu = restore(small(|_| ()), &p, 0);
    let change = psnr(p.samples(), cpu.samples(), 1.0);
    for rung in Rung::ALL {
        let setup = DeviceSetup {
            choice: DeviceChoice::Named(info.name.clone()),
            rung: Some(rung),
            ..Default::default()
        };
        let backend = WgpuBackend::open_tested(&setup.request()).unwrap();
        // 32 bits need no proof; a device without the rung gives the one below.
        assert!(backend.rung() <= rung);
        let tested: Vec<Rung> = backend.verdicts().iter().map(|v| v.rung).collect();
        match backend.rung() {
            Rung::Full => assert!(tested.is_empty()),
            other => assert_eq!(tested, [other]),
        }
        assert!(
            backend.verdicts().iter().all(|v| v.passed()),
            "{:?}",
            backend.verdicts()
        );
        let device = Arc::new(Device::with(Arc::new(backend)));
        let mut restorer = Restorer::new(device, Arc::new(small(|_| ()))).unwrap();
        let mut go_on = |_, _| ControlFlow::Continue(());
        let gpu = restorer
            .restore(&p, &Options::default(), &mut go_on)
            .unwrap();
        assert_eq!(gpu.notes.len(), 0, "{:?}", gpu.notes);
        let close = psnr(cpu.samples(), gpu.picture.samples(), 1.0);
        assert!(
            close > change + 30.0,
            "{rung}: {close} dB, the change is {change} dB"
        );
    }
}
