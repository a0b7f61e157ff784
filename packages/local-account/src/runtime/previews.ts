/** The versions that run beside the serving ones because somebody has visited their preview addresses. Pure. */

/** How many run at once: each is one more Worker in every next workerd, and a visit starts another again. */
export const MOST_PREVIEWS = 20;

/** The previews after a visit to one of the `versions`, the last visited last. Those that are gone are forgotten. */
export const visited = (
  previews: ReadonlySet<string>,
  versionId: string,
  versions: Pick<ReadonlySet<string>, "has">,
): ReadonlySet<string> =>
  new Set([...[...previews].filter((id) => id !== versionId && versions.has(id)), versionId].slice(-MOST_PREVIEWS));
