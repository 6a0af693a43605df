//! The window's state and layout.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use eframe::App;
use egui::{
    Align, Button, CentralPanel, Color32, Context, Key, KeyboardShortcut, Layout, Modifiers, Panel,
    ProgressBar, RichText, Ui,
};
use serpent_engine::image::{Picture, SaveOptions};
use serpent_engine::restore::{DeviceChoice, ModelLibrary};

use super::dialogs::Dialogs;
use super::texture::TiledTexture;
use super::viewer::Viewer;
use super::worker::{Outcome, Worker};

const OPEN: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::O);
const SAVE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::S);
const RESTORE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::R);

/// What the window starts with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Opened at once.
    pub file: Option<PathBuf>,
    /// Where pictures are restored.
    pub device: DeviceChoice,
    /// Where models are looked for.
    pub library: ModelLibrary,
    /// Model chosen at first; the shipped default when `None`.
    pub model: Option<String>,
}

/// A picture with its textures.
struct Shown {
    picture: Arc<Picture>,
    texture: TiledTexture,
}

impl Shown {
    fn new(ctx: &Context, name: &str, picture: Arc<Picture>) -> Self {
        Self {
            texture: TiledTexture::upload(ctx, name, &picture),
            picture,
        }
    }
}

/// One line to the user at the bottom of the window.
enum Message {
    Plain(String),
    Problem(String),
}

type Loaded = (PathBuf, Result<Picture, String>);
type Saved = (PathBuf, Result<(), String>);

/// The application.
pub struct Window {
    setup: Setup,
    dialogs: Box<dyn Dialogs>,
    worker: Worker,
    viewer: Viewer,
    /// Zoom of the last frame: panels are laid out before the picture.
    zoom: f32,
    models: Vec<String>,
    model: usize,
    path: Option<PathBuf>,
    before: Option<Shown>,
    after: Option<Shown>,
    loading: Option<Receiver<Loaded>>,
    saving: Option<Receiver<Saved>>,
    message: Message,
    restore_when_loaded: bool,
}

impl Window {
    /// A window with nothing open, or with the setup's file on its way.
    pub fn new(ctx: &Context, setup: Setup, dialogs: Box<dyn Dialogs>) -> Self {
        ctx.all_styles_mut(|style| {
            style.spacing.button_padding = egui::vec2(10.0, 5.0);
            style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        });
        let worker = Worker::new(ctx.clone(), &setup);
        let models = worker.models();
        let wanted = setup.model.clone().or_else(|| worker.default_model());
        let model = wanted
            .and_then(|w| models.iter().position(|m| *m == w))
            .unwrap_or(0);
        let message = match models.is_empty() {
            true => Message::Problem(
                "No model was found; put one into the folder models beside the program.".to_owned(),
            ),
            false => Message::Plain(String::new()),
        };
        let mut window = Self {
            dialogs,
            worker,
            viewer: Viewer::default(),
            zoom: 1.0,
            models,
            model,
            path: None,
            before: None,
            after: None,
            loading: None,
            saving: None,
            message,
            restore_when_loaded: false,
            setup,
        };
        if let Some(file) = window.setup.file.take() {
            window.open(ctx, file);
        }
        window
    }

    /// Starts restoring as soon as the picture on its way is there.
    pub fn restore_when_loaded(&mut self) {
        self.restore_when_loaded = true;
    }

    /// Whether anything is being read, restored or saved.
    pub fn is_busy(&self) -> bool {
        self.loading.is_some() || self.saving.is_some() || self.worker.is_busy()
    }

    /// The restored picture, once there is one.
    pub fn restored(&self) -> Option<&Arc<Picture>> {
        self.after.as_ref().map(|s| &s.picture)
    }

    /// Reads `path` on another thread; what is on screen stays until it is there.
    fn open(&mut self, ctx: &Context, path: PathBuf) {
        self.worker.cancel();
        let (send, receive) = channel();
        let ctx = ctx.clone();
        self.message = Message::Plain(format!("Opening {}…", name(&path)));
        self.loading = Some(receive);
        std::thread::spawn(move || {
            let picture = Picture::open(&path).map_err(|e| e.to_string());
            // The window may be gone by now.
            let _ = send.send((path, picture));
            ctx.request_repaint();
        });
    }

