//! The page of batches: what is to be done at the left, where each file stands at the right.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use egui::{
    Align, CornerRadius, Frame, Layout, Margin, Panel, RichText, ScrollArea, Sense, Ui, vec2,
};
use serpent_engine::priority;
use serpent_engine::restore::batch::{FileState, Summary};
use serpent_engine::restore::{DeviceSetup, PresetLibrary};

use super::batch::{self, Batch, File, Tally, Wish};
use super::command::Command;
use super::notice::Weight;
use super::opening::name;
use super::photos::centred;
use super::theme::strong;
use super::tokens::{palette, size, space, text};
use super::widgets;
use super::window::{Page, Window};
use super::words;

/// Height of a file's row.
const ROW: f32 = 30.0;

/// The files of a batch before it begins, or problem and remedy.
type Plan = Result<Vec<File>, String>;

/// A plan in the making.
struct Planning {
    wish: Wish,
    coming: Receiver<Plan>,
    found: Arc<Tally>,
}

/// The batch as the page has it.
#[derive(Default)]
pub struct BatchState {
    /// Folders and files.
    pub inputs: Vec<PathBuf>,
    /// Whether folders are watched once they are done.
    pub watch: bool,
    /// Shows only what failed.
    pub failed_only: bool,
    /// The one that runs or ran last.
    pub run: Option<Batch>,
    /// What would be done, for which wish.
    planned: Option<(Wish, Plan)>,
    planning: Option<Planning>,
    /// When the run began.
    started: Option<Instant>,
    /// Whether the end of the run was told.
    told: bool,
    /// Presets.
    pub presets: Option<PresetLibrary>,
    /// Names of the presets, once read.
    pub preset_names: Option<Vec<String>>,
    /// Name of a preset to be.
    pub preset_name: String,
}

impl BatchState {
    /// Nothing chosen yet.
    pub fn new(presets: Option<PresetLibrary>) -> Self {
        Self {
            presets,
            ..Self::default()
        }
    }

    /// Whether it runs, or its files are being looked for.
    pub fn is_busy(&self) -> bool {
        self.is_planning() || self.runs()
    }

    fn is_planning(&self) -> bool {
        self.planning.is_some()
    }

    /// How many pictures were found so far, while they are being looked for.
    pub fn searched(&self) -> Option<usize> {
        match (&self.planning, &self.run) {
            (Some(planning), _) => Some(planning.found.count()),
            (None, Some(run)) => run.seen().searching.then(|| run.found()),
            (None, None) => None,
        }
    }

    fn runs(&self) -> bool {
        self.run.as_ref().is_some_and(Batch::is_running)
    }
}

impl Window {
    /// What the page asks for now.
    fn wish(&self) -> Option<Wish> {
        let settings = self.settings.batch.clone();
        let single = || self.model.clone();
        let named = settings.model.clone().or_else(single);
        let known = named.filter(|m| self.cards.get(m).is_some());
        let model = known.or_else(|| self.cards.first().map(|c| c.name.clone()))?;
        (!self.batch.inputs.is_empty()).then(|| Wish {
            inputs: self.batch.inputs.clone(),
            settings,
            model,
            memory_mib: self.settings.memory_mib,
            strip_gps: self.settings.strip_gps,
        })
    }

    pub(super) fn set_batch_folders(&mut self, paths: Vec<PathBuf>) {
        if self.batch.runs() {
            self.notices
                .say("The batch runs; stop it to choose other folders");
            return;
        }
        self.batch.inputs = paths;
        self.batch.run = None;
    }

    /// The folders of the list's pictures, for a picture of this page; results go elsewhere.
    pub(super) fn batch_of_files(&mut self) {
        let folder = self
            .queue
            .entries()
            .first()
            .and_then(|e| e.path()?.parent());
        if let Some(folder) = folder.map(Path::to_owned) {
            let output = std::env::temp_dir().join("serpent-screenshot");
            self.set_batch_output(Some(output));
            self.set_batch_folders(vec![folder]);
        }
    }

