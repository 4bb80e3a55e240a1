//! The library against the embedded broker and every real server found.

use std::process::ExitCode;
use std::time::Duration;

use tests::harness::Suite;
use tests::tests;

mod attaching;
mod connection_events;
mod credentials;
mod delivery;
mod failing;
mod gated;
mod health;
mod invalidating;
mod logs;
mod network;
mod poison;
mod policies;
mod publishing;
mod reconnect;
mod rights;
mod routing;
mod secrets;
mod starting;
mod stopping;
mod support;
mod tireless;
#[cfg(any(feature = "native-tls", feature = "rustls"))]
mod tls;
mod unix_sockets;
mod waiting;
mod wiring;

use attaching::*;
use connection_events::*;
use credentials::*;
use delivery::*;
use failing::*;
use health::*;
use invalidating::*;
use network::*;
use poison::*;
use policies::*;
use publishing::*;
use reconnect::*;
use rights::*;
use routing::*;
use secrets::*;
use starting::*;
use stopping::*;
use unix_sockets::*;
use waiting::*;
use wiring::*;

/// Redis 6.0 and newer, and any Valkey.
const ANY: (u32, u32) = (6, 0);
const SHARDED_CHANNELS: (u32, u32) = (7, 0);

fn main() -> ExitCode {
    tests::overheard::listen();
    let suite = Suite::new("integration").bound(Duration::from_secs(60));
    let suite = on_each_link(suite.variant("manager link", support::over_the_manager));
    let suite = on_each_link(suite.variant("wire link", support::over_the_wire));
    suite
        .on_every_server(tests![
            a_burst_waits_in_the_socket_for_a_handler_that_is_at_work,
            a_stuck_handler_is_not_waited_for_and_told_exactly,
            a_wait_is_no_silence_for_the_ping,
        ])
        .variant("attached", support::over_the_manager)
        .on_every_server(tests![
            the_services_own_receivers_go_on_beside_handlers,
            a_lost_connection_of_the_services_manager_is_told_and_healed,
            an_overflow_of_the_services_channel_is_told_as_a_gap,
            a_closed_push_channel_is_never_called_ready,
            what_a_manager_does_itself_cannot_be_set_beside_attach,
            answers_of_an_attached_handler_go_over_the_services_manager,
            an_attached_manager_tracks_beside_what_the_service_tracks,
            a_service_that_tracks_by_key_is_told_that_both_cannot_be,
            tracking_that_the_service_has_ended_is_asked_for_again,
            what_may_be_any_key_is_told_as_all,
            what_comes_behind_an_overflow_of_the_services_channel_is_told,
        ])
        .run()
}

