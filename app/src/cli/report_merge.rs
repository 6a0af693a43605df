//! `serpent report merge`: reports of shards become one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serpent_engine::restore::batch::{Report, Row, Summary, read_report};

use super::common::{Global, Outcome};

/// Work with the reports of `serpent restore --report`
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Join reports, such as those of shards, into one, sorted by the pictures' paths
    ///
    /// Reports that runs left unfinished (.part) may be among them. Where two tell of one picture,
    /// the one named last is right. The exit code is 2 if any picture failed or was cancelled.
    Merge {
        /// Reports to join: .csv, .json, or one of them with .part
        #[arg(required = true, value_name = "REPORT")]
        reports: Vec<PathBuf>,
        /// Report to write, .csv or .json
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// Runs the command.
pub(super) fn run(args: &ReportArgs, global: &Global) -> anyhow::Result<Outcome> {
    let What::Merge { reports, output } = &args.what;
    let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    for report in reports {
        for row in read_report(report)? {
            rows.insert((row.input.clone(), row.output.clone()), row);
        }
    }
    let rows: Vec<Row> = rows.into_values().collect();
    let count = |state| rows.iter().filter(|r| r.state == state).count();
    let summary = Summary {
        done: count("done"),
        skipped: count("skipped"),
        failed: count("failed"),
        cancelled: count("cancelled"),
        left: 0,
    };
    let mut merged = Report::create(output)?;
    merged.add(&rows)?;
    merged.finish(&summary)?;
    let Summary {
        done,
        skipped,
        failed,
        cancelled,
        ..
    } = summary;
    global.say(&format!(
        "{} pictures in {} reports: {done} restored, {skipped} skipped, {failed} failed, {cancelled} cancelled",
        rows.len(),
        reports.len(),
    ));
    Ok(match failed + cancelled {
        0 => Outcome::Done,
        _ => Outcome::SomeFailed,
    })
}
