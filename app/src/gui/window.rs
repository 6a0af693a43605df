//! The window's state and its frame.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use eframe::App;
use egui::{CentralPanel, Context, Frame, Margin, Panel, Ui};
use serpent_engine::backend::wgpu::Examined;
use serpent_engine::checkpoint::Task;
use serpent_engine::image::Picture;
use serpent_engine::restore::batch::Summary;
use serpent_engine::restore::{DeviceChoice, ModelLibrary, PresetLibrary};

use super::actions::Ask;
use super::batch_page::BatchState;
use super::canvas::Canvas;
use super::cards::Cards;
use super::command::Command;
use super::compare::Compare;
use super::devices::Devices;
use super::dialogs::Dialogs;
use super::notice::Notices;
use super::palette::Search;
use super::queue::{Queue, State};
use super::restoring::Preview;
use super::saving::Saver;
use super::settings::{Keeper, Settings};
use super::shared_device::SharedDevice;
use super::sources::Sources;
use super::theme::{self, ThemeChoice};
use super::thumbs::Thumbs;
use super::tokens::{palette, size, space};
use super::view::fill;
use super::worker::Worker;

/// What the window starts with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Files and folders opened at once.
    pub files: Vec<PathBuf>,
    /// Where pictures are restored; what the settings say when `None`.
    pub device: Option<DeviceChoice>,
    /// Where models are looked for.
    pub library: ModelLibrary,
    /// Model chosen at first; what the settings say, else the shipped default, when `None`.
    pub model: Option<String>,
    /// The theme, whatever the settings say.
    pub theme: Option<ThemeChoice>,
    /// Where settings are kept; nowhere when `None`.
    pub settings: Option<PathBuf>,
    /// The devices there are, if known; looked for when needed otherwise.
    pub devices: Option<Vec<Examined>>,
}

/// What fills the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// One picture, to be restored and looked at.
    #[default]
    Photos,
    /// Several results of it.
    Compare,
    /// Folders.
    Batch,
    /// The settings.
    Settings,
}

/// What was chosen in a dialog, and for what.
type Answer = (Ask, Vec<PathBuf>);

/// The application.
pub struct Window {
    pub(super) ctx: Context,
    pub(super) page: Page,
    pub(super) settings: Settings,
    pub(super) keeper: Keeper,
    pub(super) dialogs: Box<dyn Dialogs>,
    pub(super) answers: (Sender<Answer>, Receiver<Answer>),
    pub(super) queue: Queue,
    pub(super) sources: Sources,
    pub(super) thumbs: Thumbs,
    pub(super) cards: Cards,
    pub(super) worker: Worker,
    pub(super) saver: Saver,
    pub(super) canvas: Canvas,
    pub(super) compare: Compare,
    pub(super) batch: BatchState,
    pub(super) notices: Notices,
    pub(super) devices: Devices,
    /// What pictures are restored for; chosen for each picture when `None`.
    pub(super) task: Option<(Task, usize)>,
    /// The model, for the task.
    pub(super) model: Option<String>,
    /// The entry on screen: the current one as soon as it is in memory.
    pub(super) on_screen: Option<u64>,
    pub(super) preview: Option<Preview>,
    /// Where pictures are restored from the next job on.
    pub(super) device: DeviceChoice,
    /// What the engines share.
    pub(super) shared: SharedDevice,
    /// Name of the device in use, once it is open.
    pub(super) device_name: Option<String>,
    pub(super) search: Option<Search>,
    pub(super) help: bool,
    pub(super) restore_when_loaded: bool,
    pub(super) last_outcome: u64,
}

impl Window {
    /// A window with nothing open, or with the setup's files on their way.
    pub fn new(cc: &eframe::CreationContext<'_>, setup: Setup, dialogs: Box<dyn Dialogs>) -> Self {
        let ctx = &cc.egui_ctx;
        theme::install(ctx);
        let (settings, trouble) = match &setup.settings {
            Some(path) => Settings::load(path),
            None => (Settings::default(), None),
        };
        setup.theme.unwrap_or(settings.theme).apply(ctx);
        ctx.set_zoom_factor(settings.scale);
        let device = setup.device.unwrap_or_else(|| settings.choice());
        // Presets lie beside the settings.
        let presets = setup.settings.as_deref().and_then(Path::parent);
        let presets = presets.map(|p| PresetLibrary::new(p.join("presets")));
        let shared = SharedDevice::default();
        let mut window = Self {
            page: Page::default(),
            keeper: Keeper::new(setup.settings, settings.clone()),
            dialogs,
            answers: channel(),
            queue: Queue::default(),
            sources: Sources::new(ctx.clone()),
            thumbs: Thumbs::new(ctx),
            cards: Cards::read(&setup.library, ctx),
            worker: Worker::new(ctx.clone(), device.clone(), shared.clone(), setup.library),
            saver: Saver::new(ctx.clone()),
            canvas: Canvas::new(ctx, cc.wgpu_render_state.as_ref()),
            compare: Compare::default(),
            batch: BatchState::new(presets),
            device,
            shared,
            notices: Notices::default(),
            devices: Devices::known(setup.devices),
            task: None,
            model: setup.model.or_else(|| settings.model.clone()),
            on_screen: None,
            preview: None,
            device_name: None,
            search: None,
            help: false,
            restore_when_loaded: false,
            last_outcome: 0,
            settings,
            ctx: ctx.clone(),
        };
        if let Some(trouble) = trouble {
            window.notices.problem(trouble);
        }
        if !setup.files.is_empty() {
            window.sources.search(setup.files);
        }
        window
    }

