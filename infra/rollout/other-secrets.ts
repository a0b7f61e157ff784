/** What a way back says of secrets: a version has those of its time. Pure. */

interface Marked {
  readonly number: number;
  /** The mark of its secrets; undefined: it is not recorded. */
  readonly secrets: string | undefined;
}

/** What to know before all traffic goes back to version `to`: that its secrets are others than what serves has. */
export function otherSecrets(
  {
    serving,
    versions,
  }: { readonly serving: readonly { readonly number: number }[]; readonly versions: readonly Marked[] },
  to: number,
): string | undefined {
  const markOf = (number: number) => versions.find((version) => version.number === number)?.secrets;
  const mark = markOf(to);
  const others = serving.filter(({ number }) => mark !== undefined && (markOf(number) ?? mark) !== mark);
  if (others.length === 0) return undefined;
  const named = others.map(({ number }) => `version ${number}`).join(" and ");
  return `Version ${to} has other secrets than ${named}: a token that was ended since is valid there again, and one that was made since is not.`;
}
