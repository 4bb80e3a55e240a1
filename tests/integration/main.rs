//! Tests of the library against the embedded broker and every real server that is found, over the
//! manager link, the wire link and an attached manager.
//!
//! A new test goes into the module of its subject and into one of the lists below, which say on
//! which servers it runs. Tests that are not about the link run over both links.

use std::process::ExitCode;
use std::time::Duration;

use tests::harness::Suite;
use tests::tests;

mod address_maps;
mod addressing;
mod attaching;
mod caching;
mod caching_outages;
mod churning;
mod clustered;
mod clusters;
mod clusters_of_brokers;
mod connection_events;
mod credentials;
mod delivery;
mod failing;
mod failing_over;
mod gated;
mod handles;
mod health;
mod hooks;
mod invalidating;
mod key_events;
mod key_events_of_clusters;
mod layers;
mod links;
mod logs;
mod looking_up;
mod measuring;
mod memory;
mod mounting;
mod network;
mod numbered;
mod panicking;
mod poison;
mod policies;
mod prefixing;
mod publishing;
mod publishing_to_clusters;
mod reconnect;
mod replies;
mod resync;
mod resync_errors;
mod retrying;
mod rights;
mod routing;
mod secrets;
mod sentinels;
mod settings;
mod sharing;
mod signals;
mod starting;
mod stopping;
mod streaming;
mod support;
mod synced;
mod tireless;
#[cfg(any(feature = "native-tls", feature = "rustls"))]
mod tls;
mod unix_sockets;
mod updating;
mod waiting;
mod wiring;

use address_maps::*;
use addressing::*;
use attaching::*;
use caching::*;
use caching_outages::*;
use churning::*;
use clustered::*;
use clusters::*;
use clusters_of_brokers::*;
use connection_events::*;
use credentials::*;
use delivery::*;
use failing::*;
use failing_over::*;
use handles::*;
use health::*;
use hooks::*;
use invalidating::*;
use key_events::*;
use key_events_of_clusters::*;
use layers::*;
use links::*;
use looking_up::*;
use measuring::*;
use memory::*;
use mounting::*;
use network::*;
use panicking::*;
use poison::*;
use policies::*;
use prefixing::*;
use publishing::*;
use publishing_to_clusters::*;
use reconnect::*;
use replies::*;
use resync::*;
use resync_errors::*;
use retrying::*;
use rights::*;
use routing::*;
use secrets::*;
use sentinels::*;
use settings::*;
use sharing::*;
use signals::*;
use starting::*;
use stopping::*;
use streaming::*;
use synced::*;
use unix_sockets::*;
use updating::*;
use waiting::*;
use wiring::*;

/// Redis 6.0 and newer, and every version of Valkey.
const ANY: (u32, u32) = (6, 0);
const SHARDED_CHANNELS: (u32, u32) = (7, 0);

