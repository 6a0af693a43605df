//! One folder shared by several runs, by the scripts that the documentation shows.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Desk, PROGRAM_ARGS};

const PICTURES: usize = 17;

/// A desk with pictures, a broken one among them, and `serpent` as a program in `bin`.
fn desk() -> Desk {
    let desk = Desk::new();
    for i in 0..PICTURES - 1 {
        desk.picture(&format!("in/{}/{i:02}.png", i % 3), 20, 20 + i);
    }
    std::fs::write(desk.at("in/broken.png"), "no picture").unwrap();
    let shim = format!(
        "#!/bin/sh\nargs=\nfor a; do args=\"$args,\\\"$a\\\"\"; done\n{PROGRAM_ARGS}=\"[${{args#,}}]\" exec '{}' --exact program::program --nocapture --test-threads=1\n",
        std::env::current_exe().unwrap().display()
    );
    std::fs::create_dir(desk.at("bin")).unwrap();
    std::fs::write(desk.at("bin/serpent"), shim).unwrap();
    let mode = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(desk.at("bin/serpent"), mode).unwrap();
    desk
}

/// A file of the documentation.
fn shown(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("docs/cluster").join(name)
}

/// Runs a script of the documentation.
fn script(desk: &Desk, name: &str, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let path = shown(name);
    shell(desk, &[&[path.to_str().unwrap()], args].concat(), env)
}

/// Runs the shell with these arguments.
fn shell(desk: &Desk, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("sh");
    command
        .args(args)
        .env("PATH", format!("{}:{path}", desk.at("bin").display()))
        .env("SERPENT_MODELS", desk.at("models"))
        .env("SERPENT_CACHE", desk.at("cache"))
        .envs(env.iter().copied())
        .current_dir(desk.at(""));
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// Checks that all are there once, and that the joined report says so.
fn all_done(desk: &Desk, parts: usize) {
    let made = desk.files("out");
    let pictures = made.iter().filter(|n| n.ends_with(".png"));
    assert_eq!(pictures.count(), PICTURES - 1, "{made:?}");
    assert!(!made.iter().any(|n| n.ends_with(".tmp")));
    let rows = |name: &str| {
        let text = std::fs::read_to_string(desk.at("out").join(name)).unwrap();
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let each: Vec<usize> = (1..=parts)
        .map(|k| rows(&format!("report-{k}.csv")).len())
        .collect();
    assert_eq!(each.iter().sum::<usize>(), PICTURES, "{each:?}");
    assert!(
        each.iter().filter(|n| **n > 0).count() > 1,
        "shared: {each:?}"
    );
    let all = rows("report.csv");
    assert_eq!(all.len(), PICTURES);
    assert!(all.is_sorted(), "by path");
    assert_eq!(all.iter().filter(|r| r.contains(",failed,")).count(), 1);
}

#[test]
fn shards_under_gnu_parallel_or_xargs_do_everything_once() {
    let there = Command::new("parallel").arg("--version").output();
    let name = match there {
        Ok(o) if o.status.success() => "parallel.sh",
        _ => "xargs.sh",
    };
    println!("{name}");
    let desk = desk();
    let args = ["4", "in", "out", "--device", "cpu", "-m", "small"];
    // 2: one picture is broken.
    let (code, said) = script(&desk, name, &args, &[]);
    assert_eq!(code, Some(2), "{said}");
    all_done(&desk, 4);
    // Once more: nothing is made twice.
    let (_, said) = script(&desk, name, &args, &[]);
    assert!(said.contains("0 restored, 16 skipped, 1 failed"), "{said}");
}

#[test]
fn shards_of_a_slurm_array_do_everything_once() {
    let desk = desk();
    for part in ["1", "2", "3"] {
        let env = [("SLURM_ARRAY_TASK_ID", part), ("SERPENT_PARTS", "3")];
        let args = ["in", "out", "--device", "cpu", "-m", "small"];
        let (code, said) = script(&desk, "slurm.sh", &args, &env);
        assert!(matches!(code, Some(0 | 2)), "{said}");
    }
    let reports = ["out/report-1.csv", "out/report-2.csv", "out/report-3.csv"];
    let merge = [&["report", "merge", "-o", "out/report.csv"], &reports[..]].concat();
    let ran = desk.run(&merge);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    all_done(&desk, 3);
    let ran = desk.run(&[
        "report",
        "merge",
        "-o",
        "all.json",
        "out/report-1.csv",
        "gone.csv",
    ]);
    assert_eq!((ran.code, ran.lines().len()), (Some(1), 1), "{}", ran.err);
    assert!(ran.err.contains("gone.csv"), "{}", ran.err);
}

/// What the pods of the Job run, with this machine's paths.
#[test]
fn shards_of_a_kubernetes_job_do_everything_once() {
    let desk = desk();
    let job = std::fs::read_to_string(shown("kubernetes.yaml")).unwrap();
    let (_, body) = job.split_once("            - |\n").unwrap();
    let inside = "              ";
    let body: Vec<&str> = body.lines().map_while(|l| l.strip_prefix(inside)).collect();
    let body = body.join("\n");
    assert!(job.contains("completions: 16") && body.contains("$part/16"));
    let body = body
        .replace("$part/16", "$part/3")
        .replace("/photos/", "")
        .replace("serpent restore", "serpent restore --device cpu -m small");
    for index in ["0", "1", "2"] {
        let env = [("JOB_COMPLETION_INDEX", index)];
        // A picture that is broken fails no pod.
        let (code, said) = shell(&desk, &["-c", &body], &env);
        assert_eq!(code, Some(0), "{said}");
    }
    let parts = (1..=3).map(|part| format!("out/report-{part}.csv"));
    let parts: Vec<String> = parts.collect();
    let merge = ["report", "merge", "-o", "out/report.csv"].into_iter();
    let merge: Vec<&str> = merge.chain(parts.iter().map(String::as_str)).collect();
    let ran = desk.run(&merge);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    all_done(&desk, 3);
}
