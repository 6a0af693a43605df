//! The run's curves as a PNG: loss on a logarithmic scale, validation PSNR below.

use std::path::Path;
use std::sync::Once;

use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::TrainError;
use super::log::LogLine;

const SIZE: (u32, u32) = (1000, 800);
/// Points of the loss curve: each is the mean of a stretch of steps.
const POINTS: usize = 500;

/// Draws the curves of a log.
///
/// # Errors
/// [`TrainError::Plot`] when the picture cannot be written.
pub fn plot(path: &Path, lines: &[LogLine]) -> Result<(), TrainError> {
    draw(path, lines).map_err(|e| TrainError::Plot {
        path: path.to_owned(),
        problem: e.to_string(),
    })
}

fn draw(path: &Path, lines: &[LogLine]) -> Result<(), Box<dyn std::error::Error>> {
    register_font();
    let (losses, psnrs) = curves(lines);
    let Some(&(last, _)) = losses.last() else {
        return Ok(());
    };
    // Encoded here: the plotting library's own encoder brings an older image library along.
    let mut pixels = vec![0; (SIZE.0 * SIZE.1 * 3) as usize];
    paint(&mut pixels, &losses, &psnrs, last)?;
    let encoding = image::ExtendedColorType::Rgb8;
    image::save_buffer_with_format(
        path,
        &pixels,
        SIZE.0,
        SIZE.1,
        encoding,
        image::ImageFormat::Png,
    )?;
    Ok(())
}

/// Both curves into 8-bit RGB pixels of [`SIZE`].
fn paint(
    pixels: &mut [u8],
    losses: &[(f64, f64)],
    psnrs: &[(f64, f64)],
    last: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let root = BitMapBackend::with_buffer(pixels, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (upper, lower) = match psnrs.is_empty() {
        true => (root.clone(), None),
        false => {
            let (upper, lower) = root.split_vertically(SIZE.1 / 2);
            (upper, Some(lower))
        }
    };
    let steps = 0.0..last.max(1.0);
    let (low, high) = bounds(losses);
    let (low, high) = (low / 1.1, high * 1.1);
    let y = (low..high)
        .log_scale()
        .with_key_points(logarithmic_marks(low, high));
    curve(&upper, "loss", steps.clone(), y, losses, BLUE, &|v| {
        format!("{}", (v * 1e6).round() / 1e6)
    })?;
    if let Some(lower) = lower {
        let (low, high) = bounds(psnrs);
        let y = low - 0.2..high + 0.2;
        let label = "validation PSNR in dB (averaged weights)";
        curve(&lower, label, steps, y, psnrs, RED, &|v| format!("{v:.2}"))?;
    }
    root.present()?;
    Ok(())
}

fn curve<Y>(
    area: &DrawingArea<BitMapBackend<'_>, plotters::coord::Shift>,
    caption: &str,
    x: std::ops::Range<f64>,
    y: Y,
    points: &[(f64, f64)],
    colour: RGBColor,
    label: &dyn Fn(&f64) -> String,
) -> Result<(), Box<dyn std::error::Error>>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_desc("step")
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(label)
        .label_style(("sans-serif", 15))
        .light_line_style(WHITE.mix(0.0))
        .draw()?;
    chart.draw_series(LineSeries::new(
        points.iter().copied(),
        colour.stroke_width(2),
    ))?;
    if points.len() < 100 {
        let dots = points.iter().map(|&p| Circle::new(p, 3, colour.filled()));
        chart.draw_series(dots)?;
    }
    Ok(())
}

type Curve = Vec<(f64, f64)>;

/// Loss, averaged over stretches of steps, and validation PSNR, over the step.
fn curves(lines: &[LogLine]) -> (Curve, Curve) {
    let mut losses = Vec::new();
    let mut psnrs = Vec::new();
    for line in lines {
        match *line {
            LogLine::Step { step, loss, .. } => losses.push((step as f64, f64::from(loss))),
            LogLine::Validation { step, psnr, .. } => psnrs.push((step as f64, psnr)),
        }
    }
    let stretch = losses.len().div_ceil(POINTS).max(1);
    let mean = |points: &[(f64, f64)]| {
        let n = points.len() as f64;
        let (x, y) = points
            .iter()
            .fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
        (x / n, y / n)
    };
    (losses.chunks(stretch).map(mean).collect(), psnrs)
}

/// 1, 1.5, 2, 3, 5, 7 and their multiples by powers of ten within the bounds.
fn logarithmic_marks(low: f64, high: f64) -> Vec<f64> {
    (low.log10().floor() as i32..=high.log10().ceil() as i32)
        .flat_map(|power| [1.0, 1.5, 2.0, 3.0, 5.0, 7.0].map(|m| m * 10f64.powi(power)))
        .filter(|mark| (low..=high).contains(mark))
        .collect()
}

fn bounds(points: &[(f64, f64)]) -> (f64, f64) {
    let values = points.iter().map(|p| p.1);
    let low = values.clone().fold(f64::MAX, f64::min);
    let high = values.fold(f64::MIN, f64::max);
    (low.max(1e-9), high.max(1e-9))
}

/// The plotting library has no font of its own, and a machine may have none.
pub(crate) fn register_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        if plotters::style::register_font("sans-serif", FontStyle::Normal, font).is_err() {
            tracing::warn!("the curves' labels have no font");
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// Set SERPENT_KEEP to a folder to look at the picture.
    #[test]
    fn curves_are_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let kept = std::env::var_os("SERPENT_KEEP").map(std::path::PathBuf::from);
        let path = kept.as_deref().unwrap_or(folder.path()).join("curves.png");
        let mut lines = Vec::new();
        for step in 1..=20_000u64 {
            let noise = ((step * 7919) % 101) as f32 / 101.0;
            lines.push(LogLine::Step {
                step,
                loss: 0.02 + 0.2 / (1.0 + step as f32 / 300.0) * (0.8 + 0.4 * noise),
                gradient_norm: 1.0,
                learning_rate: 1e-3,
                samples_per_second: 60.0,
                seconds: step as f32,
            });
            if step % 1000 == 0 {
                lines.push(LogLine::Validation {
                    step,
                    psnr: 31.0 - 5.0 * (-(step as f64) / 5000.0).exp(),
                    input_psnr: 20.2,
                    seconds: step as f32,
                });
            }
        }
        plot(&path, &lines).unwrap();
        let picture = image::open(&path).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), SIZE);
        let has = |colour: RGBColor| {
            picture
                .pixels()
                .any(|p| p.0 == [colour.0, colour.1, colour.2])
        };
        assert!(
            has(BLUE) && has(RED) && has(BLACK),
            "both curves and the labels"
        );
        let other = folder.path().join("short.png");
        plot(&other, &lines[..1]).unwrap();
        plot(&other, &[]).unwrap();
        assert!(plot(Path::new("/no/such/folder/curves.png"), &lines).is_err());
    }
}
