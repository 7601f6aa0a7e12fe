//! Searches for inputs that break the property `pub_sub`; what must hold is said there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookgate_fuzz::pub_sub(data));