fn main() -> ExitCode {
    tests::overheard::listen();
    let suite = Suite::new("integration").bound(Duration::from_secs(60));
    let suite = publishing_to(on_clusters(of_the_fixtures(suite)));
    let suite = on_each_link(suite.variant("manager link", support::over_the_manager));
    let suite = on_each_link(suite.variant("wire link", support::over_the_wire));
    suite
        .on_every_server(tests![
            a_burst_waits_in_the_socket_for_a_busy_handler,
            a_stuck_handler_is_not_waited_for_and_gets_an_exact_gap,
            a_wait_does_not_count_as_silence_for_the_ping,
        ])
        .variant("3 links", support::over_several_links)
        .on_every_server(tests![
            every_name_of_every_link_is_back_after_an_outage,
            a_handler_of_names_on_several_links_begins_once_and_hears_all,
            a_shutdown_drains_every_link,
            a_message_reaches_every_handler_of_its_channel,
            a_handler_is_mounted_and_unmounted_while_the_subscriber_runs,
            a_stream_begins_with_a_gap_and_hears_what_follows,
            a_stream_hears_a_gap_after_each_lost_connection,
            streams_and_handlers_of_a_name_share_one_subscription,
            the_last_stream_of_a_name_unsubscribes_after_the_linger,
            a_name_is_subscribed_while_others_leave_all_the_time,
            a_shorter_prefix_is_tracked_after_a_longer_one_has_gone,
            a_denied_name_is_the_error_of_its_stream_alone,
            a_subscriber_is_ready_when_each_gap_is_handled,
            workers_run_at_once_and_a_gap_waits_for_all_of_them,
        ])
        .on_real_servers(tests![
            a_lost_link_is_a_gap_of_the_names_on_it_only,
            the_log_line_of_a_gap_has_the_names_that_it_concerns,
        ])
        .on_real_sentinels(tests![
            a_planned_failover_is_a_gap_and_loses_nothing_else,
            a_killed_primary_is_a_gap_and_loses_nothing_else,
            a_publisher_of_its_own_goes_on_after_a_failover,
            a_stale_sentinel_that_is_first_in_the_list_does_not_decide,
            a_primary_is_reached_where_the_map_of_addresses_says,
            a_server_that_is_not_the_primary_is_not_subscribed_to,
            sentinels_and_the_primary_have_credentials_of_their_own,
            the_rights_of_the_guide_are_enough,
            sentinels_whose_user_may_not_ask_are_an_error_at_once,
        ])
        .without_server(tests![a_number_of_links_that_is_not_possible_is_an_error])
        .variant("attached", support::over_the_manager)
        .on_every_server(tests![
            the_services_own_receivers_keep_working,
            a_lost_connection_of_the_services_manager_is_reported_and_resubscribed,
            an_overflow_of_the_services_channel_is_reported_as_a_gap,
            a_closed_push_channel_is_never_ready,
            options_of_the_connection_are_rejected_with_attach,
            answers_of_an_attached_handler_go_over_the_services_manager,
            a_cache_reads_over_the_services_manager,
            a_publish_over_the_services_manager_does_not_return_the_count_of_another,
            an_attached_manager_tracks_in_addition_to_the_service,
            tracking_by_key_in_the_service_is_reported_as_a_conflict,
            tracking_that_the_service_has_ended_is_enabled_again,
            an_unreadable_invalidation_is_reported_as_all_keys,
            invalidations_after_an_overflow_of_the_services_channel_are_delivered,
        ])
        .on_real_servers(tests![
            a_reset_by_the_service_is_noticed_and_every_name_subscribed_again,
        ])
        .run()
}

/// Tests of a subscriber of a cluster.
fn on_clusters(suite: Suite) -> Suite {
    let suite = suite.without_server(tests![
        a_sharded_name_follows_its_slot_between_brokers,
        names_follow_a_failover_of_brokers,
        key_events_come_from_every_broker,
        a_cache_reads_from_every_broker_and_hears_of_every_change,
        what_a_link_between_brokers_loses_is_a_gap,
        streams_of_a_cluster_of_brokers_come_and_go,
        handlers_of_key_events_are_mounted_on_every_broker,
        a_broker_that_is_gone_is_let_go_of_and_may_come_back,
        a_gap_names_what_was_on_the_broker_that_is_lost,
        a_handler_begins_without_the_names_that_no_broker_serves,
        a_cluster_that_nobody_tells_of_is_logged,
        the_error_of_a_start_says_where_each_name_is,
    ]);
    suite.on_real_clusters(tests![
        names_of_a_cluster_are_heard_from_their_nodes,
        nodes_are_reached_where_the_map_of_addresses_says,
        the_error_about_a_node_that_is_out_of_reach_names_the_map_of_addresses,
        a_cluster_whose_user_may_not_ask_is_an_error_at_once,
        a_sharded_name_follows_its_slot,
        a_planned_failover_is_followed,
        names_of_a_killed_primary_are_heard_from_others,
        names_of_a_frozen_primary_are_heard_from_others,
        a_sharded_name_follows_a_slot_that_moves_at_once,
        a_sharded_name_follows_its_slot_to_a_new_node,
        what_reset_links_between_nodes_lose_is_reported,
        names_leave_a_node_that_the_others_have_forgotten,
        names_leave_a_primary_that_is_cut_off_from_the_others,
        events_of_keys_come_from_every_primary,
        events_of_keys_go_on_after_a_planned_failover,
        events_of_keys_go_on_after_the_end_of_a_primary,
        events_of_keys_go_on_after_a_primary_was_frozen,
        events_of_keys_come_from_a_node_that_has_come,
        streams_of_key_events_come_and_go_in_a_cluster,
    ])
}

