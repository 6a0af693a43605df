//! The table of docs/performance.md, from `serpent bench --all --markdown`.

use serpent_engine::backend::wgpu::Rung;
use serpent_engine::bench::{Ceilings, Restoring, Spread, Sum};

use super::bench::Report;
use super::bench_text::mib;

/// One line of the table.
struct Row {
    what: String,
    rung: String,
    measured: String,
    floor: Option<f64>,
    times: Option<f64>,
}

/// The machine, the table, the ceilings.
pub(super) fn page(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(m) = &report.machine {
        let device = m.device.as_ref().map_or(String::new(), |d| {
            format!("{}, {}, {}; ", d.name, d.driver, d.backend)
        });
        lines.push(format!(
            "{device}{}, {} threads; {} {}; serpent {}. Medians of warm runs, the range behind them.\n",
            m.processor, m.threads, m.os, m.arch, m.version
        ));
    }
    lines.push("| what | rung | measured | floor, ms | times the floor |".to_owned());
    lines.push("|---|---|---|---|---|".to_owned());
    for row in rows(report) {
        let floor = row.floor.map_or(String::new(), |f| format!("{f:.2}"));
        let times = row.times.map_or(String::new(), |t| format!("{t:.1}"));
        let Row {
            what,
            rung,
            measured,
            ..
        } = row;
        lines.push(format!(
            "| {what} | {rung} | {measured} | {floor} | {times} |"
        ));
    }
    if !report.ceilings.is_empty() || report.processor_ceilings.is_some() {
        lines.push("\n| ceiling | rung | measured |\n|---|---|---|".to_owned());
        lines.extend(report.ceilings.iter().flat_map(ceilings));
    }
    if let Some(c) = &report.processor_ceilings {
        lines.push(format!("| processor: copy | | {} GB/s |", giga(&c.copy)));
        lines.push(format!(
            "| processor: 32-bit product | | {} GFLOP/s |",
            giga(&c.product)
        ));
    }
    lines.join("\n")
}

fn rows(report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    let plain = |what: String, rung: Rung, measured: String| Row {
        what,
        rung: rung.to_string(),
        measured,
        floor: None,
        times: None,
    };
    for r in &report.restoring {
        let size = size(r.width, r.height);
        let wall = ms(&r.wall_ms);
        rows.push(match &r.kernel_ms {
            Some(kernels) => Row {
                floor: r.floor_ms,
                times: r.distance(),
                ..plain(
                    format!("{}, {size}: kernels (with transfers)", r.network),
                    r.rung,
                    format!("{} ({wall})", ms(kernels)),
                )
            },
            None => plain(
                format!("{}, {size}: with transfers", r.network),
                r.rung,
                wall,
            ),
        });
    }
    for (r, memory) in report.restoring.iter().filter_map(|r| Some((r, r.memory?))) {
        let what = format!("{}, {}: device memory", r.network, size(r.width, r.height));
        let planned = mib(r.intermediate_bytes);
        let measured = format!("{} MiB ({planned} of it intermediates)", mib(memory.used));
        rows.push(plain(what, r.rung, measured));
    }
    for t in &report.training {
        let what = format!("training {}, {} × {}²: a step", t.network, t.batch, t.side);
        let measured = format!(
            "{}, {:.0} crops/s, {} MiB",
            ms(&t.step_ms),
            t.crops_per_second,
            mib(t.trainer_bytes)
        );
        rows.push(Row {
            floor: t.floor_ms,
            times: t.distance(),
            ..plain(what, t.rung, measured)
        });
    }
    for r in &report.restoring {
        let op = |name: &str| r.ops.iter().find(|s| s.name == name);
        rows.extend(op("Linear").map(|s| op_row(r, s, "dense products")));
        rows.extend(op("SelectiveScan").map(|s| op_row(r, s, "scans")));
    }
    for g in &report.growth {
        let megapixels = (g.side * g.side) as f64 / 1e6;
        let memory = g
            .memory
            .map_or(String::new(), |m| format!(", {} MiB", mib(m.reserved)));
        rows.push(plain(
            format!(
                "{}, {megapixels:.0} MP restored whole ({} tiles)",
                g.network, g.tiles
            ),
            g.rung,
            format!(
                "{:.3} s, {:.1} ns a pixel{memory}",
                g.seconds.median, g.ns_per_pixel
            ),
        ));
    }
    for c in &report.cpu {
        let what = format!(
            "processor, {} threads, {}, {}",
            c.threads,
            c.network,
            size(c.width, c.height)
        );
        rows.push(Row {
            floor: c.floor_ms,
            times: c
                .floor_ms
                .filter(|f| *f > 0.0)
                .map(|f| c.wall_ms.median / f),
            ..plain(what, Rung::Full, ms(&c.wall_ms))
        });
    }
    if let Some(starts) = &report.first_start {
        for (name, kind) in starts.kinds() {
            rows.push(plain(
                format!("first start to first 512², {name}"),
                kind.rung(),
                ms(&kind.process_ms),
            ));
        }
    }
    rows
}

fn op_row(r: &Restoring, sum: &Sum, what: &str) -> Row {
    Row {
        what: format!(
            "{}, {}: {what}, timed apart",
            r.network,
            size(r.width, r.height)
        ),
        rung: r.rung.to_string(),
        measured: format!("{:.2} ms in {} launches", sum.ms, sum.launches),
        floor: sum.floor_ms,
        times: sum.floor_ms.filter(|f| *f > 0.0).map(|f| sum.ms / f),
    }
}

fn ceilings(c: &Ceilings) -> Vec<String> {
    let mut lines = vec![format!("| copy | | {} GB/s |", giga(&c.copy))];
    let rung = &c.rung;
    lines.extend(c.products.iter().map(|p| {
        let rate = giga(&p.rate);
        format!(
            "| product {}³ ({}) | {rung} | {rate} GFLOP/s |",
            p.side, p.kernel
        )
    }));
    lines.extend(
        c.fma
            .iter()
            .map(|s| format!("| fma | 32-bit | {} GFLOP/s |", giga(s))),
    );
    lines.extend(
        c.exp2
            .iter()
            .map(|s| format!("| exp2 | 32-bit | {} G/s |", giga(s))),
    );
    lines
}

fn size(width: usize, height: usize) -> String {
    match width == height {
        true => format!("{width}²"),
        false => format!("{width} × {height}"),
    }
}

fn ms(s: &Spread) -> String {
    let digits = if s.median < 100.0 { 2 } else { 0 };
    format!(
        "{:.digits$} ms [{:.digits$}–{:.digits$}]",
        s.median, s.low, s.high
    )
}

fn giga(s: &Spread) -> String {
    format!("{:.0}", s.median / 1e9)
}
