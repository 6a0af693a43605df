//! The window's end of the engine thread: jobs in, what became of them out.
//!
//! The engine opens its device when the first job comes, and models are read off the window's
//! thread: the window is there at once and never waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use egui::Context;
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::Picture;
use serpent_engine::priority;
use serpent_engine::restore::{
    DeviceChoice, Engine, Event, Job, JobHandle, ModelLibrary, Options, Region, Source,
};

use super::eta::{Course, Paces};
use super::shared_device::SharedDevice;

/// What is wanted of a picture.
#[derive(Clone, Debug)]
pub struct Order {
    /// The list's entry.
    pub entry: u64,
    /// Its picture.
    pub source: Source,
    /// Its pixels, as far as known: of the region for a preview.
    pub pixels: u64,
    /// The model's name.
    pub model: String,
    /// A part of the picture alone, as a preview.
    pub region: Option<Region>,
    /// MiB for intermediates.
    pub memory_mib: u64,
    /// Whether all eight turns are restored and the mean is taken.
    pub ensemble: bool,
}

impl Order {
    /// Pixels that the network sees.
    fn work(&self) -> u64 {
        self.pixels * if self.ensemble { 8 } else { 1 }
    }
}

/// An order under way.
struct Ticket {
    order: Order,
    handle: Option<JobHandle>,
    course: Option<Course>,
    cancelled: bool,
}

/// What the worker tells.
pub enum Told {
    /// Its turn has come, or more of it is done.
    Goes {
        /// The entry.
        entry: u64,
    },
    /// Restored.
    Done {
        /// What was ordered.
        order: Order,
        /// The result.
        picture: Arc<Picture>,
        /// How long it took.
        seconds: f64,
        /// Where.
        device: String,
        /// What to know, such as a fallback and its reason.
        notes: Vec<String>,
    },
    /// Not restored.
    Failed {
        /// What was ordered.
        order: Order,
        /// File, problem and remedy.
        message: String,
    },
    /// Stopped as asked.
    Cancelled {
        /// What was ordered.
        order: Order,
    },
    /// The device is open, or why another one is used.
    Device {
        /// Its name.
        name: String,
        /// Why the graphics device is not used.
        trouble: Option<String>,
    },
}

type Loaded = (String, Result<Arc<Checkpoint>, String>);

/// Submits jobs and turns events into what the window shows.
pub struct Worker {
    ctx: Context,
    device: DeviceChoice,
    shared: SharedDevice,
    library: ModelLibrary,
    engine: Option<(Engine, Receiver<Event>)>,
    /// The models used last, newest first.
    models: Vec<(String, Arc<Checkpoint>)>,
    loading: Option<String>,
    loaded: (Sender<Loaded>, Receiver<Loaded>),
    tickets: HashMap<u64, Ticket>,
    /// Numbers of the tickets in the order they came.
    order: Vec<u64>,
    last_id: u64,
    paces: Paces,
    told: Vec<Told>,
}

/// Models kept in memory.
const MODELS: usize = 3;

impl Worker {
    /// Nothing runs yet.
    pub fn new(
        ctx: Context,
        device: DeviceChoice,
        shared: SharedDevice,
        library: ModelLibrary,
    ) -> Self {
        Self {
            ctx,
            device,
            shared,
            library,
            engine: None,
            models: Vec::new(),
            loading: None,
            loaded: channel(),
            tickets: HashMap::new(),
            order: Vec::new(),
            last_id: 0,
            paces: Paces::default(),
            told: Vec::new(),
        }
    }

    /// Where the models are.
    pub fn library(&self) -> &ModelLibrary {
        &self.library
    }

    /// Restores on another device from the next job on; what runs is cancelled.
    pub fn use_device(&mut self, device: DeviceChoice) {
        if device == self.device {
            return;
        }
        self.device = device;
        self.paces.clear();
        self.cancel_all();
        for id in std::mem::take(&mut self.order) {
            if let Some(ticket) = self.tickets.remove(&id) {
                self.told.push(Told::Cancelled {
                    order: ticket.order,
                });
            }
        }
        if let Some(old) = self.engine.take() {
            // Its thread ends after the tile it is at: not waited for here.
            priority::spawn(move || drop(old));
        }
    }

    /// Queues an order.
    pub fn submit(&mut self, order: Order) {
        self.last_id += 1;
        let ticket = Ticket {
            order,
            handle: None,
            course: None,
            cancelled: false,
        };
        self.tickets.insert(self.last_id, ticket);
        self.order.push(self.last_id);
        self.pump();
    }

    /// Gives the engine what it can start on: orders whose model is in memory.
    fn pump(&mut self) {
        for id in self.order.clone() {
            let Some(ticket) = self.tickets.get_mut(&id) else {
                continue;
            };
            if ticket.handle.is_some() {
                continue;
            }
            if ticket.cancelled {
                self.end(id, |order| Told::Cancelled { order });
                continue;
            }
            let order = &ticket.order;
            let Some((_, model)) = self.models.iter().find(|(n, _)| *n == order.model) else {
                if self.loading.is_none() {
                    let name = order.model.clone();
                    self.load(name);
                }
                // Jobs keep the order in which they were asked for.
                return;
            };
            let job = Job {
                id,
                source: order.source.clone(),
                model: model.clone(),
                options: Options {
                    memory: order.memory_mib << 20,
                    ensemble: order.ensemble,
                    ..Options::default()
                },
                region: order.region,
                output: None,
            };
            let (engine, _) = self.engine.get_or_insert_with(|| {
                self.shared
                    .start_engine(self.device.clone().into(), self.ctx.clone())
            });
            ticket.handle = Some(engine.submit(job));
        }
    }

