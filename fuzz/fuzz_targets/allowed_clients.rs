//! Searches for inputs that break the property `allowed_clients`; what must hold is said there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookgate_fuzz::allowed_clients(data));
