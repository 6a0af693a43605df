//! Measuring, proposing and the noise map, as a user runs them.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use serpent_engine::checkpoint::Task;
use serpent_engine::image::{Colour, Picture};
use serpent_engine::metrics::psnr;
use serpent_engine::restore::{Device, Options, Restorer};

use crate::models::{identity, picture, save, save_picture, small};
use crate::program::{Desk, Ran};

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}{}", ran.out, ran.err))
}

#[test]
fn all_tables_are_measured_once_kept_and_written_into_a_page() {
    let desk = Desk::new();
    let mut model = identity(|_| ());
    model.task = Task::Denoise;
    save(&model, &desk.at("models/small.safetensors"));
    save_picture(&picture(48, 40), &desk.at("sets/CBSD68/a.png"));
    save_picture(&picture(40, 48), &desk.at("sets/CBSD68/b.png"));
    let page = "before\n<!-- results: written by `serpent eval --all --write` -->\n<!-- end of results -->\nafter\n";
    std::fs::write(desk.at("page.md"), page).unwrap();
    let args = [
        "eval",
        "--all",
        "-m",
        "small",
        "--test-sets",
        "sets",
        "--results",
        "results.json",
        "--write",
        "page.md",
        "--device",
        "cpu",
        "--json",
    ];
    let ran = desk.run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let results = json(&ran);
    let entries = results["entries"].as_array().unwrap();
    let levels: Vec<f64> = entries
        .iter()
        .map(|e| e["level"].as_f64().unwrap())
        .collect();
    assert_eq!(levels, [15.0, 25.0, 50.0]);
    for entry in entries {
        // An untrained network gives its input back, clipped and rounded: a little closer to the
        // truth, as clipping takes some noise away.
        let (input, output) = (
            entry["input_psnr"].as_f64().unwrap(),
            entry["psnr"].as_f64().unwrap(),
        );
        let expected = 20.0 * (255.0 / entry["level"].as_f64().unwrap()).log10();
        assert!((input - expected).abs() < 0.3, "{entry}");
        assert!(output > input - 0.05 && output < input + 2.0, "{entry}");
        assert_eq!(entry["pictures"], 2);
    }
    let written = std::fs::read_to_string(desk.at("page.md")).unwrap();
    let first = format!("{:.2}", entries[0]["psnr"].as_f64().unwrap());
    assert!(written.starts_with("before") && written.ends_with("after\n"));
    assert!(
        written.contains("DRUNet") && written.contains(&first),
        "{written}"
    );
    // What is measured is not measured again: a mark put into the file stays.
    let text = std::fs::read_to_string(desk.at("results.json")).unwrap();
    let marked = text.replace("\"device\": \"CPU", "\"device\": \"marked");
    assert_ne!(text, marked);
    std::fs::write(desk.at("results.json"), &marked).unwrap();
    assert_eq!(desk.run(&args).code, Some(0));
    assert_eq!(
        std::fs::read_to_string(desk.at("results.json")).unwrap(),
        marked
    );
    // Another file by that name: its figures are new.
    save(&small(|_| ()), &desk.at("models/small.safetensors"));
    let ran = desk.run(&args);
    assert!(!ran.out.contains("marked"), "{}", ran.out);
    let tables = desk.run(&["eval", "--tables", "--results", "results.json"]);
    let written = std::fs::read_to_string(desk.at("page.md")).unwrap();
    assert!(written.contains(tables.out.trim()), "{}", tables.out);
}