    fn opened(&mut self, ctx: &Context, path: PathBuf, picture: Result<Picture, String>) {
        match picture {
            Err(problem) => self.message = Message::Problem(problem),
            Ok(picture) => {
                let size = format!("{} × {}", picture.width(), picture.height());
                self.message = Message::Plain(size);
                self.before = Some(Shown::new(ctx, "before", Arc::new(picture)));
                self.after = None;
                self.viewer.fit();
                self.path = Some(path);
                if std::mem::take(&mut self.restore_when_loaded) {
                    self.restore();
                }
            }
        }
    }

    fn restore(&mut self) {
        let (Some(before), Some(model)) = (&self.before, self.models.get(self.model)) else {
            return;
        };
        self.message = Message::Plain("Restoring…".to_owned());
        self.worker.restore(before.picture.clone(), model.clone());
    }

    fn save(&mut self, ctx: &Context) {
        let (Some(after), Some(source)) = (&self.after, &self.path) else {
            return;
        };
        let Some(target) = self.dialogs.save(&suggestion(source)) else {
            return;
        };
        if same_file(source, &target) {
            let problem = format!(
                "{}: that is the original; choose another name, originals are never replaced",
                name(&target)
            );
            self.message = Message::Problem(problem);
            return;
        }
        let (send, receive) = channel();
        let (picture, ctx) = (after.picture.clone(), ctx.clone());
        self.message = Message::Plain(format!("Saving {}…", name(&target)));
        self.saving = Some(receive);
        std::thread::spawn(move || {
            let saved = picture
                .save(&target, &SaveOptions::default())
                .map_err(|e| e.to_string());
            let _ = send.send((target, saved));
            ctx.request_repaint();
        });
    }

    /// Takes in what other threads have finished.
    fn collect(&mut self, ctx: &Context) {
        if let Some((path, picture)) = self.loading.as_ref().and_then(|r| r.try_recv().ok()) {
            self.loading = None;
            self.opened(ctx, path, picture);
        }
        if let Some((path, saved)) = self.saving.as_ref().and_then(|r| r.try_recv().ok()) {
            self.saving = None;
            self.message = match saved {
                Ok(()) => Message::Plain(format!("Saved {}", path.display())),
                Err(problem) => Message::Problem(problem),
            };
        }
        while let Some(outcome) = self.worker.poll() {
            match outcome {
                Outcome::Done { picture, summary } => {
                    self.after = Some(Shown::new(ctx, "after", picture));
                    self.message = Message::Plain(summary);
                }
                Outcome::Failed(problem) => self.message = Message::Problem(problem),
                Outcome::Cancelled => self.message = Message::Plain("Cancelled".to_owned()),
            }
        }
    }

    /// Dropped files and shortcuts.
    fn input(&mut self, ctx: &Context) {
        let dropped = ctx.input(|i| i.raw.dropped_files.first().map(|f| f.path().to_owned()));
        if let Some(path) = dropped {
            self.open(ctx, path);
        }
        let pressed = |shortcut| ctx.input_mut(|i| i.consume_shortcut(&shortcut));
        if pressed(OPEN) {
            self.ask_for_file(ctx);
        }
        if pressed(SAVE) {
            self.save(ctx);
        }
        if pressed(RESTORE) && !self.is_busy() {
            self.restore();
        }
        if ctx.input(|i| i.key_pressed(Key::Escape)) {
            self.worker.cancel();
        }
    }

    fn ask_for_file(&mut self, ctx: &Context) {
        if let Some(path) = self.dialogs.open() {
            self.open(ctx, path);
        }
    }

