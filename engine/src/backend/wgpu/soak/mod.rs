#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Mixed jobs for as long as one likes, with faults at random: nothing leaks, nothing waits for
//! ever, every file is accounted for.
//!
//! `SERPENT_SOAK_SECONDS` says how long, `SERPENT_SOAK_SEED` with which seed, and
//! `SERPENT_SOAK_CURVE` names a file for the memory curve. Round k has the seed plus k, so that
//! one that failed can be run first. Files, models, options and faults follow from the seed; at
//! which tile something happens depends on the threads, too.

mod curve;
mod files;
mod round;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use curve::Watch;
use round::Round;

use super::context::Context;
use crate::checkpoint::{Checkpoint, Task};
use crate::network::{Ffn, Network, NetworkConfig, Preset, initial_weights};

/// Without another length; runs at least this long show a curve.
const SHORT: u64 = 10;
const LONG: u64 = 600;
const MINUTE: u64 = 60;

/// Rounds on one device before it is opened anew.
const ROUNDS: usize = 12;

/// By how much the last quarter's memory may lie above the second's: it rises and falls with the
/// sizes of pictures. In a short run most of what is kept has not come yet.
const GROWTH: (f64, f64) = (64.0, 512.0);

fn number(variable: &str, usual: u64) -> u64 {
    let said = std::env::var(variable).ok();
    said.map_or(usual, |text| text.parse().expect("a whole number"))
}

/// In a process of its own, so that its memory is nobody else's, in which no file may grow beyond
/// 48 KiB, as if the disk were full then.
#[test]
fn mixed_jobs_with_faults_at_random_leak_nothing_and_lose_nothing() {
    let mut command = match cfg!(unix) {
        true => {
            let mut shell = Command::new("sh");
            let full = "trap '' XFSZ; ulimit -f 96; exec \"$0\" \"$@\"";
            shell
                .args(["-c", full])
                .arg(std::env::current_exe().unwrap());
            shell
        }
        false => Command::new(std::env::current_exe().unwrap()),
    };
    let name = format!("{}::soak", module_path!().split_once("::").unwrap().1);
    let done = command
        .args(["--exact", &name, "--ignored", "--nocapture"])
        .env("SERPENT_CACHE", "")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    println!("{said}");
    assert!(done.status.success(), "{}", done.status);
    assert!(said.contains("all accounted for"));
}

/// What happened in all rounds.
#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    /// Batches, second calls for the same folder included.
    batches: usize,
    /// Files of batches by their end.
    files: BTreeMap<&'static str, usize>,
    /// Single jobs by their end.
    singles: BTreeMap<&'static str, usize>,
    /// Faults that struck.
    faults: BTreeMap<String, usize>,
    /// What users were told, by its first words.
    notes: BTreeMap<&'static str, usize>,
    /// Files taken away or overwritten while a batch ran.
    vanished: usize,
    cancels: usize,
    /// Results compared with a processor's that had no faults.
    compared: usize,
    devices: usize,
}

#[test]
#[ignore = "another test runs it in a process of its own"]
fn soak() {
    let seconds = number("SERPENT_SOAK_SECONDS", SHORT);
    let seed = number("SERPENT_SOAK_SEED", 1);
    let length = Duration::from_secs(seconds);
    let watch = Watch::begin(length);
    let mut models = models();
    if seconds < MINUTE {
        // Software Vulkan takes seconds to compile the kernels of each.
        models.truncate(1);
    }
    let mut tally = Tally::default();
    let mut device: Option<(Arc<Context>, usize)> = None;
    let start = Instant::now();
    let end = start + length;
    while Instant::now() < end {
        let number = seed + tally.rounds as u64;
        let round = Round::new(number, &models, &watch, &mut tally, end);
        let context = round.on_graphics().then(|| {
            let old = device.take().filter(|(_, rounds)| *rounds < ROUNDS);
            let (context, rounds) = old.unwrap_or_else(|| (Context::of_tests(), 0));
            device = Some((context.clone(), rounds + 1));
            context
        });
        let alive = round.run(context.as_ref());
        tally.devices += usize::from(context.is_some() && matches!(device, Some((_, 1))));
        if !alive {
            device = None;
        }
        tally.rounds += 1;
    }
    drop(device);
    let curve = watch.end();
    println!(
        "{:.0} s, seed {seed}: {tally:#?}",
        start.elapsed().as_secs_f64()
    );
    if let Ok(path) = std::env::var("SERPENT_SOAK_CURVE") {
        curve::write(&curve, &path);
    }
    assert!(tally.files.values().sum::<usize>() > 0);
    if seconds >= LONG {
        assert_eq!(tally.faults.len(), 6, "every fault strikes in a long run");
    }
    if curve.len() >= 40 {
        let quarters = curve::quarters(&curve);
        println!("memory, medians of the quarters: {quarters:.1?} MiB");
        let most = if seconds >= LONG { GROWTH.0 } else { GROWTH.1 };
        assert!(quarters[3] < quarters[1] + most, "{quarters:?}");
    }
    println!("all accounted for");
}

/// Tiny networks of every kind; none is the identity.
fn models() -> Vec<Arc<Checkpoint>> {
    let changes: [fn(&mut NetworkConfig); 6] = [
        |_| (),
        |c| c.noise_map = true,
        |c| c.scale = 2,
        |c| {
            c.ffn = Ffn::ChannelAttention;
            c.directions = 2;
            c.alternating = true;
        },
        |c| {
            c.depths = vec![1, 1, 1];
            c.ffn = Ffn::None;
        },
        |c| {
            c.patch = 2;
            c.tied_decay = true;
        },
    ];
    changes
        .iter()
        .map(|change| Arc::new(model(change)))
        .collect()
}

fn model(change: &fn(&mut NetworkConfig)) -> Checkpoint {
    let mut config = Preset::Tiny.config();
    config.channels = 8;
    config.depths = vec![1, 1];
    config.states = 4;
    change(&mut config);
    let size = config.size_multiple();
    let network = Network::build(&config, 1, size, size).unwrap();
    let mut weights = initial_weights(&network.parameters, 3);
    let head = network.parameters.iter().zip(&mut weights);
    let head = head.filter(|(p, _)| p.name == "head.conv.weight");
    head.for_each(|(_, w)| {
        let small = |(i, w): (usize, &mut f32)| *w = 0.02 * ((i as f32 * 0.618).fract() - 0.4);
        w.iter_mut().enumerate().for_each(small);
    });
    Checkpoint {
        weights,
        task: Task::Denoise,
        config,
        overlap: None,
        recipe: serde_json::Value::Null,
    }
}
