//! What strangers can do to the exposed port, and how each of it ends.
//!
//! Senders that are who they say are in `deliver`. Here is a checklist of all that is known to have brought down
//! something like hookgate, and what holds that it does not; names without a file are in this folder.
//!
//! | what is done | what holds |
//! |---|---|
//! | 1 nothing is sent | `pace::who_sends_nothing_is_cut_off` |
//! | 2, 3 a head that stops or drips | `pace::a_head_that_does_not_end_is_cut_off`, `pace::a_head_that_drips_is_cut_off` |
//! | 4, 5 a body that never comes or drips | `pace::a_body_that_never_comes_is_told_so`, `pace::a_body_that_drips_is_told_so` |
//! | 6 chunks without end | `pace::chunks_without_end_are_too_large_at_the_limit` |
//! | 7 a connection that is kept idle | `pace::a_connection_that_is_not_used_again_is_closed` |
//! | 8, 9 more connections than there is room, or descriptors | `connections::silent_connections_make_room_for_those_that_speak`, `noise::running_out_of_descriptors_is_overcome`, `ingress/connections.rs` |
//! | 10 half-closed, reset, gone | `pace::a_body_that_breaks_off_is_malformed`, `pace::nothing_is_left_of_who_vanishes`, `connections::a_connection_that_is_reset_within_a_body_is_over` |
//! | 11 to 13 many fields, a long one, a long target | `head::heads_are_bounded` |
//! | 14 a length that is too large, or wrong | `head::a_body_that_is_declared_too_large_is_refused_before_it_comes`, `head::a_length_is_one_number` |
//! | 15 length and transfer coding | `head::where_length_and_transfer_coding_meet_the_connection_is_closed`, `head::a_transfer_coding_is_chunked_once_and_nothing_else`, `head::chunks_that_are_none_end_the_connection` |
//! | 16 line ends, folds, NUL | `head::lines_are_those_of_http` |
//! | 17 no host, two, another in the target | `head::a_request_names_one_host`, for HTTP/2 `ingress/body.rs` |
//! | 18 other versions and methods | `head::only_requests_of_http_1_that_post_are_served` |
//! | 19 `Expect` | `head::who_is_refused_is_not_told_to_continue` |
//! | 20 a thousand requests at once | `head::a_thousand_requests_at_once_are_answered_in_their_order`, `pace::who_does_not_read_the_answers_is_cut_off` |
//! | 21 upgrades | `head::an_upgrade_is_not_made`, `connections::http2_is_spoken_too` |
//! | 22 floods of HTTP/2 | `http2` |
//! | 23 TLS | `tests/it/tls/`, `tests/it/client_certificates.rs` |
//! | 24 forged addresses | `tests/it/proxies.rs` |
//! | 25 the size of a body | `body::a_body_may_be_as_large_as_the_limit_and_no_larger` |
//! | 26 bombs | `body::encodings_are_refused_whether_they_are_used_or_not` |
//! | 27 media types, forms | `body::media_types_are_those_of_the_sender`, `body::a_form_with_more_than_its_payload_is_not_signed` |
//! | 28 what is no text | `body::texts_are_those_of_json` |
//! | 29, 33 depth and length | `body::depth_and_length_cost_no_more_than_their_bytes` |
//! | 30 to 32 fields twice, in another case, odd numbers | `body::numbers_names_and_what_follows_are_those_of_go` |
//! | 34 cut off anywhere, garbage behind | `body::a_body_that_is_cut_off_anywhere_is_not_understood` |
//! | 35 missing and wrong values, many commits | `body::any_value_may_be_missing_or_of_another_type`, `body::a_push_of_a_hundred_thousand_commits_is_a_push` |
//! | 36 texts that mean something elsewhere | `log`, `body::texts_are_those_of_json`; a body's text gets into no path, pattern or expression (`trigger/request.rs`) |
//! | 37 names that collide | maps have random keys, as the standard library makes them |
//! | 38 credentials that are nearly right | `auth::only_the_one_right_credential_proves_a_sender`, `auth::a_right_credential_with_something_around_it_is_wrong` |
//! | 39 weaker algorithms | `hook/sender/tests.rs`, `hook/mac.rs` |
//! | 40 blank and ended secrets | `hook/token.rs`, `hook/live/tests.rs`, `rotation` |
//! | 41 another body, another key | `auth::a_body_is_signed_with_the_receivers_own_token`, `auth::a_body_is_signed_byte_for_byte`, `deliver::a_flipped_bit_changes_nothing` |
//! | 42 replays | `tests/it/replay.rs`, `hook/message/tests.rs`, `trigger/once.rs` |
//! | 43 signed times and ids | `hook/webhook/tests.rs`, the property `standard_webhooks` |
//! | 44 tokens of issuers | `hook/jwt/tests.rs`, `ingress/issuers/tests.rs`, `issuers` |
//! | 45 basic authentication | `hook/sender/tests.rs` |
//! | 46 what a refusal gives away | `auth::refusals_are_the_same_to_the_byte`; secrets are compared in constant time (`hook/token.rs`), and 404 is not 401, for a path is 256 bits |
//! | 47 paths that are nearly right | `auth::a_path_is_known_as_it_is_written_or_not_at_all` |
//! | 48 events nobody wants, pings, handshakes | `deliver`; `OPTIONS` is 405 and nothing is fetched (`head`) |
//! | 49 suspended, not ready, changed meanwhile | `deliver`, `receiver`, `rotation` |
//! | 50 storms | `lossless::a_storm_keeps_to_the_budget_and_loses_nothing`, `trigger/queue/tests/mod.rs` |
//! | 51 an API server in trouble | `trigger/tests/mod.rs`, `lossless` |
//! | 52 disks and crashes | `full_disk`, `trigger/journal/tests/`, `trigger/queue/tests/interleavings.rs` |
//! | 53 replicas | `replicas` |
//! | 54 hostile filters | `cel/tests/limits.rs`, `filter::a_filter_that_takes_too_long_holds_up_nobody_else` |
//!
//! Random bytes are in `noise`; what must hold of any bytes at all is the property `wire` (`fuzz/README.md`).

mod auth;
mod body;
mod connections;
mod head;
mod http2;
mod log;
mod noise;
mod pace;
mod port;
