//! `serpent bench` as a user runs it, on networks small enough for a software device.

use serde_json::Value;
use serpent_engine::backend::wgpu::list_devices;

use crate::program::Desk;

fn device() -> String {
    let devices = list_devices();
    devices.last().expect("a graphics device").name.clone()
}

#[test]
fn everything_is_there_for_a_machine_to_read_and_the_trace_opens() {
    let desk = Desk::new();
    let ran = desk.run(&[
        "bench",
        "--device",
        &device(),
        "--preset",
        "tiny",
        "--sizes",
        "16,24x16",
        "--runs",
        "1",
        "--train",
        "1x8",
        "--growth",
        "0.0004",
        "--trace",
        "trace.json",
        "--json",
        "--quiet",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["machine"]["device"]["name"], device());
    for field in ["version", "os", "processor"] {
        assert!(report["machine"][field].is_string(), "{field}");
    }
    assert!(report["ceilings"][0]["copy"]["median"].as_f64().unwrap() > 0.0);
    let restoring = report["restoring"].as_array().unwrap();
    assert_eq!(restoring.len(), 2);
    for one in restoring {
        assert!(one["wall_ms"]["median"].as_f64().unwrap() > 0.0);
        assert!(one["cost"]["dense_macs"].as_u64().unwrap() > 0);
        assert!(one["floor_ms"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(
        (
            restoring[1]["width"].as_u64(),
            restoring[1]["height"].as_u64()
        ),
        (Some(24), Some(16))
    );
    assert!(report["training"][0]["crops_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(report["growth"][0]["side"], 20);
    let trace = std::fs::read_to_string(desk.at("trace.json")).unwrap();
    let trace: Value = serde_json::from_str(&trace).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let launches: u64 = restoring
        .iter()
        .map(|r| r["launches"].as_u64().unwrap())
        .sum::<u64>()
        + report["training"][0]["launches"].as_u64().unwrap();
    let spans = events.iter().filter(|e| e["ph"] == "X").count();
    assert_eq!(spans as u64, launches);
}

#[test]
fn tables_are_for_people_and_for_the_docs() {
    let desk = Desk::new();
    let device = device();
    let args = [
        "bench", "--device", &device, "--preset", "tiny", "--sizes", "16", "--runs", "1",
    ];
    let ran = desk.run(&[&args[..], &["--kernels", "--quiet"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for word in ["tiny 16 × 16", "SelectiveScan", "matmul", "GB/s", "floor"] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let ran = desk.run(&[&args[..], &["--markdown", "--quiet"]].concat());
    let lines: Vec<&str> = ran.out.lines().filter(|l| l.starts_with('|')).collect();
    assert!(lines.len() > 5, "{}", ran.out);
    for word in ["| tiny, 16²: kernels", "dense products", "scans"] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    // Nonsense is refused before anything is measured.
    let ran = desk.run(&[
        "bench", "--device", "cpu", "--runs", "0", "--trace", "t.json",
    ]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("--runs"), "{}", ran.err);
}
