/**
 * The codes of the plan's findings: those of classes, which the package has, and this program's own. Each has a row in
 * docs/.
 */
import { CLASS_WARNINGS, type ClassCode, type Finding as FindingOf } from "@durable-stack/class-lifecycle";
import { pullOf } from "../../stack/pull-stack.ts";

/** What this program finds beside classes. */
type OwnCode =
  // The release and its traffic.
  | "older_release"
  | "dirty_release"
  | "refused_release"
  | "release_step_mismatch"
  | "release_not_uploaded"
  | "release_without_traffic"
  | "rollout_unfinished"
  | "rollout_without_stable"
  // The pin.
  | "stack_pinned"
  | "pin_version_missing"
  | "pin_version_not_ours"
  | "pin_version_too_old"
  | "pin_below_rollback_floor"
  | "pin_storage_missing"
  // The tables of objects.
  | "schema_step_changed"
  | "schema_left_behind"
  | "schema_needs_full_rollout"
  | "schema_raises_floor"
  // The promotion.
  | "not_promoted"
  | "promotion_missed"
  | "missed_release_allowed"
  | "promoted_in_part"
  | "soak_not_over"
  | "promotion_stack_missing"
  | "promotion_stack_unreadable"
  | "promotion_unchecked"
  // Something is missing that a plan needs.
  | "token_missing"
  | "token_malformed"
  | "account_unreadable"
  | "state_unreadable"
  | "address_taken"
  // Settings.
  | "setting_without_place"
  | "setting_wrong"
  | "jurisdiction_without_bucket"
  // Buckets, databases and the like.
  | "storage_would_go"
  | "storage_goes"
  | "storage_left_behind"
  // The account has it already.
  | "worker_name_taken"
  | "account_changed"
  | "worker_gone"
  | "worker_made_anew"
  | "storage_made_anew"
  | "worker_under_another_name"
  | "worker_rename_blocked"
  | "worker_of_another_stack"
  | "name_not_ours"
  | "adopt_drops"
  | "adopt_handlers"
  // Drift.
  | "serving_version_not_ours"
  | "deployment_not_ours"
  | "bound_resource_missing"
  | "not_deployed"
  | "traffic_not_as_set"
  | "resource_missing"
  | "resource_changed"
  | "resource_unknown"
  // The region table.
  | "region_prefix_removed"
  | "region_prefix_changed"
  | "region_prefix_ambiguous"
  | "region_jurisdiction_changed"
  | "region_id_changed"
  | "region_home_changed";

export type Code = ClassCode | OwnCode;
export type Finding = FindingOf<Code>;

/** Codes of warnings, which do not stop a deployment. */
const OWN_WARNINGS: ReadonlySet<string> = new Set<OwnCode>([
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
  "adopt_handlers",
  "promotion_unchecked",
  "missed_release_allowed",
]);

/** Whether a finding stops a deployment. */
export const isError = ({ code }: { readonly code: Code }): boolean =>
  !OWN_WARNINGS.has(code) && !CLASS_WARNINGS.has(code);

/** The plan's warnings without those that a pull request's stack has on purpose: it allows every class to go. */
export const toldTo = (stack: string, warnings: readonly Finding[]): readonly Finding[] =>
  pullOf(stack) === undefined ? warnings : warnings.filter(({ code }) => code !== "allowance_unused");
