//! End-to-end, differential, container and fault tests.