/// Tests of publishers of a cluster.
fn publishing_to(suite: Suite) -> Suite {
    suite
        .on_every_cluster(tests![
            messages_reach_names_in_slots_of_all_nodes,
            many_messages_keep_their_order_and_their_results,
            publishes_follow_a_slot_that_has_moved,
            a_publisher_goes_on_at_the_node_that_takes_over,
            messages_to_channels_go_to_another_node_while_theirs_is_out_of_reach,
            answers_of_handlers_go_to_the_node_of_their_slot,
            a_sink_writes_to_the_node_that_has_its_key,
            a_slot_that_nobody_serves_is_an_error_in_the_words_of_the_server,
        ])
        .on_real_clusters(tests![
            a_sink_follows_a_key_that_is_on_its_way,
            what_is_published_while_slots_move_is_heard_once,
            what_is_published_during_a_planned_failover_is_heard_once,
            what_is_published_while_a_primary_is_killed_is_heard_once,
            what_is_published_while_a_primary_is_frozen_is_heard_once,
        ])
        .without_server(tests![
            two_nodes_that_name_each_other_are_an_error_until_they_agree,
            a_publish_to_a_silent_node_is_unknown_after_its_timeout,
            a_publish_to_a_silent_node_is_unknown_when_it_is_replaced,
            a_publisher_leaves_a_node_that_the_others_have_replaced,
            a_publish_that_cannot_be_sent_goes_to_the_new_owner_at_once,
            every_node_gets_the_credentials_and_the_name,
            a_publisher_of_one_node_of_a_cluster_says_what_to_use,
            mistakes_in_the_nodes_of_a_cluster_are_errors_at_once,
            publishers_of_a_cluster_run_in_a_test_kit,
        ])
}

/// Tests of the tools that tests of several servers use.
fn of_the_fixtures(suite: Suite) -> Suite {
    suite
        .on_real_clusters(tests![
            a_cluster_has_primaries_with_replicas_that_every_node_shows,
            a_slot_moves_with_its_keys_and_its_subscribers_are_told,
            slots_move_at_once_where_the_server_can_do_that,
            a_replica_takes_over_and_back_again,
            a_killed_node_is_replaced_and_comes_back_as_a_replica,
            a_frozen_node_is_replaced_and_notices_it_when_it_thaws,
            a_node_joins_takes_a_slot_and_is_forgotten,
            a_reset_bus_has_new_links,
            a_node_that_is_cut_off_is_replaced,
            passwords_and_users_hold_on_every_node_and_after_a_restart,
        ])
        .on_real_sentinels(tests![
            sentinels_name_a_primary_with_replicas,
            sentinels_replace_a_primary_that_works_when_they_are_asked,
            sentinels_replace_a_killed_primary,
            sentinels_replace_a_frozen_primary_and_demote_it_when_it_thaws,
            two_sentinels_of_three_are_enough,
            sentinels_and_servers_have_passwords_of_their_own,
        ])
}

/// Tests of subscribers whose server sentinels name.
fn by_sentinels(suite: Suite) -> Suite {
    suite
        .on_the_broker(tests![
            the_newest_failover_wins_whoever_answers_first,
            a_sentinel_that_is_cut_off_does_not_replace_a_primary,
            one_sentinel_that_knows_of_a_newer_failover_is_enough,
            an_announcement_is_a_reason_to_ask_at_once,
            sentinels_that_are_silent_do_not_hold_up_the_others,
            a_server_among_sentinels_that_names_no_primary_is_logged,
            the_topology_says_which_sentinels_do_not_answer,
            a_primary_that_is_found_while_the_pauses_are_long_is_connected_to_at_once,
            publishers_change_to_the_new_primary,
            a_publish_to_a_primary_that_is_frozen_is_unknown_when_it_is_replaced,
        ])
        .on_every_server(tests![a_server_that_is_no_sentinel_is_an_error_at_once])
        .without_server(tests![
            an_unknown_name_is_an_error_at_once,
            the_error_without_a_sentinel_has_the_answer_of_each,
            mistakes_in_the_options_of_sentinels_are_errors_of_the_start,
            a_subscriber_by_sentinels_runs_in_a_test_kit,
        ])
        .on_real_sentinels(tests![
            a_planned_failover_is_a_gap_and_loses_nothing_else,
            a_killed_primary_is_a_gap_and_loses_nothing_else,
            a_frozen_primary_that_returns_is_a_gap_and_nothing_comes_twice,
        ])
}

