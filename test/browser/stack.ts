/**
 * The stack of the browser tests: the release of this source, deployed by the Pulumi program to a local account, like
 * `npm start` does. Set up once for all files of this suite, and removed after them.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAccount } from "@durable-stack/local-account";
import type { TestProject } from "vitest/node";
import { applyProgram } from "../../infra/apply/apply.ts";
import { patterns } from "../../worker/patterns.ts";
import { makeReleases } from "../releases.ts";
import { selfContainedConfig } from "../worker-file.ts";

declare module "vitest" {
  interface ProvidedContext {
    stack: {
      url: string;
      adminToken: string;
      digest: string;
      accountUrl: string;
      /** The account's REST API: the address of the account in it, and a token that may do all. */
      api: { url: string; token: string };
    };
  }
}

/**
 * All tests come from one address. So each pattern has a bucket of its own here, too large to matter, and so have new
 * objects and uploads. The default bucket, which the rate limiter's panel shows, is that of a new stack.
 */
const AMPLE = { capacity: 100_000, periodSeconds: 60 };
const RATE_LIMITS = {
  ...Object.fromEntries(patterns.flatMap(({ limit }) => (limit ? [[limit.policy, AMPLE]] : []))),
  create: AMPLE,
  upload: AMPLE,
  default: { capacity: 100, periodSeconds: 60 },
};

/** As short as possible, because a test watches the end move. */
const SESSION = { slidingMinutes: 1, absoluteHours: 12 };

export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), "durable-stack-browser-"));
  const releases = await makeReleases(selfContainedConfig());
  const account = await startAccount({ dir, port: 0, apiPort: 0 });
  const stop = async () => {
    await account.close();
    releases.remove();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const adminToken = randomBytes(16).toString("hex");
    await applyProgram({
      dir,
      account,
      config: {
        release: releases.built.setting,
        adminToken,
        rateLimits: JSON.stringify(RATE_LIMITS),
        session: JSON.stringify(SESSION),
      },
      secretKeys: ["adminToken"],
    });
    provide("stack", {
      url: `http://127.0.0.1:${account.port}/`,
      adminToken,
      digest: releases.built.digest,
      accountUrl: new URL("/", account.apiUrl).href,
      api: { url: `${account.apiUrl}/accounts/${account.accountId}`, token: account.token },
    });
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}
