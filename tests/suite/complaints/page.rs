//! The page of promises names tests that exist.

use std::collections::BTreeSet;
use std::path::Path;

/// Names of all functions in the sources.
fn functions() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let names = text.split("fn ").skip(1).filter_map(|rest| {
                    let name = rest.split('(').next()?;
                    Some(name.to_owned())
                });
                found.extend(names);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeSet::new();
    for folder in [
        "engine/src",
        "app/src",
        "app/tests",
        "tests/suite",
        "fuzz/src",
    ] {
        walk(&root.join(folder), &mut found);
    }
    found
}

/// Names of tests on a line: in backquotes, words joined by underscores.
fn named(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let is_name = |s: &&str| {
        s.matches('_').count() >= 2
            && s.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    quoted.filter(is_name).collect()
}

#[test]
fn every_promise_and_every_complaint_names_tests_that_exist() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reliability.md");
    let page = std::fs::read_to_string(page).unwrap();
    let functions = functions();
    let mut complaints = BTreeSet::new();
    let mut rows = 0;
    for line in page.lines().filter(|l| l.starts_with('|')) {
        let tests = named(line);
        for test in &tests {
            assert!(functions.contains(*test), "{test}: no such test; {line}");
        }
        rows += usize::from(!tests.is_empty());
        let first = line.split('|').nth(1).unwrap().trim();
        if let Ok(number) = first.parse::<usize>() {
            assert!(!tests.is_empty(), "complaint {number} has no test");
            complaints.insert(number);
        }
    }
    assert_eq!(complaints, (1..=25).collect());
    assert!(rows > 50, "{rows} rows name tests");
}
