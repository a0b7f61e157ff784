/** Findings of lint and planner: a stable code, the subject, what is wrong, and the fix. */

/** Rules that Cloudflare has a name for keep it (docs: Durable Object class exports, error scenarios). */
export type Code =
  | "config_references_nonexistent_class"
  | "config_export_not_in_code"
  | "orphaned_provisioned_namespace"
  | "tombstone_delete_class_still_in_code"
  | "tombstone_delete_blocked_by_external_bindings"
  | "storage_type_mismatch"
  | "phase_one_transfer_source_missing"
  | "phase_one_transfer_source_namespace_missing"
  | "phase_one_transfer_duplicate"
  | "transferred_target_missing"
  | "transferred_target_mismatch"
  | "transferred_pending_not_found"
  // Ours: the history and its lock.
  | "history_empty"
  | "step_name_invalid"
  | "step_name_duplicate"
  | "step_out_of_order"
  | "step_empty"
  | "class_name_invalid"
  | "class_does_not_exist"
  | "class_exists"
  | "class_name_reused"
  | "class_changed_twice"
  | "transfer_to_itself"
  | "lock_missing"
  | "lock_conflict"
  | "lock_past_changed"
  | "lock_behind"
  // Ours: the plan.
  | "state_ahead"
  | "state_diverged"
  | "state_unmanaged"
  | "destroy_not_allowed"
  | "needs_intermediate_release"
  | "binding_without_class"
  | "binding_before_transfer"
  | "class_not_in_history"
  | "class_bound_elsewhere"
  | "class_awaited_elsewhere"
  | "transfer_pending"
  | "transfer_lost"
  | "transfer_loss_allowed"
  | "allowance_unused"
  | "lifecycle_needs_full_rollout"
  | "rollout_unfinished"
  | "rollout_without_stable"
  | "release_without_traffic"
  | "pin_version_missing"
  | "pin_version_not_ours"
  | "pin_below_rollback_floor"
  | "pin_version_too_old"
  | "pin_storage_missing"
  | "release_not_uploaded"
  | "stack_pinned"
  | "release_step_mismatch"
  | "older_release"
  | "dirty_release"
  | "refused_release"
  // Ours: the tables of objects.
  | "schema_step_changed"
  | "schema_left_behind"
  | "schema_needs_full_rollout"
  | "schema_raises_floor"
  | "not_promoted"
  | "promoted_in_part"
  | "soak_not_over"
  | "promotion_stack_missing"
  | "promotion_stack_unreadable"
  | "promotion_unchecked"
  | "adopt_unmatched"
  | "adopt_drops"
  | "adopt_unreadable"
  | "adopt_finished"
  // Ours: something is missing that a plan needs.
  | "token_missing"
  | "token_malformed"
  | "account_unreadable"
  | "state_unreadable"
  | "address_taken"
  | "setting_without_place"
  | "setting_wrong"
  | "jurisdiction_without_bucket"
  | "storage_would_go"
  | "storage_goes"
  | "storage_left_behind"
  // Ours: the account has it already.
  | "worker_name_taken"
  | "account_changed"
  | "worker_gone"
  | "worker_made_anew"
  | "storage_made_anew"
  | "worker_under_another_name"
  | "worker_rename_blocked"
  | "worker_of_another_stack"
  | "name_not_ours"
  // Ours: drift.
  | "serving_version_not_ours"
  | "deployment_not_ours"
  | "bound_resource_missing"
  | "not_deployed"
  | "traffic_not_as_set"
  | "resource_missing"
  | "resource_changed"
  | "resource_unknown"
  // Ours: the region table.
  | "region_prefix_removed"
  | "region_prefix_changed"
  | "region_prefix_ambiguous"
  | "region_jurisdiction_changed"
  | "region_id_changed"
  | "region_home_changed";

/** Codes of warnings, which do not stop a deployment. */
const WARNINGS: ReadonlySet<string> = new Set<Code>([
  "class_name_reused",
  "class_not_in_history",
  "class_bound_elsewhere",
  "transfer_pending",
  "transfer_loss_allowed",
  "allowance_unused",
  "rollout_without_stable",
  "release_without_traffic",
  "schema_raises_floor",
  "stack_pinned",
  "release_not_uploaded",
  "serving_version_not_ours",
  "deployment_not_ours",
  "bound_resource_missing",
  "storage_goes",
  "storage_left_behind",
  "promotion_unchecked",
  "adopt_finished",
]);

export interface Finding {
  readonly code: Code;
  /** The class, step or file of the finding. */
  readonly subject: string;
  readonly message: string;
  /** What to do, in one sentence. */
  readonly fix: string;
}

/** Whether a finding stops a deployment. */
export const isError = ({ code }: { readonly code: string }): boolean => !WARNINGS.has(code);

/** One line for a person: `[code] subject: message Fix: …`. */
export const describe = ({ code, subject, message, fix }: Finding): string =>
  `[${code}] ${subject}: ${message} Fix: ${fix}`;
