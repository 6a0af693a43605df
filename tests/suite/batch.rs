//! Batches as a user runs them: killed and gone on with, told in reports, planned, by presets,
//! beside the originals, watched.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use serpent_engine::image::Picture;

use crate::models::{picture, save, save_picture, small};
use crate::program::{Desk, Ran};

const RESTORE: &[&str] = &["restore", "--device", "cpu", "-m", "small"];

/// Twenty files, two of them broken.
fn twenty(desk: &Desk, side: usize) -> Vec<String> {
    let mut names = Vec::new();
    for i in 0..20 {
        let name = match i % 3 {
            0 => format!("{i:02}.png"),
            _ => format!("deep/er {}/{i:02}.png", i % 2),
        };
        let path = desk.at("in").join(&name);
        match i {
            4 | 11 => {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, "no picture").unwrap();
            }
            _ => save_picture(&picture(side, side + i), &path),
        }
        names.push(name);
    }
    names.sort();
    names
}

/// Content and time of every file but the journal.
fn snapshot(desk: &Desk, folder: &str) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let whole = |name: String| {
        let path = desk.at(folder).join(&name);
        let time = path.metadata().unwrap().modified().unwrap();
        (name, (std::fs::read(path).unwrap(), time))
    };
    let all = desk.files(folder).into_iter();
    all.map(whole).collect()
}

