//! Launches as a trace that <https://ui.perfetto.dev> and `chrome://tracing` open.

use serde_json::{Value, json};

use crate::backend::wgpu::ProfileRow;

/// A trace-event file ("JSON object format") of several measurements, each shown as a process
/// of its name with its launches one after another.
pub fn trace(measurements: &[(String, &[ProfileRow])]) -> Value {
    let mut events = Vec::new();
    for (process, (name, rows)) in measurements.iter().enumerate() {
        events.push(json!({
            "name": "process_name", "ph": "M", "pid": process, "tid": 0, "args": {"name": name},
        }));
        events.push(json!({
            "name": "thread_name", "ph": "M", "pid": process, "tid": 0, "args": {"name": "kernels"},
        }));
        for row in *rows {
            events.push(json!({
                "name": row.kernel,
                "cat": row.op,
                "ph": "X",
                "pid": process,
                "tid": 0,
                "ts": row.start,
                "dur": row.microseconds,
                "args": {"op": row.op, "label": row.label, "workgroups": row.workgroups},
            }));
        }
    }
    json!({"displayTimeUnit": "ms", "traceEvents": events})
}
