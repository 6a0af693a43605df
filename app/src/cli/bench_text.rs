//! The figures of `serpent bench` for people.

use serpent_engine::bench::{Ceilings, Machine, Restoring, Spread, Sum, Training};
use serpent_engine::graph::Cost;

use super::bench::Report;
use super::table::table;

/// Longest table of launches.
const LONGEST: usize = 32;

/// Everything that was measured.
pub(super) fn page(report: &Report, kernels: bool) -> String {
    let mut parts = Vec::new();
    parts.extend(report.machine.as_ref().map(machine));
    parts.extend(report.ceilings.iter().map(ceilings));
    if let Some(c) = &report.processor_ceilings {
        let (copy, product) = (giga(&c.copy), giga(&c.product));
        parts.push(format!(
            "processor, {} threads: copy {copy} GB/s, 32-bit product (1024) {product} GFLOP/s",
            c.threads
        ));
    }
    if !report.restoring.is_empty() {
        parts.push(restoring(&report.restoring));
    }
    if !report.training.is_empty() {
        parts.push(training(&report.training));
    }
    if kernels {
        for r in &report.restoring {
            let name = format!("{} {} × {}, {}", r.network, r.width, r.height, r.rung);
            parts.extend(tables(&name, &[&r.kernels, &r.ops, &r.places]));
        }
        for t in &report.training {
            let name = format!(
                "training {} {} × {}², {}",
                t.network, t.batch, t.side, t.rung
            );
            parts.extend(tables(&name, &[&t.kernels, &t.ops, &t.places]));
        }
        for c in &report.cpu {
            let name = format!("{} {} × {} on the processor", c.network, c.width, c.height);
            parts.extend(tables(&name, &[&c.ops, &c.places]));
        }
    }
    if !report.cpu.is_empty() {
        let rows = report.cpu.iter().map(|c| {
            vec![
                format!("{} {} × {}", c.network, c.width, c.height),
                ms(&c.wall_ms),
                c.floor_ms.map_or(String::new(), |f| format!("{f:.0}")),
                c.wall_ms.runs.to_string(),
                cost(&c.cost),
                mib(c.intermediate_bytes),
            ]
        });
        let rows: Vec<_> = rows.collect();
        let threads = report.cpu[0].threads;
        let head = [
            &format!("processor, {threads} threads"),
            "ms",
            "floor",
            "runs",
            "counted",
            "MiB",
        ];
        parts.push(table(&head, &rows));
    }
    if !report.growth.is_empty() {
        let rows = report.growth.iter().map(|g| {
            vec![
                format!("{} {}², {}", g.network, g.side, g.rung),
                format!("{:.3}", g.seconds.median),
                format!("{:.1}", g.ns_per_pixel),
                g.tiles.to_string(),
                g.memory.map_or(String::new(), |m| mib(m.reserved)),
            ]
        });
        let rows: Vec<_> = rows.collect();
        let head = ["whole restores", "s", "ns a pixel", "tiles", "MiB reserved"];
        parts.push(table(&head, &rows));
    }
    if let Some(starts) = &report.first_start {
        let rows = starts.kinds().map(|(name, kind)| {
            let part = |f: fn(&serpent_engine::bench::FirstStart) -> f64| {
                let parts = kind.starts.iter().map(f).collect();
                format!("{:.0}", Spread::of(parts).median)
            };
            vec![
                name.to_owned(),
                ms(&kind.process_ms),
                ms(&kind.first_picture_ms),
                part(|s| s.open_ms),
                part(|s| s.prepare_ms),
                part(|s| s.run_ms),
                kind.starts.len().to_string(),
            ]
        });
        let head = [
            "first start, base 512²",
            "process, ms",
            "first picture, ms",
            "open",
            "prepare",
            "run",
            "starts",
        ];
        parts.push(table(&head, &rows));
    }
    parts.join("\n\n")
}

fn machine(m: &Machine) -> String {
    let mut text = format!(
        "serpent {} on {} {}, {} ({} threads)",
        m.version, m.os, m.arch, m.processor, m.threads
    );
    if let Some(d) = &m.device {
        text += &format!("\n{}, {}, {}", d.name, d.backend, d.driver);
    }
    text
}

