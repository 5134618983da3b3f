//! FERPA invariants as pure functions of an inventory.