fn on_each_link(suite: Suite) -> Suite {
    let suite = by_sentinels(over_tls(suite));
    suite
        .since(SHARDED_CHANNELS)
        .on_every_server(tests![
            a_sharded_message_reaches_its_handler_and_no_other,
            a_prefix_applies_to_sharded_names,
            an_address_of_a_sharded_type_is_that_of_a_sharded_channel,
            mounts_are_shown_in_a_table_and_in_the_log,
            a_start_logs_one_line_with_everything_that_is_subscribed,
        ])
        .since(ANY)
        .on_every_server(tests![
            hooks_run_when_all_is_ready_and_when_the_handlers_have_finished,
            an_error_or_a_panic_of_on_ready_is_that_of_the_start,
            on_ready_runs_after_a_spawn_as_soon_as_the_server_is_there,
            an_on_stop_that_does_not_return_does_not_hold_up_the_shutdown,
            a_prefix_of_the_subscriber_is_before_every_name,
            a_prefix_of_the_subscriber_is_before_the_keys_of_caches_and_streams,
            what_a_handler_of_a_prefixed_router_publishes_stays_within_the_prefix,
            every_series_is_there_from_the_start_and_names_no_channel,
            the_age_of_the_oldest_message_grows_while_the_handler_is_stuck,
            gaps_are_counted_by_their_causes,
            no_counter_falls_when_handlers_come_and_go,
            the_checker_of_prometheus_accepts_the_metrics,
            a_message_reaches_every_handler_of_its_channel,
            a_handler_is_mounted_and_unmounted_while_the_subscriber_runs,
            a_handler_that_is_mounted_later_hears_only_what_follows,
            a_mount_that_is_denied_mounts_nothing,
            a_mount_that_does_not_fit_the_others_is_refused,
            dropping_the_guard_of_a_mount_ends_its_handlers_at_once,
            handlers_with_a_state_are_mounted_as_a_router,
            a_handler_may_unmount_itself,
            a_mount_does_not_keep_the_subscriber_alive,
            a_shutdown_drains_handlers_that_were_mounted_later,
            a_gap_handler_of_a_late_mount_keeps_the_subscriber_from_being_ready,
            a_stream_begins_with_a_gap_and_hears_what_follows,
            a_typed_stream_listens_to_an_address,
            handlers_of_a_name_share_each_message,
            streams_of_a_name_share_each_message,
            a_stream_hears_a_gap_after_each_lost_connection,
            a_stream_that_begins_during_an_outage_waits_for_its_end,
            a_stream_without_a_server_is_an_error_with_the_reason,
            streams_and_handlers_of_a_name_share_one_subscription,
            the_last_stream_of_a_name_unsubscribes_after_the_linger,
            reserved_names_are_refused_wherever_they_are_given,
            a_name_is_subscribed_while_others_leave_all_the_time,
            names_are_left_and_retried_while_others_come_all_the_time,
            a_shorter_prefix_is_tracked_after_a_longer_one_has_gone,
            a_name_that_is_wanted_again_while_it_is_left_stays_subscribed,
            a_denied_name_is_the_error_of_its_stream_alone,
            a_denied_name_of_a_stream_is_logged,
            what_streams_reject_is_logged_at_a_limited_rate_without_the_payload,
            a_snapshot_comes_first_and_in_place_of_each_gap,
            messages_wait_for_the_snapshot,
            a_lag_during_a_load_is_followed_by_another_snapshot,
            a_load_that_fails_is_logged_and_tried_again,
            a_load_that_fails_is_logged_with_its_channel,
            a_load_does_not_keep_a_stream_from_ending,
            updates_may_be_shared_and_the_newest_alone,
            streams_that_end_while_they_are_counted_leave_a_whole_account,
            what_waits_for_streams_is_counted,
            a_slow_stream_is_told_how_much_it_has_missed_and_holds_up_nobody,
            a_stream_may_listen_to_a_template_and_to_the_newest_of_each_channel,
            a_stream_may_listen_to_keys_invalidations_and_the_connection,
            streams_end_with_the_subscriber,
            streams_end_when_the_handle_is_dropped_and_keep_nothing_alive,
            a_stream_may_be_dropped_outside_of_a_runtime,
            there_are_no_more_streams_than_allowed,
            ten_thousand_names_are_subscribed_and_left,
            a_key_is_read_once_until_another_client_changes_it,
            values_are_decoded_and_what_does_not_decode_is_an_error,
            many_keys_are_read_together_and_kept_one_by_one,
            a_hundred_callers_share_one_read,
            a_cache_is_right_through_lost_connections_while_values_change,
            calls_bypass_the_cache_while_the_server_is_away,
            a_cache_may_begin_before_its_server,
            a_read_of_a_silent_server_times_out,
            caches_with_overlapping_prefixes_are_each_right,
            a_cache_outlives_its_subscriber_and_holds_nothing_then,
            a_handler_sees_only_the_frames_of_its_own_subscription,
            a_channel_that_only_the_glob_matches_is_unmatched_for_any_handler,
            the_first_channel_that_no_template_matches_is_logged_with_a_hint,
            one_handler_may_listen_to_several_names,
            a_panic_or_an_error_ends_one_delivery,
            names_and_payloads_may_be_any_bytes,
            a_key_event_reaches_its_handler,
            key_events_that_the_server_does_not_publish_are_an_error,
            key_events_that_are_published_later_arrive,
            key_events_are_configured_in_addition_to_those_of_others,
            a_changed_key_is_reported_to_the_handlers_of_its_prefix,
            an_empty_prefix_matches_every_key,
            invalidations_come_back_after_each_lost_connection,
            invalidations_before_the_shutdown_are_delivered,
            a_latest_queue_of_invalidations_has_each_key_once,
            a_shutdown_with_tracking_does_not_wait_for_a_silent_or_stopped_server,
            a_prefix_of_a_mount_precedes_the_prefix_of_the_keys,
            disconnects_and_reconnects_are_reported,
            the_stream_of_connection_events_has_no_gaps,
            a_connection_handler_works_together_with_others,
            a_message_that_does_not_decode_is_counted_and_the_handler_continues,
            every_malicious_payload_is_rejected_and_the_next_message_is_handled,
            a_channel_name_may_be_long_or_invalid_utf8,
            a_payload_of_33_mb_arrives_or_is_reported_as_a_gap,
            logs_escape_and_cut_channel_names_and_omit_payloads,
            a_flood_of_bad_messages_logs_one_line_a_second_with_a_count,
            a_flood_of_lags_logs_one_line_a_second_with_a_count,
            raw_pushes_go_to_every_receiver,
            answers_are_published_over_a_second_connection,
            a_publisher_comes_back_after_an_outage,
            a_publish_without_a_reply_times_out,
            the_first_publish_after_an_outage_tries_the_server_again,
            a_publishers_timeout_may_be_zero_or_huge,
            a_dead_connection_is_found_even_if_callers_drop_their_publishes,
            a_publisher_with_a_wrong_password_gets_an_auth_error,
            many_messages_are_published_in_their_order,
            a_slow_handler_gets_an_exact_gap_and_the_others_miss_nothing,
            a_killed_connection_is_resubscribed_and_every_handler_gets_a_gap,
            a_server_that_goes_silent_is_noticed_by_ping,
            an_idle_connection_raises_no_false_alarm,
            a_wrong_password_during_an_outage_is_retried,
            a_denied_name_affects_no_other_name_and_recovers_when_it_is_allowed,
            order_is_kept_without_duplicates_over_many_disconnects,
            a_message_that_is_cut_inside_its_frame_is_not_delivered,
            a_reset_is_reported_and_resubscribed,
            nothing_is_lost_on_a_slow_line_in_one_byte_pieces,
            a_gap_begins_before_the_first_loss_on_a_slow_line,
            a_gap_begins_at_the_last_ping_that_was_answered,
            a_reply_that_belongs_to_another_command_is_not_believed,
            a_denied_name_does_not_end_a_connection_with_a_backlog,
            a_standstill_of_this_process_is_not_the_servers_silence,
            a_black_hole_in_either_direction_is_noticed,
            messages_after_a_ping_do_not_hide_the_silence,
            a_wrong_password_is_reported_at_once_and_not_shown,
            a_missing_password_is_named_as_that,
            a_denied_name_is_reported_at_once_with_the_servers_reason,
            a_denied_name_may_be_allowed_at_the_start,
            a_client_of_redis_rs_is_used_with_its_credentials,
            run_until_ends_with_its_signal_and_drains,
            messages_sent_before_the_shutdown_are_delivered,
            a_handler_that_finishes_in_time_is_waited_for,
            messages_left_at_the_deadline_are_counted_as_cancelled,
            messages_counted_as_cancelled_are_not_delivered_afterwards,
            a_dropped_shutdown_continues_with_the_next_call,
            a_dropped_shutdown_leaves_the_handle_in_control,
            a_shutdown_works_during_an_outage,
            a_frozen_server_does_not_delay_the_shutdown,
            dropping_the_handle_ends_everything,
            a_subscriber_ends_with_the_last_clone_of_its_handle,
            the_last_handle_may_be_dropped_on_a_plain_thread,
            a_weak_handle_does_not_keep_the_subscriber_alive,
            a_spawned_subscriber_logs_what_is_subscribed,
            a_subscriber_without_handlers_is_ready_when_it_is_connected,
            a_subscriber_without_handlers_says_why_it_does_not_start,
            run_until_of_a_handle_drains_and_keeps_the_handle,
            run_until_ends_with_the_shutdown_of_another_clone,
            shutdowns_of_several_clones_return_one_report,
            others_can_wait_for_the_beginning_and_the_end_of_a_shutdown,
            stats_print_as_a_table_and_survive_json,
            a_shutdown_inside_a_handler_does_not_wait_for_itself,
            a_shutdown_inside_a_handler_may_wait_for_another_one,
            one_name_may_have_views_and_the_same_message_twice,
            a_prefix_applies_to_every_name_of_a_router,
            a_constant_is_subscribed_to_like_a_name_in_quotes,
            the_params_of_a_message_are_found_after_a_prefix,
            a_handler_at_an_address_hears_that_channel_alone,
            params_are_found_at_an_address_with_a_prefix,
            a_router_extracts_its_state_from_a_larger_one_once,
            a_split_router_uses_the_state_of_each_subscriber,
            a_delivery_that_takes_too_long_is_dropped_and_the_next_one_comes,
            workers_run_at_once_and_a_gap_waits_for_all_of_them,
            workers_keep_the_order_of_a_key,
            a_paused_handler_waits_and_loses_nothing_its_buffer_holds,
            deliveries_of_paused_workers_end_before_a_shutdown,
            paused_workers_finish_only_the_deliveries_under_way,
            a_latest_queue_keeps_the_newest_message_of_each_channel,
            drop_newest_keeps_the_oldest_messages,
            a_payload_that_is_too_large_is_dropped_and_reported,
            all_buffers_together_stay_under_their_limit,
            the_last_message_of_a_stuck_handler_may_be_dropped_and_is_reported,
            a_message_that_exceeds_the_memory_limit_is_delivered_beside_stuck_handlers,
            replaced_messages_leave_room_for_others,
            a_slow_receiver_of_raw_pushes_gets_the_exact_number_of_what_it_missed,
            errors_and_panics_that_panic_again_end_one_delivery,
            a_required_handler_whose_gap_is_never_handled_is_not_ready,
            a_panic_before_during_or_after_the_future_ends_one_delivery,
            a_panic_while_a_delivery_is_dropped_ends_only_that,
            a_gap_handler_that_panics_in_any_way_is_called_again,
            a_hook_that_panics_in_any_way_gets_the_next_failure,
            errors_that_panic_when_dropped_do_not_end_a_shutdown,
            a_state_that_panics_when_dropped_does_not_end_a_shutdown,
            a_provider_that_panics_in_any_way_costs_only_an_attempt,
            a_changed_password_is_requested_before_each_attempt,
            a_provider_that_hangs_fails_or_panics_costs_only_an_attempt,
            passwords_stay_secret_through_every_fault,
            every_failure_is_reported_with_its_push_and_its_reason,
            a_hook_that_hangs_does_not_block_handlers_and_drops_are_counted,
            a_hook_that_fails_or_panics_gets_the_next_failure,
            a_shutdown_waits_for_queued_failures,
            an_error_and_a_panic_within_one_second_are_both_logged_with_their_text,
            lines_that_were_not_logged_are_counted_when_no_other_follows,
            failures_that_wait_for_the_hook_are_limited_in_bytes,
            a_required_handler_that_stalls_is_named_and_the_others_continue,
            a_stalled_gap_handler_is_named,
            a_subscriber_is_ready_when_each_gap_is_handled,
            a_gap_behind_messages_that_wait_is_not_handled,
            a_gap_handler_that_fails_is_reported_at_once,
            a_lag_affects_readiness_only_if_the_handler_is_required,
            a_paused_required_handler_that_loses_messages_is_not_ready,
            a_reconnect_does_not_hide_the_lag_of_a_required_handler,
            an_error_that_requests_a_resync_runs_the_gap_handler_before_the_next_message,
            an_idle_handler_resyncs_at_once_when_it_is_requested,
            a_requested_resync_is_a_change_of_the_health_and_so_is_its_end,
            pending_requests_are_one_run_and_later_ones_another,
            a_requested_resync_that_fails_is_retried_before_the_next_message,
            a_resync_waits_for_running_workers_and_holds_back_the_others,
            a_resync_comes_before_a_gap_that_waits_for_the_workers,
            a_shutdown_serves_the_requests_of_what_it_delivers,
            a_paused_handler_resyncs_when_it_is_resumed,
            a_resync_is_served_during_an_outage,
            a_handler_without_a_gap_handler_cannot_resync,
            a_request_is_found_however_the_error_is_wrapped,
            layers_run_from_the_subscriber_over_the_routers_to_the_handler,
            a_layer_that_does_not_go_on_skips_the_delivery,
            a_gap_cannot_be_skipped,
            a_gap_that_a_layer_fails_is_repeated_with_the_layers,
            an_error_passes_the_layers_to_the_log_and_the_hook,
            the_outcome_of_the_outermost_layer_counts,
            each_run_is_an_attempt_and_the_last_outcome_counts_once,
            a_layer_is_inside_the_timeout_and_the_catch_of_panics,
            values_are_passed_on_to_layers_and_arguments,
            layers_are_around_workers_and_late_mounts,
            a_layer_may_request_a_resync,
            a_delivery_that_fails_is_repeated_before_the_next_one,
            the_last_attempt_is_the_one_that_counts,
            each_attempt_has_the_whole_timeout,
            what_would_fail_again_is_not_repeated,
            a_shutdown_ends_the_attempts_at_its_deadline,
            workers_keep_the_order_of_a_key_while_one_is_repeated,
            every_failure_of_a_handler_may_request_a_resync,
            a_resync_comes_after_the_last_attempt,
            an_outage_and_a_shutdown_are_reported_with_their_reasons,
            a_denied_name_is_a_reason_not_to_be_ready,
            a_deaf_process_ends_with_its_exit_code,
            a_deaf_process_may_finish_its_shutdown,
        ])
        .on_the_broker(tests![
            bad_pushes_are_counted_and_every_handler_continues,
            frames_in_one_byte_pieces_arrive_whole,
            an_unexpected_unsubscribe_is_reported_and_resubscribed,
            late_confirmations_are_waited_for,
            a_shutdown_ends_what_is_confirmed_during_it,
            a_server_that_starts_late_is_waited_for,
            a_spawned_subscriber_connects_when_its_server_is_there,
            the_initial_gap_serves_the_requests_before_it,
            a_second_signal_ends_run_at_once,
            run_returns_the_error_of_on_ready_unless_a_signal_comes_before,
            a_hangup_or_sigterm_ends_run_after_the_handlers,
            a_hangup_does_not_end_run_under_nohup,
        ])
        .on_real_servers(tests![
            a_name_that_cannot_be_left_is_let_go,
            a_key_of_another_type_is_an_error_and_not_absent,
            a_key_is_not_served_after_its_end_even_if_the_server_has_not_removed_it,
            a_cache_needs_only_the_rights_in_the_docs,
            a_cache_whose_invalidations_are_denied_says_so_or_is_bypassed,
            a_hundred_handlers_at_line_rate_lose_nothing_and_wake_only_for_their_own_messages,
            a_missing_database_is_reported_at_once,
            a_busy_server_is_waited_for,
            a_connection_with_tracking_only_outlives_the_servers_timeout,
            a_database_in_a_cluster_is_reported_at_once,
            a_setting_that_may_not_be_read_is_a_warning,
            a_server_without_room_is_reported_with_its_reason,
            reconnects_after_an_outage_that_is_longer_than_the_managers_own_retries,
            messages_arrive_over_a_unix_socket_and_after_each_outage,
            the_name_and_the_database_are_set_on_every_connection,
            a_user_with_the_documented_rights_is_denied_nothing,
            a_refused_answer_is_a_failure_of_its_handler,
            denied_tracking_is_reported_and_retried,
            a_user_with_a_changed_password_reconnects_without_a_restart,
            a_sink_writes_to_a_capped_stream_and_a_capped_list,
            a_sinks_length_may_be_zero_or_huge,
        ])
        .without_server(tests![
            an_unreachable_server_is_named_with_the_missing_subscriptions,
            invalid_settings_are_reported_without_a_connection,
            a_mount_whose_name_lacks_a_param_of_the_message_is_refused,
            state_after_handlers_is_an_error_of_start,
            a_resync_without_a_gap_handler_is_refused,
            a_spawn_reports_a_mistake_at_once,
            the_arguments_of_a_handler_must_fit_its_subscriptions,
            a_start_without_subscriptions_reports_the_connection_error,
            different_messages_from_one_name_are_refused_with_both_places,
            a_missing_unix_socket_is_named,
            the_error_of_a_credentials_provider_is_shown,
            a_shutdown_does_not_wait_for_credentials,
            an_invalid_client_name_is_reported_without_a_connection,
            passwords_stay_secret_in_invalid_urls,
            passwords_stay_secret_when_the_server_repeats_them,
            failures_that_a_sink_cannot_write_are_counted,
            workers_keep_the_order_of_a_key_however_it_is_written,
            publishes_share_one_attempt_to_connect_at_a_time,
            an_outage_that_is_over_is_not_the_cause_of_a_missing_confirmation,
            every_setting_may_be_zero_or_huge,
            a_command_without_an_answer_is_noticed_behind_an_answered_one,
            an_answer_that_is_no_number_is_not_known_to_be_published,
            a_process_whose_runtime_is_blocked_ends_with_its_exit_code,
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
            a_server_that_cannot_prove_its_identity_is_rejected_over_tls,
            a_port_without_tls_is_reported,
            a_plain_url_to_a_tls_port_is_reported,
            a_certificate_that_becomes_invalid_is_rejected_over_tls_until_it_is_valid,
            a_client_certificate_is_sent_over_tls_and_named_if_it_is_missing,
            the_name_in_the_certificate_can_be_set_for_tls,
            insecure_tls_is_rejected_unless_it_is_enabled_by_its_name,
            the_tls_settings_of_a_client_of_redis_rs_are_used_where_they_can_be_read,
            keys_stay_secret_through_every_fault_of_tls,
        ])
        .on_real_servers(tests![a_server_with_its_own_tls_port_works])
        .without_server(tests![
            unusable_tls_options_are_reported_without_a_connection,
            every_node_of_a_cluster_is_reached_over_tls,
        ])
}