    fn load(&mut self, name: String) {
        self.loading = Some(name.clone());
        let (send, ctx, library) = (
            self.loaded.0.clone(),
            self.ctx.clone(),
            self.library.clone(),
        );
        priority::spawn(move || {
            let model = library
                .load(Some(&name))
                .map(|(_, model)| Arc::new(model))
                .map_err(|e| e.to_string());
            // The window may be gone by now.
            let _ = send.send((name, model));
            ctx.request_repaint();
        });
    }

    /// Asks everything to stop; what runs answers within one tile.
    pub fn cancel_all(&mut self) {
        self.cancel(|_| true);
    }

    /// Asks these orders to stop.
    pub fn cancel(&mut self, which: impl Fn(&Order) -> bool) {
        for ticket in self.tickets.values_mut().filter(|t| which(&t.order)) {
            ticket.cancelled = true;
            if let Some(handle) = &ticket.handle {
                handle.cancel();
            }
        }
        self.pump();
    }

    /// Whether anything runs or waits.
    pub fn is_busy(&self) -> bool {
        !self.tickets.is_empty() || !self.told.is_empty()
    }

    /// Whether a whole picture of this entry is under way.
    pub fn has(&self, entry: u64) -> bool {
        self.tickets
            .values()
            .any(|t| t.order.entry == entry && t.order.region.is_none())
    }

    /// Whether a preview is under way.
    pub fn previews(&self) -> bool {
        self.tickets.values().any(|t| t.order.region.is_some())
    }

    /// How far the entry is, 0 to 1, if its turn has come.
    pub fn fraction(&self, entry: u64) -> Option<f32> {
        let now = Instant::now();
        let mut tickets = self.tickets.values();
        tickets.find_map(|t| {
            let wanted = t.order.entry == entry && t.order.region.is_none();
            let course = t.course.as_ref().filter(|_| wanted)?;
            Some(course.fraction(now))
        })
    }

    /// How far everything is, by pixels, and what is left.
    pub fn total(&self) -> Option<(f32, Option<Duration>)> {
        if self.tickets.is_empty() {
            return None;
        }
        let now = Instant::now();
        let (mut pixels, mut done, mut left) = (0.0, 0.0, Some(Duration::ZERO));
        for ticket in self.tickets.values() {
            let size = ticket.order.work().max(1);
            let expected = || self.paces.expect(&ticket.order.model, size);
            pixels += size as f64;
            let own = match &ticket.course {
                Some(course) => {
                    done += f64::from(course.fraction(now)) * size as f64;
                    course.left(now)
                }
                None => expected().map(Duration::from_secs_f64),
            };
            left = left.zip(own).map(|(a, b)| a + b);
        }
        Some(((done / pixels) as f32, left))
    }

    /// Takes the ticket off the list and tells how it ended.
    fn end(&mut self, id: u64, told: impl FnOnce(Order) -> Told) {
        self.order.retain(|other| *other != id);
        // An order of an engine that was given up is told of already.
        if let Some(ticket) = self.tickets.remove(&id) {
            self.told.push(told(ticket.order));
        }
    }

    /// What has happened since.
    pub fn poll(&mut self) -> Vec<Told> {
        while let Ok((name, model)) = self.loaded.1.try_recv() {
            self.loading = None;
            match model {
                Ok(model) => {
                    self.models.insert(0, (name, model));
                    self.models.truncate(MODELS);
                }
                Err(message) => self.fail_all_of(&name, &message),
            }
            self.pump();
        }
        let events: Vec<Event> = match &self.engine {
            Some((_, events)) => events.try_iter().collect(),
            None => Vec::new(),
        };
        for event in events {
            self.take_in(event);
        }
        std::mem::take(&mut self.told)
    }

    fn fail_all_of(&mut self, model: &str, message: &str) {
        for id in self.order.clone() {
            if self
                .tickets
                .get(&id)
                .is_some_and(|t| t.order.model == model)
            {
                let message = message.to_owned();
                self.end(id, |order| Told::Failed { order, message });
            }
        }
    }

    fn take_in(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Ready { device, trouble } => self.told.push(Told::Device {
                name: device,
                trouble,
            }),
            // Every job says so as well.
            Event::NoDevice { .. } => {}
            Event::Started { id } => {
                if let Some(ticket) = self.tickets.get_mut(&id) {
                    let order = &ticket.order;
                    let expected = self.paces.expect(&order.model, order.work());
                    ticket.course = Some(Course::new(now, expected));
                    let entry = order.entry;
                    self.told.push(Told::Goes { entry });
                }
            }
            Event::Progress {
                id, done, total, ..
            } => {
                if let Some(ticket) = self.tickets.get_mut(&id) {
                    if let Some(course) = &mut ticket.course {
                        course.progress(now, done as f64 / total.max(1) as f64);
                    }
                    let entry = ticket.order.entry;
                    self.told.push(Told::Goes { entry });
                }
            }
            Event::Finished {
                id,
                picture,
                seconds,
                device,
                notes,
            } => {
                if let Some(ticket) = self.tickets.get(&id) {
                    let order = &ticket.order;
                    self.paces.learn(&order.model, order.work(), seconds);
                }
                self.end(id, |order| Told::Done {
                    order,
                    picture,
                    seconds,
                    device,
                    notes,
                });
            }
            Event::Failed { id, message } => self.end(id, |order| Told::Failed { order, message }),
            Event::Cancelled { id } => self.end(id, |order| Told::Cancelled { order }),
        }
    }
}
