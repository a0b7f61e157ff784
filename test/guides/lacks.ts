/** What this project does not have of what a guide needs: a test skips such a guide, by name. */
import { TEMPLATE_STEPS } from "../../infra/init/template-steps.ts";
import { migrations } from "../../infra/migrations.ts";
import { patterns } from "../../worker/patterns.ts";
import { type Scenario, TEMPLATE_HISTORY } from "./guide.ts";

const folders: readonly string[] = patterns.map(({ folder }) => folder);
/** Steps that a guide adds come right behind the template's own, under the next number. */
const hasTemplateHistory = migrations.at(-1)?.name === TEMPLATE_STEPS.at(-1);

/** Those of the needs of `scenario` that this project lacks; none in the template (test/template/guides.test.ts). */
export function lacks({ needs }: Pick<Scenario, "needs">): readonly string[] {
  return needs.filter((need) => (need === TEMPLATE_HISTORY ? !hasTemplateHistory : !folders.includes(need)));
}