#[test]
fn classical_methods_are_tuned_on_validation_pictures_and_what_is_missing_is_named() {
    let desk = Desk::new();
    save_picture(&picture(48, 40), &desk.at("sets/CBSD68/a.png"));
    photograph(&desk.at("validation/v.png"), 48, 9);
    let page = "before\n<!-- classical: written by `serpent eval --all --write` -->\n<!-- end of classical -->\nafter\n";
    std::fs::write(desk.at("page.md"), page).unwrap();
    let args = [
        "eval",
        "--all",
        "-m",
        "small",
        "--test-sets",
        "sets",
        "--validation",
        "validation",
        "--results",
        "results.json",
        "--write",
        "page.md",
        "--device",
        "cpu",
        "--json",
    ];
    let ran = desk.run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err.contains("so not measured: BSD100, Classic5"),
        "{}",
        ran.err
    );
    let results = json(&ran);
    let all = results["entries"].as_array().unwrap();
    let classical: Vec<&Value> = all.iter().filter(|e| e["setting"].is_string()).collect();
    assert_eq!(classical.len(), 2 * 6, "both methods at six blurs");
    for entry in &classical {
        assert_eq!(
            (&entry["task"], &entry["pictures"]),
            (&"deblur".into(), &1.into())
        );
        let of = |key: &str| entry[key].as_f64().unwrap();
        assert!((10.0..60.0).contains(&of("psnr")), "{entry}");
    }
    // A second call finds everything measured.
    let before = std::fs::read_to_string(desk.at("page.md")).unwrap();
    let setting = classical[0]["setting"].as_str().unwrap();
    assert!(before.contains(setting) && before.contains("Richardson–Lucy"));
    assert!(before.starts_with("before") && before.ends_with("after\n"));
    let ran = desk.run(&args);
    assert_eq!((ran.code, json(&ran)), (Some(0), results));
    // A model that nobody knows.
    let ran = desk.run(&["eval", "--all", "-m", "nobody", "--test-sets", "sets"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("nobody"), "{}", ran.err);
}

#[test]
fn the_mean_of_eight_turns_turns_with_the_picture() {
    let p = picture(44, 36);
    let (width, height) = (p.width(), p.height());
    let mirrored = |p: &Picture| {
        let rows = p.samples().chunks_exact(width * 3);
        let samples = rows.flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten().copied());
        Picture::new(width, height, Colour::Rgb, samples.collect()).unwrap()
    };
    let mut restorer = Restorer::new(Arc::new(Device::cpu()), Arc::new(small(|_| ()))).unwrap();
    let mut restore = |p: &Picture, ensemble| {
        let options = Options {
            ensemble,
            ..Options::default()
        };
        let mut calls = Vec::new();
        let restored = restorer.restore(p, &options, &mut |done, total| {
            calls.push((done, total));
            ControlFlow::Continue(())
        });
        (restored.unwrap().picture, calls)
    };
    let close = |a: &Picture, b: &Picture| psnr(a.samples(), b.samples(), 1.0);
    let (plain, _) = restore(&p, false);
    let (other, _) = restore(&mirrored(&p), false);
    let (mean, calls) = restore(&p, true);
    let (mean_other, _) = restore(&mirrored(&p), true);
    let before = close(&mirrored(&plain), &other);
    let after = close(&mirrored(&mean), &mean_other);
    assert!(after > before + 20.0 && after > 100.0, "{before} {after}");
    assert_eq!((calls[0], *calls.last().unwrap()), ((0, 8), (8, 8)));
}

/// A photograph with edges and gradients, never the same twice.
fn photograph(path: &Path, side: usize, seed: usize) {
    let samples = (0..side * side * 3).map(|i| {
        let (x, y, c) = ((i / 3 % side) as f32, (i / 3 / side) as f32, i % 3);
        let s = seed as f32;
        let disc = f32::from((x - 30.0 - 7.0 * s).hypot(y - 40.0 + 3.0 * s) < 17.0 + s);
        let bars = f32::from((x * 0.13 + y * 0.07 + s).sin() > 0.3);
        0.15 + 0.3 * disc + 0.25 * bars + 0.2 * y / side as f32 + 0.03 * c as f32
    });
    let picture = Picture::new(side, side, Colour::Rgb, samples.collect()).unwrap();
    save_picture(&picture, path);
}

