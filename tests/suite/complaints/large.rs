//! Folders of very many pictures and of very large ones: what memory they take.
//!
//! `SERPENT_FILES` and `SERPENT_MEGAPIXELS` make them as large as one likes.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use serpent_engine::network::Ffn;

use crate::models::{picture, save, save_picture, small};
use crate::program::Desk;

/// What a number of pictures may take more than a few: notes about each, not the pictures.
const BYTES_EACH: usize = 2048;
/// What the allocator may hold back.
const SLACK_MIB: usize = 16;
/// What a pixel may take in all pictures that are open at once.
const BYTES_A_PIXEL: usize = 80;
/// The program without pictures.
const PROGRAM_MIB: usize = 100;

fn number(variable: &str, usual: usize) -> usize {
    let said = std::env::var(variable).ok();
    said.map_or(usual, |text| text.parse().expect("a whole number"))
}

/// How a call went.
#[derive(Debug)]
struct Took {
    done: usize,
    /// Until the first picture had ended.
    first: Duration,
    all: Duration,
    /// The most memory it ever had.
    mebibytes: usize,
}

/// Restores `input` into `output` on the processor.
fn restore(desk: &Desk, input: &str, output: &str) -> Took {
    let args = ["restore", "--device", "cpu", "-m", "tiny", "--json", "-r"];
    let start = Instant::now();
    let mut child = desk
        .command(&[args.as_slice(), &["-i", input, "-o", output]].concat())
        .spawn()
        .unwrap();
    let (mut done, mut first, mut mebibytes) = (0, None, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if line.unwrap().contains("\"status\":\"done\"") {
            first.get_or_insert_with(|| start.elapsed());
            done += 1;
            mebibytes = most_memory(child.id()).unwrap_or(mebibytes);
        }
    }
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{err}");
    Took {
        done,
        first: first.unwrap(),
        all: start.elapsed(),
        mebibytes,
    }
}

/// Of a process that runs, as far as it has come; on Linux.
fn most_memory(process: u32) -> Option<usize> {
    let all = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = all.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes / 1024)
}

/// A desk with the smallest network that changes something.
fn desk() -> Desk {
    let desk = Desk::new();
    let tiny = small(|c| {
        c.channels = 2;
        c.depths = vec![1];
        c.states = 1;
        c.expansion = 1;
        c.directions = 1;
        c.ffn = Ffn::None;
    });
    save(&tiny, &desk.at("models/tiny.safetensors"));
    desk
}

#[test]
fn memory_does_not_follow_the_number_of_files() {
    let many = number("SERPENT_FILES", 400);
    let desk = desk();
    desk.picture("one.png", 32, 32);
    let one = std::fs::read(desk.at("one.png")).unwrap();
    let mut took = [many / 10, many].map(|count| {
        for i in 0..count {
            let folder = desk.at(&format!("{count}/{}", i / 500));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{i}.png")), &one).unwrap();
        }
        let took = restore(&desk, &count.to_string(), &format!("out {count}"));
        println!("{count} pictures: {took:.1?}");
        assert_eq!(took.done, count);
        took
    });
    let most = took[0].mebibytes + SLACK_MIB + many * BYTES_EACH / (1 << 20);
    assert!(took[1].mebibytes <= most, "{took:?}");
    // The first is there long before the others.
    took[1].all /= 2;
    assert!(took[1].first < took[1].all, "{took:?}");
}

#[test]
fn large_pictures_take_memory_for_a_few_at_a_time() {
    let megapixels = number("SERPENT_MEGAPIXELS", 1);
    let side = (megapixels * 1_000_000).isqrt();
    let desk = desk();
    save_picture(&picture(side, side), &desk.at("in/0.jpg"));
    for i in 1..3 {
        std::fs::copy(desk.at("in/0.jpg"), desk.at(&format!("in/{i}.jpg"))).unwrap();
    }
    let took = restore(&desk, "in", "out");
    println!("3 pictures of {side} x {side}: {took:.1?}");
    assert_eq!(took.done, 3);
    let most = PROGRAM_MIB + side * side * BYTES_A_PIXEL / (1 << 20);
    assert!(took.mebibytes <= most, "{took:?}, at most {most}");
}
