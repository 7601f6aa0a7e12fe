//! The `hookgate` binary: runs the command that was given and returns its exit code.
//!
//! Everything else, the reading of arguments included, is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookgate::cli::main()
}
