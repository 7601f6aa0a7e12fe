//! Searches for inputs that break the property `standard_webhooks`; what must hold is said there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookgate_fuzz::standard_webhooks(data));
