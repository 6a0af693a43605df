//! The tables of README and cards, from measured and published figures.

use super::results::{Entry, Measured, Method, Published, Results};
use super::task::EvalTask;

/// A table: what is measured and where.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub task: EvalTask,
    /// Set and level of each column.
    pub columns: Vec<(&'static str, f32)>,
    /// What it shows and by which protocol.
    pub title: &'static str,
}

impl Table {
    /// Sets of its columns, each once.
    pub fn sets(&self) -> Vec<&'static str> {
        let mut sets: Vec<_> = self.columns.iter().map(|c| c.0).collect();
        sets.dedup();
        sets
    }

    /// Heading of a column: the set where there are several, else the level.
    fn heading(&self, (set, level): (&str, f32)) -> String {
        if self.sets().len() > 1 {
            set.to_owned()
        } else {
            self.task.level(level)
        }
    }
}

/// Pictures of a set that are taken, the first by name; all where nothing is said.
pub(crate) fn limit(task: EvalTask) -> Option<usize> {
    let few = [
        EvalTask::Deblur,
        EvalTask::Defocus,
        EvalTask::Motion,
        EvalTask::Photo,
    ];
    few.contains(&task).then_some(20)
}

/// All tables there can be.
pub(crate) fn all() -> Vec<Table> {
    let one = |task, title, set, levels: &[f32]| Table {
        task,
        title,
        columns: levels.iter().map(|&l| (set, l)).collect(),
    };
    let enlarge = |title, scale| Table {
        task: EvalTask::SuperResolve,
        title,
        columns: vec![("Set5", scale), ("BSD100", scale)],
    };
    vec![
        one(
            EvalTask::Denoise,
            "Colour denoising of CBSD68: Gaussian noise of σ 15, 25 and 50 of 255, added to the 8-bit picture with a fixed seed and not clipped; PSNR over RGB.",
            "CBSD68",
            &[15.0, 25.0, 50.0],
        ),
        one(
            EvalTask::Deblur,
            "Deblurring of the first 20 pictures of CBSD68: Gaussian blur of 61 taps and σ 0.5 to 3 pixels, noise of 0.05; PSNR over RGB. Wiener and Richardson–Lucy know the kernel; their settings are the best on 16 other photographs.",
            "CBSD68",
            &[0.5, 1.0, 1.5, 2.0, 2.5, 3.0],
        ),
        one(
            EvalTask::Defocus,
            "Out of focus, the same pictures: a disc of 2 and 4 pixels' radius, noise of σ 5; PSNR over RGB. No model is told the blur.",
            "CBSD68",
            &[2.0, 4.0],
        ),
        one(
            EvalTask::Motion,
            "Camera shake, the same pictures: a hand's path of 8 and 16 pixels, noise of σ 5; PSNR over RGB.",
            "CBSD68",
            &[8.0, 16.0],
        ),
        enlarge(
            "Super-resolution ×2: antialiased bicubic shrinking, rounded to 8 bits; PSNR over luma, 2 pixels cut from the border.",
            2.0,
        ),
        enlarge(
            "Super-resolution ×4: the same, 4 pixels cut from the border.",
            4.0,
        ),
        enlarge(
            "Super-resolution ×8: the same, 8 pixels cut from the border.",
            8.0,
        ),
        one(
            EvalTask::Jpeg,
            "JPEG, grey: Classic5.",
            "Classic5",
            &[10.0, 20.0, 30.0, 40.0],
        ),
        one(
            EvalTask::Jpeg,
            "JPEG, colour at half the resolution (4:2:0): LIVE1, PSNR over RGB.",
            "LIVE1",
            &[10.0, 20.0, 30.0, 40.0],
        ),
        one(
            EvalTask::Photo,
            "A camera's noise, then JPEG of quality 85 (4:2:0): the first 20 pictures of CBSD68; shot noise as a share of the signal in linear light; PSNR over RGB.",
            "CBSD68",
            &[1.0, 4.0, 16.0],
        ),
    ]
}

/// The tables that one of our models has a figure in; of `only` that model, if named.
pub(crate) fn markdown(results: &Results, published: &Published, only: Option<&str>) -> String {
    let tables: Vec<String> = all()
        .iter()
        .filter_map(|table| one(table, results, published, only))
        .collect();
    let notes = sources(results, published, only);
    format!("{}\n\n{notes}", tables.join("\n\n"))
}

