//! Between the claim and *generate* the newest spec counts: what is suspended or not allowed by then is not asked for.

use std::time::Duration;

use artifact_token_operator::rotation::identity::Name;

use crate::act::Ban;
use crate::objects;
use crate::services::Carrier;

/// How long a process needs to hear of a change, as far as nothing keeps the news away.
const HEARS: Duration = Duration::from_secs(10);

/// A token is asked for that its object or its service forbids.
pub fn of_generate(carrier: &Carrier, index: usize, name: &Name, full: &str) {
    let (server, world) = (&carrier.api_server, &carrier.world);
    let site = world.layout.site(index);
    let (plural, namespace) = site.place();
    let (Some(object), Some(service)) = (server.token(index), server.get(plural, namespace, objects::SERVICE)) else {
        return;
    };
    let Some(why) = Ban::found(&object, &service) else { return };
    let heard = world.elapsed().saturating_sub(HEARS);
    let (then, there) =
        (server.as_it_was(plural, namespace, objects::SERVICE, heard), server.token_as_it_was(index, heard));
    let before = there.zip(then).and_then(|(object, service)| Ban::found(&object, &service));
    // A leaked token is replaced whatever the object says (P14).
    let leaked = !server.leaks_recorded(&name.uid16).is_empty();
    if before == Some(why) && !(leaked && object["spec"]["suspend"] == true) && !server.keeps_news_since(heard) {
        world.broke("newest", format!("{full} was asked for, and {why}"));
    }
}