fn on_each_link(suite: Suite) -> Suite {
    let suite = over_tls(suite);
    suite
        .since(SHARDED_CHANNELS)
        .on_every_server(tests![
            a_sharded_message_reaches_its_handler_and_no_other,
            a_prefix_goes_before_sharded_names_too,
            what_is_mounted_is_told_in_a_table_and_in_the_log,
        ])
        .since(ANY)
        .on_every_server(tests![
            a_message_reaches_every_handler_of_its_channel,
            a_handler_sees_only_the_frames_of_its_own_subscription,
            a_channel_that_only_the_glob_matches_is_unmatched_for_any_handler,
            one_handler_may_listen_to_several_names,
            a_panic_or_an_error_ends_one_delivery,
            names_and_payloads_may_be_any_bytes,
            what_happens_to_a_key_reaches_its_handler,
            a_changed_key_is_told_to_who_asked_for_its_beginning,
            an_empty_prefix_is_of_every_key,
            invalidations_come_back_after_each_lost_connection,
            what_was_invalidated_before_the_end_is_told,
            a_mailbox_of_invalidations_has_each_key_once,
            a_shutdown_that_tracks_waits_for_no_server_that_is_silent_or_gone,
            a_prefix_of_a_mount_goes_before_that_of_the_keys,
            the_end_and_the_return_of_the_connection_are_told,
            the_stream_of_the_connection_has_no_gaps,
            a_handler_of_the_connection_goes_on_beside_others,
            what_does_not_decode_is_counted_and_leaves_the_handler_alive,
            every_poison_is_rejected_and_the_next_good_message_is_handled,
            a_channel_name_may_be_long_or_no_text,
            a_payload_of_33_mb_arrives_or_is_told_as_a_gap,
            logs_escape_and_cut_channel_names_and_leave_payloads_out,
            a_flood_of_bad_messages_is_a_line_a_second_with_the_number_of_others,
            a_flood_of_lags_is_a_line_a_second_with_the_number_of_others,
            raw_pushes_go_to_everyone_who_asks,
            answers_are_published_over_a_second_connection,
            a_publisher_comes_back_after_an_outage,
            a_publish_that_is_not_answered_is_told_as_such,
            a_publisher_whose_callers_give_up_finds_a_dead_connection,
            a_publisher_with_a_wrong_password_is_told_so,
            many_messages_are_published_in_their_order,
            a_slow_handler_is_told_what_it_missed_and_the_others_miss_nothing,
            a_killed_connection_comes_back_and_every_handler_is_told,
            a_server_that_goes_silent_is_noticed_by_ping,
            an_idle_connection_raises_no_false_alarm,
            a_wrong_password_in_the_middle_of_an_outage_is_outlived,
            a_denied_name_silences_no_other_and_comes_back_when_it_is_allowed,
            order_is_kept_without_duplicates_over_many_disconnects,
            what_is_cut_inside_a_frame_is_not_delivered_in_part,
            a_reset_is_told_and_healed,
            nothing_is_lost_on_a_slow_line_in_one_byte_pieces,
            a_black_hole_in_either_direction_is_noticed,
            messages_behind_a_ping_do_not_put_the_silence_off,
            a_wrong_password_is_told_at_once_and_not_repeated,
            a_denied_name_is_told_at_once_with_the_servers_reason,
            a_denied_name_may_be_allowed_at_the_start,
            a_client_of_redis_rs_is_taken_with_its_credentials,
            run_until_ends_with_its_signal_and_drains,
            what_was_sent_before_the_end_is_delivered,
            a_handler_that_is_done_in_time_is_waited_for,
            what_the_deadline_leaves_is_counted_as_cancelled,
            what_is_counted_as_cancelled_is_not_delivered_afterwards,
            a_shutdown_that_is_dropped_goes_on_with_the_next_call,
            a_shutdown_that_is_dropped_leaves_the_handle_in_charge,
            a_shutdown_works_during_an_outage,
            a_frozen_server_does_not_hold_the_shutdown_up,
            dropping_the_handle_ends_everything,
            stats_print_as_a_table_and_survive_json,
            views_and_the_same_message_go_together_on_one_name,
            a_prefix_goes_before_every_name_of_a_router,
            the_params_of_a_message_are_found_behind_a_prefix,
            a_router_takes_its_state_out_of_a_larger_one_once,
            a_router_that_is_split_takes_the_state_of_each_subscriber,
            a_delivery_that_takes_too_long_is_dropped_and_the_next_one_comes,
            workers_run_at_once_and_a_gap_waits_for_all_of_them,
            workers_keep_the_order_of_a_key,
            a_paused_handler_waits_and_loses_nothing_its_buffer_holds,
            a_mailbox_keeps_the_newest_of_each_channel,
            what_came_first_is_kept_where_the_newest_are_dropped,
            a_payload_that_is_too_large_is_left_out_and_told,
            all_buffers_together_stay_under_their_limit,
            errors_and_panics_that_panic_again_end_one_delivery,
            a_required_handler_whose_gap_is_never_taken_is_not_ready,
            a_password_that_was_changed_is_asked_for_before_each_attempt,
            a_provider_that_hangs_fails_or_panics_costs_an_attempt_and_no_more,
            passwords_stay_secret_through_every_fault,
            every_failure_is_told_with_its_push_and_its_reason,
            a_hook_that_hangs_keeps_no_handler_waiting_and_drops_are_counted,
            a_hook_that_fails_or_panics_is_told_of_the_next_failure,
            a_shutdown_lets_the_hook_finish_what_is_queued,
            a_required_handler_that_stalls_is_named_and_the_others_go_on,
            a_stalled_gap_handler_is_named,
            an_outage_and_a_shutdown_are_told_with_their_reasons,
            a_denied_name_is_a_reason_not_to_be_ready,
            a_deaf_process_ends_with_its_exit_code,
            a_process_that_shuts_down_deaf_ends_by_itself,
        ])
        .on_the_broker(tests![
            bad_pushes_are_counted_and_leave_every_handler_alive,
            frames_in_one_byte_pieces_arrive_whole,
            an_unsubscribe_that_nobody_asked_for_is_healed_and_told,
            late_confirmations_are_waited_for,
            a_server_that_comes_up_late_is_waited_for,
        ])
        .on_real_servers(tests![
            a_hundred_handlers_at_line_rate_lose_nothing_and_wake_for_their_own,
            a_database_that_the_server_does_not_have_is_told_at_once,
            comes_back_after_an_outage_that_is_longer_than_the_managers_own_retries,
            messages_arrive_by_a_unix_socket_and_after_each_outage,
            the_name_and_the_database_are_set_on_every_connection,
            a_user_with_the_documented_rights_is_denied_nothing,
            a_refused_answer_is_a_failure_of_its_handler,
            tracking_that_is_denied_is_told_and_asked_for_again,
            a_user_whose_password_is_changed_comes_back_without_a_restart,
            a_sink_writes_to_a_capped_stream_and_a_capped_list,
        ])
        .without_server(tests![
            a_server_that_is_not_there_is_named_with_what_is_missing,
            what_cannot_be_is_told_without_a_connection,
            a_mount_whose_name_lacks_a_param_of_the_message_is_refused,
            state_after_handlers_is_a_mistake_that_start_names,
            what_a_handler_takes_must_come_by_what_it_listens_to,
            who_asks_for_nothing_is_told_why_there_is_no_connection,
            different_messages_from_one_name_are_refused_with_both_places,
            a_unix_socket_that_is_not_there_is_named,
            what_keeps_credentials_back_is_named,
            an_end_does_not_wait_for_credentials,
            a_name_that_the_server_would_refuse_is_told_without_a_connection,
            passwords_stay_secret_in_urls_that_are_none,
            passwords_stay_secret_when_the_server_repeats_them,
        ])
}

