//! The program as a user runs it: exit codes, messages, files.

#[cfg(unix)]
use std::io::{BufRead, BufReader};
#[cfg(unix)]
use std::process::Command;

use moxcms::ColorProfile;
use serpent_engine::image::{BitDepth, Colour, Metadata, Picture};

use crate::models::{identity, save, save_picture, small};
use crate::program::Desk;

/// CRC-32 of a PNG chunk (PNG specification, annex D).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |mut crc, &b| {
        crc ^= u32::from(b);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
        crc
    })
}

/// A PNG file whose header announces another size.
fn resized_header(png: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png.to_vec();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    bytes
}

#[test]
fn bad_files_get_one_line_each_and_the_others_are_done() {
    let desk = Desk::new();
    desk.picture("in/a-good.png", 20, 14);
    desk.picture("in/z-good.png", 14, 20);
    let good = std::fs::read(desk.at("in/a-good.png")).unwrap();
    let bad: [(&str, Vec<u8>, &str); 5] = [
        (
            "truncated.png",
            good[..good.len() / 2].to_vec(),
            "ends before",
        ),
        (
            "text.jpg",
            b"Dear diary, this is no photo.".to_vec(),
            "not a picture",
        ),
        ("empty.png", Vec::new(), "empty"),
        (
            "huge.png",
            resized_header(&good, 30_000, 30_000),
            "too large",
        ),
        ("noise.webp", (0..200u8).collect(), "not a picture"),
    ];
    for (name, bytes, _) in &bad {
        std::fs::write(desk.at("in").join(name), bytes).unwrap();
    }
    let ran = desk.restore(&["-i", "in", "-o", "out"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert_eq!(desk.files("out"), ["a-good.png", "z-good.png"]);
    assert_eq!(ran.lines().len(), bad.len(), "{}", ran.err);
    for (name, _, word) in &bad {
        let line = ran.lines().into_iter().find(|l| l.contains(name)).unwrap();
        assert!(line.contains(word) && line.contains(';'), "{line}");
    }
    assert!(ran.out.contains("2 restored, 5 failed"), "{}", ran.out);
    // Alone, each has the same code and still one line.
    for (name, _, word) in &bad {
        let path = format!("in/{name}");
        let ran = desk.restore(&["-i", &path, "-o", "single.png"]);
        assert_eq!((ran.code, ran.lines().len()), (Some(2), 1), "{}", ran.err);
        assert!(ran.err.contains(word), "{}", ran.err);
        assert!(!desk.at("single.png").exists());
    }
}

#[test]
fn senseless_calls_say_what_is_wrong_in_one_line() {
    let desk = Desk::new();
    desk.picture("a.png", 9, 9);
    std::fs::create_dir(desk.at("nothing")).unwrap();
    let model = std::fs::read(desk.at("models/small.safetensors")).unwrap();
    std::fs::write(desk.at("short.safetensors"), &model[..model.len() - 100]).unwrap();
    std::fs::write(desk.at("text.safetensors"), "not a model at all").unwrap();
    let mut not_finite = model;
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(desk.at("nan.safetensors"), not_finite).unwrap();
    let table: [(&[&str], &str); 9] = [
        (
            &["-i", "nothing", "-o", "out"],
            "no pictures in this folder",
        ),
        (&["-i", "gone.png", "-o", "b.png"], "no such file"),
        (
            &["-i", "a.png", "-o", "b.png", "-m", "magic"],
            "photo, small, sr2",
        ),
        (
            &["-i", "a.png", "-o", "b.png", "-m", "short.safetensors"],
            "short.safetensors",
        ),
        (
            &["-i", "a.png", "-o", "b.png", "-m", "text.safetensors"],
            "text.safetensors",
        ),
        (
            &["-i", "a.png", "-o", "b.png", "-m", "nan.safetensors"],
            "nan.safetensors",
        ),
        (&["-i", "a.png", "-o", "b.xyz"], "b.xyz"),
        (&["-i", "a.png", "-o", "b.png", "-f", "jpg"], "b.png"),
        (
            &["-i", "a.png", "-o", "b.png", "--device", "voodoo9"],
            "voodoo9",
        ),
    ];
    for (args, word) in table {
        let defaults: &[&str] = &["restore", "-m", "small"];
        let defaults = if args.contains(&"-m") {
            &defaults[..1]
        } else {
            defaults
        };
        let ran = desk.run(&[defaults, args].concat());
        assert_eq!(ran.code, Some(1), "{args:?}: {}", ran.err);
        assert_eq!(ran.lines().len(), 1, "{args:?}: {}", ran.err);
        assert!(
            ran.err.starts_with("error: ") && ran.err.contains(word),
            "{}",
            ran.err
        );
    }
    let ran = desk.run(&["frobnicate", "x"]);
    assert_eq!((ran.code, ran.lines().len()), (Some(1), 1), "{}", ran.err);
    assert!(ran.err.contains("no such file or command"), "{}", ran.err);
    // What clap refuses has the same code.
    for args in [
        &["restore"][..],
        &["restore", "-i", "a.png", "-o", "b.png", "--strength", "2"],
    ] {
        assert_eq!(desk.run(args).code, Some(1), "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["restore", "--help"]] {
        assert_eq!(desk.run(args).code, Some(0), "{args:?}");
    }
    assert_eq!(
        desk.files("."),
        [
            "a.png",
            "models/small.safetensors",
            "nan.safetensors",
            "short.safetensors",
            "text.safetensors"
        ]
    );
}

#[test]
fn a_folder_is_restored_into_a_mirrored_one() {
    let desk = Desk::new();
    desk.picture("in/a.png", 20, 14);
    desk.picture("in/deep/er/ö b.c.png", 8, 30);
    std::fs::write(desk.at("in/desktop.ini"), "x").unwrap();
    let ran = desk.restore(&["-i", "in", "-o", "out", "-r", "-f", "jpg", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(desk.files("out"), ["a.jpg", "deep/er/ö b.c.jpg"]);
    let lines: Vec<serde_json::Value> = ran
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines
            .iter()
            .all(|l| l["status"] == "done" && l["seconds"].as_f64().unwrap() > 0.0)
    );
    let jpeg = Picture::open(desk.at("out/deep/er/ö b.c.jpg")).unwrap();
    assert_eq!((jpeg.width(), jpeg.height()), (8, 30));
}

#[test]
fn sources_and_existing_files_are_safe() {
    let desk = Desk::new();
    desk.picture("a.png", 20, 14);
    let before = std::fs::read(desk.at("a.png")).unwrap();
    for output in ["a.png", "./models/../a.png", "."] {
        let ran = desk.restore(&["-i", "a.png", "-o", output, "--overwrite"]);
        assert_eq!((ran.code, ran.lines().len()), (Some(2), 1), "{}", ran.err);
        assert!(ran.err.contains("source"), "{}", ran.err);
        assert_eq!(std::fs::read(desk.at("a.png")).unwrap(), before);
    }
    std::fs::write(desk.at("b.png"), "precious").unwrap();
    let ran = desk.restore(&["-i", "a.png", "-o", "b.png"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--overwrite"), "{}", ran.err);
    let ran = desk.restore(&["-i", "a.png", "-o", "b.png", "--skip-existing"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(std::fs::read(desk.at("b.png")).unwrap(), b"precious");
    let ran = desk.restore(&["-i", "a.png", "-o", "b.png", "--overwrite"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(Picture::open(desk.at("b.png")).unwrap().width(), 20);
}

#[test]
fn depth_alpha_and_grey_survive_the_program() {
    let desk = Desk::new();
    let alpha: Vec<f32> = (0..12 * 10).map(|i| i as f32 / 119.0).collect();
    let grey: Vec<f32> = (0..12 * 10).map(|i| 0.3 + i as f32 / 400.0).collect();
    let p = Picture::new(12, 10, Colour::Grey, grey)
        .unwrap()
        .with_alpha(Some(alpha))
        .unwrap()
        .with_depth(BitDepth::Sixteen);
    save_picture(&p, &desk.at("a.png"));
    let ran = desk.restore(&["-i", "a.png", "-o", "b.png"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let (a, b) = (
        Picture::open(desk.at("a.png")).unwrap(),
        Picture::open(desk.at("b.png")).unwrap(),
    );
    assert_eq!(b.colour(), Colour::Grey);
    assert_eq!(b.depth(), BitDepth::Sixteen);
    assert_eq!(a.alpha(), b.alpha());
    assert_ne!(a.samples(), b.samples(), "the model does something");
}

#[test]
fn a_model_that_enlarges_does() {
    let desk = Desk::new();
    save(
        &small(|c| c.scale = 2),
        &desk.at("models/twice.safetensors"),
    );
    desk.picture("a.png", 21, 13);
    let ran = desk.run(&[
        "restore", "--device", "cpu", "-i", "a.png", "-o", "b.webp", "-m", "twice",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let b = Picture::open(desk.at("b.webp")).unwrap();
    assert_eq!((b.width(), b.height()), (42, 26));
}

#[cfg(unix)]
#[test]
fn interrupting_leaves_whole_files_or_none() {
    let desk = Desk::new();
    desk.picture("in/a.png", 16, 16);
    desk.picture("in/b.png", 2000, 1500);
    desk.picture("in/c.png", 16, 16);
    let args = [
        "restore", "--device", "cpu", "-m", "small", "-t", "32", "-i", "in", "-o", "out",
    ];
    let mut child = desk
        .command(&args)
        .env("RUST_LOG", "serpent_engine=debug")
        .spawn()
        .unwrap();
    let mut started = 0;
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        started += usize::from(line.unwrap().contains("started"));
        if started == 2 {
            let killed = Command::new("kill")
                .args(["-INT", &child.id().to_string()])
                .status();
            assert!(killed.unwrap().success());
            started += 1;
        }
    }
    assert!(started > 2, "the second picture was begun");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(
        desk.files("out"),
        ["a.png"],
        "no half file, no temporary file"
    );
}

#[test]
fn degrade_then_compare_gives_the_noise_asked_for() {
    let desk = Desk::new();
    let flat = Picture::new(200, 150, Colour::Rgb, vec![0.5; 200 * 150 * 3]).unwrap();
    save_picture(&flat, &desk.at("clean.png"));
    let noisy = |out: &str, seed: &str| {
        let ran = desk.run(&[
            "degrade",
            "-i",
            "clean.png",
            "-o",
            out,
            "--noise",
            "25",
            "--seed",
            seed,
        ]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        std::fs::read(desk.at(out)).unwrap()
    };
    let (a, b, c) = (
        noisy("a.png", "1"),
        noisy("b.png", "1"),
        noisy("c.png", "2"),
    );
    assert!(a == b && a != c, "the seed decides");
    let ran = desk.run(&[
        "compare",
        "a.png",
        "c.png",
        "--reference",
        "clean.png",
        "--json",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let all: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    for row in all["pictures"].as_array().unwrap() {
        let psnr = row["psnr"].as_f64().unwrap();
        // 20·log10(255/25) = 20.17
        assert!((psnr - 20.17).abs() < 0.1, "{psnr}");
        assert!((0.0..1.0).contains(&row["ssim"].as_f64().unwrap()));
    }
    let ran = desk.run(&["compare", "a.png", "b.png"]);
    assert!(
        ran.out.contains("inf") && ran.out.contains("1.0000"),
        "{}",
        ran.out
    );
    let ran = desk.run(&[
        "degrade",
        "-i",
        "clean.png",
        "-o",
        "small.png",
        "--blur",
        "1.5",
        "--downscale",
        "2",
        "--jpeg",
        "30",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(Picture::open(desk.at("small.png")).unwrap().width(), 100);
    assert_eq!(desk.run(&["compare", "small.png", "a.png"]).code, Some(1));
    assert_eq!(
        desk.run(&["degrade", "-i", "a.png", "-o", "d.png"]).code,
        Some(1)
    );
}

#[test]
fn compare_and_eval_follow_colour_profiles() {
    let desk = Desk::new();
    let wide = ColorProfile::new_display_p3();
    let samples = (0..64 * 48 * 3).map(|i| (i * 7 % 230) as f32 / 255.0);
    let p3 = Picture::new(64, 48, Colour::Rgb, samples.collect()).unwrap();
    let tagged = p3.clone().with_metadata(Metadata {
        icc: Some(wide.encode().unwrap()),
        ..Metadata::default()
    });
    let seen = tagged.in_srgb();
    for (name, picture) in [
        ("tagged.png", &tagged),
        ("seen.png", &seen),
        ("bare.png", &p3),
        ("tagged/a.png", &tagged),
        ("bare/a.png", &p3),
        ("seen/a.png", &seen),
    ] {
        save_picture(picture, &desk.at(name));
    }
    let json = |args: &[&str]| -> serde_json::Value {
        let ran = desk.run(args);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        serde_json::from_str(&ran.out).unwrap()
    };
    let psnr = |other: &str| {
        let all = json(&["compare", "tagged.png", other, "--json"]);
        all["pictures"][0]["psnr"].clone()
    };
    assert!(psnr("seen.png").is_null(), "the same picture on a screen");
    let bare = psnr("bare.png").as_f64().unwrap();
    assert!(bare < 40.0, "the same numbers, other colours: {bare} dB");

    save(&identity(|_| ()), &desk.at("models/nothing.safetensors"));
    let measured = |folder: &str| {
        json(&[
            "eval", folder, "-m", "nothing", "--device", "cpu", "--levels", "25", "--json",
        ])
    };
    let (a, b) = (measured("tagged"), measured("seen"));
    let level = |all: &serde_json::Value| all["figures"][0]["psnr"].as_f64().unwrap();
    assert_eq!(level(&a), level(&b), "{a} {b}");
    assert_ne!(level(&a), level(&measured("bare")));
}

#[test]
fn strip_gps_leaves_out_the_place_alone() {
    let desk = Desk::new();
    let packet = r#"<x:xmpmeta exif:GPSLatitude="52,31N" dc:title="a hill"/>"#;
    let metadata = Metadata {
        xmp: Some(packet.into()),
        ..Metadata::default()
    };
    let flat = Picture::new(16, 8, Colour::Rgb, vec![0.5; 16 * 8 * 3]).unwrap();
    save_picture(&flat.with_metadata(metadata), &desk.at("a.png"));
    for (switch, left) in [
        (None, packet),
        (Some("--strip-gps"), r#"<x:xmpmeta dc:title="a hill"/>"#),
    ] {
        let mut args = vec!["restore", "-i", "a.png", "-o", "b.jpg", "--overwrite"];
        args.extend(switch);
        let ran = desk.run(&args);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let made = Picture::open(desk.at("b.jpg")).unwrap();
        let xmp = made.metadata().xmp.clone().unwrap();
        assert_eq!(String::from_utf8(xmp).unwrap(), left);
    }
}

#[test]
fn eval_of_the_identity_is_the_input() {
    let desk = Desk::new();
    save(&identity(|_| ()), &desk.at("models/nothing.safetensors"));
    let flat = Picture::new(96, 64, Colour::Rgb, vec![0.5; 96 * 64 * 3]).unwrap();
    save_picture(&flat, &desk.at("set/a.png"));
    save_picture(&flat, &desk.at("set/b.png"));
    std::fs::write(desk.at("set/broken.png"), "").unwrap();
    let args = [
        "eval",
        "set",
        "-m",
        "nothing",
        "--device",
        "cpu",
        "--levels",
        "15,25",
        "--json",
        "--verbose",
    ];
    let ran = desk.run(&args);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert_eq!(
        ran.lines().len(),
        2,
        "the broken file at each level: {}",
        ran.err
    );
    let all: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    for (figures, expected) in all["figures"]
        .as_array()
        .unwrap()
        .iter()
        .zip([24.61, 20.17])
    {
        let psnr = figures["psnr"].as_f64().unwrap();
        // Mid-grey is hardly clipped: the output is the input but for the rounding.
        assert!(
            (psnr - expected).abs() < 0.1,
            "{psnr} instead of {expected}"
        );
        assert!((psnr - figures["input_psnr"].as_f64().unwrap()).abs() < 0.05);
        assert_eq!(
            (figures["pictures"].as_u64(), figures["failed"].as_u64()),
            (Some(2), Some(1))
        );
        let rows = figures["rows"].as_array().unwrap();
        assert_ne!(
            rows[0]["psnr"], rows[1]["psnr"],
            "each picture has noise of its own"
        );
    }
    // Again: the same figures to the last digit, as the seed is fixed.
    let again: serde_json::Value = serde_json::from_str(&desk.run(&args).out).unwrap();
    assert_eq!(all["figures"][0]["psnr"], again["figures"][0]["psnr"]);
    let table = desk.run(&[
        "eval", "set", "-m", "nothing", "--device", "cpu", "--task", "jpeg", "--limit", "1",
    ]);
    assert!(
        table.out.contains("PSNR") && table.out.lines().count() == 6 && table.code == Some(0),
        "{}",
        table.out
    );
    let ran = desk.run(&[
        "eval",
        "set",
        "-m",
        "nothing",
        "--task",
        "super-resolve",
        "--levels",
        "2",
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
}

#[test]
fn models_and_devices_are_listed() {
    let desk = Desk::new();
    let ran = desk.run(&["models", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let small = all
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["name"] == "small")
        .unwrap();
    assert_eq!(small["task"], "denoise");
    assert_eq!(small["config"]["alternating"], false);
    let ran = desk.run(&["models", "small"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for part in ["small.safetensors", "denoise", "directions", "GMAC + "] {
        assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
    }
    let ran = desk.run(&["devices", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let all: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(all["cpu"]["threads"].as_u64().unwrap() > 0);
    let graphics = all["graphics"].as_array().unwrap();
    for device in graphics {
        let software = device["device"]["kind"] == "software";
        assert!(
            !(software && device["auto"] == true),
            "software is never chosen on its own"
        );
        let rung = device["rung"].as_str().unwrap();
        assert!(["full", "half", "tensor"].contains(&rung), "{rung}");
        let verdicts = device["self_test"].as_array().unwrap();
        // Every rung above 32 bits was tested before it was given, software gets no such rung.
        match verdicts.last() {
            Some(last) => {
                assert!(last["rung"] == rung && last["trouble"].is_null() || rung == "full")
            }
            None => assert_eq!(rung, "full"),
        }
        assert!(!software || rung == "full" || std::env::var_os("SERPENT_RUNG").is_some());
    }
    let ran = desk.run(&["devices"]);
    for word in ["rung", "self-test", "full"] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let ran = desk.run(&["restore", "-i", "a", "-o", "b", "--rung", "fast"]);
    assert!(
        ran.code == Some(1) && ran.err.contains("full, half or tensor"),
        "{}",
        ran.err
    );
}
