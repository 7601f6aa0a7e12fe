//! Searches for inputs that break the property `denied_targets`; what must hold is said there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookgate_fuzz::denied_targets(data));
