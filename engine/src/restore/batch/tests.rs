#![allow(clippy::unwrap_used)]
//! Which file becomes which, what a journal says, and a run through an engine.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::image::{Format, SaveOptions};
use crate::restore::tests::{checkpoint, picture};
use crate::restore::{Device, Engine, Options};

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[&str]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for file in files {
            let path = folder.at(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        folder
    }

    fn at(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn plan(
        &self,
        inputs: &[&str],
        output: &str,
        change: impl Fn(&mut BatchRequest),
    ) -> Result<BatchPlan, BatchError> {
        let mut request = BatchRequest {
            inputs: inputs.iter().map(|i| self.at(i)).collect(),
            destination: Destination::At(self.at(output)),
            ..BatchRequest::default()
        };
        change(&mut request);
        plan_batch(&request)
    }

    fn outputs(&self, plan: &BatchPlan) -> Vec<String> {
        let inner = |i: &Item| {
            i.output
                .strip_prefix(self.0.path())
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/")
        };
        plan.items().map(inner).collect()
    }
}

#[test]
fn a_folder_is_mirrored_and_foreign_files_are_left_out() {
    let f = Folder::with(&[
        "in/b.PNG",
        "in/a.jpg",
        "in/desktop.ini",
        "in/.c.png",
        "in/deep/d.gif",
    ]);
    let flat = f.plan(&["in"], "out", |_| ()).unwrap();
    assert_eq!(f.outputs(&flat), ["out/a.jpg", "out/b.PNG"]);
    let deep = f.plan(&["in"], "out", |r| r.recursive = true).unwrap();
    assert_eq!(
        f.outputs(&deep),
        ["out/a.jpg", "out/b.PNG", "out/deep/d.png"]
    );
    let webp = f
        .plan(&["in"], "out", |r| r.format = Some(Format::WebP))
        .unwrap();
    assert_eq!(f.outputs(&webp), ["out/a.webp", "out/b.webp"]);
}

#[test]
fn a_source_is_never_an_output() {
    let f = Folder::with(&["a.png", "b.png", "in/a.png"]);
    let overwrite = |r: &mut BatchRequest| r.existing = Existing::Overwrite;
    for (inputs, output) in [
        (&["a.png"][..], "a.png"),
        (&["a.png"], "./in/../a.png"),
        (&["a.png"], "."),
        (&["in"], "in"),
    ] {
        let plan = f.plan(inputs, output, overwrite).unwrap();
        assert_eq!(
            (plan.items().count(), plan.refused().count()),
            (0, 1),
            "{inputs:?} {output}"
        );
    }
    // Nor is another picture of the call, nor one reached through a link.
    let plan = f.plan(&["in/a.png", "a.png"], ".", overwrite).unwrap();
    assert_eq!(plan.items().count(), 0);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(f.at("a.png"), f.at("link.png")).unwrap();
        let plan = f.plan(&["a.png"], "link.png", overwrite).unwrap();
        assert_eq!(plan.items().count(), 0);
    }
}

#[test]
fn existing_outputs_are_refused_replaced_or_skipped() {
    let f = Folder::with(&["in/a.png", "in/b.png", "out/a.png"]);
    let counts = |existing| {
        let plan = f.plan(&["in"], "out", |r| r.existing = existing).unwrap();
        (
            plan.items().count(),
            plan.skipped().count(),
            plan.refused().count(),
        )
    };
    assert_eq!(counts(Existing::Refuse), (1, 0, 1));
    assert_eq!(counts(Existing::Overwrite), (2, 0, 0));
    assert_eq!(counts(Existing::Skip), (1, 1, 0));
}

#[test]
fn two_pictures_never_share_an_output() {
    let f = Folder::with(&["in/a.png", "in/a.jpg"]);
    let plan = f
        .plan(&["in"], "out", |r| r.format = Some(Format::Png))
        .unwrap();
    assert_eq!((plan.items().count(), plan.refused().count()), (1, 1));
}

