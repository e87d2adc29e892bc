//! The contract of a store, run against every backend.
//!
//! Each function in the modules below states rules as calls and answers, on a [`Backend`] that it may open as
//! often as it likes; `contract!` makes a test of it for each backend. What only one backend can do (a folder,
//! injected faults) is in modules of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backend;
mod catalogue;
mod chance;
mod committer;
mod faults;
mod fights;
mod folder;
mod leases;
mod lists;
mod model;
mod outbox;
mod purge;
mod queues;
mod random;
mod steps;
mod timers;

macro_rules! contract {
    ($($module:ident: $($check:ident)*;)*) => {
        $(mod $module {
            use super::super::$module;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                $module::$check(&super::BACKEND()).await;
            })*
        })*
    };
}

macro_rules! suite {
    () => {
        contract! {
            steps:
                versions_count_from_one
                steps_fail_alone
                conditions_see_the_group_before_them
                a_taken_name_is_told_from_a_conflict
                load_gives_the_checkpoint_and_what_came_after
                history_pages_both_ways
                history_always_advances
                empty_and_large_values_are_kept
                everything_survives_reopening;
            lists:
                newest_come_first_and_pages_meet
                filters_narrow_and_follow_the_status
                a_row_is_listed_under_each_of_its_groups
                rows_are_counted_by_status
                a_moved_row_leaves_its_old_places
                a_cursor_that_is_none_is_refused
                rows_added_between_pages_do_not_shift_them;
            timers:
                due_timers_come_in_order_over_shards
                the_next_due_time_is_told
                timers_go_with_their_steps
                setting_and_removing_twice_changes_nothing;
            queues:
                the_oldest_is_taken_first_and_once
                a_lease_ends_or_is_released
                deleting_acknowledges_once
                a_refused_step_keeps_its_entries
                an_entry_can_be_moved
                an_older_entry_that_arrives_late_is_first
                queues_do_not_see_each_other
                a_commit_wakes_pollers
                a_restart_voids_leases;
            outbox:
                rows_are_scanned_in_order_and_by_shard
                what_is_done_is_done_once;
            leases:
                a_shard_has_one_holder
                a_lease_that_ran_out_is_anyones
                a_restart_voids_leases_and_epochs_grow;
            purge:
                nothing_is_left
                the_version_must_be_right
                a_name_is_free_again
                a_purge_leaves_the_neighbours;
            catalogue:
                writes_are_conditional
                deletes_may_be_conditional
                kinds_and_keys_do_not_mix
                keys_that_cannot_be_written_are_refused
                rows_survive_reopening;
            fights:
                of_two_writers_one_wins_each_version
                of_many_starters_one_gets_the_name
                of_many_workers_one_gets_each_task;
            committer:
                steps_are_answered_each
                a_full_queue_makes_callers_wait_and_loses_nothing
                an_orderly_end_writes_what_was_handed_in
                a_group_larger_than_the_bound_is_split;
            random:
                random_scripts_match_the_model;
        }
    };
}

mod memory {
    const BACKEND: fn() -> super::backend::Backend = super::backend::Backend::memory;
    suite!();
}

mod fjall {
    const BACKEND: fn() -> super::backend::Backend = super::backend::Backend::fjall;
    suite!();
}
