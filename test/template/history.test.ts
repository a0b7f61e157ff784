/** The history that the template comes with. Only in the template: npm run init removes this file. */
import { expect, it } from "vitest";
import { migrations } from "../../infra/migrations.ts";
import { TEMPLATE_STEPS } from "../../infra/plan/template-steps.ts";

it("is the one that `migrations -- import --write` knows, and puts another in its place without --force", () => {
  expect(TEMPLATE_STEPS).toEqual(migrations.map(({ name }) => name));
});