    /// Shows what restoring `folders` into `to` would do.
    pub(super) fn choose_batch(&mut self, folders: Vec<PathBuf>, to: PathBuf) {
        self.page = Page::Batch;
        self.set_batch_folders(folders);
        self.set_batch_output(Some(to));
    }

    pub(super) fn set_batch_output(&mut self, folder: Option<PathBuf>) {
        self.settings.batch.beside = folder.is_none();
        self.settings.batch.output = folder;
    }

    pub(super) fn batch_is_ready(&self) -> bool {
        let planned = self.batch.planned.as_ref();
        let work = |f: &File| f.state == FileState::Waiting;
        let any = planned.is_some_and(|(_, p)| p.as_ref().is_ok_and(|p| p.iter().any(work)));
        // Without files yet there is something to watch for.
        !self.batch.is_busy() && !self.batch.inputs.is_empty() && (any || self.batch.watch)
    }

    pub(super) fn batch_is_running(&self) -> bool {
        self.batch.runs()
    }

    /// Whether about half of its pixels are done, or all.
    pub(super) fn batch_is_half_done(&self) -> bool {
        self.batch.run.as_ref().is_some_and(|run| {
            let seen = run.seen();
            seen.over || seen.progress.is_some_and(|p| p.share() > 0.45)
        })
    }

    pub(super) fn start_batch(&mut self) {
        let Some(wish) = self.wish() else { return };
        let device = (self.shared.clone(), DeviceSetup::from(self.device.clone()));
        let library = self.worker.library().clone();
        let batch = Batch::start(wish, self.batch.watch, device, library, self.ctx.clone());
        self.batch.run = Some(batch);
        self.batch.told = false;
        self.batch.started = Some(Instant::now());
    }

    pub(super) fn pause_batch(&mut self) {
        if let Some(run) = &self.batch.run {
            run.set_paused(!run.is_paused());
        }
    }

    pub(super) fn stop_batch(&mut self) {
        if let Some(run) = &self.batch.run {
            run.stop();
        }
    }

    /// Takes in plans and the end of a run.
    pub(super) fn collect_batch(&mut self) {
        if let Some(planning) = self.batch.planning.take() {
            match planning.coming.try_recv() {
                Ok(plan) => self.batch.planned = Some((planning.wish, plan)),
                Err(std::sync::mpsc::TryRecvError::Empty) => {
                    self.batch.planning = Some(planning);
                }
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {}
            }
        }
        if self.batch.told {
            return;
        }
        let ended = match &self.batch.run {
            Some(run) => {
                let seen = run.seen();
                seen.over
                    .then(|| (seen.summary, seen.problem.clone(), seen.report.clone()))
            }
            None => None,
        };
        if let Some((summary, problem, report)) = ended {
            self.batch.told = true;
            // What it did changes what another one would do.
            self.batch.planned = None;
            let took = self.batch.started.map_or(Duration::ZERO, |s| s.elapsed());
            match problem {
                Some(problem) => {
                    self.tell_desktop("The batch could not be restored", &problem, took);
                    self.notices.problem(problem);
                }
                None => {
                    let weight = match summary.failed {
                        0 => Weight::Plain,
                        _ => Weight::Warning,
                    };
                    let report = report
                        .map_or_else(String::new, |r| format!(". The report is {}", r.display()));
                    let what = sentence(&summary);
                    self.tell_desktop("The batch is over", &what, took);
                    let text = format!("The batch is over: {what}{report}");
                    self.notices.tell(weight, text);
                }
            }
            self.call_attention();
        }
    }

    /// Finds out what would be done, whenever what is asked for has changed.
    fn plan_batch(&mut self) {
        let Some(wish) = self.wish() else { return };
        let current = self.batch.planned.as_ref().is_some_and(|(w, _)| *w == wish);
        if current || self.batch.is_planning() || self.batch.runs() {
            return;
        }
        let (send, coming) = channel();
        let (library, ctx, own) = (
            self.worker.library().clone(),
            self.ctx.clone(),
            wish.clone(),
        );
        let found = Arc::<Tally>::default();
        let tally = found.clone();
        priority::spawn(move || {
            // The window may be gone by now.
            let _ = send.send(batch::plan(&own, &library, &tally, &ctx));
            ctx.request_repaint();
        });
        self.batch.planning = Some(Planning {
            wish,
            coming,
            found,
        });
    }

