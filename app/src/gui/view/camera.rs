//! Where a view stands in a picture, in screen pixels; several views may share it.

/// Smallest and largest zoom, in screen pixels a picture pixel.
const ZOOM_RANGE: std::ops::RangeInclusive<f64> = 0.005..=64.0;

/// Zoom and place. They outlive the pictures, so that changing them keeps both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Screen pixels a pixel of the first picture; `None` fits the picture to the view.
    zoom: Option<f64>,
    /// The picture's point in the middle of the view, as a fraction of its sides.
    centre: [f64; 2],
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            zoom: None,
            centre: [0.5; 2],
        }
    }
}

/// A picture's place in a viewport: `screen = origin + scale · picture`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ground {
    /// The picture's top left corner in screen pixels of the viewport, whole numbers.
    pub origin: [f64; 2],
    /// Screen pixels a picture pixel.
    pub scale: f64,
}

impl Ground {
    /// From screen pixels of the viewport to picture pixels.
    pub fn to_picture(self, screen: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|i| (screen[i] - self.origin[i]) / self.scale)
    }
}

impl Camera {
    /// Fits the picture to the view.
    pub fn fit(&mut self) {
        *self = Self::default();
    }

    /// Whether the picture is fitted to the view.
    pub fn is_fit(&self) -> bool {
        self.zoom.is_none()
    }

    /// The zoom in force in a viewport, in screen pixels a picture pixel.
    pub fn scale(&self, viewport: [f64; 2], picture: [f64; 2]) -> f64 {
        self.zoom.unwrap_or_else(|| {
            let room = (viewport[0] / picture[0]).min(viewport[1] / picture[1]);
            // A small picture is not blown up just because there is room.
            room.clamp(*ZOOM_RANGE.start(), 1.0)
        })
    }

    /// Where the picture lies in a viewport.
    pub(super) fn ground(&self, viewport: [f64; 2], picture: [f64; 2]) -> Ground {
        let scale = self.scale(viewport, picture);
        // Whole screen pixels, so that 100 % is sharp.
        let origin =
            [0, 1].map(|i| (viewport[i] / 2.0 - self.centre[i] * picture[i] * scale).round());
        Ground { origin, scale }
    }

    /// Moves the picture by screen pixels, up to its edges.
    pub fn pan(&mut self, by: [f64; 2], viewport: [f64; 2], picture: [f64; 2]) {
        let scale = self.scale(viewport, picture);
        let moved = [0, 1].map(|i| self.centre[i] - by[i] / (picture[i] * scale));
        self.centre = [0, 1].map(|i| {
            let (low, high) = filled(viewport[i], picture[i] * scale);
            // Where zooming left a gap, panning may close it but not widen it.
            moved[i].clamp(low.min(self.centre[i]), high.max(self.centre[i]))
        });
    }

    /// Sets the zoom while the picture's point at `fixed`, screen pixels of the viewport, stays.
    pub fn zoom_around(
        &mut self,
        fixed: [f64; 2],
        zoom: f64,
        viewport: [f64; 2],
        picture: [f64; 2],
    ) {
        let old = self.scale(viewport, picture);
        let new = zoom.clamp(*ZOOM_RANGE.start(), *ZOOM_RANGE.end());
        self.centre = [0, 1].map(|i| {
            let from_middle = fixed[i] - viewport[i] / 2.0;
            let moved = self.centre[i] + from_middle / picture[i] * (1.0 / old - 1.0 / new);
            let (low, high) = if new > old {
                (0.0, 1.0)
            } else {
                filled(viewport[i], picture[i] * new)
            };
            moved.clamp(low, high)
        });
        self.zoom = Some(new);
    }

    /// Leaves no more empty room than there must be, after the view's size has changed.
    pub(super) fn settle(&mut self, viewport: [f64; 2], picture: [f64; 2]) {
        let scale = self.scale(viewport, picture);
        self.centre = [0, 1].map(|i| {
            let (low, high) = filled(viewport[i], picture[i] * scale);
            self.centre[i].clamp(low, high)
        });
    }
}

/// The centres at which a picture of `length` screen pixels fills the view, or at which it is in
/// its middle if it is smaller.
fn filled(view: f64, length: f64) -> (f64, f64) {
    let half = (view / (2.0 * length)).min(0.5);
    (half, 1.0 - half)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const VIEW: [f64; 2] = [800.0, 600.0];
    const PICTURE: [f64; 2] = [4000.0, 3000.0];

    #[test]
    fn a_fitted_picture_fills_the_view_and_a_small_one_keeps_its_size() {
        let camera = Camera::default();
        assert_eq!(camera.scale(VIEW, PICTURE), 0.2);
        assert_eq!(camera.ground(VIEW, PICTURE).origin, [0.0, 0.0]);
        let small = camera.ground(VIEW, [100.0, 50.0]);
        assert_eq!((small.scale, small.origin), (1.0, [350.0, 275.0]));
    }

    #[test]
    fn the_point_under_the_pointer_stays_when_zooming() {
        let mut camera = Camera::default();
        let pointer = [300.0, 400.0];
        for zoom in [1.0, 3.0, 2.0, 8.0] {
            let before = camera.ground(VIEW, PICTURE).to_picture(pointer);
            camera.zoom_around(pointer, zoom, VIEW, PICTURE);
            let after = camera.ground(VIEW, PICTURE).to_picture(pointer);
            for i in 0..2 {
                // Half a screen pixel of snapping before and after.
                assert!((before[i] - after[i]).abs() <= 3.0, "{before:?} {after:?}");
            }
        }
    }

    #[test]
    fn panning_stops_at_the_edges() {
        let mut camera = Camera::default();
        camera.zoom_around([400.0, 300.0], 1.0, VIEW, PICTURE);
        camera.pan([1e6, -1e6], VIEW, PICTURE);
        assert_eq!(camera.ground(VIEW, PICTURE).origin, [0.0, -2400.0]);
    }
}
