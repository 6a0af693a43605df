//! Several results of one picture.

use egui_kittest::kittest::Queryable;
use serpent::gui::view::{CompareGrid, Measured};
use serpent_engine::metrics::{Protocol, compare};

use super::*;

struct GridBench {
    grid: CompareGrid,
}

impl App for GridBench {
    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        CentralPanel::default()
            .frame(Frame::NONE)
            .show(ui, |ui| self.grid.show(ui));
    }
}

/// Values of the candidates; the reference has 0.5.
const LEVELS: [f32; 4] = [0.6, 0.52, 0.4, 0.5];

fn noisy(level: f32) -> Picture {
    picture(64, 48, |x, y, c| {
        level + ((x * 7 + y * 5 + c) % 11) as f32 / 110.0
    })
}

fn grid() -> Harness<'static, GridBench> {
    let mut harness = Harness::builder()
        .with_size([900.0, 700.0])
        .wgpu()
        .build_eframe(|cc| {
            let gpu = Gpu::new(&cc.egui_ctx, cc.wgpu_render_state.as_ref().unwrap());
            let mut grid = CompareGrid::new(&gpu);
            for level in LEVELS {
                let view = Arc::new(PictureView::new(&gpu, Arc::new(noisy(level))));
                grid.push(view, &format!("level {level}"), "strength 100 %");
            }
            GridBench { grid }
        });
    settle_grid(&mut harness);
    harness
}

fn settle_grid(harness: &mut Harness<'_, GridBench>) {
    let start = Instant::now();
    harness.run_steps(2);
    while !harness.state().grid.is_settled() {
        assert!(start.elapsed() < Duration::from_secs(60), "not settled");
        std::thread::sleep(Duration::from_millis(5));
        harness.step();
    }
    harness.run_steps(2);
}

#[test]
fn grid_measures_as_the_engine_does() {
    let mut harness = grid();
    assert_eq!(
        harness.state().grid.candidates()[0].measured(),
        &Measured::None
    );
    let reference = Arc::new(noisy(0.5));
    harness
        .state_mut()
        .grid
        .set_reference(Some(reference.clone()));
    settle_grid(&mut harness);
    for (level, candidate) in LEVELS.iter().zip(harness.state().grid.candidates()) {
        let expected = compare(&reference.to_rgb(), &noisy(*level).to_rgb(), Protocol::Rgb8);
        assert_eq!(candidate.measured(), &Measured::Done(expected.unwrap()));
    }
    assert!(harness.query_by_label_contains("identical").is_some());
    // A reference of another size says why there are no figures.
    harness
        .state_mut()
        .grid
        .set_reference(Some(Arc::new(flat(10, 10, 0.5))));
    settle_grid(&mut harness);
    for candidate in harness.state().grid.candidates() {
        assert!(matches!(candidate.measured(), Measured::Failed(m) if m.contains("10x10")));
    }
}

#[test]
fn grid_shows_every_result_at_the_same_place() {
    let mut harness = grid();
    for step in 0..2 {
        let image = harness.render().unwrap();
        let rects: Vec<_> = LEVELS
            .iter()
            .map(|l| harness.get_by_label(&format!("Result, level {l}")).rect())
            .collect();
        for (level, rect) in LEVELS.iter().zip(&rects) {
            let zoom = if step == 0 { 1.0 } else { 4.0 };
            let size = rect.size();
            // The picture's pixel (x, y), from where the middle of the picture is.
            for (x, y) in [(32i32, 24i32), (20, 15), (40, 30)] {
                let corner = [
                    (size.x / 2.0 - 32.0 * zoom).round() + rect.left(),
                    (size.y / 2.0 - 24.0 * zoom).round() + rect.top(),
                ];
                let at = [
                    corner[0] + (x as f32 + 0.5) * zoom,
                    corner[1] + (y as f32 + 0.5) * zoom,
                ];
                let noise = ((x * 7 + y * 5) % 11) as f32 / 110.0;
                let got = rgb(&image, at[0] as u32, at[1] as u32)[0];
                assert_eq!(got, byte(level + noise), "level {level} at {x} {y}");
            }
        }
        harness.state_mut().grid.zoom_to(4.0);
        settle_grid(&mut harness);
    }
}

#[test]
fn grid_lets_one_win() {
    let mut harness = grid();
    harness.run();
    harness.get_by_label("Result, level 0.6").focus();
    harness.run_steps(2);
    harness.key_press(egui::Key::Enter);
    harness.run_steps(2);
    assert_eq!(harness.state().grid.winner(), Some(0));
    harness.get_by_label("Pick level 0.4").click();
    harness.run_steps(2);
    assert_eq!(harness.state().grid.winner(), Some(2));
    harness.state_mut().grid.remove(0);
    harness.run_steps(2);
    assert_eq!(harness.state().grid.winner(), Some(1));
    harness.get_by_label("Picked level 0.4").click();
    harness.run_steps(2);
    assert_eq!(harness.state().grid.winner(), None);
}
