/** The history that the template comes with. Only in the template: npm run init removes this file. */
import { expect, it } from "vitest";
import { TEMPLATE_STEPS } from "../../infra/init/template-steps.ts";
import { migrations } from "../../infra/migrations.ts";

it("is the one that `migrations -- import --write` knows, and puts another in its place without --force", () => {
  expect(TEMPLATE_STEPS).toEqual(migrations.map(({ name }) => name));
});
