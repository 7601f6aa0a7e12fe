//! Searches for inputs that break the property `deliveries_query`; what must hold is said there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookgate_fuzz::deliveries_query(data));