fn json(ran: &Ran) -> Vec<serde_json::Value> {
    let lines = ran.out.lines();
    lines.map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn count(rows: &[serde_json::Value], status: &str) -> usize {
    rows.iter().filter(|r| r["status"] == status).count()
}

#[test]
fn a_batch_killed_at_any_moment_leaves_whole_files_and_goes_on_with_the_rest() {
    let desk = Desk::new();
    let names = twenty(&desk, 40);
    let sources = snapshot(&desk, "in");
    let args = [
        RESTORE,
        &["-i", "in", "-o", "out", "-r", "--json", "--report", "r.csv"],
    ]
    .concat();
    let mut before = BTreeMap::new();
    let mut rounds = 0;
    // Killed again and again, each time some pictures further, at moments that drift through
    // opening, restoring and saving; the last round is let through.
    let last = loop {
        rounds += 1;
        assert!(rounds < 40, "it gets on");
        let mut child = desk.command(&args).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let done = stdout.lines().map_while(Result::ok);
        let wanted = if rounds > 5 { usize::MAX } else { 2 };
        let mut seen = 0;
        for line in done {
            seen += usize::from(line.contains("\"done\""));
            if seen == wanted {
                std::thread::sleep(Duration::from_millis(7 * rounds));
                child.kill().unwrap();
                break;
            }
        }
        let status = child.wait().unwrap();
        if seen < wanted {
            break (status, seen);
        }
        let after = snapshot(&desk, "out");
        for (name, (bytes, _)) in &after {
            // A temporary file may be left; a file with a picture's name is whole.
            if !name.ends_with(".tmp") {
                let picture = Picture::open(desk.at("out").join(name)).unwrap();
                assert!(picture.width() == 40 && !bytes.is_empty());
            }
        }
        for (name, old) in &before {
            assert_eq!(after.get(name), Some(old), "{name} was not done again");
        }
        assert!(after.len() >= before.len());
        // What is there of the report is a table up to its last line.
        let part = std::fs::read_to_string(desk.at("r.csv.part")).unwrap();
        assert!(part.starts_with("input,output,state,reason"), "{part}");
        assert!(part.lines().count() > 2 && !desk.at("r.csv").exists());
        before = after;
        before.retain(|name, _| !name.ends_with(".tmp"));
    };
    let (status, did) = last;
    assert_eq!(status.code(), Some(2), "two are broken");
    let after = snapshot(&desk, "out");
    let whole: Vec<&String> = after.keys().filter(|n| !n.ends_with(".tmp")).collect();
    let good: Vec<&String> = names
        .iter()
        .filter(|n| !n.contains("04") && !n.contains("11"))
        .collect();
    assert_eq!(whole, good);
    assert!(before.iter().all(|(name, old)| &after[name] == old));
    assert_eq!(did, 18 - before.len(), "the rest and only the rest");
    println!("{rounds} rounds, the last did {did}");
    assert_eq!(snapshot(&desk, "in"), sources, "sources are as they were");
    // Once more: nothing is left to do, and the report tells of all.
    let ran = desk.run(&args);
    let rows = json(&ran);
    assert_eq!((ran.code, rows.len()), (Some(2), 20), "{}", ran.err);
    assert_eq!(
        (count(&rows, "skipped"), count(&rows, "failed")),
        (18, 2),
        "{}",
        ran.out
    );
    let report = std::fs::read_to_string(desk.at("r.csv")).unwrap();
    assert_eq!(report.lines().count(), 21, "{report}");
    let inputs = report.lines().skip(1).map(|l| l.split(',').next().unwrap());
    let expected: Vec<String> = names.iter().map(|n| format!("in/{n}")).collect();
    let order: Vec<&str> = inputs.collect();
    assert_eq!(
        order.iter().collect::<std::collections::HashSet<_>>().len(),
        20
    );
    let mut sorted: Vec<String> = order.iter().map(|s| (*s).to_owned()).collect();
    sorted.sort();
    assert_eq!(sorted, expected);
    assert!(!desk.at("r.csv.part").exists());
}

#[test]
fn what_a_killed_run_left_half_written_is_swept_by_a_later_one() {
    let desk = Desk::new();
    desk.picture("in/a.png", 20, 14);
    let args = [RESTORE, &["-i", "in", "-o", "out"]].concat();
    assert_eq!(desk.run(&args).code, Some(0));
    let half = desk.at("out/.serpent-x.tmp");
    std::fs::write(&half, "half").unwrap();
    let old = SystemTime::now() - Duration::from_secs(3600);
    let file = std::fs::OpenOptions::new().append(true).open(&half);
    file.unwrap().set_modified(old).unwrap();
    let ran = desk.run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(!half.exists() && desk.at("out/a.png").exists());
}

#[test]
fn the_same_settings_are_passed_over_and_others_only_replaced_when_asked() {
    let desk = Desk::new();
    desk.picture("in/a.png", 20, 14);
    desk.picture("in/b.png", 14, 20);
    let run = |more: &[&str]| {
        let ran = desk.restore(&[&["-i", "in", "-o", "out", "--json"], more].concat());
        let rows = json(&ran);
        let counts = ["done", "skipped", "failed"].map(|s| count(&rows, s));
        (counts, ran.err)
    };
    assert_eq!(run(&[]).0, [2, 0, 0]);
    assert_eq!(run(&[]).0, [0, 2, 0]);
    let (counts, err) = run(&["--strength", "0.5"]);
    assert_eq!(counts, [0, 0, 2]);
    assert!(
        err.contains("other settings") && err.contains("--update"),
        "{err}"
    );
    let first = snapshot(&desk, "out");
    assert_eq!(run(&["--strength", "0.5", "--skip-existing"]).0, [0, 2, 0]);
    assert_eq!(snapshot(&desk, "out"), first);
    assert_eq!(run(&["--strength", "0.5", "--update"]).0, [2, 0, 0]);
    assert_ne!(snapshot(&desk, "out"), first);
    desk.picture("in/a.png", 22, 14);
    assert_eq!(run(&["--strength", "0.5", "--update"]).0, [1, 1, 0]);
    assert_eq!(run(&["--strength", "0.5", "--overwrite"]).0, [2, 0, 0]);
}

#[test]
fn a_plan_tells_outputs_tiles_and_memory_and_writes_nothing() {
    let desk = Desk::new();
    save(
        &small(|c| c.scale = 2),
        &desk.at("models/twice.safetensors"),
    );
    desk.picture("in/a.png", 200, 100);
    desk.picture("in/b.jpg", 30, 20);
    std::fs::write(desk.at("in/c.png"), "no picture").unwrap();
    let args = [
        "restore",
        "--device",
        "cpu",
        "-m",
        "twice",
        "-i",
        "in",
        "-o",
        "out",
        "--tile",
        "64",
        "--template",
        "{name}-x{scale}",
        "--plan",
    ];
    let ran = desk.run(&args);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("c.png"), "{}", ran.err);
    assert!(
        ran.out.contains("a-x2.png") && ran.out.contains("400 x 200") && ran.out.contains("tiles"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("2 to restore, 1 cannot be"), "{}", ran.out);
    let rows = json(&desk.run(&[&args[..], &["--json"]].concat()));
    let first = &rows[0];
    assert_eq!((first["status"].as_str(), rows.len()), (Some("planned"), 3));
    // The plan's tiles are those that are restored.
    assert!(!desk.at("out").exists());
    let ran = desk.run(&[&args[..args.len() - 1], &["-q"]].concat());
    assert_eq!(desk.files("out").len(), 2, "{}", ran.err);
    assert!(first["tiles"].as_u64().unwrap() > 4 && first["tile_bytes"].as_u64().unwrap() > 1000);
}

#[test]
fn presets_stand_in_for_options_that_are_not_given() {
    let desk = Desk::new();
    desk.picture("a.png", 20, 14);
    let run = |args: &[&str]| {
        let output = desk
            .command(args)
            .env("SERPENT_PRESETS", desk.at("presets"))
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let saved = [
        RESTORE,
        &[
            "-i",
            "a.png",
            "--beside",
            "--template",
            "{name}-{strength}",
            "--strength",
            "0.5",
            "-f",
            "jpg",
            "--quality",
            "60",
            "--save-preset",
            "half",
        ],
    ]
    .concat();
    let (code, err) = run(&saved);
    assert_eq!(code, Some(0), "{err}");
    let first = std::fs::read(desk.at("a-50.jpg")).unwrap();
    std::fs::remove_file(desk.at("a-50.jpg")).unwrap();
    let by_name = [
        "restore", "--device", "cpu", "-i", "a.png", "--preset", "half",
    ];
    let (code, err) = run(&by_name);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(std::fs::read(desk.at("a-50.jpg")).unwrap(), first);
    let (code, err) = run(&[&by_name[..], &["--strength", "1", "-f", "png"]].concat());
    assert_eq!(code, Some(0), "{err}");
    assert!(desk.at("a-100.png").exists());
    // The mean of eight turns is part of it, and can be left off.
    let turned = ["-i", "a.png", "-o", "c.png", "--plan", "--json"];
    let turns = |more: &[&str]| {
        let args = [RESTORE, &turned, more].concat();
        let mut command = desk.command(&args);
        let output = command.env("SERPENT_PRESETS", desk.at("presets")).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let line = text.lines().find(|l| l.starts_with('{')).unwrap();
        let plan: serde_json::Value = serde_json::from_str(line).unwrap();
        plan["turns"].as_u64().unwrap()
    };
    assert_eq!(turns(&["--preset", "half"]), 1);
    assert_eq!(turns(&["-x", "--save-preset", "turned"]), 8);
    assert_eq!(turns(&["--preset", "turned"]), 8);
    assert_eq!(turns(&["--preset", "turned", "--ensemble=false"]), 1);
    let (code, err) = run(&["restore", "-i", "a.png", "-o", "b.png", "--preset", "gone"]);
    assert!(code == Some(1) && err.contains("there are half"), "{err}");
}

#[test]
fn beside_the_originals_needs_no_folder_and_never_feeds_on_itself() {
    let desk = Desk::new();
    desk.picture("in/a.png", 20, 14);
    desk.picture("in/deep/b.png", 14, 20);
    for _ in 0..2 {
        let ran = desk.restore(&["-i", "in", "-r", "--beside"]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    let expected = ["a-small.png", "a.png", "deep/b-small.png", "deep/b.png"];
    assert_eq!(desk.files("in"), expected);
    let ran = desk.restore(&["-i", "in", "--beside", "--template", "{name}"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("source"), "{}", ran.err);
    for (args, word) in [
        (&["-i", "in"][..], "--beside"),
        (&["-i", "in", "-o", "x", "--template", "{nom}"], "{name}"),
        (&["-i", "in", "-o", "x", "--report", "x.txt"], ".csv"),
        (&["-i", "in/a.png", "-o", "x", "--watch"], "folders"),
    ] {
        let ran = desk.restore(args);
        assert_eq!(ran.code, Some(1), "{args:?}");
        assert!(ran.err.contains(word), "{}", ran.err);
    }
    assert_eq!(desk.files("in"), expected);
}

#[test]
fn a_json_report_is_one_document() {
    let desk = Desk::new();
    desk.picture("in/a.png", 20, 14);
    std::fs::write(desk.at("in/b.png"), "no picture").unwrap();
    let ran = desk.restore(&["-i", "in", "-o", "out", "--report", "r.json"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    let text = std::fs::read_to_string(desk.at("r.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["summary"]["done"], 1);
    assert_eq!(report["files"][0]["pixels"], 280);
    let second = &report["files"][1];
    assert_eq!(second["state"], "failed");
    assert!(second["reason"].as_str().unwrap().contains("not a picture"));
}

#[cfg(unix)]
#[test]
fn a_watched_folder_is_restored_as_files_become_whole() {
    let desk = Desk::new();
    desk.picture("in/a.png", 20, 14);
    let args = [RESTORE, &["-i", "in", "--beside", "--watch", "-r"]].concat();
    let mut child = desk.command(&args).spawn().unwrap();
    let wait_for = |path: PathBuf| {
        let start = Instant::now();
        while !path.exists() {
            assert!(start.elapsed() < Duration::from_secs(40), "{path:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait_for(desk.at("in/a-small.png"));
    // A file that grows is not touched before it is whole.
    save_picture(&picture(31, 17), &desk.at("whole.png"));
    let whole = std::fs::read(desk.at("whole.png")).unwrap();
    std::fs::create_dir(desk.at("in/deep")).unwrap();
    grow(&desk.at("in/deep/b.png"), &whole);
    wait_for(desk.at("in/deep/b-small.png"));
    // Some more looks: outputs must not come back as inputs.
    std::thread::sleep(Duration::from_secs(4));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let mut err = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{err}");
    assert!(
        !err.contains("not a picture") && !err.contains("ends before"),
        "{err}"
    );
    assert_eq!(
        desk.files("in"),
        ["a-small.png", "a.png", "deep/b-small.png", "deep/b.png"]
    );
}

/// Writes a file in pieces, as a slow copy does.
#[cfg(unix)]
fn grow(path: &Path, whole: &[u8]) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    for piece in whole.chunks(whole.len().div_ceil(4)) {
        file.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(900));
    }
}
