//! Restoring: which model, which picture, and what became of it.

use std::sync::Arc;

use serpent_engine::checkpoint::Task;
use serpent_engine::image::Picture;
use serpent_engine::restore::{Region, Source};

use super::cards::{Card, title};
use super::notice::Weight;
use super::queue::{Entry, Outcome, State};
use super::sources::MixFor;
use super::window::Window;
use super::words;
use super::worker::{Order, Told};

/// A part of the picture on screen, restored before the whole is.
pub struct Preview {
    /// The entry it belongs to.
    pub entry: u64,
    /// The part.
    pub region: Region,
    /// The part restored.
    pub picture: Arc<Picture>,
}

impl Window {
    /// The models are known now.
    pub(super) fn cards_are_there(&mut self) {
        for problem in self.cards.broken.clone() {
            self.notices.problem(problem);
        }
        if self.cards.list.is_empty() {
            let folders = self.worker.library().folders();
            let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
            self.notices.problem(format!(
                "No model was found; put a .safetensors file into {}",
                folders.join(" or ")
            ));
        }
        // One that was deleted meanwhile is not insisted on.
        self.model = self.model.take().filter(|m| self.cards.get(m).is_some());
        self.task = None;
        if let Some(card) = self.model.as_deref().and_then(|m| self.cards.get(m)) {
            self.task = Some((card.task, card.scale));
        }
    }

    /// The model that a picture would be restored with, and why if it was not chosen.
    pub(super) fn card_for(&self, entry: &Entry) -> Option<(&Card, Option<String>)> {
        if let Some(card) = self.model.as_deref().and_then(|m| self.cards.get(m)) {
            return Some((card, None));
        }
        if let Some((task, scale)) = self.task {
            return self.cards.for_task(task, scale).map(|c| (c, None));
        }
        let jpeg = [".jpg", ".jpeg"]
            .iter()
            .any(|e| entry.name.to_lowercase().ends_with(e));
        match self.cards.proposal(entry.noise, jpeg) {
            Some((card, why)) => Some((card, Some(why))),
            None => self.cards.first().map(|c| (c, None)),
        }
    }

    /// Another task, or the choice left to the program.
    pub(super) fn choose_task(&mut self, task: Option<(Task, usize)>) {
        self.task = task;
        let card = task.and_then(|(t, s)| self.cards.for_task(t, s));
        self.model = card.map(|c| c.name.clone());
        self.settings.model = self.model.clone();
    }

    /// Another model.
    pub(super) fn choose_model(&mut self, name: &str) {
        if let Some(card) = self.cards.get(name) {
            self.task = Some((card.task, card.scale));
            self.model = Some(card.name.clone());
            self.settings.model = self.model.clone();
        }
    }

    pub(super) fn restore_selected(&mut self) {
        for id in self.queue.selected() {
            self.restore(id);
        }
    }

    /// Restores what has no result yet.
    pub(super) fn restore_all(&mut self) {
        let open = |e: &&Entry| e.outcomes.iter().all(|o| !o.restored);
        let ids: Vec<u64> = self
            .queue
            .entries()
            .iter()
            .filter(open)
            .map(|e| e.id)
            .collect();
        for id in ids {
            self.restore(id);
        }
    }

    fn restore(&mut self, id: u64) {
        let Some(entry) = self.queue.get(id) else {
            return;
        };
        if matches!(entry.state, State::Failed(_)) || self.worker.has(id) {
            return;
        }
        let Some((card, _)) = self.card_for(entry) else {
            return;
        };
        let order = Order {
            entry: id,
            source: source(entry),
            pixels: entry.pixels(),
            model: card.name.clone(),
            region: None,
            memory_mib: self.settings.memory_mib,
            ensemble: self.settings.ensemble,
        };
        self.notices.say("");
        if let Some(entry) = self.queue.get_mut(id) {
            entry.state = State::Waiting;
        }
        self.worker.submit(order);
    }

    /// Restores just what is on screen, so that a model can be judged before the whole is done.
    pub(super) fn preview_visible(&mut self) {
        let Some(entry) = self.queue.current().filter(|e| e.original.is_some()) else {
            return;
        };
        let (Some((card, _)), Some(region)) = (self.card_for(entry), self.canvas.visible()) else {
            return;
        };
        let order = Order {
            entry: entry.id,
            source: source(entry),
            pixels: region.pixels(),
            model: card.name.clone(),
            region: Some(region),
            memory_mib: self.settings.memory_mib,
            // It is to be there at once, and nobody sees the difference.
            ensemble: false,
        };
        // What was visible a moment ago is of no interest any more.
        self.worker.cancel(|o| o.region.is_some());
        self.worker.submit(order);
    }

    pub(super) fn take_in_told(&mut self, told: Told) {
        match told {
            Told::Device { name, trouble } => {
                if let Some(reason) = trouble {
                    let text = format!("Restoring on the processor: {reason}");
                    self.notices.tell(Weight::Warning, text);
                }
                self.device_name = Some(name);
            }
            Told::Goes { entry } => {
                let fraction = self.worker.fraction(entry);
                if let (Some(entry), Some(f)) = (self.queue.get_mut(entry), fraction) {
                    entry.state = State::Restoring(f);
                }
            }
            Told::Done {
                order,
                picture,
                seconds,
                device,
                notes,
            } => self.done(&order, picture, seconds, &device, notes),
            Told::Failed { order, message } => {
                self.failed(&order, message);
                self.all_done();
            }
            Told::Cancelled { order } => {
                if order.region.is_none() {
                    self.settle_state(order.entry);
                    self.notices.say("Cancelled");
                }
            }
        }
    }