    pub(super) fn batch_page(&mut self, ui: &mut Ui) {
        if self.batch.inputs.is_empty() {
            return self.no_batch(ui);
        }
        self.plan_batch();
        ui.spacing_mut().item_spacing.y = space::NEAR;
        Panel::left("batch form")
            .frame(Frame::new().inner_margin(Margin::same(14)))
            .resizable(false)
            .exact_size(330.0)
            .show(ui, |ui| self.batch_form(ui));
        Frame::new().inner_margin(Margin::same(14)).show(ui, |ui| {
            self.batch_head(ui);
            ui.add_space(space::NEAR);
            self.batch_files(ui);
        });
    }

    fn no_batch(&mut self, ui: &mut Ui) {
        centred(ui, |ui| {
            ui.label(RichText::new("Restore whole folders").font(strong(text::DISPLAY)));
            let what = "Folders inside folders come along. What is done is noted, so that a batch \
                        that was stopped goes on where it was.";
            widgets::explain(ui, what);
            ui.add_space(space::WIDE);
            self.primary(ui, Command::BatchFolder, "Choose a folder…", 180.0);
            ui.add_space(space::NEAR);
            widgets::explain(ui, "or drop folders here");
        });
    }

    /// How far it is, and what can be done about it.
    fn batch_head(&mut self, ui: &mut Ui) {
        let running = self.batch.runs();
        let (line, share, left, watching) = match &self.batch.run {
            Some(run) => {
                let seen = run.seen();
                let share = seen.progress.map_or(0.0, |p| p.share());
                let left = seen.progress.and_then(|p| p.left);
                (sentence(&seen.summary), share, left, seen.watching)
            }
            None => (self.plan_in_words(), 0.0, None, false),
        };
        let searched = self.batch.searched();
        let line = searched.map_or(line, |n| format!("{} so far", words::count(n, "photo")));
        let paused = self.batch.run.as_ref().is_some_and(Batch::is_paused);
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if running {
                    if widgets::secondary(ui, true, "Stop", 0.0).clicked() {
                        self.run(Command::BatchStop);
                    }
                    let label = if paused { "Go on" } else { "Pause" };
                    if widgets::secondary(ui, true, label, 84.0).clicked() {
                        self.run(Command::BatchPause);
                    }
                } else {
                    self.primary(ui, Command::BatchStart, "Start", 110.0);
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let state = match (running, paused, watching) {
                        _ if searched.is_some() => "Looking for pictures",
                        (true, true, _) => "Paused",
                        (true, _, true) => "Waiting for new pictures",
                        (true, ..) => "Restoring",
                        (false, ..) if self.batch.run.is_some() => "Over",
                        _ => "Ready",
                    };
                    widgets::title(ui, state);
                    widgets::truncated(ui, RichText::new(line).color(palette(ui).weak));
                });
            });
        });
        if self.batch.run.is_some() {
            widgets::progress(ui, share as f32, "Progress of the batch");
            ui.horizontal(|ui| {
                ui.spacing_mut().interact_size.y = 18.0;
                widgets::explain(ui, format!("{:.0} % of all pixels", share * 100.0));
                if let Some(left) = left.filter(|_| running && !paused && !watching) {
                    widgets::explain(ui, words::time_left(left));
                }
            });
        }
        let trouble = match &self.batch.run {
            Some(run) => run.seen().trouble.clone(),
            None => Vec::new(),
        };
        for trouble in trouble {
            ui.label(RichText::new(trouble).color(palette(ui).warning));
        }
    }

    /// What would be done.
    fn plan_in_words(&self) -> String {
        match &self.batch.planned {
            None => String::new(),
            Some((_, Err(problem))) => problem.clone(),
            Some((_, Ok(files))) => {
                let count =
                    |f: fn(&FileState) -> bool| files.iter().filter(|x| f(&x.state)).count();
                let todo = count(|s| *s == FileState::Waiting);
                let skipped = count(|s| matches!(s, FileState::Skipped(_)));
                let mut line = words::count(todo, "photo");
                if skipped > 0 {
                    line += &format!(", {skipped} done already");
                }
                line
            }
        }
    }

    /// Every file with its state; only the rows in sight are laid out.
    fn batch_files(&mut self, ui: &mut Ui) {
        let planned = self
            .batch
            .planned
            .as_ref()
            .and_then(|(_, p)| p.as_ref().ok());
        let seen = self.batch.run.as_ref().map(Batch::seen);
        let files: &[File] = match (&seen, planned) {
            (Some(seen), _) => &seen.files,
            (None, Some(planned)) => planned,
            (None, None) => &[],
        };
        let failed = files
            .iter()
            .any(|f| matches!(f.state, FileState::Failed(_)));
        if failed {
            let label = "Only what failed";
            ui.checkbox(&mut self.batch.failed_only, label);
        }
        let shown: Vec<usize> = if failed && self.batch.failed_only {
            let is = |i: &usize| matches!(files[*i].state, FileState::Failed(_));
            (0..files.len()).filter(is).collect()
        } else {
            (0..files.len()).collect()
        };
        ScrollArea::vertical()
            .auto_shrink(false)
            .show_rows(ui, ROW, shown.len(), |ui, rows| {
                for row in rows {
                    file_row(ui, &files[shown[row]], row % 2 == 1);
                }
            });
    }
}

