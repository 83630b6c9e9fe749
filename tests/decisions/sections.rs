//! The sections of `decisions.txt`: one for each group of rows, a small cross product of the inputs that these rows look at.

/// A part of the table: some axes are fixed, some vary, and all others keep their steady value.
pub struct Section {
    pub title: &'static str,
    /// Axis and value.
    pub held: &'static [(&'static str, &'static str)],
    /// Axis and values; all of them if none is named.
    pub varied: &'static [(&'static str, &'static [&'static str])],
}

const ALL: &[&str] = &[];
const PAUSED: &[&str] = &["none", "all"];
const NAMED: &[&str] = &["named", "nameless", "missing"];

pub const SECTIONS: &[Section] = &[
    Section {
        title: "deletion: what is in flight, and how to leave",
        held: &[],
        varied: &[
            ("object", &["deleting", "deleting, Orphan", "deleting, skip", "deleting, no finalizer"]),
            ("in flight", &["nothing", "claim", "value", "value, sent"]),
            ("read", ALL),
        ],
    },
    Section {
        title: "deletion: known tokens and open claims, by what the service can do",
        held: &[("object", "deleting")],
        varied: &[("ledger", ALL), ("service", ALL)],
    },
    Section {
        title: "deletion: after what was lost was looked for",
        held: &[("object", "deleting"), ("Secret", "placeholder")],
        varied: &[("ledger", &["empty", "empty, fresh object"]), ("listing", ALL), ("service", NAMED)],
    },
    Section {
        title: "deletion: the Secret goes last",
        held: &[("object", "deleting"), ("ledger", "empty"), ("listing", "empty")],
        varied: &[("Secret", ALL), ("read", ALL), ("pauses", PAUSED)],
    },
    Section {
        title: "deletion: a first publish that could still create the Secret",
        held: &[],
        varied: &[
            ("object", &["deleting", "deleting, skip"]),
            ("ledger", &["first value given up", "first value revoked"]),
            ("Secret", &["absent", "current", "foreign"]),
            ("read", ALL),
        ],
    },
    Section {
        title: "finalizer: somebody took it off",
        held: &[("object", "no finalizer")],
        varied: &[
            ("ledger", &["verified", "empty", "open claim", "lost", "identity conflict"]),
            ("Secret", &["current", "absent", "immutable", "former"]),
            ("spec", &["as it is", "suspended"]),
        ],
    },
    Section {
        title: "identity_conflict: listed tokens of this identity that were never claimed here",
        held: &[],
        varied: &[
            ("object", &["living", "deleting", "deleting, skip"]),
            ("listing", &["none", "never claimed", "of another nonce", "below fence"]),
            ("ledger", &["verified", "empty", "identity conflict"]),
        ],
    },
    Section {
        title: "identity_conflict: a person confirmed",
        held: &[("ledger", "identity conflict"), ("spec", "confirmed")],
        varied: &[("object", &["living", "deleting"]), ("listing", ALL), ("service", ALL), ("read", ALL)],
    },
    Section {
        title: "leak: noticed, revoked, replaced",
        held: &[],
        varied: &[
            ("spec", &["as it is", "suspended, leaked", "leak to come"]),
            ("ledger", &["verified", "past, back-off", "leak noticed", "leaked, revoked", "leak answered", "no room"]),
            ("read", ALL),
            ("pauses", PAUSED),
        ],
    },
    Section {
        title: "leak: what is in flight",
        held: &[("ledger", "open claim"), ("spec", "suspended, leaked")],
        varied: &[("in flight", &["nothing", "claim", "value", "value, sent"]), ("object", &["living", "deleting"])],
    },
    Section {
        title: "in_flight: an attempt that was claimed before a leak",
        held: &[("ledger", "leaked, open claim")],
        varied: &[
            ("in flight", &["claim", "claim, overtaken", "value", "value, accepted", "value, late", "value, sent"]),
            ("read", ALL),
        ],
    },
    Section {
        title: "in_flight: a claim",
        held: &[],
        varied: &[
            ("in flight", &["claim", "claim, late", "claim, overtaken"]),
            ("ledger", &["open claim", "first claim", "verified"]),
            ("pauses", PAUSED),
            ("service", &["named", "missing"]),
            ("spec", &["as it is", "forbidden", "invalid", "suspended", "suspended, leaked"]),
        ],
    },
    Section {
        title: "in_flight: a claim, and the Secret of a former object",
        held: &[("in flight", "claim"), ("ledger", "empty, fresh object")],
        varied: &[("Secret", &["absent", "placeholder", "former"]), ("listing", ALL), ("service", NAMED)],
    },
    Section {
        title: "finalizer: somebody took it off while something is in flight",
        held: &[("object", "no finalizer")],
        varied: &[
            ("ledger", &["open claim", "empty, fresh object"]),
            ("in flight", &["claim", "claim, late", "claim, overtaken", "value, sent"]),
        ],
    },
    Section {
        title: "in_flight: a value, by what the Secret holds",
        held: &[("ledger", "open claim")],
        varied: &[
            (
                "in flight",
                &[
                    "value",
                    "value, accepted",
                    "value, refused",
                    "value, refused, settled",
                    "value, late",
                    "value, sent",
                    "value, sent, late",
                    "value, Secret changed",
                ],
            ),
            ("Secret", ALL),
        ],
    },
    Section {
        title: "in_flight: a value, not to be probed, or not read, or paused, or without service",
        held: &[("ledger", "open claim")],
        varied: &[
            ("in flight", &["value", "value, accepted", "value, sent, late"]),
            ("read", ALL),
            ("spec", &["as it is", "no probe", "suspended", "invalid"]),
            ("pauses", PAUSED),
        ],
    },
    Section {
        title: "decide: the Secret holds an undecided attempt",
        held: &[("Secret", "new")],
        varied: &[
            ("ledger", &["open claim", "open claim, settled", "lost", "empty", "verified"]),
            ("in flight", &["nothing", "value, accepted", "value, refused, settled"]),
            ("listing", &["none", "empty", "new"]),
            ("verdict", ALL),
        ],
    },
    Section {
        title: "decide: by service, probe and read",
        held: &[("Secret", "new"), ("ledger", "open claim")],
        varied: &[
            ("in flight", &["nothing", "value, accepted"]),
            ("service", ALL),
            ("spec", &["as it is", "no probe"]),
            ("read", ALL),
        ],
    },
    Section {
        title: "roll_back",
        held: &[],
        varied: &[
            ("ledger", &["failed", "failed unpublished", "rejected"]),
            ("Secret", &["current", "absent", "placeholder", "new", "new, edited", "old"]),
            ("previous", ALL),
            ("read", ALL),
        ],
    },
    Section {
        title: "orphans: listed tokens that nobody knows",
        held: &[],
        varied: &[
            ("listing", &["empty", "below fence", "never claimed", "of another nonce", "new"]),
            ("Secret", ALL),
            ("read", ALL),
        ],
    },
    Section {
        title: "revoke: superseded tokens, by what the Secret holds",
        held: &[],
        varied: &[
            (
                "ledger",
                &["in overlap", "past overlap", "past, back-off", "failed unpublished", "failed, past", "no room"],
            ),
            ("Secret", ALL),
        ],
    },
    Section {
        title: "revoke: not read, or another service",
        held: &[],
        varied: &[
            ("ledger", &["past overlap", "failed unpublished"]),
            ("read", ALL),
            ("service", ALL),
            ("spec", &["as it is", "suspended", "invalid"]),
        ],
    },
    Section {
        title: "replaced: the Secret of a former object",
        held: &[("Secret", "former")],
        varied: &[
            ("ledger", &["empty", "verified", "replaced, recorded"]),
            ("read", ALL),
            ("pauses", PAUSED),
            ("spec", &["as it is", "invalid", "suspended"]),
        ],
    },
    Section {
        title: "render and verify: the current token is kept",
        held: &[],
        varied: &[
            ("spec", &["as it is", "invalid", "suspended", "no probe", "verification due", "doubtful"]),
            ("Secret", &["current", "current, old form", "current, edited"]),
            ("verdict", ALL),
        ],
    },
    Section {
        title: "render and claim: somebody else keeps changing the Secret",
        held: &[("dry-run", "done")],
        varied: &[
            ("spec", &["as it is", "rotation due"]),
            ("ledger", &["verified", "rejected"]),
            ("Secret", &["current, old form", "current, edited", "absent"]),
            ("pauses", &["none", "drift"]),
        ],
    },
    Section {
        title: "verify: a token that was published without asking",
        held: &[("ledger", "verified, not probed")],
        varied: &[("verdict", ALL), ("spec", &["as it is", "no probe"])],
    },
    Section {
        title: "revoke and leak and deletion: the turn at the service comes before the read",
        held: &[],
        varied: &[
            ("object", &["living", "deleting"]),
            ("ledger", &["in overlap", "past overlap", "leak noticed"]),
            ("read", ALL),
            ("pauses", &["none", "no turn"]),
        ],
    },
    Section {
        title: "verify: a refusal is not yet a death",
        held: &[("verdict", "refused")],
        varied: &[
            ("ledger", &["verified", "refused just now", "refused, settled", "refused for long"]),
            ("service", ALL),
            ("listing", &["none", "empty", "of others"]),
            ("spec", &["as it is", "refused three times", "refused once here"]),
        ],
    },
    Section {
        title: "verify: what was refused is asked about again",
        held: &[],
        varied: &[
            ("ledger", &["refused just now", "refused, settled"]),
            ("verdict", &["none", "accepted"]),
            ("service", ALL),
            ("pauses", ALL),
            ("spec", &["as it is", "no probe"]),
        ],
    },
    Section {
        title: "in_flight: a value whose token the ledger has already",
        held: &[],
        varied: &[
            ("ledger", &["failed unpublished", "failed"]),
            ("in flight", &["value", "value, sent"]),
            ("Secret", &["current", "new"]),
            ("read", ALL),
        ],
    },
    Section {
        title: "verify: answers about the current token that say nothing",
        held: &[],
        varied: &[
            ("ledger", &["verified", "verified, unclear"]),
            ("spec", &["as it is", "answer unclear", "no probe"]),
            ("verdict", ALL),
        ],
    },
    Section {
        title: "halt: a finalizer that somebody else put on an object which may not use its service",
        held: &[("ledger", "empty, by hand")],
        varied: &[
            ("object", &["living", "deleting"]),
            ("Secret", &["absent", "foreign", "current", "former"]),
            ("read", ALL),
            ("spec", &["as it is", "suspected"]),
        ],
    },
    Section {
        title: "verify: not read, paused, or without service",
        held: &[("spec", "verification due")],
        varied: &[("read", ALL), ("pauses", PAUSED), ("service", ALL)],
    },
    Section {
        title: "unresolved_claim: claims that are not in flight here",
        held: &[],
        varied: &[
            ("ledger", &["empty", "empty, fresh object", "first claim", "open claim", "open claim, settled", "lost"]),
            (
                "Secret",
                &["absent", "foreign", "immutable", "placeholder", "current", "current, fenced", "current, edited"],
            ),
            ("read", ALL),
        ],
    },
    Section {
        title: "unresolved_claim: the sweep of the service saw an unknown token",
        held: &[("spec", "suspected")],
        varied: &[("listing", &["none", "empty", "below fence"]), ("service", ALL), ("pauses", PAUSED)],
    },
    Section {
        title: "unresolved_claim: looking for a lost token",
        held: &[("ledger", "lost")],
        varied: &[("listing", ALL), ("Secret", &["current", "current, fenced", "new"]), ("service", NAMED)],
    },
    Section {
        title: "halt and suspended: by spec, Secret and service",
        held: &[],
        varied: &[
            ("spec", &["as it is", "rotation due", "suspended", "invalid", "forbidden"]),
            ("Secret", &["current", "absent", "foreign", "immutable", "current, edited"]),
            ("service", &["named", "missing"]),
        ],
    },
    Section {
        title: "claim: the very first one",
        held: &[("ledger", "empty"), ("object", "no finalizer")],
        varied: &[("Secret", &["absent", "foreign", "former"]), ("read", ALL), ("dry-run", ALL), ("pauses", PAUSED)],
    },
    Section {
        title: "claim: every other one",
        held: &[("spec", "rotation due")],
        varied: &[
            ("ledger", &["verified", "in overlap", "failed unpublished", "rejected", "no room"]),
            ("Secret", &["absent", "placeholder", "current", "old"]),
            ("back-off", ALL),
            ("dry-run", ALL),
        ],
    },
    Section {
        title: "claim: what refusals forbid",
        held: &[("dry-run", "done")],
        varied: &[
            ("ledger", &["verified", "rejected", "rejected, back-off", "leaked, revoked"]),
            ("spec", &["as it is", "rotation due"]),
            ("service", &["named", "refuses most"]),
            ("Secret", &["current", "current, edited"]),
        ],
    },
    Section {
        title: "claim: not read, or paused",
        held: &[("spec", "rotation due"), ("dry-run", "done")],
        varied: &[("Secret", &["current", "absent"]), ("read", ALL), ("pauses", PAUSED)],
    },
    Section {
        title: "claim: a token that an older version recorded without a digest counts as unchanged",
        held: &[("dry-run", "done")],
        varied: &[
            ("ledger", &["verified", "verified, no digest", "other parameters"]),
            ("spec", &["as it is", "rotation due", "suspended", "invalid"]),
            ("Secret", &["current", "current, old form", "placeholder"]),
        ],
    },
    Section {
        title: "hand_over and claim: a person hands over a token",
        held: &[("service", "by hand")],
        varied: &[
            (
                "ledger",
                &["empty", "handed over", "handed over, refused by the service", "handed over, leaked", "not taken up"],
            ),
            ("offer", ALL),
            ("spec", &["as it is", "rotation due", "suspended", "invalid"]),
            ("read", ALL),
        ],
    },
    Section {
        title: "claim: the very first token that a person hands over",
        held: &[("service", "by hand"), ("ledger", "empty"), ("offer", "ready")],
        varied: &[
            ("object", &["living", "no finalizer"]),
            ("Secret", &["absent", "placeholder", "foreign", "former"]),
            ("kept", ALL),
            ("dry-run", ALL),
        ],
    },
    Section {
        title: "claim: a back-off holds up only what it is about",
        held: &[("service", "by hand"), ("ledger", "not taken up"), ("dry-run", "done")],
        varied: &[("offer", ALL), ("back-off", ALL), ("pauses", PAUSED)],
    },
    Section {
        title: "unresolved_claim: a claim to take up a token",
        held: &[("service", "by hand")],
        varied: &[
            ("ledger", &["taking up", "taking up, leaked"]),
            ("offer", ALL),
            ("Secret", &["absent", "placeholder", "current", "current, fenced", "foreign"]),
            ("read", ALL),
        ],
    },
    Section {
        title: "in_flight: a token that was handed over, and the value that it replaces",
        held: &[("service", "by hand"), ("ledger", "taking up"), ("offer", "ready")],
        varied: &[
            ("in flight", &["value", "value, accepted", "value, refused, settled", "value, sent, late"]),
            ("kept", ALL),
            ("previous", ALL),
        ],
    },
    Section {
        title: "decide: a token that was handed over",
        held: &[("service", "by hand"), ("ledger", "taking up"), ("Secret", "new")],
        varied: &[
            ("in flight", &["nothing", "value, accepted"]),
            ("offer", &["none", "unread", "ready"]),
            ("verdict", ALL),
            ("read", ALL),
        ],
    },
    Section {
        title: "put_back: somebody took a token out that a person handed over",
        held: &[("ledger", "handed over")],
        varied: &[
            ("service", &["named", "by hand"]),
            ("Secret", &["current", "absent", "placeholder", "current, edited", "foreign", "former"]),
            ("previous", ALL),
            ("offer", &["none", "ready"]),
            ("pauses", &["none", "drift"]),
        ],
    },
    Section {
        title: "companion: values of superseded tokens",
        held: &[("service", "by hand")],
        varied: &[
            ("object", &["living", "deleting", "deleting, Orphan", "deleting, skip"]),
            ("ledger", &["empty", "handed over", "handed over, past overlap"]),
            ("kept", ALL),
            ("Secret", &["current", "absent"]),
        ],
    },
    Section {
        title: "revoke and leak and deletion: a token that only a person can revoke",
        held: &[],
        varied: &[
            ("service", &["named", "by hand"]),
            ("object", &["living", "deleting"]),
            ("ledger", &["handed over", "handed over, in overlap", "handed over, past overlap", "handed over, leaked"]),
            ("asked", ALL),
            ("read", ALL),
        ],
    },
    Section {
        title: "remind: a token expires that only a person can replace",
        held: &[("ledger", "handed over, expires soon")],
        varied: &[("service", &["named", "by hand"]), ("spec", &["as it is", "suspended", "invalid"]), ("offer", ALL)],
    },
];
