//! What a work costs: time, requests by the audit log and the service's own books, and what the system says of the operator.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use support::World;
use testbed::Operator;
use testbed::audit::{Entry, Mark};
use tokio::time::Instant;

/// The operator's own user, so that the audit log tells its requests from those of the raw client.
pub const OPERATOR: &str = "operator";

/// The Secret with the credential of the services.
pub const CREDENTIAL: &str = "reference-admin";

/// Clock ticks of `/proc/PID/stat` in a second: the same on every Linux.
const TICKS: f64 = 100.0;

/// A process that uses less CPU time than [`AT_REST`] between two looks is at rest.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const AT_REST: Duration = Duration::from_millis(20);

/// What a work cost, for all objects together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    pub seconds: f64,
    pub counts: Counts,
    /// CPU time of the operator.
    pub cpu_seconds: f64,
    /// Its memory at the end, and the most it had since its start.
    pub resident_kib: u64,
    pub peak_kib: u64,
}

/// Requests. Those about service objects are none of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub writes: usize,
    pub dry_runs: usize,
    /// Reads of single objects.
    pub reads: usize,
    /// Lists: those with which a watch begins, and live ones.
    pub lists: usize,
    pub events: usize,
    pub generate: u64,
    pub verify: u64,
    pub list: u64,
    pub revoke: u64,
}

impl Counts {
    pub fn service_calls(&self) -> u64 {
        self.generate + self.verify + self.list + self.revoke
    }

    fn add(&mut self, entry: &Entry) {
        let about_tokens = ["artifacttokens", "secrets", "events"].contains(&entry.resource.as_str());
        if !about_tokens || entry.name == CREDENTIAL {
            return;
        }
        match (entry.verb.as_str(), entry.resource.as_str()) {
            ("watch", _) => {}
            ("create", "events") => self.events += 1,
            ("list", _) => self.lists += 1,
            ("get", _) => self.reads += 1,
            _ if entry.dry_run => self.dry_runs += 1,
            _ => self.writes += 1,
        }
    }
}

/// A measurement that goes on.
pub struct Meter {
    mark: Mark,
    cpu: Duration,
    begun: Instant,
}

impl Meter {
    /// Begins. A restart of the operator begins with the CPU time of the new process.
    pub async fn start(world: &World, operator: &Operator) -> Result<Self> {
        world.service.reset_calls().await?;
        let mark = world.plane.mark().await?;
        Ok(Self { mark, cpu: cpu(operator.pid())?, begun: Instant::now() })
    }

    /// The operator is another process from now on.
    pub fn restarted(&mut self) {
        self.cpu = Duration::ZERO;
    }

    /// Ends, and counts. What the operator still does when the work is done, such as its last events, is part of the work.
    pub async fn stop(self, world: &World, operator: &Operator) -> Result<Cost> {
        let seconds = self.begun.elapsed().as_secs_f64();
        until_rest(operator.pid()).await?;
        let cpu = cpu(operator.pid())?.saturating_sub(self.cpu);
        let mut counts = Counts::default();
        let entries = world.plane.audit_since(self.mark).await?;
        entries.iter().filter(|entry| entry.user == OPERATOR).for_each(|entry| counts.add(entry));
        let calls = world.service.books().await?.calls;
        (counts.generate, counts.verify) = (calls.generate, calls.verify);
        (counts.list, counts.revoke) = (calls.list, calls.revoke);
        let (resident_kib, peak_kib) = memory(operator.pid())?;
        Ok(Cost { seconds, counts, cpu_seconds: cpu.as_secs_f64(), resident_kib, peak_kib })
    }
}

/// Waits until a process does next to nothing.
async fn until_rest(pid: u32) -> Result<()> {
    let mut before = cpu(pid)?;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = cpu(pid)?;
        if now.saturating_sub(before) < AT_REST {
            return Ok(());
        }
        before = now;
    }
}

/// The CPU time that a process has used, in user mode and for it in the kernel.
pub fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("read the CPU time of the operator")?;
    // The fields after the program's name, which stands in parentheses. The first of them is number 3.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    Ok(Duration::from_secs_f64((ticks(14) + ticks(15)) / TICKS))
}

/// The memory of a process in KiB: now, and at most since its start.
pub fn memory(pid: u32) -> Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("read the memory of the operator")?;
    let value = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    Ok((value("VmRSS:").unwrap_or_default(), value("VmHWM:").unwrap_or_default()))
}
