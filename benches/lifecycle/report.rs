//! The table, and the same as JSON.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use crate::measure::Cost;
use crate::options::Work;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub work: Work,
    pub name: String,
    /// What the costs are divided by.
    pub objects: usize,
    pub cost: Cost,
    /// How often an object told that it waits, each time with one write of its status.
    pub waits: usize,
    /// The rate of the raw client with the same writes.
    pub raw_rate: Option<f64>,
}

impl Row {
    /// Objects in a second; a state that is only looked at has no rate.
    fn rate(&self) -> Option<f64> {
        (self.cost.seconds > 0.0).then(|| self.objects as f64 / self.cost.seconds)
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.rate()? / self.raw_rate?)
    }

    fn per_object(&self, total: f64) -> f64 {
        total / self.objects.max(1) as f64
    }

    fn cpu_milliseconds(&self) -> f64 {
        self.per_object(self.cost.cpu_seconds * 1000.0)
    }

    /// What is shown while the run goes on.
    pub fn progress(&self) -> String {
        format!(
            "{}: {:.1} s, {:.2} ms of CPU time for each object",
            self.name,
            self.cost.seconds,
            self.cpu_milliseconds()
        )
    }

    fn json(&self) -> Value {
        json!({
            "work": self.name, "objects": self.objects, "objectsPerSecond": self.rate(), "ofRaw": self.ratio(),
            "cpuMillisecondsPerObject": self.cpu_milliseconds(), "waits": self.waits, "cost": self.cost,
        })
    }
}

/// The result of a run.
pub struct Report {
    pub objects: usize,
    pub services: usize,
    pub rows: Vec<Row>,
}

impl Report {
    pub fn json(&self) -> Result<String> {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let report = json!({"objects": self.objects, "services": self.services, "rows": rows});
        Ok(serde_json::to_string_pretty(&report)?)
    }

    /// Counts and CPU time are for one object.
    pub fn table(&self) -> String {
        let mut table =
            format!("{} objects, {} services; counts and CPU time for one object\n", self.objects, self.services);
        table += "work        seconds   per s  of W0  writes  waits dry-run  reads events  calls  CPU ms  RSS MiB  peak MiB\n";
        for row in &self.rows {
            let (cost, counts) = (&row.cost, &row.cost.counts);
            let per = |count: usize| row.per_object(count as f64);
            let shown = |value: Option<f64>, digits: usize| {
                value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
            };
            let (rate, ratio) = (shown(row.rate(), 1), shown(row.ratio(), 2));
            let _ = writeln!(
                table,
                "{:<10} {:>8.2} {rate:>7} {ratio:>6} {:>7.2} {:>6.2} {:>7.2} {:>6.2} {:>6.2} {:>6.2} {:>7.2} {:>8.1} {:>9.1}",
                row.name,
                cost.seconds,
                per(counts.writes),
                per(row.waits),
                per(counts.dry_runs),
                per(counts.reads),
                per(counts.events),
                row.per_object(counts.service_calls() as f64),
                row.cpu_milliseconds(),
                cost.resident_kib as f64 / 1024.0,
                cost.peak_kib as f64 / 1024.0,
            );
        }
        table
    }
}
