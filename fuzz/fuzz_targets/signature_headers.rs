//! Searches for inputs that break the property `signature_headers`; what must hold is said there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookgate_fuzz::signature_headers(data));
