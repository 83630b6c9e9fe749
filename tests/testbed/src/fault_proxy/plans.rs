//! The plans: which calls and events they strike, and which they have struck.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::call::{Call, Request};
use super::fault::{EventFault, Fault};

type Wants<Subject> = Box<dyn FnMut(&Subject) -> bool + Send>;

/// Sees a request, and the status and the body of its answer.
pub(super) type Tap = Arc<dyn Fn(&Request, u16, &[u8]) + Send + Sync>;

/// All plans of a proxy.
#[derive(Default)]
pub(super) struct Plans {
    taps: Vec<Tap>,
    calls: Vec<Plan<Request, Fault>>,
    events: Vec<Plan<Value, EventFault>>,
}

struct Plan<Subject, Strike> {
    wants: Wants<Subject>,
    /// How many wanted calls it lets pass first.
    skip: u32,
    /// How many more it strikes; `None` for all.
    left: Option<u32>,
    fault: Strike,
    struck: Arc<Struck>,
}

impl<Subject, Strike: Clone> Plan<Subject, Strike> {
    fn strike(&mut self, subject: &Subject, call: &Call) -> Option<Strike> {
        self.has_come(subject).then(|| self.act(call))
    }

    /// Counts a wanted call, and returns whether the plan strikes it.
    fn has_come(&mut self, subject: &Subject) -> bool {
        if self.struck.withdrawn.load(Ordering::Acquire) || self.left == Some(0) || !(self.wants)(subject) {
            return false;
        }
        let counted = self.skip > 0;
        self.skip = self.skip.saturating_sub(1);
        !counted
    }

    fn act(&mut self, call: &Call) -> Strike {
        self.left = self.left.map(|left| left - 1);
        self.struck.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        self.fault.clone()
    }
}

impl Plans {
    pub(super) fn add(&mut self, nth: u32, left: Option<u32>, fault: Fault, wants: Wants<Request>) -> Arc<Struck> {
        let struck = Arc::new(Struck::default());
        self.calls.push(Plan { wants, skip: nth.saturating_sub(1), left, fault, struck: struck.clone() });
        struck
    }

    pub(super) fn add_event(&mut self, nth: u32, fault: EventFault, wants: Wants<Value>) -> Arc<Struck> {
        let struck = Arc::new(Struck::default());
        self.events.push(Plan { wants, skip: nth.saturating_sub(1), left: Some(1), fault, struck: struck.clone() });
        struck
    }

    pub(super) fn add_tap(&mut self, tap: Tap) {
        self.taps.push(tap);
    }

    pub(super) fn taps(&self) -> Vec<Tap> {
        self.taps.clone()
    }

    /// The faults that strike this call. Every plan counts the call, whatever the others do.
    pub(super) fn strike(&mut self, request: &Request) -> Vec<Fault> {
        self.calls.iter_mut().filter_map(|plan| plan.strike(request, &request.call)).collect()
    }

    /// The fault that strikes this event of the watch `call`. Only one plan can; another one whose turn has come waits for the next
    /// event.
    pub(super) fn strike_event(&mut self, event: &Value, call: &Call) -> Option<EventFault> {
        let mut struck = None;
        for plan in &mut self.events {
            if plan.has_come(event) && struck.is_none() {
                struck = Some(plan.act(call));
            }
        }
        struck
    }
}

impl fmt::Debug for Plans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<&Fault> = self.calls.iter().map(|plan| &plan.fault).collect();
        formatter.debug_struct("Plans").field("calls", &faults).field("events", &self.events.len()).finish()
    }
}

/// The calls that a plan struck.
#[derive(Debug, Default)]
pub(super) struct Struck {
    calls: Mutex<Vec<Call>>,
    withdrawn: AtomicBool,
}

impl Struck {
    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::Release);
    }
}