    fn done(
        &mut self,
        order: &Order,
        picture: Arc<Picture>,
        seconds: f64,
        device: &str,
        notes: Vec<String>,
    ) {
        for note in notes {
            self.notices.tell(Weight::Warning, note);
        }
        self.device_name = Some(device.to_owned());
        let took = words::took(seconds);
        if let Some(region) = order.region {
            if self.queue.current_id() == Some(order.entry) {
                self.preview = Some(Preview {
                    entry: order.entry,
                    region,
                    picture,
                });
                self.notices.say(format!("Preview in {took} on {device}"));
            }
            return;
        }
        self.last_outcome += 1;
        let outcome = Outcome {
            id: self.last_outcome,
            title: title(&order.model),
            model: order.model.clone(),
            picture,
            strength: 1.0,
            summary: match order.ensemble {
                true => format!("{took} on {device}, eight turns"),
                false => format!("{took} on {device}"),
            },
            restored: true,
        };
        if let Some(entry) = self.queue.get_mut(order.entry) {
            // The same model gives the same result: the newer one takes its place.
            let same = |o: &Outcome| o.restored && o.model == order.model;
            let strength = entry.outcomes.iter().find(|o| same(o)).map(|o| o.strength);
            entry.outcomes.retain(|o| !same(o));
            entry.shown = Some(outcome.id);
            entry.outcomes.push(Outcome {
                strength: strength.unwrap_or(1.0),
                ..outcome
            });
            entry.state = State::Restored;
            let text = format!("{} restored in {took} on {device}", entry.name);
            self.notices.say(text);
        }
        if self
            .preview
            .as_ref()
            .is_some_and(|p| p.entry == order.entry)
        {
            self.preview = None;
        }
        self.all_done();
    }

    /// Keeps the result on screen, as strong as it is shown, as a result of its own.
    pub(super) fn keep_strength(&mut self) {
        let Some(entry) = self.queue.current() else {
            return;
        };
        if let (Some(outcome), Some(original)) = (entry.outcome(), &entry.original) {
            let (ids, restored) = ([entry.id, outcome.id], outcome.picture.clone());
            let (original, strength) = (original.clone(), outcome.strength);
            let usage = MixFor::Keeping;
            self.sources.mix(ids, original, restored, strength, usage);
        }
    }

    pub(super) fn mixed(
        &mut self,
        id: u64,
        outcome: u64,
        strength: f32,
        picture: Result<Arc<Picture>, String>,
    ) {
        self.last_outcome += 1;
        let number = self.last_outcome;
        match (picture, self.queue.get_mut(id)) {
            (Ok(picture), Some(entry)) => {
                let of = entry.outcomes.iter_mut().find(|o| o.id == outcome);
                let title = of.as_ref().map_or_else(String::new, |o| o.title.clone());
                // What it was kept of is whole again, lest the two be the same; the one on screen
                // stays what it is.
                if let Some(of) = of.filter(|o| o.strength == strength) {
                    of.strength = 1.0;
                    if entry.shown == Some(outcome) {
                        entry.shown = Some(number);
                    }
                }
                entry.outcomes.push(Outcome {
                    id: number,
                    title: format!("{title}, {:.0} %", strength * 100.0),
                    model: String::new(),
                    picture,
                    strength: 1.0,
                    summary: "kept".to_owned(),
                    restored: false,
                });
            }
            (Err(problem), _) => self.notices.problem(problem),
            (Ok(_), None) => {}
        }
    }

    fn all_done(&self) {
        if !self.worker.is_busy() {
            self.call_attention();
        }
    }

    /// A picture that was opened is not to blame: it can be restored again, on another device say.
    /// A file that nothing was seen of is marked.
    fn failed(&mut self, order: &Order, message: String) {
        let entry = self.queue.get_mut(order.entry);
        match entry {
            Some(entry) if entry.original.is_none() && order.region.is_none() => {
                entry.state = State::Failed(message);
            }
            Some(entry) => {
                let named = message.contains(&entry.name);
                let text = match named {
                    true => message,
                    false => format!("{}: {message}", entry.name),
                };
                self.notices.problem(text);
                if order.region.is_none() {
                    self.settle_state(order.entry);
                }
            }
            None => self.notices.problem(message),
        }
    }

    /// The state of an entry that nothing is done with any more.
    fn settle_state(&mut self, id: u64) {
        if let Some(entry) = self.queue.get_mut(id) {
            entry.state = match entry.outcomes.iter().any(|o| o.restored) {
                true => State::Restored,
                false => State::Ready,
            };
        }
    }
}

fn source(entry: &Entry) -> Source {
    match (&entry.original, entry.path()) {
        (Some(picture), _) => Source::Picture(picture.clone()),
        (None, Some(path)) => Source::File(path.to_owned()),
        // A pasted picture is always kept.
        (None, None) => Source::File(entry.name.clone().into()),
    }
}