    /// Starts restoring as soon as the picture on its way is there.
    pub fn restore_when_loaded(&mut self) {
        self.restore_when_loaded = true;
    }

    /// Whether anything is being read, restored or saved.
    pub fn is_busy(&self) -> bool {
        self.sources.is_busy()
            || self.cards.is_busy()
            || self.worker.is_busy()
            || self.saver.is_busy()
            || self.devices.is_busy()
            || self.batch.is_busy()
            || self.thumbs.is_busy()
            || !self.canvas.is_settled()
            || (self.page == Page::Compare && !self.compare.is_settled())
    }

    /// The picture on screen, restored at full strength, once it is.
    pub fn restored(&self) -> Option<&Arc<Picture>> {
        self.queue.current()?.outcome().map(|o| &o.picture)
    }

    /// Whether a picture's turn on the device has come.
    pub fn is_restoring(&self) -> bool {
        let states = self.queue.entries().iter().map(|e| &e.state);
        states.into_iter().any(|s| matches!(s, State::Restoring(_)))
    }

    /// Where the files of the batch stand, if one runs or ran.
    pub fn batch_summary(&self) -> Option<Summary> {
        self.batch.run.as_ref().map(|run| run.seen().summary)
    }

    /// The middle of the picture, once it is on screen.
    pub(super) fn picture_middle(&self) -> Option<egui::Pos2> {
        let shown = self.page == Page::Photos && self.on_screen.is_some();
        shown.then(|| self.canvas.rect.center())
    }

    /// Whether anything of the picture is on screen.
    pub(super) fn shows_pixels(&self) -> bool {
        self.on_screen.is_some() && self.canvas.shows_pixels()
    }

    /// What fills the window.
    pub fn page(&self) -> Page {
        self.page
    }

    /// Takes in what other threads have finished.
    fn collect(&mut self) {
        while let Some(found) = self.sources.poll() {
            self.take_in_found(found);
        }
        if self.cards.collect() {
            self.cards_are_there();
        }
        for told in self.worker.poll() {
            self.take_in_told(told);
        }
        for saved in self.saver.poll() {
            self.take_in_saved(saved);
        }
        while let Ok((ask, paths)) = self.answers.1.try_recv() {
            self.take_in_answer(ask, paths);
        }
        self.devices.collect();
        self.collect_batch();
        self.thumbs.collect();
        self.load_current();
        self.restore_if_asked();
        self.free_memory();
    }

    fn frame(&mut self, ui: &mut Ui) {
        self.input();
        let p = palette(ui);
        self.canvas.warm_up();
        let gpu = self.canvas.gpu().cloned();
        fill(ui, gpu.as_ref(), ui.ctx().content_rect(), p.panel);
        let bar = Frame::new().inner_margin(Margin::symmetric(14, 0));
        Panel::top("top")
            .frame(bar)
            .exact_size(size::TOP_BAR)
            .show(ui, |ui| self.top_bar(ui));
        Panel::bottom("status")
            .frame(bar.inner_margin(Margin::symmetric(14, 4)))
            .show(ui, |ui| self.status_bar(ui));
        if self.page == Page::Photos && !self.queue.entries().is_empty() {
            if self.settings.panel {
                let frame = Frame::new().inner_margin(Margin::same(14));
                Panel::right("panel")
                    .frame(frame)
                    .resizable(false)
                    .exact_size(size::SIDE_PANEL.min(0.36 * ui.available_width()))
                    .show(ui, |ui| self.side_panel(ui));
            }
            // A strip of one picture would only take room.
            if self.settings.strip && self.queue.entries().len() > 1 {
                Panel::bottom("strip")
                    .frame(bar.inner_margin(Margin::symmetric(8, 8)))
                    .show(ui, |ui| self.strip(ui));
            }
        }
        CentralPanel::default().frame(Frame::new()).show(ui, |ui| {
            // Bars and pictures touch; what is on a page has its own distances.
            ui.spacing_mut().item_spacing.y = 0.0;
            if self.notices.any() {
                Frame::new()
                    .inner_margin(Margin::same(space::NEAR as i8))
                    .show(ui, |ui| self.notices.show(ui));
            }
            match self.page {
                Page::Photos => self.photos(ui),
                Page::Compare => self.compare_page(ui),
                Page::Batch => self.batch_page(ui),
                Page::Settings => self.settings_page(ui),
            }
        });
        self.drop_hint(ui);
        self.show_search();
        self.show_help();
        self.keeper.keep(&self.settings);
        if self.worker.is_busy() {
            // The bar moves between tiles as well.
            self.ctx.request_repaint_after(Duration::from_millis(100));
        }
    }

    /// Carries out a command, as its button would.
    pub fn run(&mut self, command: Command) {
        if self.can(command) {
            self.perform(command);
        }
    }
}

impl App for Window {
    fn logic(&mut self, _ctx: &Context, _frame: &mut eframe::Frame) {
        self.collect();
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.frame(ui);
    }
}
