//! A batch in the window: bad files, an end before the end, and going on.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use serpent::gui::{Command, Window};
use serpent_engine::image::Picture;

use crate::program::Desk;
use crate::window::{
    Answers, click, folder, run, save_picture, settle, setup, shows, wait, window_with,
};

/// 20 pictures in two folders, of which two are broken.
fn twenty(folder: &Path) {
    let photos = folder.join("photos");
    std::fs::create_dir_all(photos.join("inner")).unwrap();
    for i in 0..20 {
        let name = match i % 2 {
            0 => format!("{i:02}.png"),
            _ => format!("inner/{i:02}.png"),
        };
        let path = photos.join(name);
        match i {
            7 => std::fs::write(path, "no picture").unwrap(),
            12 => std::fs::write(path, "").unwrap(),
            _ => save_picture(&path, 96 + i, 64),
        }
    }
}

fn open(folder: &Path) -> Harness<'static, Window> {
    let answers = Answers {
        folders: vec![folder.join("photos"), folder.join("out")],
        ..Answers::default()
    };
    let mut harness = window_with(setup(folder), answers);
    run(&mut harness, Command::BatchFolder);
    run(&mut harness, Command::BatchOutput);
    harness
}

/// Results with the time they were written at.
fn results(folder: &Path) -> HashMap<String, SystemTime> {
    let mut found = HashMap::new();
    for folder in [folder.join("out"), folder.join("out/inner")] {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "png") {
                let picture = Picture::open(&path).expect("whole");
                assert_eq!(picture.height(), 64);
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                found.insert(name, entry.metadata().unwrap().modified().unwrap());
            }
        }
    }
    found
}

#[test]
fn window_goes_on_with_a_batch_that_was_cut_off() {
    let folder = folder();
    twenty(folder.path());
    let mut harness = open(folder.path());
    assert!(shows(&harness, "20 photos"));
    harness.get_by_label("Start").click();
    wait(&mut harness, "three results", |w| {
        w.batch_summary().is_some_and(|s| s.done >= 3)
    });
    // The window is closed in the middle of it.
    drop(harness);
    let early = results(folder.path());
    assert!((3..18).contains(&early.len()), "{}", early.len());

    let mut harness = open(folder.path());
    let done = format!("{} done already", early.len());
    assert!(shows(&harness, &done), "{done}");
    click(&mut harness, "Start");
    let summary = harness.state().batch_summary().unwrap();
    assert_eq!(summary.done, 18 - early.len());
    assert_eq!((summary.failed, summary.skipped), (2, early.len()));
    assert!(shows(&harness, "The batch is over: "));
    click(&mut harness, "Only what failed");
    assert!(shows(&harness, "07.png: "));
    assert!(shows(&harness, "12.png: "));
    assert!(!shows(&harness, "00.png: "));
    let late = results(folder.path());
    assert_eq!(late.len(), 18);
    assert!(
        early.iter().all(|(name, time)| late[name] == *time),
        "nothing is done twice"
    );
    let report = std::fs::read_to_string(folder.path().join("out/serpent-report.csv")).unwrap();
    assert_eq!(report.lines().count(), 21);
    let report = std::fs::read(folder.path().join("out/serpent-report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["files"].as_array().unwrap().len(), 20);
}

/// What the page says that it has found, while it searches.
fn so_far(harness: &Harness<'_, Window>) -> Option<usize> {
    let said = harness.query_all_by_label_contains(" so far").next()?;
    let said = said.accesskit_node();
    let text = said.label().or_else(|| said.value())?;
    text.split(' ').next()?.parse().ok()
}

#[test]
fn window_counts_the_photos_of_a_large_folder_while_it_lists_them() {
    const MANY: usize = 20_000;
    let folder = folder();
    let photos = folder.path().join("photos");
    std::fs::create_dir_all(&photos).unwrap();
    for i in 0..MANY {
        std::fs::File::create(photos.join(format!("{i:05}.png"))).unwrap();
    }
    let answers = Answers {
        folders: vec![folder.path().join("out"), photos],
        ..Answers::default()
    };
    let mut harness = window_with(setup(folder.path()), answers);
    run(&mut harness, Command::BatchOutput);
    harness.state_mut().run(Command::BatchFolder);
    let start = Instant::now();
    let (mut counts, mut slowest) = (Vec::new(), Duration::ZERO);
    while !shows(&harness, &format!("{MANY} photos")) || so_far(&harness).is_some() {
        assert!(start.elapsed() < Duration::from_secs(120), "{counts:?}");
        let frame = Instant::now();
        harness.step();
        slowest = slowest.max(frame.elapsed());
        counts.extend(so_far(&harness));
        std::thread::sleep(Duration::from_millis(1));
    }
    let listing = start.elapsed();
    counts.dedup();
    println!(
        "{} counts in {listing:.1?}, slowest frame {slowest:.1?}",
        counts.len()
    );
    assert!(counts.is_sorted(), "{counts:?}");
    // Frames go on meanwhile, and show it.
    let between = counts.iter().filter(|n| (1..MANY).contains(*n)).count();
    assert!(between >= 2, "{counts:?}");
}

/// How many results were not touched since.
fn same(early: &HashMap<String, SystemTime>, late: &HashMap<String, SystemTime>) -> usize {
    let same = |(name, time): &(&String, &SystemTime)| late.get(*name) == Some(*time);
    early.iter().filter(same).count()
}

#[test]
fn window_goes_on_with_a_batch_whose_process_was_killed() {
    let display = ["DISPLAY", "WAYLAND_DISPLAY"];
    if !display.iter().any(|d| std::env::var_os(d).is_some()) {
        println!("there is no screen for a real window");
        return;
    }
    let desk = Desk::new();
    twenty(&desk.at("."));
    let args = ["--device", "cpu", "--batch-to", "out", "photos"];
    let mut child = desk.command(&args).spawn().unwrap();
    let start = Instant::now();
    while results(&desk.at(".")).len() < 3 {
        assert!(start.elapsed() < Duration::from_secs(120), "three results");
        assert_eq!(child.try_wait().unwrap(), None, "it works on");
        std::thread::sleep(Duration::from_millis(5));
    }
    // On Linux SIGKILL: nothing is put in order.
    child.kill().unwrap();
    child.wait().unwrap();
    let early = results(&desk.at("."));
    assert!((3..18).contains(&early.len()), "{}", early.len());

    let ran = desk.run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let late = results(&desk.at("."));
    assert_eq!(late.len(), 18);
    let report = std::fs::read(desk.at("out/serpent-report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let count = |state: &str| {
        let files = report["files"].as_array().unwrap().iter();
        files.filter(|f| f["state"] == state).count()
    };
    assert_eq!(count("failed"), 2);
    assert_eq!(count("done") + count("skipped"), 18);
    // A result whose end could not be noted any more is made again, whole ones are not.
    assert!(count("skipped") + 1 >= early.len());
    assert_eq!(same(&early, &late), count("skipped"));
}

#[test]
fn window_tells_the_desktop_of_the_end_when_nobody_looks() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("photos")).unwrap();
    save_picture(&folder.path().join("photos/one.png"), 40, 30);
    let answers = Answers {
        folders: vec![folder.path().join("photos"), folder.path().join("out")],
        ..Answers::default()
    };
    let told = answers.told.clone();
    let mut harness = window_with(setup(folder.path()), answers);
    run(&mut harness, Command::BatchFolder);
    run(&mut harness, Command::BatchOutput);
    click(&mut harness, "Start");
    assert!(told.lock().unwrap().is_empty(), "the user is looking");
    std::fs::remove_file(folder.path().join("out/one-restored.png")).unwrap();
    click(&mut harness, "With folders inside");
    harness.input_mut().focused = false;
    harness.event(egui::Event::WindowFocused(false));
    run(&mut harness, Command::BatchStart);
    let told = told.lock().unwrap().clone();
    assert_eq!(told, ["The batch is over: 1 restored"]);
}

#[test]
fn window_watches_a_folder() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("photos")).unwrap();
    save_picture(&folder.path().join("photos/00.png"), 40, 64);
    let mut harness = open(folder.path());
    click(&mut harness, "Watch for new pictures afterwards");
    harness.get_by_label("Start").click();
    let done = |w: &Window, n| w.batch_summary().is_some_and(|s| s.done == n);
    wait(&mut harness, "the first", |w| done(w, 1));
    save_picture(&folder.path().join("photos/01.png"), 44, 64);
    wait(&mut harness, "the new one", |w| done(w, 2));
    wait(&mut harness, "the next watch", |w| w.is_busy());
    let found = results(folder.path());
    assert!(found.contains_key("01-restored.png"), "{found:?}");
    assert!(shows(&harness, "01.png: Done"));
    assert!(harness.state().is_busy(), "it goes on watching");
    harness.get_by_label("Stop").click();
    settle(&mut harness);
    assert!(shows(&harness, "The batch is over: 2 restored"));
}

