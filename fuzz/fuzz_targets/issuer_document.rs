//! Searches for inputs that break the property `issuer_document`; what must hold is said there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookgate_fuzz::issuer_document(data));
