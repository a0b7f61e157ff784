/** Reads members of JSON from the network. A member that is missing or has another type is undefined. */

/** Whether a value is an object with members. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const member = (value: unknown, name: string) => (isRecord(value) ? value[name] : undefined);

export function textOf(value: unknown, name: string): string | undefined {
  const found = member(value, name);
  return typeof found === "string" ? found : undefined;
}

export function numberOf(value: unknown, name: string): number | undefined {
  const found = member(value, name);
  return typeof found === "number" ? found : undefined;
}

export function listOf(value: unknown, name: string): unknown[] {
  const found = member(value, name);
  return Array.isArray(found) ? found : [];
}

export function recordOf(value: unknown, name: string): Record<string, unknown> {
  const found = member(value, name);
  return isRecord(found) ? found : {};
}
