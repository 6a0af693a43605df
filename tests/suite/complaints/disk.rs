//! Disks that are full, folders that cannot be written, files that go away, two runs at once.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serpent_engine::image::Picture;

use crate::program::{Desk, Ran};

const FOLDER: &[&str] = &[
    "restore", "--device", "cpu", "-m", "small", "-i", "in", "-o", "out", "--json",
];

/// Runs `serpent` by way of another program, whose arguments it follows.
fn run_under(desk: &Desk, program: &str, before: &[&str], args: &[&str]) -> Ran {
    let serpent = desk.command(args);
    let mut command = Command::new(program);
    command
        .args(before)
        .arg(serpent.get_program())
        .args(serpent.get_args());
    for (name, value) in serpent.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command
        .current_dir(desk.at(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn count(ran: &Ran, state: &str) -> usize {
    ran.out.matches(&format!("\"status\":\"{state}\"")).count()
}

#[test]
fn a_full_disk_leaves_no_half_file_and_the_rest_is_done_later() {
    let desk = Desk::new();
    for (i, side) in [8, 150, 9, 160].iter().enumerate() {
        desk.picture(&format!("in/{i}.png"), *side, *side);
    }
    // No file may be longer than 8 KiB, as if the disk were full then.
    let full = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
    let ran = run_under(&desk, "sh", &["-c", full], FOLDER);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert_eq!((count(&ran, "done"), count(&ran, "failed")), (2, 2));
    for line in ran.err.lines() {
        assert!(
            line.starts_with("out/") && line.contains("cannot write the file"),
            "{line}"
        );
    }
    assert_eq!(
        desk.files("out"),
        ["0.png", "2.png"],
        "nothing half, nothing temporary"
    );
    let ran = desk.run(FOLDER);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!((count(&ran, "done"), count(&ran, "skipped")), (2, 2));
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_finds_no_room_stops_no_picture() {
    let desk = Desk::new();
    for i in 0..3 {
        desk.picture(&format!("in/{i}.png"), 12, 12);
    }
    for (name, made) in [("r.csv", "done"), ("r.json", "skipped")] {
        std::fs::write(desk.at(name), "of before").unwrap();
        // Rows go to a device that is always full.
        std::os::unix::fs::symlink("/dev/full", desk.at(&format!("{name}.part"))).unwrap();
        let ran = desk.run(&[FOLDER, &["--report", name]].concat());
        assert_eq!((ran.code, count(&ran, made)), (Some(2), 3), "{}", ran.err);
        let lines = ran.lines();
        assert_eq!(lines.len(), 1, "once: {}", ran.err);
        assert!(
            lines[0].starts_with(&format!("{name}.part: cannot write the report: No space")),
            "{}",
            ran.err
        );
        let report = std::fs::read(desk.at(name)).unwrap();
        assert_eq!(report, b"of before", "no report with gaps");
    }
    assert_eq!(desk.files("out"), ["0.png", "1.png", "2.png"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named_and_nothing_is_lost() {
    let desk = Desk::new();
    desk.picture("in/a.png", 20, 14);
    std::fs::create_dir(desk.at("out")).unwrap();
    std::fs::set_permissions(desk.at("out"), PermissionsExt::from_mode(0o555)).unwrap();
    // The superuser may write everywhere, unless that right is given away.
    let ran = match std::fs::write(desk.at("out/probe"), "") {
        Ok(()) => {
            std::fs::remove_file(desk.at("out/probe")).unwrap();
            let less = ["--bounding-set", "-all", "--inh-caps", "-all"];
            run_under(&desk, "setpriv", &less, FOLDER)
        }
        Err(_) => desk.run(FOLDER),
    };
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    let first = ran.err.lines().next().unwrap();
    assert!(
        first.starts_with("out/a.png: cannot create a file in this folder"),
        "{}",
        ran.err
    );
    assert!(desk.files("out").is_empty());
    // Where there is a file in the folder's place.
    std::fs::write(desk.at("file"), "mine").unwrap();
    let ran = desk.restore(&["-i", "in/a.png", "-o", "file/deep/a.png"]);
    assert_eq!((ran.code, ran.lines().len()), (Some(2), 1), "{}", ran.err);
    assert!(
        ran.err.contains("file/deep: cannot make this folder"),
        "{}",
        ran.err
    );
    assert_eq!(std::fs::read(desk.at("file")).unwrap(), b"mine");
}

#[test]
fn files_that_vanish_are_told_and_the_others_done() {
    let desk = Desk::new();
    for i in 0..14 {
        desk.picture(&format!("in/{i:02}.png"), 60, 60);
    }
    let mut child = desk.command(FOLDER).spawn().unwrap();
    let mut states = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if !line.contains("\"status\"") {
            continue;
        }
        if states.is_empty() {
            // The first is done: later ones go, and one becomes another's half-copied file.
            std::fs::remove_file(desk.at("in/12.png")).unwrap();
            std::fs::write(desk.at("in/13.png"), "half").unwrap();
        }
        states.push(line.contains("\"done\""));
    }
    let mut err = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{err}");
    assert_eq!(states, [[true; 12].as_slice(), &[false; 2]].concat());
    let told: Vec<&str> = err.lines().collect();
    assert!(told[0].contains("in/12.png: cannot open the file"), "{err}");
    assert!(told[1].contains("in/13.png"), "{err}");
    assert_eq!(desk.files("out").len(), 12);
}

#[test]
fn two_runs_in_one_folder_leave_whole_files_and_lose_none() {
    let desk = Desk::new();
    for i in 0..12 {
        desk.picture(&format!("in/{i:02}.png"), 50, 50 + i);
    }
    let ran = desk.restore(&["-i", "in", "-o", "right"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let runs = [0, 1].map(|_| desk.command(FOLDER).spawn().unwrap());
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        // What the other made meanwhile is left, and said.
        assert!(matches!(output.status.code(), Some(0 | 2)), "{err}");
        for line in err.lines() {
            assert!(
                line.contains("come into being") || line.contains("exists"),
                "{line}"
            );
        }
    }
    assert_eq!(
        desk.files("out"),
        desk.files("right"),
        "and nothing temporary"
    );
    for name in desk.files("out") {
        let bytes = |folder: &str| std::fs::read(desk.at(folder).join(&name)).unwrap();
        assert!(bytes("out") == bytes("right"), "{name}");
        Picture::open(desk.at("out").join(&name)).unwrap();
    }
    let ran = desk.run(FOLDER);
    assert_eq!(
        (ran.code, count(&ran, "skipped")),
        (Some(0), 12),
        "{}",
        ran.err
    );
}
