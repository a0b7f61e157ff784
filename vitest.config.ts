/** The suites: `npm test` runs worker, infra and local; the others have commands of their own. */
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { reachOwnDirectly } from "./packages/local-account/src/no-proxy.ts";
import LongestFirst from "./test/longest-first.ts";
import { otherWorkers } from "./test/other-workers.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** For the chaos tests: what a run is repeated with. */
    chaos: { seed: number; operations: number };
  }
}

// The tests' servers are on this machine, whichever proxy the person has.
reachOwnDirectly();

/** What a suite in the gate is repeated with; undefined: each run tries something else (test/properties.ts). */
const propertySeed = process.env.PROPERTY_SEED === undefined ? undefined : Number(process.env.PROPERTY_SEED);

/** How long `expect.poll` asks: what is waited for comes, or never does, and a busy machine may take its time. */
const PATIENT = { poll: { timeout: 60_000 } };

/**
 * The patterns' behaviour is tested on an open stack, with the article's calls; who may do what on any other is
 * test/worker/access.test.ts.
 */
const BINDINGS = {
  ADMIN_TOKEN: "test-admin-token",
  SETTINGS: {
    environment: "dev",
    access: "open",
    demoLogin: true,
    // Tests fill rooms faster than people do.
    chat: { rooms: "public", messagesPerSecond: 10_000 },
  },
};

/**
 * Workers' own runtime, by wrangler.jsonc. Tests break things on purpose, and workerd writes a stack for each: only
 * where WORKERD_LOG is set.
 */
const workerd = () =>
  cloudflareTest({
    wrangler: { configPath: "./wrangler.jsonc" },
    miniflare: { bindings: BINDINGS, workers: otherWorkers() },
    verbose: process.env.WORKERD_LOG !== undefined,
  });

/** What failed is to name its line. */
const STACK_LINES = ["test/worker/stack-lines.ts"];
/** For suites that run the Worker. */
const BUILT_PAGE = "test/built-page.ts";

const CHAOS = "test/**/worker/chaos.test.ts";

/**
 * An object that the chaos tests abort shares its isolate with the test. So what it had begun may go on, and is refused
 * by workerd; on Cloudflare it ends with the object.
 */
const isOfAbortedObject = ({ message }: { readonly message: string }) =>
  process.argv.includes("chaos") && message.includes("on behalf of a different Durable Object");

export default defineConfig({
  test: {
    // The gate of each change leaves these out (.ci/run); all other ways to run a suite have them.
    tags: [{ name: "nightly", description: "Long sequences, for the night and before a release." }],
    // What passed has said enough; what failed shows its output.
    silent: "passed-only",
    globalSetup: "test/compile-cache.ts",
    onUnhandledError: (error) => !isOfAbortedObject(error),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        plugins: [workerd()],
        test: {
          name: "worker",
          globalSetup: BUILT_PAGE,
          include: ["test/**/worker/*.test.ts"],
          exclude: [CHAOS],
          setupFiles: STACK_LINES,
          testTimeout: 90_000,
          hookTimeout: 60_000,
          expect: PATIENT,
          provide: { propertySeed },
        },
      },
      {
        // Faults at random, replayable: CHAOS_SEED and CHAOS_OPERATIONS (npm run test:chaos).
        plugins: [workerd()],
        test: {
          name: "chaos",
          globalSetup: BUILT_PAGE,
          include: [CHAOS],
          setupFiles: STACK_LINES,
          testTimeout: 300_000,
          hookTimeout: 60_000,
          provide: {
            chaos: {
              seed: Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000),
              operations: Number(process.env.CHAOS_OPERATIONS ?? 1_000),
            },
          },
        },
      },
      {
        test: {
          name: "infra",
          include: [
            "test/infra/**/*.test.ts",
            "test/provider/**/*.test.ts",
            "test/*/infra/**/*.test.ts",
            "packages/class-lifecycle/test/**/*.test.ts",
          ],
          // Some build a release or two, on a machine that runs the other suites beside.
          testTimeout: 90_000,
          hookTimeout: 60_000,
          expect: PATIENT,
          provide: { propertySeed },
        },
      },
      {
        test: {
          name: "local",
          include: ["test/local/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          expect: PATIENT,
        },
      },
      {
        // The local account by itself, for whoever changes it.
        test: {
          name: "local-account",
          include: ["packages/local-account/test/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          expect: PATIENT,
        },
      },
      {
        // The long sequences on the local account. Each file runs a workerd or two of its own.
        test: {
          name: "account",
          include: ["test/account/**/*.test.ts", "packages/local-account/test/long/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          expect: PATIENT,
        },
      },
      {
        // The workspaces as they would be published: packed, and installed into an empty project.
        test: { name: "packages", include: ["test/packages/**/*.test.ts"], testTimeout: 180_000, hookTimeout: 180_000 },
      },
      {
        // The guides in docs/, followed to the letter: each runs an account and builds releases.
        test: {
          name: "guides",
          include: ["test/guides/**/*.test.ts"],
          maxConcurrency: 2,
          testTimeout: 900_000,
        },
      },
      // <template> Not for a project that was made of it: npm run init takes these lines out.
      {
        // What `pulumi new` makes of this project, under other names: each `it` is a step of a user's first day.
        test: {
          name: "template",
          include: ["test/template/**/*.test.ts"],
          // Two copies of a file at once: each has a compiler of its own, and CI has two cores.
          maxConcurrency: 2,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          bail: 1,
        },
      },
      // The template's own sizes; what Cloudflare takes is checked by the build.
      { test: { name: "budget", include: ["test/budget/**/*.test.ts"], hookTimeout: 60_000 } },
      // </template>
      // Every call of an apply fails in every way: minutes, so it has a command of its own (npm run test:faults).
      {
        test: { name: "faults", include: ["test/faults/**/*.test.ts"], maxConcurrency: 2, hookTimeout: 60_000 },
      },
      {
        // Hostile clients over real WebSockets; one file at a time, because what is measured is time and memory.
        test: {
          name: "hostile",
          globalSetup: BUILT_PAGE,
          include: ["test/*/hostile/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "engine",
          include: ["test/engine/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          expect: PATIENT,
        },
      },
      {
        test: {
          name: "wrangler",
          globalSetup: BUILT_PAGE,
          include: ["test/wrangler/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          expect: PATIENT,
        },
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/*.test.ts", "test/*/browser.test.ts"],
          globalSetup: "test/browser/stack.ts",
          // All files come from one address, and share its bucket of the rate limiter.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: PATIENT,
        },
      },
    ],
  },
});
