//! Runs that end at moments nobody chose.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serpent_engine::image::{Picture, SaveOptions};
use serpent_engine::restore::batch::{BatchRequest, BatchRun, Destination, Work, plan_batch};
use serpent_engine::restore::{Device, Engine, Options};

use crate::models::{picture, save_picture, small};
use crate::program::Desk;

/// How often: what `variable` says, else `few`.
fn rounds(variable: &str, few: usize) -> usize {
    let said = std::env::var(variable).ok();
    said.map_or(few, |text| text.parse().expect("a number of rounds"))
}

/// Content and time of every file but journals and temporary files.
fn snapshot(desk: &Desk, folder: &str) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let all = desk
        .files(folder)
        .into_iter()
        .filter(|n| !n.ends_with(".tmp"));
    let whole = |name: String| {
        let path = desk.at(folder).join(&name);
        let time = path.metadata().unwrap().modified().unwrap();
        (name, (std::fs::read(path).unwrap(), time))
    };
    all.map(whole).collect()
}

#[test]
fn killed_at_random_moments_a_batch_loses_nothing_and_does_only_the_rest() {
    let desk = Desk::new();
    const PICTURES: usize = 24;
    for i in 0..PICTURES {
        desk.picture(&format!("in/{i:02}.png"), 60, 60 + i);
    }
    let sources = snapshot(&desk, "in");
    let args = |out: &'static str| {
        [
            "restore", "--device", "cpu", "-m", "small", "-i", "in", "-o", out, "--json",
        ]
    };
    let start = Instant::now();
    let ran = desk.run(&args("right"));
    let whole = start.elapsed();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let right = snapshot(&desk, "right");
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let kills = rounds("SERPENT_KILLS", 12);
    let (mut struck, mut batches, mut left) = (0, 0, 0);
    let mut before = BTreeMap::new();
    while struck < kills {
        let mut child = desk.command(&args("out")).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(rng.random_range(0.0..1.1)));
        // One that has ended is no kill.
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        let done = child.wait_with_output().unwrap();
        struck += usize::from(!ended);
        let after = snapshot(&desk, "out");
        for (name, (bytes, _)) in &after {
            assert!(*bytes == right[name].0, "{name} is not whole");
        }
        for (name, old) in &before {
            assert!(after.get(name) == Some(old), "{name} was made again");
        }
        assert!(snapshot(&desk, "in") == sources, "sources are as they were");
        before = after;
        if ended {
            let err = String::from_utf8(done.stderr).unwrap();
            assert_eq!(
                (done.status.code(), before.len()),
                (Some(0), PICTURES),
                "{err}"
            );
            left += desk.files("out").len() - PICTURES;
            batches += 1;
            std::fs::remove_dir_all(desk.at("out")).unwrap();
            before.clear();
        }
    }
    let ran = desk.run(&args("out"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let done = ran.out.matches("\"status\":\"done\"").count();
    assert_eq!(done, PICTURES - before.len(), "the rest and only the rest");
    println!(
        "{kills} kills in {} batches; {left} temporary files",
        batches + 1
    );
}

#[test]
fn cancelled_at_random_moments_a_batch_ends_soon_and_leaves_whole_files() {
    let desk = Desk::new();
    const PICTURES: usize = 10;
    for i in 0..PICTURES {
        save_picture(&picture(64, 60 + i), &desk.at(&format!("in/{i}.png")));
    }
    let model = Arc::new(small(|_| ()));
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut cancelled, mut finished, mut longest) = (0, 0, Duration::ZERO);
    let start = Instant::now();
    batch(&desk, &model, "right", None);
    let whole = start.elapsed();
    for round in 0..rounds("SERPENT_CANCELS", 10) {
        let out = format!("out{round}");
        let after = whole.mul_f64(rng.random_range(0.0..1.0));
        let (done, took) = batch(&desk, &model, &out, Some(after));
        cancelled += PICTURES - done;
        finished += done;
        longest = longest.max(took);
        let files = desk.files(&out);
        assert_eq!(
            files.len(),
            done,
            "what is done and nothing else: {files:?}"
        );
        for name in files {
            let bytes = |folder: &str| std::fs::read(desk.at(folder).join(&name)).unwrap();
            assert!(bytes(&out) == bytes("right"), "{name}");
            Picture::open(desk.at(&out).join(&name)).unwrap();
        }
    }
    println!("{finished} finished, {cancelled} cancelled, at most {longest:?} from cancel to end");
    assert!(cancelled > 0 && finished > 0);
    assert!(longest < Duration::from_secs(10), "{longest:?}");
}

/// Restores the folder; cancels after a time. Answers the pictures done, and how long it took
/// from there to the end.
fn batch(
    desk: &Desk,
    model: &Arc<serpent_engine::checkpoint::Checkpoint>,
    out: &str,
    cancel: Option<Duration>,
) -> (usize, Duration) {
    let plan = plan_batch(&BatchRequest {
        inputs: vec![desk.at("in")],
        destination: Destination::At(desk.at(out)),
        ..BatchRequest::default()
    });
    let (engine, events) = Engine::start_with(|| Ok(Device::cpu()), || ());
    let work = Work {
        model: model.clone(),
        options: Options {
            tile: 32,
            ..Options::default()
        },
        save: SaveOptions::default(),
    };
    let mut run = BatchRun::new(plan.unwrap(), work, 1);
    let start = Instant::now();
    run.feed(&engine);
    let mut at = None;
    while !run.is_over() {
        if cancel.is_some_and(|c| start.elapsed() >= c) && at.is_none() {
            run.cancel();
            at = Some(Instant::now());
        }
        if let Ok(event) = events.recv_timeout(Duration::from_millis(1)) {
            run.take(&event);
            run.feed(&engine);
        }
    }
    let took = at.map_or(Duration::ZERO, |at| at.elapsed());
    (run.summary().done, took)
}