    fn toolbar(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            let ctx = ui.ctx().clone();
            if ui
                .button("Open…")
                .on_hover_text(shortcut(&ctx, OPEN))
                .clicked()
            {
                self.ask_for_file(&ctx);
            }
            ui.separator();
            let label = ui.label("Model");
            let selected = self.models.get(self.model).cloned().unwrap_or_default();
            egui::ComboBox::from_id_salt("model")
                .selected_text(selected)
                .width(150.0)
                .show_ui(ui, |ui| {
                    for (i, name) in self.models.iter().enumerate() {
                        ui.selectable_value(&mut self.model, i, name);
                    }
                })
                .response
                .labelled_by(label.id);
            if self.worker.is_busy() {
                if ui.button("Cancel").on_hover_text("Esc").clicked() {
                    self.worker.cancel();
                }
            } else {
                let ready = self.before.is_some() && !self.models.is_empty() && !self.is_busy();
                let button = Button::new(RichText::new("Restore").strong());
                if ui
                    .add_enabled(ready, button)
                    .on_hover_text(shortcut(&ctx, RESTORE))
                    .clicked()
                {
                    self.restore();
                }
            }
            let savable = self.after.is_some() && !self.is_busy();
            let save = ui.add_enabled(savable, Button::new("Save as…"));
            if save.on_hover_text(shortcut(&ctx, SAVE)).clicked() {
                self.save(&ctx);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if self.before.is_some() {
                    for (label, zoom) in [("200 %", 2.0), ("100 %", 1.0)] {
                        if ui.button(label).clicked() {
                            self.viewer.zoom_to(zoom);
                        }
                    }
                    if ui.button("Fit").clicked() {
                        self.viewer.fit();
                    }
                }
            });
        });
    }

    fn status(&self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            if let Some(path) = &self.path {
                ui.label(RichText::new(name(path)).strong());
            }
            match &self.message {
                Message::Plain(text) => ui.label(text),
                Message::Problem(text) => ui.colored_label(ui.visuals().error_fg_color, text),
            };
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if self.before.is_some() {
                    ui.label(format!("{:.0} %", self.zoom * 100.0));
                }
                if let Some(fraction) = self.worker.progress() {
                    let bar = ProgressBar::new(fraction)
                        .desired_width(160.0)
                        .show_percentage();
                    ui.add(bar);
                }
            });
        });
    }

    fn empty(&mut self, ui: &mut Ui) {
        ui.vertical_centered(|ui| {
            ui.add_space((ui.available_height() * 0.4).max(20.0));
            ui.heading("Drop a photo here");
            ui.label("Noise goes, the picture stays: PNG, JPEG, WebP, TIFF.");
            ui.add_space(12.0);
            if ui.button("Open a photo…").clicked() {
                let ctx = ui.ctx().clone();
                self.ask_for_file(&ctx);
            }
        });
        if ui.ctx().input(|i| !i.raw.hovered_files.is_empty()) {
            let rect = ui.max_rect().shrink(10.0);
            let stroke = egui::Stroke::new(2.0, ui.visuals().selection.bg_fill);
            ui.painter()
                .rect_stroke(rect, 8.0, stroke, egui::StrokeKind::Inside);
        }
    }
}

impl App for Window {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.collect(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        self.input(&ctx);
        Panel::top("toolbar").show(ui, |ui| {
            ui.add_space(4.0);
            self.toolbar(ui);
            ui.add_space(4.0);
        });
        Panel::bottom("status").show(ui, |ui| self.status(ui));
        let frame = egui::Frame::NONE.fill(backdrop(ui));
        CentralPanel::default()
            .frame(frame)
            .show(ui, |ui| match &self.before {
                None => self.empty(ui),
                Some(before) => {
                    let after = self.after.as_ref().map(|s| &s.texture);
                    self.zoom = self.viewer.show(ui, &before.texture, after);
                }
            });
    }
}

/// A neutral grey: colour around a picture changes how the picture looks.
fn backdrop(ui: &Ui) -> Color32 {
    Color32::from_gray(if ui.visuals().dark_mode { 24 } else { 200 })
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn shortcut(ctx: &Context, shortcut: KeyboardShortcut) -> String {
    ctx.format_shortcut(&shortcut)
}

/// `photo.jpg` → `photo-restored.jpg`, beside the source.
fn suggestion(source: &Path) -> PathBuf {
    let mut name = source.file_stem().unwrap_or_default().to_owned();
    name.push("-restored");
    if let Some(extension) = source.extension() {
        name.push(".");
        name.push(extension);
    }
    source.with_file_name(name)
}

/// Whether two paths lead to one existing file.
fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