fn ceilings(c: &Ceilings) -> String {
    let mut rows = vec![vec![
        "copy, read and written".to_owned(),
        giga(&c.copy),
        "GB/s".to_owned(),
    ]];
    let rate =
        |name: String, spread: &Spread, unit: &str| vec![name, giga(spread), unit.to_owned()];
    rows.extend(c.products.iter().map(|p| {
        let name = format!("product {0} × {0} × {0} ({1})", p.side, p.kernel);
        rate(name, &p.rate, "GFLOP/s")
    }));
    rows.extend(
        c.fma
            .iter()
            .map(|s| rate("fma, 32-bit".to_owned(), s, "GFLOP/s")),
    );
    rows.extend(
        c.exp2
            .iter()
            .map(|s| rate("exp2, 32-bit".to_owned(), s, "G/s")),
    );
    let name = format!("{}, {}", c.device, c.rung);
    table(&[&name, "median (low to high)", "unit"], &rows)
}

fn restoring(all: &[Restoring]) -> String {
    let rows = all.iter().map(|r| {
        vec![
            format!("{} {} × {}, {}", r.network, r.width, r.height, r.rung),
            r.kernel_ms.as_ref().map_or(String::new(), ms),
            r.floor_ms.map_or(String::new(), |f| format!("{f:.2}")),
            r.distance().map_or(String::new(), |d| format!("{d:.1}")),
            ms(&r.wall_ms),
            r.wall_ms.runs.to_string(),
            mib(r.intermediate_bytes),
            r.memory.map_or(String::new(), |m| mib(m.used)),
            r.launches.to_string(),
            cost(&r.cost),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let head = [
        "restoring",
        "kernels, ms",
        "floor",
        "times",
        "with transfers, ms",
        "runs",
        "MiB planned",
        "MiB in all",
        "launches",
        "counted",
    ];
    table(&head, &rows)
}

fn training(all: &[Training]) -> String {
    let rows = all.iter().map(|t| {
        vec![
            format!("{} {} × {}², {}", t.network, t.batch, t.side, t.rung),
            ms(&t.step_ms),
            t.floor_ms.map_or(String::new(), |f| format!("{f:.2}")),
            t.distance().map_or(String::new(), |d| format!("{d:.1}")),
            t.step_ms.runs.to_string(),
            format!("{:.0}", t.crops_per_second),
            mib(t.trainer_bytes),
            t.memory.map_or(String::new(), |m| mib(m.used)),
            t.launches.to_string(),
            cost(&t.cost),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let head = [
        "training",
        "ms a step",
        "floor",
        "times",
        "runs",
        "crops/s",
        "MiB planned",
        "MiB in all",
        "launches",
        "counted",
    ];
    table(&head, &rows)
}

/// One table for each way to sum.
fn tables(name: &str, ways: &[&Vec<Sum>]) -> Vec<String> {
    let tables = ways.iter().map(|sums| {
        let total: f64 = sums.iter().map(|s| s.ms).sum();
        let launches: usize = sums.iter().map(|s| s.launches).sum();
        let rows: Vec<Vec<String>> = sums
            .iter()
            .take(LONGEST)
            .map(|s| {
                vec![
                    s.name.clone(),
                    s.launches.to_string(),
                    format!("{:.3}", s.ms),
                    s.floor_ms.map_or(String::new(), |f| format!("{f:.3}")),
                ]
            })
            .collect();
        let head = format!("{name}: {total:.2} ms in {launches}");
        table(&[&head, "launches", "ms", "floor"], &rows)
    });
    tables.collect()
}

/// The median with the range it comes from.
fn ms(s: &Spread) -> String {
    let digits = if s.median < 100.0 { 2 } else { 0 };
    format!(
        "{:.digits$} ({:.digits$}–{:.digits$})",
        s.median, s.low, s.high
    )
}

fn giga(s: &Spread) -> String {
    let of = |v: f64| {
        let digits = if v < 1e11 { 1 } else { 0 };
        format!("{:.digits$}", v / 1e9)
    };
    format!("{} ({} to {})", of(s.median), of(s.low), of(s.high))
}

pub(super) fn mib(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / f64::from(1 << 20))
}

/// Products, scans, exponentials and bytes.
fn cost(c: &Cost) -> String {
    let giga = |v: u64| v as f64 / 1e9;
    format!(
        "{:.2} GMAC, {:.2} GFLOP, {:.2} Gexp, {:.2} GB",
        giga(c.dense_macs),
        giga(c.scan_flops),
        giga(c.scan_exps),
        giga(c.bytes)
    )
}
