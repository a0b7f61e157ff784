/** Findings of lint and planner: a stable code, the subject, what is wrong, and the fix. */

/** Rules that Cloudflare has a name for keep it (docs: Durable Object class exports, error scenarios). */
export type ClassCode =
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
  // Ours: a Worker that something else deployed.
  | "adopt_unmatched"
  | "adopt_unreadable"
  | "adopt_finished";

/** Codes of warnings, which do not stop a deployment. */
export const CLASS_WARNINGS: ReadonlySet<string> = new Set<ClassCode>([
  "class_name_reused",
  "class_not_in_history",
  "class_bound_elsewhere",
  "transfer_pending",
  "transfer_loss_allowed",
  "allowance_unused",
  "adopt_finished",
]);

/** `Code`: the codes that it may have; whoever plans more than classes adds their own. */
export interface Finding<Code extends string = ClassCode> {
  readonly code: Code;
  /** The class, step or file of the finding. */
  readonly subject: string;
  readonly message: string;
  /** What to do, in one sentence. */
  readonly fix: string;
}

/** Whether a finding stops a deployment. */
export const isError = ({ code }: { readonly code: ClassCode }): boolean => !CLASS_WARNINGS.has(code);

/** One line for a person: `[code] subject: message Fix: …`. */
export const describe = ({ code, subject, message, fix }: Finding<string>): string =>
  `[${code}] ${subject}: ${message} Fix: ${fix}`;
