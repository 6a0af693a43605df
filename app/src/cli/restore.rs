//! `serpent restore`: pictures in, restored pictures out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serpent_engine::restore::batch::{
    BatchError, BatchPlan, BatchRequest, BatchRun, Labels, Work, plan_batch_telling, settings_of,
};
use serpent_engine::restore::{Engine, Event};

use super::common::{Global, Outcome, interrupt_flag, library};
use super::report::Teller;
pub(super) use super::restore_settings::RestoreArgs;
use super::screen::Screen;
use super::{restore_plan, restore_watch};

/// Pictures found between two looks at the screen.
const TELL_EVERY: usize = 100;

/// Runs the command.
pub(super) fn run(args: &RestoreArgs, global: &Global) -> anyhow::Result<Outcome> {
    let args = args.settled()?;
    let (name, model) = library().load(args.model.as_deref())?;
    let options = args.options();
    let save = args.files.save_options();
    let labels = Labels {
        model: name,
        scale: model.config.scale,
        strength: options.strength,
    };
    let settings = settings_of(&model, &options, &save);
    let mut request = args.files.request(labels, Some(settings))?;
    request.shard = args.shard;
    if args.plan {
        return restore_plan::run(&plan(&request, global)?, &model, &options, global);
    }
    // A plan that makes no sense leaves no report.
    let plan = (!args.watch).then(|| plan(&request, global)).transpose()?;
    let mut shop = Shop {
        global,
        work: Work {
            model: Arc::new(model),
            options,
            save,
        },
        engine: None,
        interrupted: interrupt_flag()?,
        teller: Teller::new(global, args.report.as_deref())?,
        jobs: 0,
    };
    match plan {
        Some(plan) => shop.work(plan)?,
        None => restore_watch::run(&request, &mut shop)?,
    }
    Ok(shop.teller.end())
}

/// The plan. Listing a very large folder, or one on a slow disk, shows how far it is.
fn plan(request: &BatchRequest, global: &Global) -> Result<BatchPlan, BatchError> {
    let mut screen = Screen::new(1, !global.quiet);
    let mut told = 0;
    plan_batch_telling(request, &mut |found| {
        told += 1;
        if usize::is_multiple_of(told, TELL_EVERY) {
            screen.message(format!("{found} pictures found"));
            screen.tick();
        }
    })
}

/// Where batches are worked off.
pub(super) struct Shop<'a> {
    global: &'a Global,
    work: Work,
    /// Opened when the first picture comes.
    engine: Option<(Engine, Receiver<Event>)>,
    /// Raised by Ctrl-C.
    pub interrupted: Arc<AtomicBool>,
    teller: Teller<'a>,
    /// Ids given away.
    jobs: u64,
}

impl Shop<'_> {
    /// Says something that is no result.
    pub fn note(&self, text: &str) {
        if !self.global.quiet {
            eprintln!("{text}");
        }
    }

    /// Works a plan off.
    pub fn work(&mut self, plan: BatchPlan) -> anyhow::Result<()> {
        let several = plan.entries.len() > 1;
        let any = plan.items().next().is_some();
        let first = self.jobs + 1;
        self.jobs += plan.entries.len() as u64;
        let mut run = BatchRun::new(plan, self.work.clone(), first);
        let mut told = self.teller.tell(&mut run, 0);
        if !any {
            return Ok(());
        }
        let global = self.global;
        let (engine, events) = self
            .engine
            .get_or_insert_with(|| Engine::start(global.setup(), || ()));
        let mut screen = Screen::of_share(several, !global.quiet);
        let mut cancelled = false;
        run.feed(engine);
        while !run.is_over() {
            screen.tick();
            if self.interrupted.load(Ordering::Relaxed) && !cancelled {
                cancelled = true;
                self.teller.interrupted = true;
                run.cancel();
            }
            match events.recv_timeout(Duration::from_millis(100)) {
                // Every job fails with the same words: once is enough.
                Ok(Event::NoDevice { message }) => anyhow::bail!(message),
                Ok(Event::Ready { trouble, .. }) => {
                    if let Some(reason) = trouble {
                        screen.around(|| eprintln!("using the processor: {reason}"));
                    }
                }
                Ok(event) => {
                    run.take(&event);
                    run.feed(engine);
                    show(&screen, &mut run, &event, first, several);
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    anyhow::bail!("the engine thread ended; please report it")
                }
            }
            let teller = &mut self.teller;
            screen.around(|| told += teller.tell(&mut run, told));
        }
        self.teller.tell(&mut run, told);
        drop(screen);
        if let Some(trouble) = run.trouble() {
            eprintln!("{trouble}");
        }
        Ok(())
    }
}

/// The bar and what stands beside it.
fn show(screen: &Screen, run: &mut BatchRun, event: &Event, first: u64, several: bool) {
    let (id, tiles) = match event {
        Event::Started { id } => (*id, String::new()),
        Event::Progress {
            id, done, total, ..
        } => (*id, format!(" (tile {done} of {total})")),
        _ => return,
    };
    let index = usize::try_from(id - first).unwrap_or(usize::MAX);
    let Some(entry) = run.entries().get(index) else {
        return;
    };
    let name = entry.item.input.display().to_string();
    if !several {
        return screen.message(format!("{name}{tiles}"));
    }
    let progress = run.progress();
    screen.share(progress.share());
    let left = progress.left.map_or_else(String::new, |left| {
        format!("  about {} left", in_words(left))
    });
    screen.message(format!("{name}{tiles}{left}"));
}

/// A time as people say it.
fn in_words(time: Duration) -> String {
    match time.as_secs() {
        s @ ..120 => format!("{s} s"),
        s @ ..7200 => format!("{} min", s.div_ceil(60)),
        s => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}