/// Where the file system takes `A` and `a` for one name, so do plans; elsewhere they do not.
/// `SERPENT_CASELESS` names a folder on such a file system.
#[test]
fn names_in_other_letters_are_one_file_where_the_file_system_says_so() {
    let f = match std::env::var_os("SERPENT_CASELESS") {
        Some(folder) => Folder(tempfile::tempdir_in(folder).unwrap()),
        None => Folder::with(&[]),
    };
    for name in ["in/one/A.png", "in/two/a.png"] {
        fs::create_dir_all(f.at(name).parent().unwrap()).unwrap();
        fs::write(f.at(name), "x").unwrap();
    }
    let caseless = f.at("in/ONE/a.PNG").exists();
    assert!(caseless || std::env::var_os("SERPENT_CASELESS").is_none());
    println!("names in other letters are one file here: {caseless}");
    let counts = |inputs: &[&str], output: &str| {
        let plan = f.plan(inputs, output, |r| r.existing = Existing::Overwrite);
        let plan = plan.unwrap();
        (plan.items().count(), plan.refused().count())
    };
    let one = if caseless { (0, 1) } else { (1, 0) };
    assert_eq!(counts(&["in/one/A.png"], "in/one/a.png"), one);
    assert_eq!(counts(&["in/one/A.png"], "IN/ONE/A.PNG"), one);
    let two = if caseless { (1, 1) } else { (2, 0) };
    let inputs = ["in/one/A.png", "in/two/a.png"];
    // Into a folder that is there, one that is not, and one that is empty.
    fs::create_dir(f.at("empty")).unwrap();
    for output in ["in/", "new/deep/", "empty/"] {
        assert_eq!(counts(&inputs, output), two, "{output}");
    }
}

#[test]
fn an_output_folder_inside_the_input_is_not_searched() {
    let f = Folder::with(&["in/a.png", "in/out/a.png"]);
    let plan = f.plan(&["in"], "in/out", |r| {
        r.recursive = true;
        r.existing = Existing::Overwrite;
    });
    assert_eq!(f.outputs(&plan.unwrap()), ["in/out/a.png"]);
}

#[test]
fn one_file_goes_to_a_file_or_into_a_folder() {
    let f = Folder::with(&["a.gif", "b.png"]);
    fs::create_dir(f.at("there")).unwrap();
    let one = |output, format| {
        f.plan(&["a.gif"], output, |r| r.format = format)
            .map(|p| f.outputs(&p))
    };
    assert_eq!(one("there", None).unwrap(), ["there/a.png"]);
    assert_eq!(one("new/", Some(Format::Tiff)).unwrap(), ["new/a.tif"]);
    assert_eq!(one("x.jpg", None).unwrap(), ["x.jpg"]);
    assert_eq!(one("x", Some(Format::Jpeg)).unwrap(), ["x.jpg"]);
    assert!(one("x.jpg", Some(Format::Png)).is_err());
    assert!(one("x", None).is_err());
    assert!(f.plan(&["a.gif", "b.png"], "b.png", |_| ()).is_err());
    assert!(f.plan(&["gone.png"], "x.png", |_| ()).is_err());
    let several = f.plan(&["a.gif", "b.png"], "new", |_| ()).unwrap();
    assert_eq!(f.outputs(&several), ["new/a.png", "new/b.png"]);
}

#[test]
fn a_folder_without_pictures_says_so() {
    let f = Folder::with(&["in/notes.txt"]);
    let message = f.plan(&["in"], "out", |_| ()).unwrap_err().to_string();
    assert!(
        message.contains("no pictures") && message.contains("-r"),
        "{message}"
    );
}

/// A batch's outcome by file.
fn run(plan: BatchPlan, model: &Arc<Checkpoint>, save: SaveOptions) -> BatchRun {
    let (engine, events) = Engine::start_with(|| Ok(Device::cpu()), || ());
    let work = Work {
        model: model.clone(),
        options: Options::default(),
        save,
    };
    let mut run = BatchRun::new(plan, work, 100);
    run.feed(&engine);
    while !run.is_over() {
        run.take(&events.recv().unwrap());
        run.feed(&engine);
    }
    run
}

fn settings(model: &Checkpoint) -> Option<String> {
    let save = SaveOptions::default();
    Some(settings_of(model, &Options::default(), &save))
}

