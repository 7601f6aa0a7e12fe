//! Searches for inputs that break the property `proxy_header`; what must hold is said there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookgate_fuzz::proxy_header(data));
