//! What strangers can do to the exposed port, and how each of it ends.
//!
//! Senders that are who they say are in `deliver`.

mod connections;
mod head;
mod http2;
mod pace;
mod port;
