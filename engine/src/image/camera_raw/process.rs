//! Raw files are read by a process each, since a damaged one may end the process that reads it.
//!
//! The process is the program itself, called by another first argument. It opens nothing but the
//! file and writes to standard output what the file says as a line of JSON, another line once the
//! picture is developed, and the samples as they lie in memory. Instead of either line it may say
//! why there is none; whoever wants no pixels ends it after the first.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{RawFile, Refused, Told};

/// The first argument of such a process; the file and the most pixels follow.
const READ: &str = "--read-raw-file";

/// After this the process ends itself, so that a file on which it hangs holds nothing up for ever.
const LONGEST: Duration = Duration::from_secs(600);

/// Bytes of a line at most.
const LINE: u64 = 256 << 20;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Names the program that reads raw files from now on: one that begins with [`answer`]. Without it
/// they are read in this process, which a damaged one may end. The first that is named stays.
pub fn set_program(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

pub(super) fn program() -> Option<&'static Path> {
    PROGRAM.get().map(PathBuf::as_path)
}

/// For the first line of a program's `main`, with all its arguments: where it was called to read a
/// raw file, this does so and gives the exit code. Where not, the program is named as the one to
/// be called for it.
pub fn answer(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    if args.next().is_none_or(|first| first != READ) {
        // On Linux the name of what is running, even if its file was replaced meanwhile.
        let this = match cfg!(target_os = "linux") {
            true => Ok(PathBuf::from("/proc/self/exe")),
            false => std::env::current_exe(),
        };
        this.into_iter().for_each(set_program);
        return None;
    }
    let file = args.next().map(PathBuf::from);
    let most = args.next().and_then(|n| n.to_str()?.parse().ok());
    Some(match file.zip(most).map(|(file, most)| read(&file, most)) {
        Some(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Reads a file to standard output.
fn read(path: &Path, most_pixels: u64) -> io::Result<()> {
    std::thread::spawn(|| {
        std::thread::sleep(LONGEST);
        std::process::exit(1);
    });
    let mut out = io::stdout().lock();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) => return say::<Told>(&mut out, &Err(Refused::NotRead(e.to_string()))),
    };
    let length = bytes.len() as u64;
    let room = move |pixels| limit_memory(length, pixels);
    room(0);
    let opened = RawFile::open(bytes, most_pixels, room).and_then(|f| Ok((f.told()?, f)));
    let (told, file) = match opened {
        Ok((told, file)) => (Ok(told), Some(file)),
        Err(refused) => (Err(refused), None),
    };
    say(&mut out, &told)?;
    let (Ok(told), Some(file)) = (told, file.filter(|f| !f.is_too_large())) else {
        return Ok(());
    };
    match file.developed(&told) {
        Ok(image) => {
            say(&mut out, &Ok(()))?;
            out.write_all(image.as_bytes())?;
            out.flush()
        }
        Err(refused) => say::<()>(&mut out, &Err(refused)),
    }
}

fn say<T: Serialize>(out: &mut impl Write, line: &Result<T, Refused>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Leaves this process room for a file of this length and a picture of so many pixels, so that it
/// is ended by a tag that announces more before the machine's memory is spent on it. Other systems
/// than Linux have no limit, or none that holds.
#[cfg(target_os = "linux")]
fn limit_memory(length: u64, pixels: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// The program itself and what the library builds of tags.
    const SELF: u64 = 1 << 30;
    /// Stacks and heaps of a thread: most are addresses that nothing lies at.
    const THREAD: u64 = 128 << 20;
    /// Developing keeps several pictures in 32-bit floats at a time.
    const PIXEL: u64 = 128;
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let most = (SELF + threads * THREAD)
        .saturating_add(length.saturating_mul(4))
        .saturating_add(pixels.saturating_mul(PIXEL));
    let maximum = getrlimit(Resource::As).maximum;
    let limit = Rlimit {
        current: Some(maximum.map_or(most, |m| m.min(most))),
        maximum,
    };
    // Without it the file is still read apart.
    let _ = setrlimit(Resource::As, limit);
}

#[cfg(not(target_os = "linux"))]
fn limit_memory(_length: u64, _pixels: u64) {}

/// A process that reads one file; it ends with this.
pub(super) struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Process {
    /// Has a file read as far as to tell what it says.
    pub fn start(program: &Path, file: &Path, most_pixels: u64) -> Result<(Self, Told), Refused> {
        let mut command = Command::new(program);
        command.arg(READ).arg(file).arg(most_pixels.to_string());
        command.stdin(Stdio::null());
        // What the library has to say about damage is in its error.
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C is for the program: files that it no longer waits for are not damaged.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        // CREATE_NO_WINDOW: a console of its own that nobody sees.
        #[cfg(windows)]
        std::os::windows::process::CommandExt::creation_flags(&mut command, 0x0800_0000);
        let not_started = |e: io::Error| {
            Refused::NotRead(format!(
                "the reader of raw files does not start ({e}); start this program anew"
            ))
        };
        let mut child = command.spawn().map_err(not_started)?;
        let Some(out) = child.stdout.take() else {
            return Err(ended());
        };
        let out = BufReader::new(out);
        let mut process = Self { child, out };
        let told = process.line()?;
        Ok((process, told))
    }

    /// The next line that it says.
    fn line<T: DeserializeOwned>(&mut self) -> Result<T, Refused> {
        let mut line = Vec::new();
        let read = self.out.by_ref().take(LINE).read_until(b'\n', &mut line);
        read.map_err(|_| ended())?;
        serde_json::from_slice::<Result<T, Refused>>(&line).map_err(|_| ended())?
    }

    /// Writes the samples of the developed picture, of which there are as many as it has told.
    pub fn pixels(mut self, buffer: &mut [u8]) -> Result<(), Refused> {
        self.line::<()>()?;
        self.out.read_exact(buffer).map_err(|_| ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended by itself, or there is nothing more to ask.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended() -> Refused {
    Refused::Damaged("reading it ended the reader: the file is damaged".into())
}
