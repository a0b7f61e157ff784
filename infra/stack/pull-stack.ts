/** The stack of a pull request: `pr-123`. Nothing else is called so. */

export const stackOf = (pull: number): string => `pr-${pull}`;

/** The pull request's number; undefined where the stack is of none. */
export function pullOf(stack: string): number | undefined {
  const [, digits] = /^pr-([1-9]\d{0,6})$/.exec(stack) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** Whether a stack's data may go, whatever its settings say: a pull request's is there to be tried, and goes with it. */
export const mayLoseData = (stack: string): boolean => pullOf(stack) !== undefined;