fn file_row(ui: &mut Ui, file: &File, shaded: bool) {
    let p = palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    if shaded {
        let round = CornerRadius::same(size::RADIUS);
        ui.painter().rect_filled(rect, round, p.raised);
    }
    let (word, ink) = match &file.state {
        FileState::Waiting => ("Waiting".to_owned(), p.weak),
        FileState::Running { done, total } if *total > 1 => {
            (format!("Restoring, tile {} of {total}", done + 1), p.text)
        }
        FileState::Running { .. } => ("Restoring".to_owned(), p.text),
        FileState::Done { seconds, .. } => {
            (format!("Done in {}", words::took(*seconds)), p.success)
        }
        FileState::Skipped(reason) => (format!("Skipped: {reason}"), p.weak),
        FileState::Failed(reason) => (short(reason, &file.input), p.danger),
        FileState::Cancelled => ("Stopped".to_owned(), p.weak),
    };
    let inner = rect.shrink2(vec2(8.0, 0.0));
    let columns = [0.46, 0.54].map(|f| inner.width() * f);
    let mut left = inner.left();
    let name = name(&file.input);
    for (width, text, ink) in [(columns[0], &name, p.text), (columns[1], &word, ink)] {
        let font = egui::FontId::proportional(text::BODY);
        let mut job = egui::text::LayoutJob::simple_singleline(text.clone(), font, ink);
        job.wrap = egui::text::TextWrapping::truncate_at_width(width - 8.0);
        let galley = ui.painter().layout_job(job);
        let top = rect.center().y - galley.size().y / 2.0;
        ui.painter().galley(egui::pos2(left, top), galley, ink);
        left += width;
    }
    let label = format!("{name}: {word}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
    response.on_hover_ui(|ui| {
        ui.label(file.input.display().to_string());
        widgets::explain(ui, format!("to {}", file.output.display()));
        match &file.state {
            FileState::Failed(reason) => {
                ui.label(RichText::new(reason).color(p.danger));
            }
            FileState::Done { device, notes, .. } => {
                widgets::explain(ui, format!("on {device}"));
                for note in notes {
                    ui.label(RichText::new(note).color(p.warning));
                }
            }
            _ => {}
        }
    });
}

/// A reason without the file's name, which stands beside it.
fn short(reason: &str, input: &std::path::Path) -> String {
    let named = format!("{}: ", input.display());
    reason.strip_prefix(&named).unwrap_or(reason).to_owned()
}

fn sentence(summary: &Summary) -> String {
    let mut parts = vec![format!("{} restored", summary.done)];
    for (count, what) in [
        (summary.left, "to go"),
        (summary.skipped, "skipped"),
        (summary.failed, "failed"),
        (summary.cancelled, "stopped"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}
