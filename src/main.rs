//! The `hookgate` binary: runs the command that was given and returns its exit code.
//!
//! Everything else, the reading of arguments included, is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Deliveries are many small allocations, for which those of most C libraries are slow, and that of musl is slowest.
/// It takes no huge pages (`no_thp`): they would double what an idle process has.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    hookgate::cli::main()
}
