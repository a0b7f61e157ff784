/** The report that people read before a deployment, from a preview to its text. */
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { engineColors, noColors, terminalColors } from "../../infra/plan/paint.ts";
import { changes, planData, report } from "../../infra/plan/report.ts";
import { preview } from "./preview.ts";

describe("the report", () => {
  it("says what happens to each class, with the number of its objects if known", () => {
    expect(report(preview())).toBe(
      `durable-stack-test: behind, 0001-create -> 0003-change
  classes   + New (sqlite)
            ~ Room -> Hall, with its 1,000+ objects
            - Gone, with its 12 objects
            - Empty, with no objects in it
            - Moved, handed to other with all its objects
            ~ Late waits no more for its objects, which stay with slow
              1 more stays as it is
  traffic   before: version 4 (aaaaaaaaaaaa) 90 %, version 5 (bbbbbbbbbbbb) 10 %
            after:  release bbbbbbbbbbbb 100 %
  rollback  was version 3; nothing before this release can serve again`,
    );
  });

  it("shows nothing that a release would change which is not uploaded", () => {
    const { plan, live } = preview();
    const pinned = preview({
      uploads: false,
      plan: { ...plan, changesLifecycle: true },
      traffic: { release: 0, stable: { versionId: "v-4", percentage: 100 }, findings: [] },
    });
    expect(report(pinned)).toContain("classes   no changes: the release is not uploaded");
    expect(report(pinned)).toContain(`rollback  back to version ${live.rollbackFloor} at most`);
    expect(changes(pinned).filter((line) => !line.startsWith("after:"))).toEqual([]);
    expect(planData(pinned).raisesFloor).toBe(false);
    expect(report(preview({ plan: { ...plan, changesLifecycle: true } }))).toContain("can serve again");
  });

  it("of a stack's first release names none that could serve again, for there is none", () => {
    const { plan, live } = preview();
    const first = preview({ plan: { ...plan, changesLifecycle: true }, live: { ...live, serving: [], versions: [] } });
    expect(report(first)).toContain("  rollback  nothing to go back to: it is the first release");
    expect(changes(first).join("\n")).not.toContain("can serve again");
  });

  it("lists added and removed bindings, and nothing if there are none", () => {
    expect(
      report(
        preview({
          bindings: [
            { name: "JOBS", kind: "added" },
            { name: "CACHE", kind: "removed", what: "KV namespace" },
          ],
        }),
      ),
    ).toContain("  bindings  + JOBS\n            - CACHE (KV namespace)");
    expect(report(preview())).not.toContain("bindings");
    expect(report(preview({ unknownBindings: true }))).toContain(
      "  bindings  ? those of infra/index.ts: only the program knows them (npm run preview -- --stack test)",
    );
  });

  it("says that the traffic stays if the same versions have the same shares", () => {
    const stable = { versionId: "v-4", percentage: 90 };
    expect(report(preview({ traffic: { release: 10, stable, findings: [] } }))).toContain("traffic   stays: version 4");
    const raised = { release: 50, stable: { ...stable, percentage: 50 }, findings: [] };
    expect(report(preview({ traffic: raised }))).toContain(
      "after:  release bbbbbbbbbbbb 50 %, version 4 (aaaaaaaaaaaa) 50 %",
    );
  });

  it("says that the release becomes a new version again, and why, unless it gets no traffic", () => {
    const stable = { versionId: "v-4", percentage: 90 };
    const renewedBecause = "a secret of the stack has changed";
    const text = report(preview({ traffic: { release: 10, stable, findings: [] }, renewedBecause }));
    expect(text).toContain("traffic   before: version 4");
    expect(text).toContain(`the release becomes a version once more: ${renewedBecause}`);
    const pinned = { release: 0, stable: { ...stable, percentage: 100 }, findings: [] };
    expect(report(preview({ traffic: pinned, renewedBecause }))).not.toContain("once more");
  });

  it("says what changes in the regions, and that the change is refused", () => {
    const text = report(
      preview({
        regions: [
          { kind: "added", id: "ap", prefix: "tst-ap" },
          { kind: "jurisdiction", id: "eu", prefix: "tst-eu", from: "none", to: "eu" },
        ],
        errors: [{ code: "region_jurisdiction_changed", subject: "tst-eu", message: "", fix: "" }],
      }),
    );
    expect(text).toContain("0003-change; refused, 1 error");
    // Nothing is sent, so nothing comes after.
    expect(text).toContain(
      "  traffic   stays: version 4 (aaaaaaaaaaaa) 90 %, version 5 (bbbbbbbbbbbb) 10 %\n  regions",
    );
    expect(text).not.toMatch(/after:|rollback/);
    expect(text).toContain("  regions   + ap (tst-ap)\n            ~ eu (tst-eu): jurisdiction none -> eu");
  });

  it("has colours only for a terminal: none in a pipe, the engine's own tags in the engine", () => {
    expect(report(preview(), terminalColors(new PassThrough()))).toBe(report(preview(), noColors));
    const tagged = report(preview(), engineColors);
    expect(tagged).toContain("<{%fg 1%}>- Gone, with its 12 objects<{%reset%}>");
    expect(tagged.replaceAll(/<\{%[^%]*%\}>/g, "")).toBe(report(preview()));
  });
});