fn save(folder: &Folder, name: &str, side: usize) {
    let path = folder.at(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture(side, side)
        .save(path, &SaveOptions::default())
        .unwrap();
}

#[test]
fn templates_make_names_and_say_what_is_wrong_with_them() {
    let labels = Labels {
        model: "my/model".into(),
        scale: 2,
        strength: 0.755,
    };
    let name = |text: &str| {
        let template: Template = text.parse().unwrap();
        assert_eq!(template.to_string(), text);
        let input = Path::new("holiday/a.b.png");
        let name = template.name(input, &labels, 7, 120);
        name.to_str().unwrap().to_owned()
    };
    assert_eq!(name("{name}"), "a.b");
    assert_eq!(name("{model}/{name}_x{scale}"), "my_model/a.b_x2");
    assert_eq!(name("{parent}-{n}-{strength}"), "holiday-007-76");
    for (text, word) in [
        ("{nam}", "{name}"),
        ("{name", "not closed"),
        ("name}", "not closed"),
        ("{model}", "same name"),
        ("fixed", "same name"),
        ("", "empty"),
        ("/tmp/{name}", "leaves its folder"),
        ("../{name}", "leaves its folder"),
        ("a//{name}", "empty"),
        (".{name}", "hidden"),
        ("{name}?", "character"),
        ("C:{name}", "character"),
    ] {
        let message = text.parse::<Template>().unwrap_err().to_string();
        assert!(message.contains(word), "{text}: {message}");
    }
}

#[test]
fn templates_name_outputs_in_the_mirrored_tree_and_collide_before_anything_runs() {
    let f = Folder::with(&["in/a.b.png", "in/deep/c.JPG", "in/deep/d.gif"]);
    let plan = |template: &str| {
        f.plan(&["in"], "out", |r| {
            r.recursive = true;
            r.template = Some(template.parse().unwrap());
        })
    };
    assert_eq!(
        f.outputs(&plan("{name}-{model}").unwrap()),
        [
            "out/a.b-restored.png",
            "out/deep/c-restored.JPG",
            "out/deep/d-restored.png"
        ]
    );
    assert_eq!(
        f.outputs(&plan("{n}").unwrap()),
        ["out/1.png", "out/deep/2.JPG", "out/deep/3.png"]
    );
    fs::write(f.at("in/deep/d.png"), "x").unwrap();
    let message = plan("x-{name}").unwrap_err().to_string();
    assert!(
        message.contains("d.gif") && message.contains("d.png"),
        "{message}"
    );
    let one = f.plan(&["in/a.b.png"], "new", |r| {
        r.template = "{name}".parse().ok();
    });
    assert_eq!(f.outputs(&one.unwrap()), ["new/a.b.png"]);
}

#[test]
fn outputs_beside_the_originals_are_no_inputs_of_the_next_call() {
    let f = Folder::with(&[]);
    save(&f, "in/a.png", 9);
    save(&f, "in/deep/b.png", 8);
    let model = checkpoint(|_| ());
    let plan = |labels: &str| {
        f.plan(&["in"], "", |r| {
            r.destination = Destination::Beside;
            r.recursive = true;
            r.labels.model = labels.to_owned();
            r.settings = settings(&model);
        })
        .unwrap()
    };
    let first = plan("m");
    assert_eq!(f.outputs(&first), ["in/a-m.png", "in/deep/b-m.png"]);
    let done = run(first, &model, SaveOptions::default());
    assert_eq!(done.summary().done, 2);
    let again = plan("m");
    assert_eq!((again.items().count(), again.skipped().count()), (0, 2));
    // Another name: the same two pictures, not four.
    assert_eq!(f.outputs(&plan("k")), ["in/a-k.png", "in/deep/b-k.png"]);
}

#[test]
fn what_was_made_with_the_same_settings_is_not_made_again() {
    let f = Folder::with(&["out/c.png"]);
    for (name, side) in [("in/a.png", 9), ("in/b.png", 10), ("in/c.png", 11)] {
        save(&f, name, side);
    }
    let model = checkpoint(|_| ());
    let plan = |existing, settings: Option<String>| {
        let plan = f.plan(&["in"], "out", |r| {
            r.existing = existing;
            r.settings = settings.clone();
        });
        plan.unwrap()
    };
    let counts = |p: &BatchPlan| (p.items().count(), p.skipped().count(), p.refused().count());
    let first = run(
        plan(Existing::Refuse, settings(&model)),
        &model,
        SaveOptions::default(),
    );
    let all = first.summary();
    assert_eq!(
        (all.done, all.failed, all.left),
        (2, 1, 0),
        "c.png is foreign"
    );
    assert_eq!(fs::read(f.at("out/c.png")).unwrap(), b"x");
    let same = settings(&model);
    assert_eq!(counts(&plan(Existing::Refuse, same.clone())), (0, 2, 1));
    assert_eq!(counts(&plan(Existing::Update, same.clone())), (1, 2, 0));
    assert_eq!(counts(&plan(Existing::Skip, same.clone())), (0, 3, 0));
    assert_eq!(counts(&plan(Existing::Overwrite, same.clone())), (3, 0, 0));
    let other = Some(settings_of(
        &model,
        &Options {
            strength: 0.5,
            ..Options::default()
        },
        &SaveOptions::default(),
    ));
    assert_ne!(other, same);
    let without_place = SaveOptions {
        strip_gps: true,
        ..SaveOptions::default()
    };
    let stripped = settings_of(&model, &Options::default(), &without_place);
    assert_ne!(Some(stripped), same);
    assert_eq!(counts(&plan(Existing::Refuse, other.clone())), (0, 0, 3));
    assert_eq!(counts(&plan(Existing::Update, other)), (3, 0, 0));
    // A source that has changed since, an output that somebody else has changed.
    save(&f, "in/a.png", 12);
    fs::write(f.at("out/b.png"), "edited").unwrap();
    assert_eq!(counts(&plan(Existing::Update, same.clone())), (3, 0, 0));
    assert_eq!(counts(&plan(Existing::Refuse, same)), (0, 0, 3));
}

#[test]
fn a_journal_cut_off_anywhere_tells_whole_outputs_from_those_of_before() {
    let f = Folder::with(&["in/a.png", "in/b.png", "out/b.png"]);
    let (out, journal) = (f.at("out"), f.at("out").join(JOURNAL));
    let mut open = Journal::read(&out);
    open.begin(&f.at("out/a.png"), &f.at("in/a.png"), "s")
        .unwrap();
    open.begin(&f.at("out/b.png"), &f.at("in/b.png"), "s")
        .unwrap();
    drop(open);
    let done = |name: &str| {
        let (output, input) = (format!("out/{name}"), format!("in/{name}"));
        Journal::read(&out).is_done(&f.at(&output), &f.at(&input), "s")
    };
    // Killed before a was put into place, and before b was replaced.
    assert!(!done("a.png") && !done("b.png"));
    // Killed right after.
    fs::write(f.at("out/a.png"), "whole").unwrap();
    fs::write(f.at("out/b.png"), "whole").unwrap();
    assert!(done("a.png") && done("b.png"));
    let mut open = Journal::read(&out);
    open.done(&f.at("out/a.png"), &f.at("in/a.png"), "s")
        .unwrap();
    drop(open);
    assert!(done("a.png"));
    // The last line is cut at every place: the one before holds, and lines may follow.
    let whole = fs::read(&journal).unwrap();
    let before = whole.len()
        - whole
            .iter()
            .rev()
            .skip(1)
            .position(|&b| b == b'\n')
            .unwrap()
        - 1;
    for end in before..whole.len() {
        fs::write(&journal, &whole[..end]).unwrap();
        assert!(done("a.png"), "{end}");
        let mut open = Journal::read(&out);
        open.failed(&f.at("out/b.png"), &f.at("in/b.png"), "s", "no")
            .unwrap();
        drop(open);
        assert!(done("a.png") && done("b.png"), "{end}");
    }
}

#[test]
fn a_run_sweeps_what_a_killed_one_left_and_nothing_else() {
    let f = Folder::with(&[
        "out/deep/.serpent-abc.tmp",
        "out/.serpent-new.tmp",
        "out/.x.tmp",
    ]);
    save(&f, "in/deep/a.png", 9);
    save(&f, "in/b.png", 9);
    let model = checkpoint(|_| ());
    let plan = || {
        f.plan(&["in"], "out", |r| {
            r.recursive = true;
            r.existing = Existing::Overwrite;
            r.settings = settings(&model);
        })
        .unwrap()
    };
    let hour = std::time::Duration::from_secs(3600);
    let old = std::time::SystemTime::now() - hour;
    for name in ["out/deep/.serpent-abc.tmp", "out/.x.tmp"] {
        let file = fs::OpenOptions::new()
            .append(true)
            .open(f.at(name))
            .unwrap();
        file.set_modified(old).unwrap();
    }
    // A journal that another run holds: nothing is touched.
    let mut other = Journal::read(&f.at("out"));
    other
        .begin(&f.at("out/b.png"), &f.at("in/b.png"), "s")
        .unwrap();
    run(plan(), &model, SaveOptions::default());
    assert!(f.at("out/deep/.serpent-abc.tmp").exists());
    drop(other);
    run(plan(), &model, SaveOptions::default());
    assert!(!f.at("out/deep/.serpent-abc.tmp").exists());
    assert!(f.at("out/.serpent-new.tmp").exists() && f.at("out/.x.tmp").exists());
}

#[test]
fn a_bad_file_stops_nothing_and_rows_come_in_order() {
    let f = Folder::with(&["in/b.png", "in/d.jpg"]);
    for name in ["in/a.png", "in/c.png", "in/e.png"] {
        save(&f, name, 16);
    }
    let model = checkpoint(|_| ());
    let plan = f.plan(&["in"], "out", |r| r.settings = settings(&model));
    let mut done = run(plan.unwrap(), &model, SaveOptions::default());
    let rows = done.rows();
    let states: Vec<&str> = rows.iter().map(|r| r.state.as_str()).collect();
    assert_eq!(states, ["done", "failed", "done", "failed", "done"]);
    assert!(rows[1].reason.contains("b.png"), "{:?}", rows[1]);
    assert_eq!(rows[0].pixels, Some(256));
    assert!(done.rows().is_empty() && done.trouble().is_none());
    let progress = done.progress();
    assert_eq!((progress.done, progress.total), (768, 768));
}

#[test]
fn a_cancelled_run_begins_nothing_more() {
    let f = Folder::with(&[]);
    for i in 0..30 {
        save(&f, &format!("in/{i:02}.png"), 16);
    }
    let model = checkpoint(|_| ());
    let plan = f.plan(&["in"], "out", |r| r.settings = settings(&model));
    let (engine, events) = Engine::start_with(|| Ok(Device::cpu()), || ());
    let work = Work {
        model,
        options: Options::default(),
        save: SaveOptions::default(),
    };
    let mut run = BatchRun::new(plan.unwrap(), work, 1);
    run.feed(&engine);
    assert!(run.summary().left == 30 && run.rows().is_empty());
    while run.summary().done == 0 {
        run.take(&events.recv().unwrap());
    }
    run.cancel();
    run.feed(&engine);
    while !run.is_over() {
        run.take(&events.recv().unwrap());
        run.feed(&engine);
    }
    let sum = run.summary();
    assert!((1..=8).contains(&sum.done), "{sum:?}");
    assert_eq!((sum.cancelled + sum.done, sum.left), (30, 0));
    assert_eq!(run.rows().len(), 30);
    let there = fs::read_dir(f.at("out")).unwrap().count();
    assert_eq!(there, sum.done + 1, "what is done, and the journal");
}

#[test]
fn only_the_files_named_are_taken_from_a_folder() {
    let f = Folder::with(&["in/a.png", "in/deep/b.png", "in/c.png"]);
    let only = HashSet::from([f.at("in/deep/b.png")]);
    let plan = f.plan(&["in"], "out", |r| {
        r.recursive = true;
        r.only = Some(only.clone());
    });
    assert_eq!(f.outputs(&plan.unwrap()), ["out/deep/b.png"]);
}

#[test]
fn a_folder_of_ten_thousand_is_planned_soon() {
    let f = Folder::with(&[]);
    fs::create_dir(f.at("in")).unwrap();
    for i in 0..10_000 {
        fs::write(f.at("in").join(format!("{i}.png")), "x").unwrap();
    }
    let start = std::time::Instant::now();
    let plan = f.plan(&["in"], "out", |r| r.settings = Some("s".into()));
    assert_eq!(plan.unwrap().items().count(), 10_000);
    println!("10 000 files planned in {:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 20);
}
