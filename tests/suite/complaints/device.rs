//! Devices that are not there, are bad, or have little memory.

use serpent_engine::backend::wgpu::list_devices;

use crate::program::Desk;

#[test]
fn without_a_graphics_device_the_processor_restores_and_is_named() {
    let desk = Desk::new();
    desk.picture("a.png", 20, 14);
    let args = [
        "restore", "-m", "small", "-i", "a.png", "-o", "b.png", "--json",
    ];
    // DirectX is nowhere but on Windows, Metal nowhere but on a Mac.
    let nowhere = if cfg!(windows) { "metal" } else { "dx12" };
    let output = desk
        .command(&args)
        .env("WGPU_BACKEND", nowhere)
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
    assert!(desk.at("b.png").exists());
    let out = String::from_utf8(output.stdout).unwrap();
    let line = out.lines().find(|l| l.contains("\"done\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let device = line["device"].as_str().unwrap();
    assert!(
        device.contains("CPU") || device.contains("processor"),
        "{device}"
    );
}

#[test]
fn a_driver_that_took_the_program_down_is_not_tried_again_at_once() {
    let desk = Desk::new();
    desk.picture("a.png", 20, 14);
    let restore = |device: &str, output: &str| {
        desk.run(&[
            "restore", "-m", "small", "--device", device, "-i", "a.png", "-o", output,
        ])
    };
    // What a start leaves that ends while it opens a device: a file that nobody has locked.
    let crash = || {
        std::fs::create_dir_all(desk.at("cache")).unwrap();
        std::fs::write(desk.at("cache/opening-graphics-x"), "").unwrap();
    };
    crash();
    for output in ["b.png", "c.png"] {
        let ran = restore("auto", output);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(
            ran.err
                .contains("an earlier start ended while it opened a graphics device"),
            "{}",
            ran.err
        );
        assert!(desk.at(output).exists());
    }
    let Some(device) = list_devices().into_iter().next() else {
        eprintln!("skipped: no graphics device, not even a software one");
        return;
    };
    // By name: said once, then tried, and when it opens all is forgotten.
    let ran = restore(&device.name, "d.png");
    assert_eq!((ran.code, ran.lines().len()), (Some(1), 1), "{}", ran.err);
    assert!(ran.err.contains("tried again the next time"), "{}", ran.err);
    let ran = restore(&device.name, "d.png");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(restore("auto", "e.png").err, "");
}

#[test]
fn less_memory_makes_smaller_tiles() {
    let desk = Desk::new();
    desk.picture("a.png", 700, 600);
    let tiles = |memory: &str| {
        let ran = desk.restore(&[
            "-i", "a.png", "-o", "b.png", "--plan", "--json", "--memory", memory,
        ]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let line: serde_json::Value = serde_json::from_str(ran.out.trim()).unwrap();
        let bytes = line["tile_bytes"].as_u64().unwrap();
        let most: u64 = memory.parse::<u64>().unwrap() << 20;
        assert!(bytes <= most, "{bytes} bytes for a tile");
        line["tiles"].as_u64().unwrap()
    };
    let (much, little) = (tiles("4096"), tiles("16"));
    assert!(little > much, "{little} tiles in 16 MiB, {much} in 4 GiB");
}

#[test]
fn a_picture_beyond_the_limit_is_refused_and_the_limit_can_be_raised() {
    let desk = Desk::new();
    desk.picture("a.png", 1100, 1000);
    let restore = |more: &[&str]| {
        let args = [
            "-i",
            "a.png",
            "-o",
            "b.png",
            "--strength",
            "0",
            "--tile",
            "128",
        ];
        desk.restore(&[&args[..], more].concat())
    };
    let ran = restore(&["--max-pixels", "1"]);
    assert_eq!((ran.code, ran.lines().len()), (Some(2), 1), "{}", ran.err);
    assert!(ran.err.contains("raise the pixel limit"), "{}", ran.err);
    assert!(!desk.at("b.png").exists());
    let ran = restore(&["--max-pixels", "2"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}