#[cfg(not(any(feature = "native-tls", feature = "rustls")))]
fn over_tls(suite: Suite) -> Suite {
    suite.without_server(tests![a_tls_url_names_the_feature_that_is_missing])
}

#[cfg(any(feature = "native-tls", feature = "rustls"))]
fn over_tls(suite: Suite) -> Suite {
    use tls::*;

    suite
        .on_every_server(tests![
            messages_arrive_over_tls_whatever_ends_the_connection,
            no_server_is_taken_over_tls_that_cannot_prove_itself,
            a_port_without_tls_is_named_as_such,
            a_plain_url_to_a_tls_port_is_told_what_it_meets,
            a_certificate_that_turns_bad_is_not_taken_over_tls_until_it_is_good,
            a_client_certificate_is_shown_over_tls_and_asked_for,
            the_name_in_the_certificate_can_be_said_for_tls,
            insecure_tls_is_refused_unless_it_is_asked_for_by_name,
            the_tls_of_a_client_of_redis_rs_is_taken_where_it_can_be_read,
            keys_stay_secret_through_every_fault_of_tls,
        ])
        .on_real_servers(tests![a_server_with_tls_of_its_own_is_spoken_to])
        .without_server(tests![
            tls_options_that_cannot_be_used_are_told_without_a_connection,
            what_a_sink_cannot_write_is_counted,
            a_process_whose_runtime_is_blocked_ends_with_its_exit_code,
        ])
}
