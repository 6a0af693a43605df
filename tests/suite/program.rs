//! The program, driven from tests: the test binary starts itself again as `serpent`, so that
//! nothing depends on where cargo put another binary.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::models::{picture, save, save_picture, small};

pub const PROGRAM_ARGS: &str = "SERPENT_TEST_ARGS";
/// How names of journals begin.
const JOURNALS: &str = ".serpent-journal";
const MARK: &str = "=== serpent ===";

/// Not a test: the program, when this binary is started by [`command`].
#[test]
fn program() {
    let Ok(args) = std::env::var(PROGRAM_ARGS) else {
        return;
    };
    let args: Vec<String> = serde_json::from_str(&args).unwrap();
    println!("{MARK}");
    let code = serpent::cli::main_from(std::iter::once("serpent".to_owned()).chain(args));
    let number = (0..=255u8).find(|&n| ExitCode::from(n) == code).unwrap();
    std::process::exit(number.into());
}

/// This binary as `serpent` with these arguments.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "program::program",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(PROGRAM_ARGS, serde_json::to_string(args).unwrap());
    command
}

/// What the program did.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Its lines on standard error.
    pub fn lines(&self) -> Vec<&str> {
        self.err.lines().collect()
    }
}

/// A folder to work in, with a model called `small` in `models`.
pub struct Desk(tempfile::TempDir);

impl Desk {
    pub fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(desk.at("models")).unwrap();
        save(&small(|_| ()), &desk.at("models/small.safetensors"));
        desk
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command
            .env("SERPENT_MODELS", self.at("models"))
            // What it finds out about devices stays with the test.
            .env("SERPENT_CACHE", self.at("cache"))
            .env_remove("RUST_LOG")
            // Without it some drivers print to standard error.
            .env("XDG_RUNTIME_DIR", self.0.path())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        Ran {
            code: output.status.code(),
            out: out
                .split_once(&format!("{MARK}\n"))
                .map_or(String::new(), |(_, rest)| rest.to_owned()),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `restore` on the processor with the small model.
    pub fn restore(&self, args: &[&str]) -> Ran {
        self.run(&[&["restore", "--device", "cpu", "-m", "small"], args].concat())
    }

    /// All files below a folder but journals, by their path from it.
    pub fn files(&self, folder: &str) -> Vec<String> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    walk(&entry.path(), found);
                } else if !entry.file_name().to_string_lossy().starts_with(JOURNALS) {
                    found.push(entry.path());
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.at(folder), &mut found);
        let inner = |p: &PathBuf| p.strip_prefix(self.at(folder)).unwrap().to_owned();
        let mut names: Vec<String> = found
            .iter()
            .map(|p| inner(p).to_string_lossy().replace('\\', "/"))
            .collect();
        names.sort();
        names
    }

    pub fn picture(&self, name: &str, width: usize, height: usize) {
        save_picture(&picture(width, height), &self.at(name));
    }
}
