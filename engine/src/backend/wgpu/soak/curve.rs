//! Signs of life and memory, watched from a thread of its own.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Without any event for so long, and next to no work of the processor meanwhile, something waits
/// for itself. On a busy machine kernels may take as long to compile.
const PATIENCE: Duration = Duration::from_secs(180);

/// What counts as next to no work in that time, in hundredths of a second: watching takes some.
const IDLE: u64 = 100;

/// With work, but without any event for so long, something goes round and round.
const MOST_PATIENCE: Duration = Duration::from_secs(3600);

/// Samples of memory in a run, whatever its length.
const SAMPLES: u32 = 1000;

/// Resident memory at a moment.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    seconds: f64,
    kibibytes: u64,
    jobs: u64,
}

#[derive(Default)]
struct Shared {
    /// Counts events.
    beats: AtomicU64,
    /// Jobs that have ended.
    jobs: AtomicU64,
    end: AtomicBool,
}

/// The thread that watches.
pub(super) struct Watch {
    shared: Arc<Shared>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Watch {
    /// Watches a run of this length, give or take.
    pub fn begin(length: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let every = (length / SAMPLES).max(Duration::from_millis(50));
        Self {
            shared,
            thread: std::thread::spawn(move || watch(&own, every)),
        }
    }

    /// Something has happened.
    pub fn beat(&self) {
        self.shared.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// So many jobs have ended.
    pub fn ended(&self, jobs: usize) {
        self.shared.jobs.fetch_add(jobs as u64, Ordering::Relaxed);
    }

    /// The curve; empty where the system does not tell.
    pub fn end(self) -> Vec<Sample> {
        self.shared.end.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn watch(shared: &Shared, every: Duration) -> Vec<Sample> {
    let start = Instant::now();
    let (mut curve, mut seen, mut since, mut worked) = (Vec::new(), 0, Instant::now(), work());
    while !shared.end.load(Ordering::Relaxed) {
        std::thread::sleep(every.min(Duration::from_secs(1)));
        let beats = shared.beats.load(Ordering::Relaxed);
        if beats != seen {
            (seen, since, worked) = (beats, Instant::now(), work());
        } else if since.elapsed() > PATIENCE
            && (work() < worked + IDLE || since.elapsed() > MOST_PATIENCE)
        {
            eprintln!("nothing for {:?} after {beats} events", since.elapsed());
            // The others wait for each other: nobody is left to fail the test.
            std::process::abort();
        }
        let due = every * u32::try_from(curve.len() + 1).unwrap();
        if let Some(kibibytes) = resident().filter(|_| start.elapsed() >= due) {
            curve.push(Sample {
                seconds: start.elapsed().as_secs_f64(),
                kibibytes,
                jobs: shared.jobs.load(Ordering::Relaxed),
            });
        }
    }
    curve
}

/// Hundredths of a second that processors have worked for this process; 0 where the system does not
/// tell.
fn work() -> u64 {
    let all = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = all.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    fields.filter_map(|f| f.parse::<u64>().ok()).sum()
}

/// Resident memory of this process, on Linux.
fn resident() -> Option<u64> {
    let all = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = all.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

/// Medians of the four quarters, in mebibytes.
pub(super) fn quarters(curve: &[Sample]) -> [f64; 4] {
    std::array::from_fn(|i| {
        let part = &curve[i * curve.len() / 4..(i + 1) * curve.len() / 4];
        let mut all: Vec<u64> = part.iter().map(|s| s.kibibytes).collect();
        all.sort_unstable();
        all[all.len() / 2] as f64 / 1024.0
    })
}

/// Writes the curve as a table: seconds, KiB, jobs that had ended.
pub(super) fn write(curve: &[Sample], path: &str) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "seconds,resident_kib,jobs").unwrap();
    for s in curve {
        writeln!(file, "{:.1},{},{}", s.seconds, s.kibibytes, s.jobs).unwrap();
    }
    file.flush().unwrap();
}
