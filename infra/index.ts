/** What exists in a stack. Read it from top to bottom; every part is a file beside this one. */
import * as pulumi from "@pulumi/pulumi";
import { DurableWorker } from "./durable-worker.ts";
import { addresses, crons } from "./edge.ts";
import { planFor } from "./plan/planning.ts";
import { readRelease } from "./release/read.ts";
import { mustBeAsLeft } from "./rollout/as-left.ts";
import { parseSettings, releaseDir } from "./stack/config.ts";
import { LOGICAL, workerInputs } from "./stack/declared.ts";
import { extraBindings } from "./stack/extras.ts";
import type { ProgramBindings } from "./stack/program-bindings.ts";
import { unreadIn } from "./stack/project.ts";
import { jsonBinding, regionTable, workerSettings } from "./stack/told.ts";
import { storage } from "./storage.ts";

const owner = { project: pulumi.getProject(), stack: pulumi.getStack() };
const settings = parseSettings(owner, pulumi.runtime.allConfig(), process.env, unreadIn(owner.stack));
const release = readRelease(releaseDir(settings));

// Add your own here: the plan tells of them, and the Worker gets them.
const secrets = { ADMIN_TOKEN: settings.adminToken, ADMIN_TOKEN_PREVIOUS: settings.adminTokenPrevious };
const bindings: ProgramBindings["bindings"] = [];

const preview = await planFor(settings, release, { secrets, bindings });
mustBeAsLeft(preview, process.env);

const worker = new DurableWorker(LOGICAL.worker, {
  inputs: workerInputs(settings, release, preview.addresses.staysOnWorkersDev),
  preview,
  protect: settings.protect,
  bindings: (made) => [
    ...storage(settings, preview.claims, made),
    ...extraBindings(release, settings),
    ...bindings,
    jsonBinding("REGIONS", regionTable(settings)),
    jsonBinding("SETTINGS", workerSettings(settings)),
  ],
  secrets,
});

crons(settings, release, worker, preview);

export const urls = addresses(settings, worker, preview);
export const digest = preview.served;
export const share = preview.share;
export const since = preview.share === 100 ? (preview.servedSince ?? new Date().toISOString()) : undefined;
/** Where a stack that promotes from this one finds what it serves. */
export const accountId = settings.accountId;
export const workerName = worker.name;
export const version = worker.version;
export const migration = worker.migration;
export const rollbackFloor = worker.rollbackFloor;
export const regions = regionTable(settings);