#[test]
fn a_network_with_a_noise_map_is_trained_measured_and_told_the_users_strength() {
    let desk = Desk::new();
    for i in 0..4 {
        photograph(&desk.at(&format!("photos/{i}.png")), 96, i);
    }
    photograph(&desk.at("validation/v.png"), 64, 9);
    std::fs::write(
        desk.at("map.toml"),
        r#"
        task = "denoise"
        steps = 150
        output = "run"
        degradations = [{ kind = "noise", sigma = [0.0, 50.0] }]
        [network]
        preset = "tiny"
        channels = 8
        depths = [1, 1]
        states = 2
        directions = 2
        tied_decay = true
        noise_map = true
        [data]
        folders = ["photos"]
        crop = 16
        batch = 4
        [optimiser]
        learning_rate = 5e-3
        warm_up = 10
        ema = 0.9
        [validation]
        folder = "validation"
        degradations = [{ kind = "noise", sigma = 30.0 }]
        "#,
    )
    .unwrap();
    let ran = desk.run(&["train", "map.toml", "--device", "cpu", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let eval = |more: &[&str]| {
        let args = [
            "eval",
            "validation",
            "-m",
            "run/model.safetensors",
            "--levels",
            "30",
            "--device",
            "cpu",
            "--json",
        ];
        let ran = desk.run(&[&args[..], more].concat());
        let all = json(&ran);
        let of = |key: &str| all["figures"][0][key].as_f64().unwrap();
        (of("input_psnr"), of("psnr"))
    };
    let (input, told) = eval(&[]);
    let (_, blind) = eval(&["--blind"]);
    assert!(told > input + 2.0, "{told} dB from {input} dB");
    // The estimate is nearly what it would have been told.
    assert!(
        (told - blind).abs() < 0.3 && told != blind,
        "{told} {blind}"
    );
    // The user's strength: told there is no noise, it does less than told there is much.
    let noisy = desk.run(&[
        "degrade",
        "-i",
        "validation/v.png",
        "-o",
        "noisy.png",
        "--noise",
        "30",
    ]);
    assert_eq!(noisy.code, Some(0), "{}", noisy.err);
    let open = |name: &str| Picture::open(desk.at(name)).unwrap();
    let change = |noise: &str| {
        let args = [
            "restore",
            "-i",
            "noisy.png",
            "-o",
            "out.png",
            "--overwrite",
            "-m",
            "run/model.safetensors",
            "--device",
            "cpu",
            "--noise",
            noise,
        ];
        let ran = desk.run(&args);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        psnr(open("noisy.png").samples(), open("out.png").samples(), 1.0)
    };
    let (none, much) = (change("0"), change("50"));
    assert!(none > much + 0.5, "{none} dB and {much} dB from the input");
}

#[test]
fn auto_tells_noise_from_jpeg_and_names_the_model() {
    let desk = Desk::new();
    photograph(&desk.at("clean.png"), 192, 3);
    for (name, args) in [
        ("noisy.png", ["--noise", "25"]),
        ("small.jpg", ["--jpeg", "20"]),
    ] {
        let args = [&["degrade", "-i", "clean.png", "-o", name], &args[..]].concat();
        assert_eq!(desk.run(&args).code, Some(0));
    }
    let ran = desk.run(&["auto", "clean.png", "noisy.png", "--json"]);
    let all = json(&ran);
    let of = |i: usize| (&all[i]["proposal"], &all[i]["found"]);
    assert_eq!(of(0).0["ailment"], "none", "{all}");
    assert_eq!(
        (&of(1).0["ailment"], &of(1).0["model"]),
        (&"noise".into(), &"denoise-base".into())
    );
    let noise = of(1).1["noise"].as_f64().unwrap() * 255.0;
    assert!((noise - 25.0).abs() < 3.0, "{noise}");
    // A JPEG file tells its own quality, whatever its pixels were before.
    let ran = desk.run(&["auto", "small.jpg", "--json"]);
    let quality = json(&ran)[0]["found"]["jpeg"].as_u64().unwrap();
    assert_eq!(quality, 95, "saved with the usual quality");
    assert_eq!(desk.run(&["auto", "gone.png"]).code, Some(1));
}
