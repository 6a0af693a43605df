//! Quality against cost, as a picture.

use std::path::{Path, PathBuf};

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::train::register_font;

const SIZE: (u32, u32) = (1000, 620);

/// A method in a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its name.
    pub label: String,
    /// Cost, above 0; the axis is logarithmic.
    pub cost: f64,
    /// Quality.
    pub quality: f64,
    /// Whether it is ours: drawn apart.
    pub ours: bool,
}

/// The chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot draw the chart: {problem}", path.display())]
pub struct ChartError {
    /// The picture.
    pub path: PathBuf,
    /// What was wrong.
    pub problem: String,
}

/// Draws methods by cost and quality into a PNG.
///
/// # Errors
/// [`ChartError`] when there is no point to draw or the picture cannot be written.
pub fn quality_for_cost(
    path: &Path,
    title: &str,
    axes: [&str; 2],
    points: &[Point],
) -> Result<(), ChartError> {
    let wrong = |problem: String| ChartError {
        path: path.to_owned(),
        problem,
    };
    if points.is_empty() {
        return Err(wrong("there are no figures yet".to_owned()));
    }
    register_font();
    let mut pixels = vec![0; (SIZE.0 * SIZE.1 * 3) as usize];
    paint(&mut pixels, title, axes, points).map_err(|e| wrong(e.to_string()))?;
    let colours = image::ExtendedColorType::Rgb8;
    let format = image::ImageFormat::Png;
    image::save_buffer_with_format(path, &pixels, SIZE.0, SIZE.1, colours, format)
        .map_err(|e| wrong(e.to_string()))
}

fn paint(
    pixels: &mut [u8],
    title: &str,
    [across, up]: [&str; 2],
    points: &[Point],
) -> Result<(), Box<dyn std::error::Error>> {
    let root = BitMapBackend::with_buffer(pixels, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let range = |of: fn(&Point) -> f64| {
        let values = points.iter().map(of);
        let low = values.clone().fold(f64::MAX, f64::min);
        (low, values.fold(f64::MIN, f64::max))
    };
    let (left, right) = range(|p| p.cost);
    let (low, high) = range(|p| p.quality);
    let margin = ((high - low) * 0.12).max(0.05);
    // Lines are a tenth of the range apart.
    let digits = if high - low < 1.0 { 2 } else { 1 };
    let x = (left / 2.0..right * 2.5).log_scale();
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 22))
        .margin(14)
        .x_label_area_size(48)
        .y_label_area_size(70)
        .build_cartesian_2d(x, low - margin..high + margin)?;
    chart
        .configure_mesh()
        .x_desc(across)
        .y_desc(up)
        .x_label_formatter(&|v| format!("{v}"))
        .y_label_formatter(&|v| format!("{v:.digits$}"))
        .label_style(("sans-serif", 16))
        .light_line_style(WHITE)
        .draw()?;
    let grey = RGBColor(90, 90, 90);
    let green = RGBColor(0, 120, 70);
    for point in points {
        let colour = if point.ours { green } else { grey };
        let radius = if point.ours { 7 } else { 5 };
        let place = (point.cost, point.quality);
        chart.draw_series([Circle::new(place, radius, colour.filled())])?;
        // To the left where another stands close to the right.
        let crowded = points.iter().any(|o| {
            let apart = o.cost / point.cost;
            (1.0..2.2).contains(&apart)
                && o != point
                && (o.quality - point.quality).abs() < margin / 2.5
        });
        let (side, shift) = match crowded {
            true => (HPos::Right, -12),
            false => (HPos::Left, 12),
        };
        let style = ("sans-serif", 17).into_font().color(&colour);
        let style = style.pos(Pos::new(side, VPos::Center));
        let label = Text::new(point.label.clone(), (shift, 0), style);
        chart.draw_series([EmptyElement::at(place) + label])?;
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn points_are_drawn_ours_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chart.png");
        let point = |cost: f64, ours| Point {
            label: "x".to_owned(),
            cost,
            quality: 30.0 + cost.log10(),
            ours,
        };
        let points = [point(10.0, true), point(143.0, false)];
        quality_for_cost(&path, "title", ["GMAC", "dB"], &points).unwrap();
        let picture = image::open(&path).unwrap().to_rgb8();
        let has = |colour: [u8; 3]| picture.pixels().filter(|p| p.0 == colour).count();
        assert!(has([0, 120, 70]) > 100 && has([90, 90, 90]) > 50);
        assert!(quality_for_cost(&path, "", ["", ""], &[]).is_err());
        let nowhere = Path::new("/no/such/folder/chart.png");
        assert!(quality_for_cost(nowhere, "", ["", ""], &points).is_err());
    }
}
