/**
 * Whose a state is, by the URNs in it: pure. `pulumi stack import` refuses another stack's file; one that was copied in a
 * folder or a bucket is checked by nobody, and would be read as this stack's.
 */
import type { Owner } from "../../stack/placed.ts";

/** What is wrong with a state that has resources of another stack, and what to do; undefined: it is the stack's own. */
export function foreignState(
  { project, stack }: Owner,
  urns: Iterable<string>,
): { readonly what: string; readonly fix: string } | undefined {
  const owners = [...urns].flatMap((urn) => ownerOf(urn) ?? []);
  const other = owners.find((owner) => owner.project !== project || owner.stack !== stack);
  if (other === undefined) return undefined;
  return {
    what: `It has resources of the stack ${other.stack} of the project ${other.project}, and this is ${stack} of ${project}.`,
    fix: `put this stack's own state back (docs/state.md, "Back up and restore"), or recover it where that is lost (docs/recover.md). Where ${other.stack} of ${other.project} got a new name on purpose, give it the old one back (Pulumi.yaml), and let \`pulumi stack rename\` change it: that renames it in the state, too.`,
  };
}

/** The stack and the project in `urn:pulumi:<stack>::<project>::<type>::<name>`; undefined: it is no such text. */
function ownerOf(urn: string): Owner | undefined {
  const [stack, project] = urn.replace(/^urn:pulumi:/, "").split("::");
  return stack !== undefined && project !== undefined ? { stack, project } : undefined;
}
