//! A hand at the picture, for measuring: it does over and over what people do, through the same
//! events as theirs.

use std::f32::consts::TAU;
use std::time::Instant;

use egui::{
    Event, Modifiers, MouseWheelSource, MouseWheelUnit, PointerButton, Pos2, RawInput, TouchPhase,
    vec2,
};

/// Seconds of one round: drag (the divider, if there is one), zoom in, drag, zoom out.
const ROUND: f32 = 6.0;
/// Points a second that the wheel turns.
const WHEEL: f32 = 300.0;

/// The hand.
pub struct Hand {
    begun: Instant,
    last: Instant,
    pressed: bool,
}

impl Default for Hand {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            last: now,
            pressed: false,
        }
    }
}

impl Hand {
    /// What it does in this frame, around `home`, in place of the user's pointer.
    pub fn act(&mut self, home: Pos2, input: &mut RawInput) {
        let now = Instant::now();
        let passed = (now - self.last).as_secs_f32().min(0.1);
        self.last = now;
        let part = (now - self.begun).as_secs_f32() / ROUND % 1.0 * 4.0;
        let (drags, turns) = match part as u32 {
            0 | 2 => (true, 0.0),
            1 => (false, WHEEL),
            _ => (false, -WHEEL),
        };
        // A slow circle, back home at the end of each drag.
        let angle = if drags { part.fract() * TAU } else { 0.0 };
        let at = home + vec2(120.0 * angle.sin(), 80.0 * (1.0 - angle.cos()));
        input.events.push(Event::PointerMoved(at));
        if drags != self.pressed {
            self.pressed = drags;
            input.events.push(Event::PointerButton {
                pos: at,
                button: PointerButton::Primary,
                pressed: drags,
                modifiers: Modifiers::NONE,
            });
        }
        if turns != 0.0 {
            input.events.push(Event::MouseWheel {
                unit: MouseWheelUnit::Point,
                delta: vec2(0.0, turns * passed),
                source: MouseWheelSource::Wheel,
                phase: TouchPhase::Move,
                modifiers: Modifiers::NONE,
            });
        }
    }
}