/// One table; none without one of our models.
fn one(
    table: &Table,
    results: &Results,
    published: &Published,
    only: Option<&str>,
) -> Option<String> {
    let mine: Vec<&Entry> = results
        .entries
        .iter()
        .filter(|e| e.task == table.task && table.columns.contains(&(e.set.as_str(), e.level)))
        .filter(|e| {
            only.is_none_or(|name| e.method == name || !results.models.contains_key(&e.method))
        })
        .collect();
    mine.iter()
        .find(|e| results.models.contains_key(&e.method))?;
    let headings = table.columns.iter().map(|&c| table.heading(c));
    let mut head = vec![String::new()];
    head.extend(headings);
    head.extend(["parameters".to_owned(), "cost at 256 × 256".to_owned()]);
    let mut lines = vec![row(&head), row(&vec!["---".to_owned(); head.len()])];
    // The input, from any entry of each column.
    let input = table.columns.iter().map(|&c| {
        let entry = mine.iter().find(|e| (e.set.as_str(), e.level) == c);
        entry.map_or(String::new(), |e| format!("{:.2}", e.input_psnr))
    });
    lines.push(line(table.task.untreated(), input, None, None));
    for method in published.methods.iter().filter(|m| m.task == table.task) {
        let cells: Vec<_> = table
            .columns
            .iter()
            .map(|&(set, level)| method.psnr(set, level))
            .collect();
        if cells.iter().any(Option::is_some) {
            lines.push(line(
                &method.name,
                cells.into_iter().map(db),
                method.parameters,
                cost_of_method(method, table.columns[0].1),
            ));
        }
    }
    let mut shown: Vec<(&str, bool, bool)> = Vec::new();
    for e in &mine {
        let key = (e.method.as_str(), e.told, e.ensemble);
        if shown.contains(&key) {
            continue;
        }
        shown.push(key);
        let cells = table.columns.iter().map(|&c| {
            let mut all = mine.iter();
            let found = all.find(|o| {
                (o.set.as_str(), o.level) == c && (o.method.as_str(), o.told, o.ensemble) == key
            });
            db(found.map(|f| f.psnr))
        });
        let model = results.models.get(&e.method);
        lines.push(line(
            &name(e, model),
            cells,
            model.map(|m| m.parameters as f64 / 1e6),
            model.map(cost),
        ));
    }
    Some(format!("{}\n\n{}", table.title, lines.join("\n")))
}

fn name(entry: &Entry, model: Option<&Measured>) -> String {
    let Some(model) = model else {
        return entry.method.clone();
    };
    let mut name = format!("**Serpent, {}**", entry.method);
    if model.noise_map {
        name += if entry.told {
            ", σ told"
        } else {
            ", σ estimated"
        };
    }
    if entry.ensemble {
        name += ", mean of 8 turns";
    }
    name
}

fn cost(model: &Measured) -> String {
    format!(
        "{:.1} GMAC + {:.1} GFLOP of scans",
        model.gmac, model.scan_gflop
    )
}

fn cost_of_method(method: &Method, level: f32) -> Option<String> {
    // Of super-resolution the cost is told for one scale.
    let first = method.psnr.values().flatten().map(|f| f.0).next()?;
    if method.task == EvalTask::SuperResolve && first != level {
        return None;
    }
    method.gmac.map(|g| match g {
        g if g < 20.0 => format!("{g:.1} GMAC"),
        g => format!("{g:.0} GMAC"),
    })
}

fn db(value: Option<f64>) -> String {
    value.map_or(String::new(), |v| format!("{v:.2}"))
}

