//! Does the service list tokens under the names that the operator gave them? Pure.
//!
//! Some services put something before each name, or write it in their own way. A lost token is found by nothing but its name, so
//! a service that changes names has lost tokens that nobody finds. The names of known tokens show it.

use std::collections::{BTreeSet, HashMap};

use super::desired::Halt;
use super::identity;
use super::service_sweep::{NamedToken, Owner};
use crate::api::ledger::Ledger;
use crate::api::reason::Reason;

/// How many listed rows are tokens in use of this service object, and do not have the operator's name.
pub fn renamed(prefix: &str, service_uid: &str, rows: &[NamedToken], owners: &HashMap<String, Owner>) -> u32 {
    let here = |ledger: &&Ledger| ledger.service.as_ref().is_some_and(|service| service.uid == service_uid);
    let current = owners.values().map(|owner| &owner.ledger).filter(here).filter_map(|ledger| ledger.current.as_ref());
    let current: BTreeSet<_> = current.map(|current| &current.id).collect();
    let in_use = |row: &NamedToken| row.id.as_ref().is_some_and(|id| current.contains(id));
    let renamed = |row: &&NamedToken| in_use(row) && identity::parse(prefix, &row.name).is_none();
    u32::try_from(rows.iter().filter(renamed).count()).unwrap_or(u32::MAX)
}

/// What the service object tells while a sweep found so many of them.
pub fn trouble(count: u32) -> Option<Halt> {
    let message = format!(
        "list: the service shows {count} tokens in use under other names than they were given, so a lost token cannot be found: if it puts \
         something before names, declare spec.operations.list.item.namePrefix, or else naming.unsupported; tokens are issued meanwhile"
    );
    (count > 0).then(|| Halt::passing(Reason::OperationFailing, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ids::samples::{id, nonce};
    use crate::api::ledger::{Current, ServiceIdentity};
    use crate::api::time::Time;

    fn owner(service: &str, token: &str) -> Owner {
        let time = Time::from_millis(0);
        let current = Current {
            attempt: 1,
            id: id(token),
            nonce: nonce("0"),
            credentials_revision: String::new(),
            hint: None,
            request_digest: String::new(),
            claimed_time: time,
            issued_time: time,
            published_time: time,
            verified_time: time,
            probed: true,
            refused_time: None,
            rejected_time: None,
            unclear: None,
            last_used_time: None,
            hand_over: None,
            reminded_days: None,
            expiration_time: None,
            secret_resource_version: String::new(),
        };
        let service = ServiceIdentity { uid: service.to_owned(), origin: String::new() };
        let ledger = Ledger { service: Some(service), current: Some(current), ..Ledger::default() };
        Owner { ledger, ..Owner::default() }
    }

    #[test]
    fn a_token_in_use_under_another_name_shows_that_the_service_changes_names() {
        let own = identity::Name { uid16: identity::uid16("a"), attempt: 1, nonce: nonce("0") };
        let own = identity::format("prod", &own, "ci", 255);
        let owners = HashMap::from([("a".to_owned(), owner("here", "id-1")), ("b".to_owned(), owner("there", "id-2"))]);
        let check = |listed: &str, name: &str, expected: u32| {
            let rows = [NamedToken { id: Some(id(listed)), name: name.to_owned() }];
            assert_eq!(renamed("prod", "here", &rows, &owners), expected, "{listed} {name}");
        };
        check("id-1", &own, 0);
        check("id-1", &format!("robot${own}"), 1);
        check("id-1", &own.to_uppercase(), 1);
        check("id-1", &own.replace(' ', "-"), 1);
        check("id-1", "", 1);
        // A stranger's token, and one of another service that has the same id by chance.
        check("id-3", "somebody's", 0);
        check("id-2", "somebody's", 0);
    }

    #[test]
    fn a_service_that_changes_names_is_told_until_a_sweep_finds_none() {
        let told = trouble(2).map(|halt| (halt.reason, halt.stalled, halt.message.contains("2 tokens")));
        assert_eq!(told, Some((Reason::OperationFailing, false, true)));
        assert_eq!(trouble(0), None);
    }
}