#[test]
fn window_pauses_and_stops_a_batch() {
    let folder = folder();
    twenty(folder.path());
    let mut harness = open(folder.path());
    harness.get_by_label("Start").click();
    wait(&mut harness, "the start", |w| {
        w.batch_summary().is_some_and(|s| s.done >= 1)
    });
    harness.state_mut().run(Command::BatchPause);
    wait(&mut harness, "the pause", |_| true);
    assert!(shows(&harness, "Paused"));
    // What was under way is still finished and saved.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    harness.run_steps(2);
    let at_rest = harness.state().batch_summary().unwrap().done;
    std::thread::sleep(std::time::Duration::from_millis(500));
    harness.run_steps(2);
    assert_eq!(harness.state().batch_summary().unwrap().done, at_rest);
    harness.get_by_label("Stop").click();
    settle(&mut harness);
    let summary = harness.state().batch_summary().unwrap();
    assert_eq!(summary.left, 0);
    assert!(summary.cancelled > 0);
    assert_eq!(results(folder.path()).len(), summary.done);
}

#[test]
fn window_keeps_presets() {
    let folder = folder();
    twenty(folder.path());
    let mut harness = open(folder.path());
    click(&mut harness, "Beside the originals");
    harness.get_by_label("Keep").scroll_to_me();
    harness.run_steps(3);
    harness.get_by_label("Name of a new preset").focus();
    harness.run_steps(2);
    harness
        .get_by_label("Name of a new preset")
        .type_text("night");
    settle(&mut harness);
    click(&mut harness, "Keep");
    harness.get_by_label("A folder").scroll_to_me();
    harness.run_steps(3);
    click(&mut harness, "A folder");
    harness.get_by_label("Keep").scroll_to_me();
    harness.run_steps(3);
    click(&mut harness, "night");
    let kept = std::fs::read_to_string(folder.path().join("config/presets/night.toml")).unwrap();
    assert!(kept.contains("beside = true"), "{kept}");
    click(&mut harness, "Remove the preset night");
    assert!(!folder.path().join("config/presets/night.toml").exists());
}