fn line(
    name: &str,
    cells: impl Iterator<Item = String>,
    millions: Option<f64>,
    cost: Option<String>,
) -> String {
    let mut all = vec![name.to_owned()];
    all.extend(cells);
    all.push(millions.map_or(String::new(), |m| format!("{m:.2} M")));
    all.push(cost.unwrap_or_default());
    row(&all)
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Where the figures come from: of every method shown.
fn sources(results: &Results, published: &Published, only: Option<&str>) -> String {
    let shown = |task: EvalTask| {
        let mut entries = results.entries.iter();
        entries.any(|e| {
            e.task == task
                && results.models.contains_key(&e.method)
                && only.is_none_or(|name| e.method == name)
        })
    };
    let mut parts: Vec<String> = Vec::new();
    for m in published.methods.iter().filter(|m| shown(m.task)) {
        let cost = m.cost_source.as_ref();
        let cost = cost.map_or(String::new(), |c| format!(" (cost: {c})"));
        let part = format!("{}: {}{cost}", m.name, m.source);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    let mut text = "PSNR in dB. The figures of the others are the published ones".to_owned();
    if !parts.is_empty() {
        text += &format!(". {}", parts.join("; "));
    }
    text + "."
}

/// What classical methods reach by the amount of blur, with the setting that was best on the
/// validation pictures; none until they are measured.
pub(crate) fn classical(results: &Results) -> Option<String> {
    let table = all().into_iter().find(|t| t.task == EvalTask::Deblur)?;
    let mine: Vec<&Entry> = results
        .entries
        .iter()
        .filter(|e| e.task == EvalTask::Deblur && e.setting.is_some())
        .collect();
    let first = mine.first()?;
    let at = |method: Option<&str>, (set, level): (&str, f32)| {
        let mut all = mine.iter();
        all.find(|e| {
            (e.set.as_str(), e.level) == (set, level) && method.is_none_or(|m| e.method == m)
        })
        .copied()
    };
    let columns = &table.columns;
    let cells = |name: &str, of: &dyn Fn((&str, f32)) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend(columns.iter().map(|&c| of(c)));
        row(&cells)
    };
    let mut lines = vec![
        cells("", &|c| table.heading(c)),
        row(&vec!["---".to_owned(); columns.len() + 1]),
        cells(table.task.untreated(), &|c| {
            db(at(None, c).map(|e| e.input_psnr))
        }),
    ];
    let mut methods: Vec<&str> = Vec::new();
    for entry in &mine {
        if !methods.contains(&entry.method.as_str()) {
            methods.push(&entry.method);
        }
    }
    for method in methods {
        lines.push(cells(method, &|c| db(at(Some(method), c).map(|e| e.psnr))));
        lines.push(cells("its setting", &|c| {
            let entry = at(Some(method), c);
            entry.and_then(|e| e.setting.clone()).unwrap_or_default()
        }));
    }
    Some(format!(
        "PSNR in dB over RGB, mean of {} pictures.\n\n{}",
        first.pictures,
        lines.join("\n")
    ))
}

/// Where generated text begins and ends in a page.
pub(crate) type Markers = [&'static str; 2];

/// The tables of the models.
const RESULTS: Markers = [
    "<!-- results: written by `serpent eval --all --write` -->",
    "<!-- end of results -->",
];

/// The table of the classical methods.
const CLASSICAL: Markers = [
    "<!-- classical: written by `serpent eval --all --write` -->",
    "<!-- end of classical -->",
];

/// A page with the tables between its markers.
///
/// # Errors
/// There are no markers, or one without its end.
pub(crate) fn fill_in(
    page: &str,
    results: &Results,
    published: &Published,
) -> anyhow::Result<String> {
    let mut page = page.to_owned();
    let mut any = false;
    for markers in [RESULTS, CLASSICAL] {
        if page.contains(markers[0]) {
            let text = match markers {
                RESULTS => markdown(results, published, None),
                _ => classical(results).unwrap_or_default(),
            };
            page = between(&page, markers, &text)?;
            any = true;
        }
    }
    anyhow::ensure!(
        any,
        "there is no line {} or {} to write after",
        RESULTS[0],
        CLASSICAL[0]
    );
    Ok(page)
}

/// A page with `text` between these markers.
pub(crate) fn between(page: &str, [begin, end]: Markers, text: &str) -> anyhow::Result<String> {
    let lost = || anyhow::anyhow!("there are no lines {begin} and {end} to write between");
    let from = page.find(begin).ok_or_else(lost)? + begin.len();
    let to = from + page[from..].find(end).ok_or_else(lost)?;
    Ok(format!(
        "{}\n\n{}\n\n{}",
        &page[..from],
        text.trim(),
        &page[to..]
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::results::{fingerprint, models_folder};
    use super::*;

    fn saved() -> (Results, Published) {
        let path = models_folder().join("results.json");
        (Results::load(&path).unwrap(), Published::load().unwrap())
    }

    #[test]
    fn the_pages_show_what_was_measured() {
        let (results, published) = saved();
        for name in ["README.md", "docs/models.md"] {
            let path = models_folder().join("..").join(name);
            let page = std::fs::read_to_string(path).unwrap();
            let expected = fill_in(&page, &results, &published).unwrap();
            assert!(
                page == expected,
                "{name} is not what models/results.json gives; run `serpent eval --tables --write {name}`"
            );
        }
    }

    #[test]
    fn classical_methods_stand_there_by_blur_with_their_settings() {
        let entry = |method: &str, level: f32, psnr: f64, setting: &str| Entry {
            method: method.to_owned(),
            task: EvalTask::Deblur,
            set: "CBSD68".to_owned(),
            level,
            told: false,
            ensemble: false,
            setting: Some(setting.to_owned()),
            pictures: 20,
            input_psnr: 21.0,
            psnr,
            ssim: None,
            device: "CPU".to_owned(),
        };
        let results = Results {
            entries: vec![
                entry("W", 1.0, 26.5, "k"),
                entry("R", 1.0, 25.5, "4 iterations"),
                entry("W", 2.0, 24.5, "l"),
            ],
            ..Results::default()
        };
        let text = classical(&results).unwrap();
        let rows: Vec<&str> = text.lines().filter(|l| l.starts_with('|')).collect();
        assert_eq!(
            rows[2..],
            [
                "| blurred |  | 21.00 |  | 21.00 |  |  |",
                "| W |  | 26.50 |  | 24.50 |  |  |",
                "| its setting |  | k |  | l |  |  |",
                "| R |  | 25.50 |  |  |  |  |",
                "| its setting |  | 4 iterations |  |  |  |  |",
            ]
        );
        assert!(classical(&Results::default()).is_none());
    }

    #[test]
    fn the_figures_are_of_the_models_that_ship() {
        let (results, _) = saved();
        assert!(!results.models.is_empty());
        for (name, measured) in &results.models {
            let path = models_folder().join(format!("{name}.safetensors"));
            assert_eq!(fingerprint(&path).unwrap(), measured.fingerprint, "{name}");
        }
    }

    #[test]
    fn a_table_has_the_input_the_others_and_ours() {
        let published: Published = toml::from_str(
            r#"
            [[method]]
            name = "Other"
            task = "denoise"
            source = "a paper"
            parameters = 1.5
            gmac = 100.4
            cost_source = "counted"
            psnr = { CBSD68 = [[15, 33.5], [50, 27.25]] }
            "#,
        )
        .unwrap();
        let entry = |level: f32, psnr: f64| Entry {
            method: "mine".to_owned(),
            task: EvalTask::Denoise,
            set: "CBSD68".to_owned(),
            level,
            told: true,
            ensemble: false,
            setting: None,
            pictures: 68,
            input_psnr: 20.0 + f64::from(level) / 100.0,
            psnr,
            ssim: Some(0.9),
            device: "CPU".to_owned(),
        };
        let mut results = Results {
            entries: vec![entry(15.0, 34.0), entry(25.0, 31.454)],
            ..Results::default()
        };
        let measured = Measured {
            fingerprint: String::new(),
            parameters: 3_960_000,
            gmac: 13.53,
            scan_gflop: 2.88,
            noise_map: true,
            timed: None,
        };
        results.models.insert("mine".to_owned(), measured);
        let text = markdown(&results, &published, None);
        let rows: Vec<&str> = text.lines().filter(|l| l.starts_with('|')).collect();
        assert_eq!(
            rows,
            [
                "|  | σ 15 | σ 25 | σ 50 | parameters | cost at 256 × 256 |",
                "| --- | --- | --- | --- | --- | --- |",
                "| noisy | 20.15 | 20.25 |  |  |  |",
                "| Other | 33.50 |  | 27.25 | 1.50 M | 100 GMAC |",
                "| **Serpent, mine**, σ told | 34.00 | 31.45 |  | 3.96 M | 13.5 GMAC + 2.9 GFLOP of scans |",
            ]
        );
        assert!(text.contains("Other: a paper (cost: counted)"));
        // Of another model nothing.
        assert!(!markdown(&results, &published, Some("other")).contains('|'));
    }

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let [begin, end] = CLASSICAL;
        let page = format!("before\n{begin}\nold\n{end}\nafter\n");
        let new = between(&page, CLASSICAL, "new\n").unwrap();
        assert_eq!(new, format!("before\n{begin}\n\nnew\n\n{end}\nafter\n"));
        assert_eq!(between(&new, CLASSICAL, "new").unwrap(), new);
        assert!(between("nothing", RESULTS, "new").is_err());
        let (results, published) = (Results::default(), Published::default());
        assert!(fill_in("nothing", &results, &published).is_err());
        assert!(fill_in(begin, &results, &published).is_err());
    }
}
