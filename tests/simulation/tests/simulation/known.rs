//! Faults that the product has today: each still breaks its law.

use simulation::known::KNOWN;

#[test]
fn every_known_fault_is_still_there() {
    for known in KNOWN {
        let plan = (known.plan)();
        assert!(
            plan.run(false).laws().contains(known.law),
            "mended: take \"{}\" out of `KNOWN`, and put its plan among the regressions:\n{plan}",
            known.name
        );
        println!("known: {} ({})", known.name, known.law);
    }
}
